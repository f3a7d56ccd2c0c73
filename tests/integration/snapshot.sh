#!/bin/sh
# SPDX-License-Identifier: ISC
# snapshot.sh - a leader that was restored, and a session that survived its hand-over
#
# Both leave something on the follower that the leader does not have.  What mailferry wrote
# there has the key Y1 in its line, which the real Dovecot keeps; so the two are told apart, and
# from what a client expunged.
set -u
. "$(dirname "$0")/../lib/site.sh"
site_begin
user_add 1
u=mferry1
${CC:-cc} -O2 -D_GNU_SOURCE -o "$t/inject" "$here/tests/crash/inject.c" || exit 2
O=$t/old/$u/Maildir N=$t/new/$u/Maildir
mapd_start
dovecot_start && mailferry add $u
ok $? "a user"

q=0
lda()		# SUBJECT COMMAND...: that becomes the user, and runs the LDA
{
	q=$((q + 1))
	printf 'From s@x.test  Mon Jan  1 00:00:00 2026\nReceived: by mx (Postfix)\n\tid 4XYZ%06d; Mon\nSubject: %s\n\ntext\n' $q "$1" >"$t/msg"
	shift
	env -i ASAN_OPTIONS=$ASAN_OPTIONS USER=$u LOGNAME=$u HOME="$t/home/$u" RECIPIENT=$u@x.test \
		"$@" "$BUILD/lda/mailferry-lda" --config "$conf" <"$t/msg" >"$t/out" 2>&1
}
deliver() { lda "$1" setpriv --reuid=$u --regid=nogroup --clear-groups; }	# SUBJECT
deferred() { deliver "$1"; is $? 75 && grep -q "was an old state of it restored" "$t/out"; }
subjects() { imap $u uids | tr '\n' ' '; }
on()		# SIDE ARGUMENT...: doveadm, in a session that is still on that side
{
	side=$1
	shift
	doveadm -c "$t/dv.conf" -o "mail_location=maildir:$t/$side/$u/Maildir" "$@" >>"$t/out" 2>&1
}
files() { (cd "$t" && find old new -type f ! -name 'mailferry-*' ! -name 'dovecot.*' -printf '%p %s %T@\n' | sort; cat "$O/dovecot-uidlist" "$N/dovecot-uidlist"); }
switch()	# STATE SIDE
{
	mailferry step $u cutover --for 60; doveadm -c "$t/dv.conf" kick $u >/dev/null 2>&1
	{ mailferry step $u "$1" --force || mailferry step $u "$1"; } && lead $u "$2"
}

deliver one && imap $u uids >"$t/out" && mailferry step $u overlap && deliver two && imap $u uids >"$t/out"
cp -a "$O" "$t/snap"
deliver three && deliver four && imap $u uids >"$t/out"
mv "$O" "$t/kept" && cp -a "$t/snap" "$O"
files >"$t/before"
deferred five && files | cmp -s - "$t/before"
ok $? "in overlap old is restored from a snapshot: deferred with a line, nothing is changed"
imap $u append A >"$t/out" && deferred five
ok $? "also when a client has got one of the UIDs for something else"
imap $u append B append C append D >"$t/out" && deferred five && [ "$(cat "$N"/new/* | grep -c '^Subject: four')" = 1 ]
ok $? "and all of them"
rm -rf "$O" && mv "$t/kept" "$O" && deliver five && is "$(subjects)" "1 one 2 two 3 three 4 four 5 five "
ok $? "the present state is back: mail goes on"

switch settle new && deliver six && imap $u append seven >"$t/out" && deliver eight && grep -q '^6 Y1 :' "$O/dovecot-uidlist" && grep -q '^7 Y1 :' "$O/dovecot-uidlist"
ok $? "in settle the lines on old are marked"
v=$(stat -c %i "$O/dovecot-uidlist")
switch overlap old && is "$(subjects)" "1 one 2 two 3 three 4 four 5 five 6 six 7 seven 8 eight " && on old force-resync -u $u INBOX &&
	imap $u expunge 1 expunge 2 expunge 3 expunge 5 >"$t/out" && [ "$(stat -c %i "$O/dovecot-uidlist")" != "$v" ] &&
	grep -q '^7 Y1 :' "$O/dovecot-uidlist"
ok $? "Dovecot, which leads there again and writes the list anew, keeps the mark"
deliver nine && is "$(subjects)" "4 four 6 six 7 seven 8 eight 9 nine " && grep -q '^9 Y1 :' "$N/dovecot-uidlist"
ok $? "and new, which had clients, is marked now"
switch settle new && deliver ten && imap $u uids >"$t/out"

# Whoever has the mailbox open through a shared namespace is not seen by kick.
sed -i "s,^log = .*,log = stderr," "$conf"
mail="From: me\nSubject: late\n\nstored\n"
# shellcheck disable=SC2059
printf "$mail" | on old save -u $u -m INBOX && deliver eleven && grep -q "stray user=$u in=$O uid=11 " "$t/out" &&
	is "$(imap $u uids | tail -n 1)" "12 eleven"
ok $? "a session that is still on old stores a message: mail is delivered above it, and the log names it"
deliver twelve && ! grep -q stray "$t/out" && is "$(imap $u uids | tail -n 1)" "13 twelve"
ok $? "the next delivery says no more"
[ "$(cat "$O"/*/*,S=* | grep -c '^Subject: late')" = 1 ]
ok $? "and it stays"
# What deliveries catch up there has its line before it has its file: else such a session would
# number it.  The first rename to a message's name is that of the catch-up; the UID before it is
# burned.
imap $u append burned expunge "$(imap $u status | cut -d' ' -f2)" append caught >"$t/out" && { lda fourteen "$t/inject" -u "$(id -u $u)" -g "$(getent group nogroup | cut -d: -f3)" -k r1; is $? 137; }
uid=$(imap $u uids | sed -n 's/ caught//p')
on old fetch -u $u uid mailbox INBOX all && name=$(sed -n "s/^$uid .*://p" "$N/dovecot-uidlist") &&
	is "$(sed -n "s/^\([0-9]*\) .*:$name\$/\1/p" "$O/dovecot-uidlist")" "$uid" && deliver fifteen && is "$(imap $u uids | tail -n 1 | cut -d' ' -f2)" fifteen
ok $? "the LDA is killed while it catches up: the session numbers nothing"
! grep -E 'Error|Panic|Fatal' "$t/dovecot.log" >>"$t/out"
ok $? "nothing that Dovecot would complain of"
echo "1..$n"
