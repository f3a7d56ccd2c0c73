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
mailferry step $u cutover --for 60 && mailferry step $u settle --force && lead $u new && deliver m4 &&
	mailferry step $u cutover --for 60 && mailferry step $u overlap && lead $u old && deliver m5
ok $? "and it blocks neither the way forth nor the way back"
as_user mkdir "$old/..DOVECOT-TRASHED" "$old/..DOVECOT-TRASHED/cur" "$old/..DOVECOT-TRASHED/new" "$old/..DOVECOT-TRASHED/tmp" &&
	as_user touch "$old/..DOVECOT-TRASHED/cur/1600000000.M1P1.h:2,S" &&
	mailferry step $u cutover --for 60 && mailferry step $u settle --force && lead $u new &&
	[ ! -e "$new/..DOVECOT-TRASHED" ]
ok $? "a folder that Dovecot is deleting does not stop a step, nor come back on new"

# The lock keeps the step waiting in a process of the user's, which he stops.
echo 1:elsewhere.test >"$new/dovecot-uidlist.lock" && chown $u "$new/dovecot-uidlist.lock"
sed -i 's/^deadline.*/deadline = 15/' "$conf"
before=$(date +%s)
"$BUILD/admin/mailferry" --config "$conf" step $u new >"$t/out" 2>&1 &
step=$!
# Not the one that lists: that has ended before long.
children() { ps -o pid=,user= --ppid $step | awk -v u=$u '$2 == u { print $1 }'; }
tries=0
until child=$(children) && sleep 1 && [ -n "$child" ] && [ "$child" = "$(children)" ] || [ $tries -gt 10 ]; do
	tries=$((tries + 1))
done
as_user kill -STOP "$child"
ok $? "the user stops the process that works as him"
wait $step
is $? 75 && [ $(($(date +%s) - before)) -lt 40 ] && grep -q 'within 1[45] seconds' "$t/out" &&
	! kill -0 "$child" 2>/dev/null
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

# What a step costs is counted: each mailbox's two locks are taken once, nothing is made that
# is there.  So many folders were too many for a record with a floor for each.
user_add 3
u=mferry3 old=$t/old/mferry3/Maildir
python3 - "$old" <<-'END'
	import os, sys
	for i in range(1301):
	    box = sys.argv[1] + ("/.F%d" % i if i else "")
	    for sub in ("cur", "new", "tmp"):
	        os.makedirs(box + "/" + sub, 0o700)
	    with open(box + "/dovecot-uidlist", "w") as f:
	        f.write("3 V1700000000 N3 G%032x\n1 :1.M%dP1.host\n2 :2.M%dP1.host\n" % (i + 1, i, i))
	    for k in (1, 2):
	        open(box + "/cur/%d.M%dP1.host:2,S" % (k, i), "w").close()
END
chown -R $u "$old" && seed3=$t/new/mferry3/Maildir && cp -a "$old" "$seed3"
counted()	# CALL [FILE]: how often it was called in the last step, with that file
{
	grep -c "^[0-9]* *$1(.*${2:-}" "$t/calls"
}
counted_step()	# ARGUMENT...
{
	strace --seccomp-bpf -f -qq -e signal=none -e trace=link,linkat,mkdir,mkdirat,fsync -o "$t/calls" \
		"$BUILD/admin/mailferry" --config "$conf" step $u "$@" >"$t/out" 2>&1
}
once() { is "$(counted 'linkat\?' '"dovecot-uidlist.lock"')" 2602 && is "$(counted 'mkdir[at]*')" 0; }
mailferry add $u && counted_step overlap && once && is "$(counted fsync)" 0
ok $? "1,301 mailboxes: a step takes each one's two locks once"
counted_step cutover --for 300 && once && counted_step settle && once
ok $? "the step that hands them over as well, and it makes no directory"
counted_step cutover --for 300 && once && counted_step overlap && once && is "$(counted fsync)" 0
ok $? "and the way back, which finds everything made"
mailferry show $u && ! grep -q '^floor' "$t/out" && grep -q '^state.*overlap' "$t/out"
ok $? "the record has no floors: they would not have had room"
[ "$(uidnext $u old)" = 3 ] && [ "$(find "$seed3" -name mailferry-deliveries | wc -l)" = 1301 ]
ok $? "and each mailbox was handed over"
echo "1..$n"
