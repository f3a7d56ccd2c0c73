#!/bin/sh
# SPDX-License-Identifier: ISC
# effects.sh - the user is stepped on while a program of his rc file runs
#
# A program is waited for, and then what it did is logged under the mailbox's locks.  By
# then another side may lead, with clients of its own: the record from the beginning of
# the run says nothing any more about what landed.  The real Dovecot reads.
set -u
. "$(dirname "$0")/../lib/site.sh"
site_begin
user_add 1
u=mferry1
H=$t/home/$u
${CC:-cc} -O2 -D_GNU_SOURCE -o "$t/inject" "$here/tests/crash/inject.c" || exit 2
mapd_start
cat >"$H/.procmailrc" <<'END'
:0 w
* ^Subject: slow
| cat >/dev/null; echo run >>$HOME/runs; until [ -e $HOME/go ]; do sleep 0.05; done
:0 wc
* ^Subject: twice
| cat >/dev/null; echo run >>$HOME/runs; until [ -e $HOME/go ]; do sleep 0.05; done
END
chown "$u" "$H" "$H/.procmailrc"
chmod 600 "$H/.procmailrc"
dovecot_start && mailferry add $u && mailferry step $u overlap
ok $? "a user in overlap, whose rc file has a slow program"

mail()		# NUMBER SUBJECT
{
	printf 'From s@x.test  Mon Jan  1 00:00:00 2026\nReceived: by mx (Postfix)\n\tid 4XYZ%06d; Mon\nSubject: %s\n\ntext\n' "$1" "$2"
}
lda()		# COMMAND...: that becomes the user, and runs the LDA
{
	env -i ASAN_OPTIONS=$ASAN_OPTIONS USER=$u LOGNAME=$u HOME="$H" RECIPIENT=$u@x.test SHELL=/bin/sh PATH=/usr/bin:/bin \
		"$@" "$BUILD/lda/mailferry-lda" --config "$conf"
}
himself="setpriv --reuid=$u --regid=nogroup --clear-groups"
killed="$t/inject -u $(id -u $u) -g $(getent group nogroup | cut -d: -f3) -k r2"
# shellcheck disable=SC2086
deliver() { mail "$1" "$2" | lda $himself >"$t/out" 2>&1; }
runs() { [ ! -e "$H/runs" ] || wc -l <"$H/runs"; }
started()	# RUNS: that many have begun
{
	tries=0
	until [ "$(runs)" = "$1" ] || [ $tries -gt 400 ]; do sleep 0.05; tries=$((tries + 1)); done
	is "$(runs)" "$1"
}
window() { mailferry step $u cutover --for 60 && { doveadm -c "$t/dv.conf" kick $u >/dev/null 2>&1; true; }; }
subjects() { imap $u uids | cut -d' ' -f2 | tr '\n' ' '; }

# Dovecot keeps the line of what was expunged, where many others are left.
i=0
while [ $i -lt 8 ]; do i=$((i + 1)); deliver 10$i m || break; done
is "$(subjects)" "m m m m m m m m "
ok $? "some messages"
# shellcheck disable=SC2086
mail 2 slow | lda $himself >"$t/slow" 2>&1 &
slow=$!
started 1 && window && mailferry step $u settle && lead $u new
ok $? "while the program runs, the user is stepped to settle"
# The leader's rename is the second; what came of it is not logged any more.
# shellcheck disable=SC2086
mail 3 gone | lda $killed >"$t/out" 2>&1
imap $u uids >"$t/out"
is "$(subjects)" "m m m m m m m m gone "
ok $? "a delivery dies behind its renames; the client of new sees the message"
gone=$(imap $u uids | sed -n 's/ gone//p')
imap $u expunge "$gone" >"$t/out"
grep -q "^$gone :" "$t/new/$u/Maildir/dovecot-uidlist"
ok $? "and expunges it"
touch "$H/go"
wait $slow
is $? 0 && is "$(subjects)" "m m m m m m m m "
ok $? "the program ends: what was expunged does not come back"
deliver 4 four && is "$(subjects)" "m m m m m m m m four "
ok $? "nor with the next delivery"
deliver 2 slow && is "$(runs)" 1
ok $? "the mail system's retry does not run the program again"

rm "$H/go"
# shellcheck disable=SC2086
mail 5 twice | lda $himself >"$t/twice" 2>&1 &
twice=$!
started 2 && window
ok $? "a program that is followed by a delivery runs into a cutover"
touch "$H/go"
wait $twice
is $? 75
ok $? "which defers the message"
mailferry step $u settle && deliver 5 twice && is "$(runs)" 2 && is "$(subjects)" "m m m m m m m m four twice "
ok $? "after the window it is delivered, and the program is not run again"
! grep -E 'Error|Warning|Panic|Fatal' "$t/dovecot.log" >>"$t/out"
ok $? "nothing that Dovecot would complain of"
echo "1..$n"
