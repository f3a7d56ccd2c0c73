#!/bin/sh
# SPDX-License-Identifier: ISC
# filer.sh - a filer that is not mounted, read-only, full or hung; locks of others
#
# Whatever is wrong the LDA exits 75 (or dies at its deadline), nothing can be seen half
# done, and the same message comes once when all is well again.
set -u
. "$(dirname "$0")/../lib/site.sh"
site_begin
mnt=
filer=
undo()
{
	[ -z "$filer" ] || kill -CONT "$filer" 2>/dev/null
	for m in $mnt; do umount -l "$m" 2>/dev/null; done
	site_end
}
trap undo EXIT
user_add 1
u=mferry1
sed -i 's/^deadline.*/deadline = 4/' "$conf"
{ echo "old_filer = $t/old"; echo "new_filer = $t/new"; echo "trusted_users = $u"; } >>"$conf"
mailferry doctor --init
mapd_start
mailferry add $u && mailferry step $u overlap
ok $? "a user on both filers"

mail()		# NUMBER [BYTES]
{
	printf 'From s@x.test  Mon Jan  1 00:00:00 2026\nReceived: by mx (Postfix)\n\tid 4XYZ%06d; Mon\nSubject: %d\n\n' "$1" "$1"
	head -c "${2:-10}" /dev/zero | tr '\0' x
	echo
}
lda()		# STATUS NUMBER [BYTES]
{
	mail "$2" "${3:-10}" >"$t/msg"
	{ env -i ASAN_OPTIONS=detect_leaks=0 USER=$u LOGNAME=$u HOME="$t/home/$u" RECIPIENT=$u@x.test setpriv --reuid=$u --regid=nogroup \
		--clear-groups "$BUILD/lda/mailferry-lda" --config "$conf" <"$t/msg"; echo "status $?"; } 2>&1 | cat >"$t/out"
	grep -q "^status $1\$" "$t/out" || { echo "want $1" >>"$t/out"; return 1; }
	[ "$1" -ne 75 ] ||
		{ grep -q '^4\.[0-9]\.[0-9] ' "$t/out" && [ "$(wc -l <"$t/out")" -eq 2 ]; }
}
subjects()
{
	cat "$t/$1/$u/Maildir/new/"* 2>/dev/null | sed -n 's/^Subject: //p' | sort -n | tr '\n' ' '
}
comes()
{
	want=$(echo "$want$1 " | tr " " "\n" | sort -n | tr -s "\n" " ")
	want=${want# }
	both "$want"
}
both() { is "$(subjects old)" "$1" && is "$(subjects new)" "$1" && same_messages $u; }

lda 0 1 && both "1 "
ok $? "all is well"
mv "$t/new" "$t/away" && mkdir "$t/new" && lda 75 2 &&
	grep -q 'has no .mailferry-filer: it is not mounted' "$t/out" &&
	is "$(find "$t/new" | wc -l)" 1 && rmdir "$t/new" && mv "$t/away" "$t/new" &&
	is "$(subjects old)" "1 "
ok $? "the new filer is not mounted: deferred, and nothing on the disk below"
mv "$t/old" "$t/away" && mkdir "$t/old" && lda 75 2 && is "$(find "$t/old" | wc -l)" 1 &&
	fails=1 && rmdir "$t/old" && mv "$t/away" "$t/old"
ok $? "nor the old one"
mailferry step $u cutover --for 60 && mv "$t/new" "$t/away" && mkdir "$t/new" &&
	! mailferry step $u settle &&
	grep -q 'is not mounted' "$t/out" && rmdir "$t/new" && mv "$t/away" "$t/new" &&
	mailferry show $u && grep -qx 'state cutover' "$t/out" &&
	mailferry step $u overlap
ok $? "the command steps to no leader that is not mounted"
lda 0 2 && both "1 2 "
ok $? "and the message comes when it is"

if mount --bind "$t/new" "$t/new" 2>/dev/null && mnt="$mnt $t/new" && mount -o remount,bind,ro "$t/new"; then
	lda 75 3 && grep -qi 'read-only' "$t/out" && both "1 2 "
	ok $? "read-only: deferred, on neither side"
	umount "$t/new"
	lda 0 3 && both "1 2 3 "
	ok $? "writable again: it comes, once"
fi

# A small file system of each kind of shortage.
small()		# OPTIONS
{
	mv "$t/new/$u" "$t/saved" && mkdir "$t/new/$u" &&
		mount -t tmpfs -o "$1" tmpfs "$t/new/$u" && mnt="$mnt $t/new/$u" &&
		cp -a "$t/saved/." "$t/new/$u/" && chown $u "$t/new/$u"
}
large() { umount "$t/new/$u" && rmdir "$t/new/$u" && mv "$t/saved" "$t/new/$u"; }
if small size=128k 2>/dev/null; then
	lda 75 4 200000 && grep -q '^4\.3\.1\|^4\.2\.2' "$t/out" && both "1 2 3 " &&
		is "$(find "$t/new/$u/Maildir/tmp" "$t/old/$u/Maildir/tmp" -type f | wc -l)" 0
	ok $? "full: deferred, nothing left in tmp"
	large
	small nr_inodes=26 && i=0 && while touch "$t/new/$u/fill$i"; do i=$((i + 1)); done 2>/dev/null
	lda 75 4 && both "1 2 3 "
	ok $? "no inodes: deferred"
	large
	lda 0 4 200000 && both "1 2 3 4 "
	ok $? "room again: it comes, once"
fi

# A file system in a process that was stopped: every call waits, as for a filer that
# does not answer.  At whatever call it happens, the deadline ends the delivery, and
# the retry completes it.
sed -i 's/^deadline.*/deadline = 2/' "$conf"
mv "$t/new/$u" "$t/saved" && mkdir "$t/new/$u" && bindfs "$t/saved" "$t/new/$u" &&
	mnt="$mnt $t/new/$u"
filer=$(pgrep -f "bindfs $t/saved")
kill -STOP "$filer"
lda 142 5
gone=$?
kill -CONT "$filer"
[ $gone -eq 0 ] && is "$(subjects old)" "1 2 3 4 "
ok $? "hung: the deadline ends us, which defers"
lda 0 5 && both "1 2 3 4 5 "
ok $? "it answers again: the message comes, once"
i=0 want="1 2 3 4 5 "
while [ $i -lt 12 ]; do
	i=$((i + 1)) want="$want$((100 + i)) "
	(python3 -c "import time; time.sleep(0.002 * $i)"; kill -STOP "$filer"; sleep 2.5; kill -CONT "$filer") &
	lda 142 $((100 + i)) || grep -qx 'status 0' "$t/out" || break
	wait $!
	lda 0 $((100 + i)) || break
done
is $i 12 && both "$want"
ok $? "hung at some moment of a delivery: each message comes once on both sides"
umount "$t/new/$u" && rmdir "$t/new/$u" && mv "$t/saved" "$t/new/$u"

# Locks of others, as Dovecot takes them.
lock=$t/old/$u/Maildir/dovecot-uidlist.lock
host=$(uname -n)
held() { printf '%s' "$1" >"$lock"; chown $u "$lock"; }
sed -i 's/^deadline.*/deadline = 8/' "$conf"
sleep 300 & live=$!
held "$live:$host"
lda 75 6 && grep -q "locked\|held\|lock" "$t/out" && [ -f "$lock" ] && is "$(subjects new)" "$want"
ok $? "a live process holds the lock: deferred, and the lock is still his"
held "$live:$host"; (sleep 2; rm -f "$lock") & lda 0 6 && comes 6
ok $? "he gives it back in time: delivered"
kill $live; wait $live 2>/dev/null
held "$live:$host"; lda 0 7 && comes 7 && [ ! -e "$lock" ]
ok $? "a dead process of this host held it: broken"
held "1:another.host.test"; lda 75 8 && grep -q another.host.test "$lock"
ok $? "another host's lock, and a young one: deferred, not broken"
held ""; lda 75 8 && [ -f "$lock" ]
ok $? "an empty lock, and a young one: honoured"
rm -f "$lock"
lda 0 8 && comes 8
ok $? "without it: delivered"

# What Dovecot or a crash may have left in the uidlist.
list=$t/old/$u/Maildir/dovecot-uidlist
printf '99 :half a li' >>"$list" && lda 0 9 && is "$(grep -c 'half a li' "$list")" 0 && comes 9
ok $? "a torn last line is cut off"
cp -p "$list" "$t/list"
sed '1s/.*/1 1700000000 9/' "$t/list" >"$list"
lda 75 10 && grep -q 'format of Dovecot 1.0' "$t/out" && cp -p "$t/list" "$list"
ok $? "a uidlist of version 1: deferred, with what to do"
echo "100 5" >"$t/old/$u/Maildir/maildirsize"; chown $u "$t/old/$u/Maildir/maildirsize"
lda 0 10 && is "$(wc -l <"$t/old/$u/Maildir/maildirsize")" 2 &&
	[ ! -e "$t/new/$u/Maildir/maildirsize" ]
ok $? "maildirsize gets its line where it is"

# Control directories: the uidlist is there, for the inbox and for the log beside it.
mailferry add virt --old "$t/old/$u/virt" --old-control "$t/old/$u/ctl" --new "$t/new/$u/virt" &&
	mail 1 >"$t/msg" &&
	setpriv --reuid=$u --regid=nogroup --clear-groups "$BUILD/lda/mailferry-lda" --config "$conf" -d virt <"$t/msg" >"$t/out" 2>&1 &&
	[ -f "$t/old/$u/ctl/.INBOX/dovecot-uidlist" ] &&
	[ -f "$t/old/$u/ctl/.INBOX/mailferry-deliveries" ] &&
	[ ! -e "$t/old/$u/virt/dovecot-uidlist" ]
ok $? "CONTROL=: the uidlist is in .INBOX there"
echo "1..$n"
