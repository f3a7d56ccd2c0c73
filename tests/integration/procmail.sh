#!/bin/sh
# SPDX-License-Identifier: ISC
# procmail.sh - in procmail's place, without a map: the same bytes in the mailbox
#
# Each message and option goes through Debian's procmail and through mailferry-lda;
# what lies in the mailbox afterwards must be the same.  BUILD is the build directory.
set -u
: "${BUILD:?}"
ASAN_OPTIONS=detect_leaks=0
export ASAN_OPTIONS
t=$(mktemp -d) || exit 2
user=mferryp
# shellcheck disable=SC2317
finish() { userdel $user 2>/dev/null; rm -f "/var/mail/$user"; rm -rf "$t"; }
trap finish EXIT
trap 'exit 2' INT TERM
useradd -M -N -d "$t/home" -s /bin/sh $user 2>/dev/null
mkdir "$t/home" "$t/msg"
chmod 755 "$t"
chown $user "$t/home"
. "$(dirname "$0")/../lib/wait.sh"
n=0
ok()		# STATUS NAME
{
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else
		echo "not ok $n - $2"
		sed 's/^/# /' "$t/out" | cut -c1-200 | tail -n 30
	fi
}
printf 'map = none\nlog = none\ndeadline = 5\n' >"$t/conf"
as() { setpriv --reuid=$user --regid=nogroup --clear-groups env -i ASAN_OPTIONS=detect_leaks=0 \
	HOME="$t/home" LOGNAME=$user USER=$user PATH=/usr/bin:/bin "$@"; }
lda() { as "$BUILD/lda/mailferry-lda" --config "$t/conf" "$@"; }

from='From a@b.test  Mon Jan  1 00:00:00 2026'
cd "$t/msg" || exit 2
printf '%s\nSubject: x\n\nbody\n' "$from" >plain
printf '%s\nSubject: x\n\nbody' "$from" >noeol
printf '%s\nSubject: x\n\nFrom me\n>From q\nFrom: no\n\nFrom z\nFro' "$from" >escape
printf '%s\nFrom hdr\nSubject: x\n\nb\n' "$from" >from-in-header
printf '%s\n%s\nSubject: x\n\nb\n' "$from" "$from" >two-from
printf 'Subject: x\n\nFrom body\n' >no-from
printf '%s\r\nSubject: x\r\n\r\nbody\r\nFrom x\r\n' "$from" >crlf
printf '%s\nSubject: x\n\nbo\000dy\377\n' "$from" >nul
: >empty
printf '%s\n' "$from" >only-from
printf '%s' "$from" >only-from-noeol
printf '%s\nSubject: x\n' "$from" >header-only
printf '%s\nSubject: x' "$from" >header-noeol
printf '%s\nSubject: x\n\nbody\n\n' "$from" >blank-end
printf '%s\nSubject: x\n\nbody\n\n\n' "$from" >blank-end3
printf '\n\nSubject: x\n\nbody\n' >blank-begin
printf '%s\nContent-Length: 4000\nSubject: x\n\nFrom b\nFrom c\n\n' "$from" >length
printf '%s\nFrom h\ncontent-length:7\nFrom i\n\nFrom b\nFrom c\n123\n\n\n' "$from" >length-narrow
printf '%s\nContent-Length: abc\nContent-Length: 30\n\nFrom b\nFrom c' "$from" >length-twice
printf '%s\nContent-Lengt: 30\nContent-Length \n\nFrom b\n' "$from" >length-nearly
python3 -c 'import sys; w = sys.stdout.write
w(sys.argv[1] + "\nSubject: big\n\n")
w("x" * 3000000 + "\nFrom here\n" + "y" * 131000 + "\nFrom there\n" * 50000)' "$from" >big
python3 -c 'import random, sys; r = random.Random(7)
w = [b"From ", b"From", b"\n", b"\n", b"a", b"Content-Length: 12\n", b">", b"\r\n", b"Fr", b"om "]
for i in range(40):
    open("random%d" % i, "wb").write((sys.argv[1].encode() + b"\n" if i % 4 else b"") + b"".join(r.choice(w) for _ in range(r.randrange(60))))' "$from"

same()		# MESSAGE OPTION...: into an mbox that has something already
{
	m=$1
	shift
	echo before >"$t/home/theirs"
	echo before >"$t/home/ours"
	chown $user "$t/home/theirs" "$t/home/ours"
	touch -d yesterday "$t/home/theirs"		# procmail sleeps a second where it was written just now
	as procmail "$@" DEFAULT="$t/home/theirs" /dev/null <"$m" >"$t/out" 2>&1
	lda "$@" DEFAULT="$t/home/ours" /dev/null <"$m" >>"$t/out" 2>&1 || return 1
	# The date of today's From_ line is today's.
	for f in theirs ours; do
		sed 's/^\(From [^ ]*  \)... ... .. ..:..:.. 2[0-9]*$/\1DATE/' "$t/home/$f" >"$t/$f"
	done
	cmp "$t/theirs" "$t/ours" >>"$t/out" 2>&1 || {
		diff -a "$t/theirs" "$t/ours" | head -n 20 | cat -A >>"$t/out"
		return 1
	}
}
for m in *; do
	case $m in random*) continue;; esac
	same "$m"
	ok $? "$m"
