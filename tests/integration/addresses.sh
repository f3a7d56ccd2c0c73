#!/bin/sh
# SPDX-License-Identifier: ISC
# addresses.sh - address extensions, virtual users by pipe(8), an MTA that dies
set -u
. "$(dirname "$0")/../lib/site.sh"
site_begin
user_add 1
user_add 2
u=mferry1 vmail=mferry2
sed -i 's/^deadline.*/deadline = 20/' "$conf"
{ echo "extension_mailboxes = yes"; echo "trusted_users = $u, mferry2"; } >>"$conf"
mapd_start
chown $vmail "$t/old" "$t/new"
postfix_start "transport_maps = inline:{virtual.test=vferry:}" "relay_domains = virtual.test" \
	'vferry_destination_recipient_limit = 1' &&
	cat >>"$t/pf/master.cf" <<END && postfix -c "$t/pf" reload >/dev/null 2>&1 && dovecot_start
vferry unix - n n - 4 pipe
  flags=DRXhuO user=$vmail:nogroup argv=$BUILD/lda/mailferry-lda --config $conf -f \${sender} -a \${extension} -d \${user}@\${domain}
END
ok $? "a site with extensions and a pipe(8) transport"

# An extension is a mailbox, made when it is first needed, on both sides alike.
mailferry add $u && mailferry step $u overlap && send $u+Lists.Dev one && settled &&
	[ "$(ls "$t/old/$u/Maildir/.lists.dev/new" | wc -l)" -eq 1 ] &&
	[ "$(ls "$t/new/$u/Maildir/.lists.dev/new" | wc -l)" -eq 1 ] &&
	cmp "$t/old/$u/Maildir/.lists.dev/dovecot-uidlist" "$t/new/$u/Maildir/.lists.dev/dovecot-uidlist" >>"$t/out"
ok $? "user+lists.dev: the mailbox is made on both sides, with equal V, G and UID"
[ -f "$t/old/$u/Maildir/.lists.dev/maildirfolder" ] &&
	[ -f "$t/new/$u/Maildir/.lists.dev/maildirfolder" ]
ok $? "with the mark of a Maildir++ folder"
imap $u select lists.dev uids >"$t/out" && is "$(cat "$t/out")" "1 one"
ok $? "Dovecot shows it"
doveadm -c "$t/dv.conf" mailbox list -s -u $u >"$t/out" 2>&1 && grep -qx lists.dev "$t/out"
ok $? "and it is subscribed"
cmp "$t/old/$u/Maildir/subscriptions" "$t/new/$u/Maildir/subscriptions" >>"$t/out"
ok $? "on both sides"
doveadm -c "$t/dv.conf" mailbox unsubscribe -u $u lists.dev && send $u+lists.dev two && settled &&
	doveadm -c "$t/dv.conf" mailbox list -s -u $u >"$t/out" && lacks -qx lists.dev "$t/out" &&
	imap $u select lists.dev uids >"$t/out" && is "$(tail -n 1 "$t/out")" "2 two"
ok $? "who unsubscribes stays so"
doveadm -c "$t/dv.conf" mailbox create -s -u $u other && send $u+second three && settled &&
	doveadm -c "$t/dv.conf" mailbox list -s -u $u | sort | tr '\n' ' ' >"$t/out" &&
	is "$(cat "$t/out")" "other second "
ok $? "beside subscriptions that Dovecot wrote"
for e in INBOX ..x .x x. 'a/b'; do send "$u+$e" "inbox $e"; done
settled && imap $u uids >"$t/out" && is "$(grep -c inbox "$t/out")" 5 &&
	is "$(find "$t/old/$u/Maildir" -mindepth 1 -maxdepth 1 -name '.*' | wc -l)" 3
ok $? "an extension that names no mailbox: the inbox"
[ -z "$(grep -v -e 'Info: ' -e 'Warning: .*SSL' "$t/dovecot.log" | grep -e Warning -e Error -e Panic)" ]
ok $? "nothing in Dovecot's log"

