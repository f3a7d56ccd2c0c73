#!/bin/sh
# SPDX-License-Identifier: ISC
# remade.sh - folders that a client deletes, and mail or the client makes anew
#
# A mailbox that the leader lacks is a new mailbox.  With the UIDVALIDITY of its predecessor
# and fresh index files a client that knows the predecessor (QRESYNC) is told nothing of the new
# mail, for ever.  The follower's copy of what was deleted is set aside.  The real Dovecot
# serves; Postfix's place is taken by the LDA alone.
set -u
. "$(dirname "$0")/../lib/site.sh"
site_begin
echo "extension_mailboxes = yes" >>"$conf"
user_add 1
u=mferry1
O=$t/old/$u/Maildir N=$t/new/$u/Maildir
mapd_start
dovecot_start && mailferry add $u
ok $? "a user"

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
validity() { sed -n '1s/.* V\([0-9]*\).*/\1/p' "$1/dovecot-uidlist"; }		# DIR
guid() { sed -n '1s/.* G\([0-9a-f]*\).*/\1/p' "$1/dovecot-uidlist"; }		# DIR
same_box() { is "$(validity "$1") $(guid "$1")" "$(validity "$2") $(guid "$2")"; }	# DIR DIR
in_box() { imap $u select "$1" uids | tr '\n' ' '; }				# MAILBOX
client()	# CALL...: python on the session m
{
	python3 - "$imap" "$u" "$@" <<-'END'
		import imaplib, sys
		m = imaplib.IMAP4("127.0.0.1", int(sys.argv[1])); m.login(sys.argv[2], "x")
		for call in sys.argv[3:]:
		    if eval(call)[0] not in ("OK", "BYE"): sys.exit(call)
		m.logout()
	END
}

deliver zero && imap $u uids >"$t/out" && mailferry step $u overlap && for i in 1 2 3; do deliver m$i -a lists || exit; done
is "$(in_box lists)" "1 m1 2 m2 3 m3 "
ok $? "in overlap: mail in a folder"
v=$(validity "$O/.lists") g=$(guid "$O/.lists")
client 'm.delete("lists")' && deliver m4 -a lists && is "$(in_box lists)" "1 m4 "
ok $? "a client deletes it, the next mail makes it anew"
[ "$(validity "$O/.lists")" -gt "$v" ] && ! is "$(guid "$O/.lists")" "$g"
ok $? "under a higher UIDVALIDITY, with another GUID"
same_box "$O/.lists" "$N/.lists" && is "$(grep -c : "$N/.lists/dovecot-uidlist")" 1
ok $? "the follower is the same mailbox, and has the new mail alone"
is "$(cat "$N"/tmp/mailferry-aside/*.lists/*/* | grep -c '^Subject')" 3
ok $? "what it had is set aside"
# Faster than the clock: each is another mailbox.
all=$v
for i in 1 2 3; do
	client 'm.delete("lists")' && deliver m4$i -a lists || break
	all="$all $(validity "$O/.lists")"
done
is "$(echo "$all" | tr ' ' '\n' | sort -nu | wc -l)" 4 && is "$(echo "$all" | tr ' ' '\n' | sort -n | tr '\n' ' ')" "$all "
ok $? "three times within a second: always a higher one"
v=$(validity "$O/.lists")
client 'm.delete("lists")' 'm.create("lists")' 'm.create("others")' && imap $u select lists status select others status >"$t/got"
[ "$(cut -d' ' -f1 "$t/got" | sort -n | head -n 1)" -gt "$v" ]
ok $? "and Dovecot's own counter goes on above ours"

mailferry step $u cutover --for 60; doveadm -c "$t/dv.conf" kick $u >>"$t/out" 2>&1
mailferry step $u settle --force || mailferry step $u settle
lead $u new
deliver m5 -a lists && is "$(in_box lists | sed 's/^[0-9]* //')" "m5 "
ok $? "in settle: mail in the folder"
v=$(validity "$N/.lists")
client 'm.delete("lists")' 'm.create("lists")' && deliver m6 -a lists && is "$(in_box lists | sed 's/^[0-9]* //')" "m6 "
ok $? "a client deletes it and creates it again: the next mail is delivered"
[ "$(validity "$N/.lists")" -gt "$v" ] && same_box "$O/.lists" "$N/.lists" && is "$(grep -c : "$O/.lists/dovecot-uidlist")" 1
ok $? "old is the same mailbox"
client 'm.delete("lists")' && deliver m7 -a lists && is "$(in_box lists)" "1 m7 " && same_box "$O/.lists" "$N/.lists"
ok $? "deleted only: the next mail makes it anew"

# A filer that came back empty is no client's doing.
mv "$N" "$t/new/$u/away" && { deliver m8; is $? 75; } && grep -q "was the filer wiped" "$t/out" && { deliver m9 -a lists; is $? 75; }
ok $? "new comes back empty: inbox and folder are deferred, with a line that says so"
is "$(ls "$O/cur" "$O/new" | grep -c ,S=)" 1 && is "$(grep -c : "$O/.lists/dovecot-uidlist")" 1
ok $? "and old keeps what it has"
rm -rf "$N"; mv "$t/new/$u/away" "$N"
deliver m8 && deliver m9 -a lists && is "$(in_box lists)" "1 m7 2 m9 "
ok $? "when it is back they are delivered"
! grep -E 'Error|Warning|Panic|Fatal' "$t/dovecot.log" >>"$t/out"
ok $? "nothing that Dovecot would warn of"
echo "1..$n"