done
bad=0
for m in random*; do same "$m" || { bad=1; cat -A "$m" >>"$t/out"; break; }; done
ok $bad "40 messages of random pieces"
for m in plain no-from length escape; do
	for o in -Y -t -o '-f s@t.test' '-f -' '-f-' '-tY' '-a ext -p'; do
		# shellcheck disable=SC2086
		same $m $o
		ok $? "$m $o"
	done
done

# procmail loses count behind a NUL and leaves a From_ line there that splits the
# message in two: that we do not copy.
printf '\nFrom\000a\nFrom b\n' >"$t/msg/nul-line"
echo before >"$t/home/ours" && chown $user "$t/home/ours" &&
	lda DEFAULT="$t/home/ours" /dev/null <nul-line >"$t/out" 2>&1 &&
	printf 'before\n\nFrom\000a\n>From b\n\n' | cmp - "$t/home/ours" >>"$t/out" 2>&1
ok $? "escaped behind a NUL, too"

mkdir -p "$t/home/sub" && chown $user "$t/home/sub"
for d in "$t/home/sub/new" rel '$HOME/sub/var' '${HOME}/sub/$LOGNAME'; do
	rm -rf "$t/home/sub/"* "$t/home/rel"
	as procmail DEFAULT="$d" /dev/null <plain &&
		find "$t/home" -type f -printf '%P %m %u %s\n' | sort >"$t/theirs"
	rm -rf "$t/home/sub/"* "$t/home/rel"
	lda DEFAULT="$d" /dev/null <plain >"$t/out" 2>&1 &&
		find "$t/home" -type f -printf '%P %m %u %s\n' | sort >"$t/ours" &&
		diff "$t/theirs" "$t/ours" >>"$t/out"
	ok $? "a new mbox: DEFAULT=$d"
