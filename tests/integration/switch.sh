#!/bin/sh
# SPDX-License-Identifier: ISC
# switch.sh - what other ways of moving do to a mailbox when its leader changes, and ours must not
#
# The faults reported of two-sided deliveries on Dovecot's mailing list: UIDNEXT shrinks,
# a UID that was expunged comes again, deleted mail is back.  The real Dovecot reads, on the
# leader of each moment; Postfix's place is taken by the LDA alone.  What a client expunges
# while the follower has it already is the mirror's business, not that of a step.
set -u
. "$(dirname "$0")/../lib/site.sh"
site_begin
user_add 1
u=mferry1
mapd_start
dovecot_start && mailferry add $u && mailferry step $u overlap
ok $? "a user in overlap"

q=0
deliver()	# SUBJECT
{
	q=$((q + 1))
	printf 'From s@x.test  Mon Jan  1 00:00:00 2026\nReceived: by mx (Postfix)\n\tid 4XYZ%06d; Mon\nSubject: %s\n\ntext\n' $q "$1" >"$t/msg"
	env -i ASAN_OPTIONS=$ASAN_OPTIONS USER=$u LOGNAME=$u HOME="$t/home/$u" RECIPIENT=$u@x.test \
		setpriv --reuid=$u --regid=nogroup --clear-groups \
		"$BUILD/lda/mailferry-lda" --config "$conf" <"$t/msg" >"$t/out" 2>&1
}
status() { imap $u status >"$t/got"; cut -d' ' -f"$1" "$t/got"; }
subjects() { imap $u uids | tr '\n' ' '; }
switch()	# STATE SIDE
{
	mailferry step $u cutover --for 60 ; doveadm -c "$t/dv.conf" kick $u >/dev/null 2>&1
	mailferry step $u "$1" && lead $u "$2"
}

# What the delivery log of a side says of its last hand-over (mailferry-map(5)): its
# magic, led, led_next and the version which that is of.
logged()	# SIDE
{
	set -- "$t/$1/$u/Maildir/mailferry-deliveries"
	printf '%s' "$(head -c 7 "$1")" && od -An -tu8 -j16 -N8 "$1" | tr -d '\n' &&
		od -An -tu4 -j36 -N4 "$1" | tr -d '\n' && od -An -tu8 -j28 -N8 "$1"
}
led() { mailferry show --json $u && sed -n 's/.*"led":\([0-9]*\).*/\1/p' "$t/out"; }
says_led()	# SIDE MAGIC LED NEXT UNTIL
{
	# shellcheck disable=SC2046
	set -- "$2 $3 $4 $5" $(logged "$1")
	is "$2 $3 $4 $5" "$1"
}

i=0
while [ $i -lt 5 ]; do i=$((i + 1)); deliver "m$i" || break; done
# shellcheck disable=SC2046
imap $u $(i=0; while [ $i -lt 118 ]; do i=$((i + 1)); echo append a$i; done) expunge 6:123 >"$t/out"
v=$(status 1)
is "$(status 2)" 124 && is "$(status 3)" 5
ok $? "UIDNEXT on old is 124; 118 were expunged, the last one too"
switch settle new
is "$(status 2)" 124 && is "$(status 1)" "$v"
ok $? "on new UIDNEXT is 124, under the same UIDVALIDITY"
one=$(led)
says_led old mfdlog2 "$one" 124 "$one" && says_led new mfdlog1 "$one" 0 0
ok $? "the log of old knows that it led up to 124, that of new nothing of the kind"
is "$(subjects)" "1 m1 2 m2 3 m3 4 m4 5 m5 "
ok $? "and what was appended and expunged on old is not there"
deliver n1 && is "$(imap $u uids | tail -n 1)" "124 n1"
ok $? "the next message is 124: no UID of old comes again"
imap $u expunge 124 append n2 expunge 125 >"$t/out"
is "$(status 2)" 126
ok $? "on new two are expunged, UIDNEXT is 126"
deliver n3 && deliver n4 && is "$(subjects)" "1 m1 2 m2 3 m3 4 m4 5 m5 126 n3 127 n4 "
ok $? "later deliveries bring neither them nor their UIDs back"
imap $u expunge 2 >"$t/out"
deliver n5 && is "$(subjects)" "1 m1 3 m3 4 m4 5 m5 126 n3 127 n4 128 n5 "
ok $? "a message from before the switch, deleted after it, stays deleted"
i=0
while [ $i -lt 3 ]; do i=$((i + 1)); switch settle new; done
is "$(subjects)" "1 m1 3 m3 4 m4 5 m5 126 n3 127 n4 128 n5 " && is "$(status 2)" 129
ok $? "also after cutovers that were given up"
says_led old mfdlog2 "$(led)" 124 "$one" && says_led new mfdlog1 "$(led)" 0 0
ok $? "and what the logs know is of the hand-over that was"
switch overlap old
is "$(status 2)" 129 && is "$(status 1)" "$v"
ok $? "the way back: UIDNEXT on old is 129"
deliver o1 && is "$(imap $u uids | tail -n 1)" "129 o1" && ! switch settle new && grep -q 'INBOX: 2 messages' "$t/out" &&
	mailferry step $u overlap
ok $? "what new has expunged old still has: while new lacks it, it does not become the leader"
imap $u expunge 2 expunge 124 >"$t/out" && switch settle new && is "$(status 2)" 130
ok $? "and forth again: 130"
is "$(subjects)" "1 m1 3 m3 4 m4 5 m5 126 n3 127 n4 128 n5 129 o1 "
ok $? "on new they are still deleted"
two=$(led)
says_led old mfdlog2 "$two" 130 "$two" && [ "$two" -gt "$one" ]
ok $? "old led up to 130"
mv "$t/old/$u/Maildir" "$t/away" && deliver n6 && says_led old mfdlog2 "$two" 1 "$two"
ok $? "in settle its mailbox is made anew: whatever comes there from now on is no mail of its time"
lacks -E 'Error|Warning|Panic|Fatal' "$t/dovecot.log"
ok $? "nothing that Dovecot would warn of"
echo "1..$n"
