#!/bin/sh
# SPDX-License-Identifier: ISC
# folders.sh - a step and the folders of a user, with the real Dovecot
#
# Which mailboxes a step goes to: those of LAYOUT=fs below a directory that is no mailbox, but
# neither what was set aside nor what Dovecot is deleting.  And what a user may do to the
# process that goes there under his uid.
set -u
. "$(dirname "$0")/../lib/site.sh"
site_begin
user_add 1
mapd_start
userdb="passdb {
driver = static
args = password=x
}
userdb {
driver = passwd
}"
dovecot_start "mail_location = maildir:$t/leader/%u" "$userdb"

q=0
deliver()	# SUBJECT [ARGUMENT...]
{
	q=$((q + 1))
	printf 'From s@x.test  Mon Jan  1 00:00:00 2026\nReceived: by mx (Postfix)\n\tid 4XYZ%06d; Mon\nSubject: %s\n\ntext\n' $q "$1" >"$t/msg"
	shift
	env -i ASAN_OPTIONS=$ASAN_OPTIONS USER=$u LOGNAME=$u HOME="$t/home/$u" RECIPIENT=$u@x.test \
		setpriv --reuid=$u --regid=nogroup --clear-groups \
		"$BUILD/lda/mailferry-lda" --config "$conf" "$@" <"$t/msg" >"$t/out" 2>&1
}
as_user() { setpriv --reuid="$u" --regid=nogroup --clear-groups "$@"; }
seed() { rm -rf "$t/new/$u/Maildir"; cp -a "$t/old/$u/Maildir" "$t/new/$u/Maildir"; }

u=mferry1 old=$t/old/mferry1/Maildir new=$t/new/mferry1/Maildir
deliver m1 && deliver m2 && imap $u uids >"$t/out" && seed &&
	rm -f "$new"/dovecot* "$new"/mailferry* &&
	mailferry add $u && mailferry step $u overlap && deliver m3 &&
	is "$(ls "$new/tmp/mailferry-aside/"*.INBOX/cur | wc -l)" 2
ok $? "a copy without its uidlist is set aside, below tmp/"
mailferry list && lead $u new && imap $u uids >>"$t/out" &&
	is "$(doveadm -c "$t/dv.conf" mailbox list -u $u | tr '\n' ' ')" "INBOX "
ok $? "no client has it among its folders"
lead $u old
mailferry step $u cutover --for 60 && mailferry step $u settle && lead $u new && deliver m4 &&
	mailferry step $u cutover --for 60 && mailferry step $u overlap && lead $u old && deliver m5
ok $? "and it blocks neither the way forth nor the way back"
as_user mkdir "$old/..DOVECOT-TRASHED" "$old/..DOVECOT-TRASHED/cur" "$old/..DOVECOT-TRASHED/new" "$old/..DOVECOT-TRASHED/tmp" &&
	as_user touch "$old/..DOVECOT-TRASHED/cur/1600000000.M1P1.h:2,S" &&
	mailferry step $u cutover --for 60 && mailferry step $u settle && lead $u new &&
	[ ! -e "$new/..DOVECOT-TRASHED" ]
ok $? "a folder that Dovecot is deleting does not stop a step, nor come back on new"

# The lock keeps the step waiting in a process of the user's, which he stops.
echo 1:elsewhere.test >"$new/dovecot-uidlist.lock" && chown $u "$new/dovecot-uidlist.lock"
sed -i 's/^deadline.*/deadline = 4/' "$conf"
before=$(date +%s)
"$BUILD/admin/mailferry" --config "$conf" step $u new >"$t/out" 2>&1 &
step=$!
tries=0
until child=$(cat "/proc/$step/task/$step/children") && [ -n "$child" ] || [ $tries -gt 100 ]; do
	sleep 0.05
	tries=$((tries + 1))
done
# shellcheck disable=SC2086
[ "$(ps -o user= -p ${child%% *})" = $u ] && as_user kill -STOP $child
ok $? "the user stops the process that works as him"
wait $step
is $? 75 && [ $(($(date +%s) - before)) -lt 30 ] && grep -q 'within 4 seconds' "$t/out" &&
	! kill -0 ${child%% *} 2>/dev/null
ok $? "the command ends when it would have ended anyway, and so does the process"
rm "$new/dovecot-uidlist.lock" && sed -i 's/^deadline.*/deadline = 60/' "$conf"
mailferry step $u new
ok $? "the same step again is done"

# Dovecot makes Work/Nov without Work/cur.
sed -i 's/^mail_location.*/&:LAYOUT=fs/' "$t/dv.conf" && doveadm -c "$t/dv.conf" reload && sleep 1
user_add 2
u=mferry2 old=$t/old/mferry2/Maildir new=$t/new/mferry2/Maildir
deliver one && imap $u create Work/Nov select Work/Nov append a append b >"$t/out" &&
	[ ! -e "$old/Work/cur" ] && seed &&
	mailferry add $u && mailferry step $u overlap &&
	imap $u select Work/Nov append c expunge 3 >"$t/out" &&
	mailferry step $u cutover --for 60 && mailferry step $u settle && lead $u new &&
	imap $u select Work/Nov append d uids >"$t/got" &&
	is "$(tr '\n' ' ' <"$t/got")" "1 a 2 b 4 d "
ok $? "LAYOUT=fs: a folder below one that is none is handed over, with its next UID"
echo "1..$n"