# Virtual users: one uid delivers for all, mapd lets it ask.
vsend() { python3 - "$smtp" "$1" "$2" <<-'END'
	import smtplib, sys
	s = smtplib.SMTP("127.0.0.1", int(sys.argv[1]), "client.test", 20)
	s.sendmail("sender@client.test", [sys.argv[2]], "Subject: %s\n\ntext\n" % sys.argv[3])
	s.quit()
	END
}
v=joe@virtual.test
mailferry add $v && mailferry step $v overlap && vsend $v hello && settled &&
	[ "$(ls "$t/old/$v/Maildir/new" | wc -l)" -eq 1 ] &&
	[ "$(ls "$t/new/$v/Maildir/new" | wc -l)" -eq 1 ] &&
	cmp "$t/old/$v/Maildir/dovecot-uidlist" "$t/new/$v/Maildir/dovecot-uidlist" >>"$t/out"
ok $? "pipe(8), a virtual user on both sides"
grep -q "^Return-Path: <sender@client.test>" "$t/old/$v/Maildir/new/"* &&
	grep -q "^X-Original-To: $v\|^Delivered-To: $v" "$t/old/$v/Maildir/new/"* &&
	lacks -q '^From ' "$t/old/$v/Maildir/new/"*
ok $? "its headers are those that flags= asks for, without a From_ line"
mailferry step $v cutover --for 30 && vsend $v later &&
	wait_for queued 'mailbox of joe@virtual.test is being moved'
ok $? "in a window it stays in the queue"
mailferry step $v settle && postqueue -c "$t/pf" -f && settled &&
	[ "$(ls "$t/new/$v/Maildir/new" | wc -l)" -eq 2 ]
ok $? "and comes afterwards"
printf 'Subject: x\n\nx\n' >"$t/msg"
sed -i "s/^trusted_users.*/trusted_users = $vmail/" "$conf" && reread "$mapd" "$t/mapd.log"
setpriv --reuid=$u --regid=nogroup --clear-groups "$BUILD/lda/mailferry-lda" --config "$conf" -d $v <"$t/msg" >"$t/out" 2>&1
[ $? -eq 75 ] && grep -q '^4\.[0-9.]* .*not permitted' "$t/out"
ok $? "who is not trusted may not deliver for him"

# The MTA dies in the middle of the message: what was read is none.
before=$(find "$t/old/$u" "$t/new/$u" -type f | wc -l)
python3 - "$BUILD/lda/mailferry-lda" "$conf" "$u" >"$t/out" 2>&1 <<'END'
import os, pwd, subprocess, sys, time
lda, conf, user = sys.argv[1:]
pw = pwd.getpwnam(user)
def demote():
    os.setgroups([]); os.setgid(pw.pw_gid); os.setuid(pw.pw_uid)
for size in (200, 5000000):     # read at once; read while it is written to tmp/
    r, w = os.pipe()
    p = subprocess.Popen([lda, "--config", conf], stdin=subprocess.PIPE, stdout=w, stderr=w,
        env={"USER": user, "LOGNAME": user, "HOME": pw.pw_dir, "ASAN_OPTIONS": "detect_leaks=0"}, preexec_fn=demote)
    os.close(w)
    p.stdin.write(b"From a@b  Mon Jan  1 00:00:00 2026\nReceived: by x\n\tid 4ABCDE12345; x\n\n" + b"x" * size)
    p.stdin.flush()
    os.close(r)                 # as by kill -9: nobody reads fd 1 any more
    p.stdin.close()             # and the input ends early, cleanly
    assert p.wait() == 75, p.returncode
END
[ $? -eq 0 ] && is "$(find "$t/old/$u" "$t/new/$u" -type f | wc -l)" "$before"
ok $? "an MTA that dies: deferred, and nothing of the half message is left"
echo "1..$n"
