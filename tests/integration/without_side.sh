#!/bin/sh
# SPDX-License-Identifier: ISC
# without_side.sh - a filer that is dead: steps that leave it out
#
# Each user is in overlap or settle when a filer goes away: not mounted, or one that hangs.
set -u
. "$(dirname "$0")/../lib/site.sh"
site_begin
mnt= filer=
undo()
{
	[ -z "$filer" ] || kill -CONT "$filer" 2>/dev/null
	[ -z "$mnt" ] || umount -l "$mnt" 2>/dev/null
	site_end
}
trap undo EXIT
for i in 1 2 3; do user_add $i; done
rc_is()		# STATUS VERB...: that exit status and no other
{
	want=$1
	shift
	mailferry "$@"
	got=$?
	[ $got -eq "$want" ] || { echo "status $got, want $want" >>"$t/out"; return 1; }
}
says() { grep -q -e "$1" "$t/out" || { echo "it does not say: $1" >>"$t/out"; return 1; }; }
silent() { ! grep -q -e "$1" "$t/out" || { echo "it says: $1" >>"$t/out"; return 1; }; }
shown() { "$BUILD/admin/mailferry" --config "$conf" show "$1" | sed -n "s/^$2 //p"; }
header() { sed -n '1s/.* N\([0-9]*\).*/\1/p' "$t/$2/$1/Maildir${3-}/dovecot-uidlist"; }	# USER SIDE [/FOLDER]
seconds() { date +%s; }
q=0
lda()		# STATUS USER [FOLDER]
{
	q=$((q + 1))
	printf 'Received: by mx (Postfix)\n\tid 4XYZ%06d; Mon\nSubject: %d\n\nx\n' $q $q |
		env -i ASAN_OPTIONS="$ASAN_OPTIONS" USER="$2" LOGNAME="$2" HOME="$t/home/$2" RECIPIENT="$2@x.test" EXTENSION="${3-}" \
		setpriv --reuid="$2" --regid=nogroup --clear-groups "$BUILD/lda/mailferry-lda" --config "$conf" -a "${3-}" >"$t/out" 2>&1
	is $? "$1"
}
away() { mv "$t/$1" "$t/$1.away" && mkdir "$t/$1"; }		# SIDE: not mounted
back() { rmdir "$t/$1" && mv "$t/$1.away" "$t/$1"; }

sed -i 's/^deadline.*/deadline = 2/' "$conf"
printf 'old_filer = %s/old\nnew_filer = %s/new\nskew = 1\nextension_mailboxes = yes\nwho_command =\n' "$t" "$t" >>"$conf"
mailferry doctor --init && mapd_start
u=mferry1
mailferry add $u && mailferry step $u overlap && lda 0 $u && lda 0 $u && lda 0 $u box && is "$(uidnext $u new)" 3 && [ -d "$t/new/$u/Maildir/.box" ]
ok $? "a user in overlap, with a folder"

# The old filer, which leads, is not mounted.
away old
lda 75 $u && rc_is 75 step $u cutover --for 60 && says 'is not mounted' && is "$(shown $u state)" cutover && mailferry step $u overlap; is "$(shown $u state)" overlap
ok $? "not mounted: mail waits; a step is written and says that its wait failed"
began=$(seconds)
rc_is 0 step $u cutover --for 60 --without-side old && says 'waiting for [23] seconds, until deliveries that hang on the old side have ended' && [ $(($(seconds) - began)) -ge 3 ]
ok $? "without it: deadline + skew are waited out, and announced"
rc_is 75 step $u settle && says 'is not mounted' && is "$(shown $u state)" cutover
ok $? "the hand-over still needs both"
rc_is 1 step $u settle --without-side new && says 'new would lead in settle, and cannot be left out'
ok $? "the side that will lead cannot be left out"
rc_is 2 step $u settle --without-side both && says 'both is no side' && rc_is 2 step $u settle --without-side old --margin x && says 'margin: x'
ok $? "what is no side, and no number"
rc_is 0 step $u settle --without-side old --dry-run && is "$(shown $u leader)" old && rc_is 0 step $u settle --without-side old && says 'nothing is compared with the old side' && silent 'waiting for [23]' && is "$(shown $u leader)" new
ok $? "the hand-over without it says that nothing is compared; what was waited for is not again"
is "$(header $u new)" 100003 && is "$(header $u new /.box)" 100002
ok $? "the next UID of each mailbox is above all that old may have given"
lda 75 $u && rc_is 0 step $u new --without-side old && lda 0 $u && is "$(tail -n 1 "$t/new/$u/Maildir/dovecot-uidlist" | cut -d' ' -f1)" 100003 && lda 0 $u box
ok $? "in new mail flows again, under that UID"
back old
is "$(uidnext $u old)" 3
ok $? "the other side was not touched"

# The new filer, which leads, is not mounted: the way back.
u=mferry2
mailferry add $u && mailferry step $u overlap && lda 0 $u && mailferry step $u cutover --for 60 && mailferry step $u settle && lda 0 $u && is "$(shown $u leader)" new
ok $? "a user in settle"
away new
mailferry step $u cutover --for 3; rc_is 1 step $u overlap --without-side new && says 'the window ends before deliveries that hang on the dead side' && is "$(shown $u leader)" new; r=$?
rc_is 75 step $u settle; [ $r -eq 0 ]
ok $? "a window that ends before the hand-over could be made: refused at once"
rc_is 0 step $u cutover --for 60 --without-side new && rc_is 0 step $u overlap --without-side new --margin 50 && is "$(shown $u leader)" old && is "$(header $u old)" 53 &&
	rc_is 0 step $u old --without-side new && lda 0 $u && is "$(uidnext $u old)" 54
ok $? "the way back, with a margin of its own"
back new

# A follower that hangs: every call on it waits.
u=mferry3
mailferry add $u && mailferry step $u overlap && lda 0 $u && mv "$t/old/$u" "$t/saved" && mkdir "$t/old/$u" && bindfs "$t/saved" "$t/old/$u" && mnt=$t/old/$u && filer=$(pgrep -f "bindfs $t/saved") && lda 0 $u
ok $? "a user whose old filer can hang"
kill -STOP "$filer"
lda 142 $u; r=$?
began=$(seconds)
[ $r -eq 0 ] && rc_is 0 step $u cutover --for 60 --without-side old && [ $(($(seconds) - began)) -ge 3 ] && [ $(($(seconds) - began)) -le 30 ]
ok $? "it hangs: a step without it"
n3=$(uidnext $u new)
rc_is 0 step $u settle --without-side old && is "$(header $u new)" $((n3 + 100000)) && rc_is 0 step $u new --without-side old && lda 0 $u && is "$(uidnext $u new)" $((n3 + 100001))
ok $? "the hand-over, and mail"
kill -CONT "$filer"; umount "$t/old/$u" && rmdir "$t/old/$u" && mv "$t/saved" "$t/old/$u" && mnt= filer=
echo "1..$n"
