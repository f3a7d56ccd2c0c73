#!/bin/sh
# SPDX-License-Identifier: ISC
# site.sh - the real Postfix delivers, the real Dovecot serves, a user moves
set -u
. "$(dirname "$0")/../lib/site.sh"
site_begin
user_add 1
u=mferry1
mapd_start
postfix_start && dovecot_start
ok $? "a site below a temporary directory"

send $u first && settled && is "$(messages $u old | wc -l)" 1 && is "$(uidnext $u old)" 2
ok $? "Postfix delivers to old, with a UID, by the default"
is "$(imap $u uids)" "1 first"
ok $? "Dovecot shows it under that UID"
is "$(find "$t/old/$u/Maildir" -name 'dovecot-uidlist' -user $u -perm 600 | wc -l)" 1
ok $? "the uidlist is the recipient's"

mailferry add $u && mailferry step $u overlap
ok $? "overlap"
send $u second && settled && is "$(imap $u uids | tail -n 1)" "2 second" &&
	is "$(messages $u new | wc -l)" 1 && is "$(uidnext $u new)" 3
ok $? "both sides have the second, as UID 2"

imap $u append kept append gone expunge 4 uids >"$t/out" && send $u third && settled &&
	is "$(imap $u uids | tail -n 1)" "5 third" && is "$(uidnext $u new)" 6 &&
	is "$(messages $u new | cut -d' ' -f1 | tr '\n' ' ')" "2 3 5 "
ok $? "an APPEND on the leader is on the follower before the next UID is given"

imap $u expunge 5 status >"$t/out" && mailferry step $u cutover --for 60
ok $? "cutover"
send $u fourth && wait_for queued '4\.2\.1\|mailbox of mferry1 is being moved'
ok $? "in the window Postfix keeps the message: deferred"
! mailferry step $u settle && grep -q 'INBOX: 1 message ' "$t/out" && grep -q 'new lacks 1 message in 1 mailbox' "$t/out"
ok $? "new would lead without the first one: refused"
mailferry step $u settle --force && lead $u new
ok $? "settle"
postqueue -c "$t/pf" -f && settled && imap $u uids >"$t/got" && tail -n 1 "$t/got" >"$t/out" &&
	is "$(tail -n 1 "$t/got")" "6 fourth"
ok $? "UID 5, expunged on old, is not used again on new"
imap $u status >"$t/out" && is "$(cut -d' ' -f2 "$t/out")" 7
ok $? "UIDNEXT goes on"

imap $u expunge 2 >/dev/null && send $u fifth && settled &&
	is "$(imap $u uids | grep -c second)" 0 &&
	is "$(imap $u uids | tail -n 1)" "7 fifth"
ok $? "a message deleted after the switch stays deleted"
mailferry step $u new && send $u sixth && settled && is "$(imap $u uids | tail -n 1)" "8 sixth" &&
	! messages $u old | grep -q "^8 "
ok $? "new: new alone"

mapd_stop
send $u waits && wait_for queued 'cannot ask mailferry-mapd'
ok $? "mapd away: deferred with the reason, never bounced"
mapd_start
postqueue -c "$t/pf" -f && settled && is "$(imap $u uids | tail -n 1)" "9 waits"
ok $? "mapd back: delivered"

# As mail comes in twice when local(8) died before it wrote the status down.
printf ':0\n* ^Subject: filtered\n/dev/null\n' >"$t/home/$u/.procmailrc"
chown $u "$t/home/$u/.procmailrc"
send $u filtered && send $u passed && settled &&
	is "$(imap $u uids | tail -n 1 | cut -d' ' -f2)" passed && ! imap $u uids | grep -q filtered
ok $? "a user with a .procmailrc: his rules are run"
rm "$t/home/$u/.procmailrc"

lacks -q 'status=bounced' "$t/mail.log"
ok $? "nothing bounced"
lacks -E 'Error|Warning|Panic|Fatal' "$t/dovecot.log"
ok $? "nothing that Dovecot would warn of"

# The tests' own tools fail where they must.
echo "there is a word" >"$t/words"
lacks absent "$t/words" && ! lacks word "$t/words" && ! lacks word "$t/no-such-file"
ok $? "lacks: also a file that is missing is a failure"
(patience=1 && ! wait_for false) && wait_for true
ok $? "wait_for ends"
mapd_stop
(conf=$t/wrong.conf && echo 'map = nowhere' >"$conf" && ! mapd_start >"$t/out") && grep -q 'did not start: .*wrong.conf, line 1: map' "$t/out" && mapd_start
ok $? "mapd_start fails where mapd does not start, and says why"
echo "1..$n"
