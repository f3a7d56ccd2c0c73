#!/bin/sh
# SPDX-License-Identifier: ISC
# deadline.sh - one delivery, one deadline, whatever it waits for
#
# Postfix bounces what takes longer than its own limit, also where only a child still
# holds the pipe: so the LDA's deadline is for the whole of it.
set -u
. "$(dirname "$0")/../lib/site.sh"
site_begin
mounted=
undo()
{
	[ -z "$mounted" ] || umount -l "$mounted" 2>/dev/null
	site_end
}
trap undo EXIT
for i in 1 2 3; do user_add $i; done
u=mferry1
sed -i 's/^deadline.*/deadline = 8/' "$conf"
mapd_start

mail()
{
	printf 'Received: by mx (Postfix)\n\tid 4XYZ%06d; Mon\nSubject: %d\n\ntext\n' "$1" "$1" >"$t/msg"
}
# As local(8) does it: fds 1 and 2 are one pipe, and it ends when all have let go of it.
lda()		# INPUT [ARGUMENT...]
{
	in=$1
	shift
	start=$(date +%s)
	{ env -i ASAN_OPTIONS=detect_leaks=0 USER=$u LOGNAME=$u HOME="$t/home/$u" RECIPIENT=$u@x.test \
		"$BUILD/lda/mailferry-lda" --config "$conf" "$@" <"$in"; echo "status $?" >"$t/status"; } 2>&1 | cat >"$t/out"
	took=$(($(date +%s) - start))
	cat "$t/status" >>"$t/out"
	echo "took $took" >>"$t/out"
}
in_time() { grep -qx "status $1" "$t/out" && [ "$took" -le "$2" ]; }	# STATUS SECONDS

mail 1 && lda "$t/msg" -d $u mferry2 mferry3 && in_time 0 4 &&
	is "$(cat "$t"/old/mferry?/Maildir/new/* | grep -c '^Subject: 1')" 3
ok $? "three users at once"
sleep 300 & live=$!
for i in 1 2 3; do
	printf '%s' "$live:$(uname -n)" >"$t/old/mferry$i/Maildir/dovecot-uidlist.lock"
done
mail 2 && lda "$t/msg" -d $u mferry2 mferry3 && in_time 75 10
ok $? "three users whose mailboxes stay locked: one deadline for all of them"
mkfifo "$t/slowly"
{ sleep 5; cat "$t/msg"; } >"$t/slowly" &
lda "$t/slowly" -d $u && in_time 75 10
ok $? "a message that comes slowly, and then a lock: one deadline for both"
kill $live
wait $live 2>/dev/null
sleep 2
mail 2 && lda "$t/msg" -d $u mferry2 mferry3 && in_time 0 4 &&
	is "$(cat "$t"/old/mferry?/Maildir/new/* | grep -c '^Subject: 2')" 3
ok $? "without locks it comes, once to each"

mail 4 && mv "$t/old/$u" "$t/away" && : >"$t/old/$u"
"$BUILD/lda/mailferry-lda" --config "$conf" -d $u mferry2 mferry3 <"$t/msg" >&- 2>&-
is $? 75 && rm "$t/old/$u" && mv "$t/away" "$t/old/$u" &&
	is "$(cat "$t"/old/mferry[23]/Maildir/new/* | grep -c '^Subject: 4')" 2 &&
	lacks -r '^4\.' "$t"/old/mferry[23]/Maildir/new
ok $? "no standard output: what is said of one user is not in the others' mail"

mail 5 &&
	strace -o /dev/null -f -e inject=access,faccessat,faccessat2:error=ESTALE "$BUILD/lda/mailferry-lda" --config "$conf" -d $u <"$t/msg" >"$t/out" 2>&1
is $? 75 && grep -q '^4.*procmailrc: Stale' "$t/out"
ok $? "an rc file that cannot be looked at is not one that is not there"

sed -i 's/^deadline.*/deadline = 2/' "$conf"
mkfifo "$t/never"
sleep 12 >"$t/never" & live=$!
(trap '' ALRM; lda "$t/never" -d $u; in_time 142 6)
ok $? "whoever calls it ignores SIGALRM: the deadline holds"
kill $live
wait $live 2>/dev/null

printf '#!/bin/sh\nsleep 20\n' >"$t/getent"
chmod 755 "$t/getent"
if mount --bind "$t/getent" /usr/bin/getent 2>/dev/null; then
	mounted=/usr/bin/getent
	mail 3 && lda "$t/msg" -d not-in-passwd && in_time 142 6
	ok $? "name services that hang do not hold Postfix's pipe beyond it"
fi
echo "1..$n"