done
lda DEFAULT=md/ /dev/null <plain >"$t/out" 2>&1 &&
	tail -n +2 plain | cmp - "$t"/home/md/new/* >>"$t/out" 2>&1
ok $? "a Maildir: without the From_ line"
defers()	# ARG...: 75 and one line that says why; nothing anywhere
{
	find "$t/home" -type f -printf '%P %s\n' | sort >"$t/before"
	lda "$@" <plain >"$t/out" 2>&1
	[ $? -eq 75 ] && [ "$(wc -l <"$t/out")" -eq 1 ] &&
		find "$t/home" -type f -printf '%P %s\n' | sort | diff "$t/before" - >>"$t/out"
}
lda DEFAULT=mh/. /dev/null <plain >"$t/out" 2>&1 && cmp "$t/home/mh/1" - <<END >>"$t/out" 2>&1
$(cat plain)

END
ok $? "MH: a number for a name"
lda DEFAULT=sub /dev/null <plain >"$t/out" 2>&1 &&
	cmp "$t/home/mh/1" "$t"/home/sub/msg.* >>"$t/out" 2>&1
ok $? "a directory: msg.NAME"
lda OTHER=sub 'DEFAULT=$OTHER/x' /dev/null <plain >"$t/out" 2>&1 &&
	cmp "$t/home/mh/1" "$t/home/sub/x" >>"$t/out" 2>&1
ok $? "DEFAULT with a variable"
defers DEFAULT=/nonexistent/x /dev/null
ok $? "a directory that is not there is deferred, not lost elsewhere"
lda -m DEFAULT=rel <plain >"$t/out" 2>&1; [ $? -eq 66 ]; ok $? "-m without an rc file: 66"
ln -s /etc/passwd "$t/home/link"
defers DEFAULT=link /dev/null; ok $? "a link that another owns is not followed"
lda DEFAULT=/dev/null /dev/null <plain >"$t/out" 2>&1; ok $? "/dev/null takes it"
lda -d root <plain >"$t/out" 2>&1; [ $? -eq 77 ]; ok $? "-d somebody else without being root: 77"
lda -d nobody-of-this-name <plain >"$t/out" 2>&1; [ $? -eq 67 ]; ok $? "-d nobody that there is: 67"

# The system mailbox: root makes it, procmail's is set-gid mail for that.
rm -f "/var/mail/$user"
defers; ok $? "no system mailbox, and no right to make one"
procmail -d $user <plain && stat -c '%a %U %G %s' "/var/mail/$user" >"$t/theirs"
rm -f "/var/mail/$user"
"$BUILD/lda/mailferry-lda" --config "$t/conf" -d $user <plain >"$t/out" 2>&1 &&
	stat -c '%a %U %G %s' "/var/mail/$user" >"$t/ours" && diff "$t/theirs" "$t/ours" >>"$t/out"
ok $? "root with -d makes it, as procmail does"
lda <plain >"$t/out" 2>&1 && cat plain - plain - <<END | cmp - "/var/mail/$user" >>"$t/out" 2>&1

END
[ "$(grep -c '^Subject' "/var/mail/$user")" -eq 2 ]; ok $? "and it is added to"
printf ':0\nfrom-rc\n' >"$t/home/.procmailrc"
lda <plain >"$t/out" 2>&1 && cmp "$t/home/mh/1" "$t/home/from-rc" >>"$t/out" 2>&1
ok $? "a .procmailrc is run"
rm "$t/home/.procmailrc"
useradd -M -N -d "$t/home" -o -u "$(id -u $user)" -s /bin/sh ${user}2 2>/dev/null
"$BUILD/lda/mailferry-lda" --config "$t/conf" -d $user ${user}2 <plain >"$t/out" 2>&1 &&
	[ "$(grep -c '^Subject' "/var/mail/${user}2")" -eq 1 ] &&
	[ "$(grep -c '^Subject' "/var/mail/$user")" -eq 3 ]
ok $? "-d with two users"
rm -f "/var/mail/${user}2"; userdel ${user}2 2>/dev/null
"$BUILD/lda/mailferry-lda" --config "$t/conf" -d $user nobody-of-this-name <plain >"$t/out" 2>&1
[ $? -eq 75 ] && [ "$(grep -c '^Subject' "/var/mail/$user")" -eq 4 ]
ok $? "-d with one who is no user: deferred"

# The From_ line's local time, whichever libc the LDA has; asked twice where the minute is over
# in between.
when()		# NAME COMMAND...
{
	name=$1
	shift
	as TZ="$tz" "$@" -f joe DEFAULT="$t/home/$name.zone" /dev/null <no-from
	sed -n '1s/:[0-9][0-9] / /p' "$t/home/$name.zone" >"$t/$name.zone"
	rm -f "$t/home/$name.zone"
	[ -s "$t/$name.zone" ]
}
agree()
{
	when procmail /usr/bin/procmail -t &&
		when ours "$BUILD/lda/mailferry-lda" --config "$t/conf" &&
		cmp "$t/procmail.zone" "$t/ours.zone" >>"$t/out" 2>&1
}
agreed=0
: >"$t/out"
for tz in EST5EDT CST6CDT CET-1CEST GMT0BST NZST-12NZDT AEST-10AEDT EST+5EDT 'AAA+5:30BBB' '<ABC>5<CDE>' '<+03>-3' \
	FOO3BAR FOO3 UTC '' XYZ Europe/Berlin :Europe/Berlin America/New_York EST5EDT,M3.2.0,M11.1.0 \
	CET-1CEST,M3.5.0,M10.5.0/3 ../../../etc/passwd5AAA 'no zone' "$(printf 'A%.0s' $(seq 300))5BBB"; do
	agree || agree ||
		{ echo "TZ=$tz: $(cat "$t/procmail.zone" "$t/ours.zone")" >>"$t/out"; agreed=1; }
done
ok $agreed "local time by TZ"

# A full disk: what was written is taken back.
if mkdir "$t/small" && mount -t tmpfs -o size=64k tmpfs "$t/small" 2>/dev/null; then
	echo before >"$t/small/box" && chown $user "$t/small" "$t/small/box"
	lda DEFAULT="$t/small/box" /dev/null <big >"$t/out" 2>&1
	[ $? -eq 75 ] && [ "$(cat "$t/small/box")" = before ]
	ok $? "no space: 75, and the mbox is as it was"
	umount "$t/small"
fi
# Locked by fcntl: we wait, and are ended by the deadline; nothing is written.
lda DEFAULT=rel /dev/null <plain
python3 -c 'import fcntl, time
f = open("'"$t"'/home/rel", "a"); fcntl.lockf(f, fcntl.LOCK_EX); print("locked", flush=True); time.sleep(30)' >"$t/locked" & holder=$!
wait_for grep -q locked "$t/locked"
cp "$t/home/rel" "$t/theirs"
lda DEFAULT=rel /dev/null <plain >"$t/out" 2>&1
[ $? -eq 142 ] && cmp "$t/theirs" "$t/home/rel" >>"$t/out" 2>&1
ok $? "a lock that stays: the deadline ends us (death by a signal defers)"
kill $holder 2>/dev/null; wait $holder 2>/dev/null
i=0
while [ $i -lt 8 ]; do lda DEFAULT=many /dev/null <plain & i=$((i + 1)); done
wait
[ "$(grep -c '^Subject' "$t/home/many")" -eq 8 ] &&
	[ "$(wc -c <"$t/home/many")" -eq $((8 * ($(wc -c <plain) + 1))) ]
ok $? "eight at once"
echo "1..$n"
