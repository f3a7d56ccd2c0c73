#!/bin/sh
# SPDX-License-Identifier: ISC
# handover.sh - a step to the other leader never hides mail, with the real Dovecot
#
# Mail that only the present leader has refuses the step, with the mailboxes and a count each;
# --force overrides.  Then what the log says of the hand-over, and records from before, which
# have a floor for each mailbox.
set -u
. "$(dirname "$0")/../lib/site.sh"
site_begin
user_add 1
mapd_start
dovecot_start || exit 2

q=0
deliver()	# SUBJECT
{
	q=$((q + 1))
	printf 'From s@x.test  Mon Jan  1 00:00:00 2026\nReceived: by mx (Postfix)\n\tid 4XYZ%06d; Mon\nSubject: %s\n\ntext\n' $q "$1" >"$t/msg"
	env -i ASAN_OPTIONS=$ASAN_OPTIONS USER=$u LOGNAME=$u HOME="$t/home/$u" RECIPIENT=$u@x.test \
		setpriv --reuid=$u --regid=nogroup --clear-groups \
		"$BUILD/lda/mailferry-lda" --config "$conf" <"$t/msg" >"$t/out" 2>&1
}
refused() { mailferry step $u "$@"; is $? 1; }
says() { grep -q "$1" "$t/out"; }
shown() { mailferry show $u && sed -n "s/^$1 //p" "$t/out" >"$t/got" && cat "$t/got"; }
seed() { rm -rf "$t/new/$u/Maildir"; cp -a "$t/old/$u/Maildir" "$t/new/$u/Maildir" && rm -f "$t/new/$u/Maildir/"dovecot.index*; }
# led_next of a side's log where it is of its last hand-over; empty: it proves nothing
led_next()	# SIDE
{
	python3 - "$t/$1/$u/Maildir/mailferry-deliveries" <<-'END'
		import struct, sys
		head = open(sys.argv[1], "rb").read(64)
		led, until, following = struct.unpack_from("<Q4xQL", head, 16)
		print(following if head[:8] == b"mfdlog2\n" and until == led else "")
	END
}

u=mferry1 old=$t/old/mferry1/Maildir
deliver a && deliver b && imap $u uids create Sub select Sub append c >"$t/out" && mailferry add $u &&
	mailferry step $u overlap && deliver d && mailferry step $u cutover --for 600
ok $? "three messages are on old only, then one is on both"
refused settle && says 'INBOX: 2 messages' && says 'Sub: 1 message ' && says 'lacks 3 messages in 2 mailboxes' &&
	says "mailferry move $u" && says ' --force '
ok $? "the step to settle is refused, and says where how many are missing"
is "$(shown state)" cutover && is "$(shown leader)" old
ok $? "old leads, in the same cutover"
refused settle --dry-run && says 'lacks 3 messages in 2 mailboxes'
ok $? "so it is with --dry-run"
mailferry step $u overlap && deliver e && is "$(imap $u uids | tail -n 1)" "4 e"
ok $? "given up, mail comes on both sides"
seed && imap $u flag 1 '\Flagged' append f >"$t/out" && mailferry step $u cutover --for 600 && mailferry step $u settle &&
	lead $u new && imap $u uids >"$t/got" && is "$(tr '\n' ' ' <"$t/got")" "1 a 2 b 3 d 4 e 5 f " &&
	is "$(imap $u select Sub uids)" "1 c"
ok $? "seeded it goes over, whatever the flags, and what a client appended since is caught up"
is "$(led_next old)" 6 && is "$(led_next new)" ""
ok $? "the log of old says up to where it led"

esc=$(printf '\033[31m')
imap $u append g >"$t/out" && setpriv --reuid=$u --regid=nogroup --clear-groups mkdir -p "$t/new/$u/Maildir/.${esc}x/cur" &&
	echo text >"$t/new/$u/Maildir/.${esc}x/cur/1.M1P1.host:2," &&
	printf '3 V1700000000 N2 G%032x\n1 :1.M1P1.host\n' 7 >"$t/new/$u/Maildir/.${esc}x/dovecot-uidlist" && chown -R $u "$t/new/$u/Maildir/.${esc}x" &&
	mailferry step $u cutover --for 600 && refused overlap && says 'x: 1 message ' && ! grep -qF "$esc" "$t/out" && ! says INBOX
ok $? "the way back is refused for a folder that old lacks; its name puts no escape sequence on a terminal"
mailferry step $u overlap --force && lead $u old && is "$(imap $u uids | tail -n 1)" "6 g"
ok $? "--force overrides; what is caught up was not lacking"
is "$(led_next old)" "" && is "$(led_next new)" 7 && rm -r "$t/new/$u/Maildir/.${esc}x"
ok $? "each mailbox's log says it where nothing was lacking there"

# As a record of an older version has them: one for INBOX, and of so many folders as fit.
user_add 2
u=mferry2 old=$t/old/mferry2/Maildir
deliver one && imap $u uids >"$t/out" && seed && head -n 1 "$old/dovecot-uidlist" >"$t/head" &&
	python3 - $u "$t/head" >"$t/record" <<-'END'
		import json, re, sys
		v, g = re.match(r"3 V(\d+) N\d+ G(\w+)", open(sys.argv[2]).read()).groups()
		print(json.dumps({"user": sys.argv[1], "state": "overlap",
		    "floor": ["%s %s 500" % (g, v)] + ["%032x 1700000000 9" % i for i in range(999)]}))
	END
mailferry import "$t/record" && is "$(mailferry show $u; grep -c '^floor' "$t/out")" 1000 &&
	mailferry step $u cutover --for 600 && mailferry step $u settle && lead $u new && deliver two &&
	is "$(imap $u uids | tail -n 1)" "500 two"
ok $? "a record with a thousand floors: the step is done, and the floor respected"
mailferry step $u cutover --for 600 && mailferry step $u overlap && lead $u old && deliver three &&
	is "$(imap $u uids | tr '\n' ' ')" "1 one 500 two 501 three " && is "$(mailferry show $u; grep -c '^floor' "$t/out")" 1000
ok $? "and so is the way back"
! grep -E 'Error|Warning|Panic|Fatal' "$t/dovecot.log" >>"$t/out"
ok $? "nothing that Dovecot would warn of"
echo "1..$n"
