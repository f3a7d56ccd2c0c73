#!/bin/sh
# SPDX-License-Identifier: ISC
# hostile.sh - what a delivery may meet that nobody meant: closed descriptors, names,
# links, uidlists and messages as no program of good faith makes them
#
# Exit 0 with the message on both sides, or 75 with it on neither; nothing outside of
# the mailbox, nothing of another user's.
set -u
. "$(dirname "$0")/../lib/site.sh"
site_begin
user_add 1; user_add 2
u=mferry1
sed -i 's/^deadline.*/deadline = 4/' "$conf"
echo "extension_mailboxes = yes" >>"$conf"
mapd_start
mailferry add $u && mailferry step $u overlap && mailferry add mferry2
ok $? "a user on both filers, and another"

mail()		# NUMBER
{
	printf 'From s@x.test  Mon Jan  1 00:00:00 2026\nReceived: by mx (Postfix)\n\tid 4XYZ%06d; Mon\nSubject: %d\n\ntext\n' "$1" "$1"
}
# As Postfix runs it, but for what the words in front say: REDIRECTION, VAR=value...
as()		# STATUS REDIRECTION [WORD...]
{
	want=$1 to=$2
	shift 2
	setpriv --reuid=$u --regid=nogroup --clear-groups env -i ASAN_OPTIONS=detect_leaks=0 USER=$u LOGNAME=$u HOME="$t/home/$u" \
		RECIPIENT=$u@x.test "$@" LDA="$BUILD/lda/mailferry-lda" CONF="$conf" MSG="$t/msg" \
		sh -c 'exec <"$MSG"; eval "exec \"$LDA\" --config \"$CONF\" ${ARGS-} '"$to"'"' >"$t/out" 2>&1
	status=$?
	[ $status -eq "$want" ] || { echo "status $status, want $want" >>"$t/out"; return 1; }
}
subjects() { cat "$t/$1/$u/Maildir/${2-}new/"* 2>/dev/null | sed -n 's/^Subject: //p' | sort -n | tr '\n' ' '; }
have=
comes()	# NUMBER: it is on both sides, once, and the retry knows it
{
	case " $have" in *" $1 "*) ;; *) have="$have$1 ";; esac
	is "$(subjects old)" "$have" && is "$(subjects new)" "$have" && same_messages $u
}
waits() { is "$(subjects old)" "$have" && is "$(subjects new)" "$have"; }
try()		# NUMBER ARGUMENT-OF-as...
{
	mail "$1" >"$t/msg"
	shift
	as "$@"
}

# Descriptors that are closed: what is opened gets their numbers.
try 1 75 '<&-' && waits
ok $? "standard input closed: not an empty message, nor what is opened in its place"
try 2 0 '>&-' && comes 2
ok $? "standard output closed"
try 3 0 '>&- 2>&-' && comes 3
ok $? "and standard error as well"
mailferry step $u cutover --for 60
try 4 75 '>&- 2>&-' && waits
ok $? "deferred, with nowhere to say so"
mailferry step $u overlap
uidlists() { cat "$t/old/$u/Maildir/dovecot-uidlist" "$t/new/$u/Maildir/dovecot-uidlist" | grep -cEv '^(3 V[0-9]+ N[0-9]+ G[0-9a-f]{32}|[0-9]+ :[^ ]+)$'; }
is "$(uidlists)" 0
ok $? "nothing that was said is in a uidlist"
mkdir "$t/dir"; try 4 75 "<'$t/dir'" && waits && try 4 0 '' && comes 4
ok $? "EISDIR instead of a message"

# The environment and the command line, as nobody sane sets them.
try 5 0 '' EXTENSION=../../mferry2/Maildir && comes 5
ok $? "an extension with a path: the inbox"
i=5
for x in .. . ../.. a/../../b /etc/passwd .a a. a..b "a b" 'b\ä' '&AOQ-' inbox INBOX InBox "$(printf 'x%0300d' 1)" "$(printf 'a\nb')" '*' '~root' cur; do
	i=$((i + 1))
	[ "$x" != cur ] || break
	try $i 0 '' EXTENSION="$x" && comes $i || { echo "# extension $x"; break; }
done
[ "$x" = cur ] && is "$(find "$t/old/$u/Maildir" -maxdepth 1 -type d | wc -l)" 4 && is "$(ls "$t/old/$u" "$t/old/mferry2" | grep -cv Maildir)" 3
ok $? "so do all others that are no plain names, and no folder is made"

# Messages.
shape()		# NAME NUMBER PYTHON-EXPRESSION: of the bytes behind the queue id
{
	mail "$2" >"$t/msg"
	python3 -c "import sys; sys.stdout.buffer.write($3)" >>"$t/msg"
	as 0 '' && comes "$2" && as 0 '' && comes "$2" &&
		sed 1d "$t/msg" >"$t/bytes" && cmp "$t/bytes" "$(ls -t "$t/new/$u/Maildir/new/"* | head -n 1)" >>"$t/out" 2>&1
	ok $? "$1: whole, and known when it comes again"
}
i=102
shape "NUL bytes, 8-bit, CR, no LF at the end" 101 'b"\0\xff\r\n\r\r\n\0end"'
shape "a line of 3 MB" 102 'b"x" * 3000000'
for size in 65480 65535 65600; do
	i=$((i + 1))
	{ printf 'From s@x.test  Mon Jan  1 00:00:00 2026\nX-Long: '; head -c $size /dev/zero | tr '\0' y; echo; mail $i | sed 1d; } >"$t/msg"
	as 0 '' && comes $i || break
done
[ $i -eq 105 ] && comes 105
ok $? "a header line as long as the buffer, before the queue id"

# Links and other things in the place of files.  What is aimed at stays as it was.
echo precious >"$t/home/$u/aim"; chown $u "$t/home/$u/aim"
box=$t/new/$u/Maildir
swapped()	# NAME COMMAND...: it is taken away, the command makes it; deferred
{
	name=$1
	shift
	mv "$box/$name" "$t/saved" && "$@" && try $((i += 1)) 75 '' && rm -rf "${box:?}/$name" && mv "$t/saved" "$box/$name" && waits &&
		is "$(cat "$t/home/$u/aim")" precious && is "$(find "$t/home/$u" | wc -l)" 2 || { echo "# $name: $*"; return 1; }
}
swapped dovecot-uidlist ln -s "$t/home/$u/aim" "$box/dovecot-uidlist" &&
	swapped mailferry-deliveries ln -s "$t/home/$u/aim" "$box/mailferry-deliveries" &&
	swapped new ln -s "$t/home/$u" "$box/new" && swapped tmp ln -s "$t/home/$u" "$box/tmp" && swapped cur ln -s "$t/home/$u" "$box/cur" &&
	swapped dovecot-uidlist mkfifo "$box/dovecot-uidlist" && swapped dovecot-uidlist mkdir "$box/dovecot-uidlist" && swapped new touch "$box/new"
ok $? "a link, a pipe or a directory in the place of a file or directory: deferred"
ln -s "$t/home/$u/aim" "$box/dovecot-uidlist.tmp" && ln -s "$t/home/$u/aim" "$box/mailferry-deliveries.tmp" && ln -s "$t/home/$u/aim" "$box/maildirsize" &&
	ln -s "$t/home/$u/aim" "$t/old/$u/Maildir/maildirsize" && rm "$box/mailferry-deliveries" && try $((i += 1)) 0 '' && comes $i && is "$(cat "$t/home/$u/aim")" precious &&
	rm -f "$box/maildirsize" "$t/old/$u/Maildir/maildirsize"
ok $? "in the place of what is written by the way: not followed"
mkfifo "$box/maildirsize" && chown $u "$box/maildirsize" && try $((i += 1)) 0 '' && comes $i
ok $? "a maildirsize that is a pipe: nobody waits for its reader"
rm -f "$box/maildirsize"

# Records that lead elsewhere.
! mailferry add mferry3 --old "$t/old/$u/../mferry2/Maildir" && ! mailferry add mferry3 --old relative/Maildir && ! mailferry add ../mferry2 &&
	! mailferry add mferry3 --new "$t/new/.." && mailferry add mferry3 --old "$t/old/mferry2/Maildir"
ok $? "a location with .., a relative one, a name with a slash: refused"
echo "trusted_users = $u" >>"$conf"; kill -HUP "$mapd"
wait_for grep -q ': reloaded ' "$t/mapd.log"
mail 1 >"$t/msg"
as 75 '' ARGS="-d mferry3" && is "$(find "$t/old/mferry2" | wc -l)" 1 && as 75 '' USER=mferry2 LOGNAME=mferry2 && as 75 '' USER=../mferry2 LOGNAME=../mferry2 &&
	as 75 '' USER="$u mferry2" LOGNAME="$u mferry2" && is "$(find "$t/old/mferry2" "$t/new/mferry2" | wc -l)" 2
ok $? "another's mailbox, by a record or by the environment: deferred, and nothing is made there"

# Uidlists that no Dovecot writes.  The leader's is never touched; a follower that was
# never served is made anew.
list=$t/old/$u/Maildir/dovecot-uidlist
cp -p "$list" "$t/list"
untouched() { try $((i += 1)) 75 '' && waits && cmp "$list" "$t/bad" >>"$t/out" 2>&1 && cp -p "$t/list" "$list"; }
bad() { cat >"$list"; cp "$list" "$t/bad"; }
for head in '4 V1 N1 Gx' '3 V1' '3 N1' '3 V0 N9' '2 1 9' 'x' ' ' '3 V99999999999 N9' '3 V1 N4294967296' ''; do
	[ -n "$head" ] || break
	{ echo "$head"; sed 1d "$t/list"; } | bad
	untouched || { echo "# $head"; break; }
done
[ -z "$head" ] && { cat "$t/list"; echo "4294967295 :last"; } | bad && untouched &&
	{ cat "$t/list"; echo; } | bad && untouched && { cat "$t/list"; head -c 70000 /dev/zero | tr '\0' x; echo; } | bad && untouched
ok $? "the leader's uidlist has a header or a last line that is none: deferred, and it stays as it is"
try $((i += 1)) 0 '' && comes $i
ok $? "mended it comes"
for head in '4 V1 N1 Gx' '1 1 9' '3 V77 N9 G00000000000000000000000000000000' ''; do
	[ -n "$head" ] || break
	{ echo "$head"; sed 1d "$t/list"; } >"$box/dovecot-uidlist"
	try $((i += 1)) 0 '' && have="$have$i " && is "$(subjects old)" "$have" && is "$(subjects new)" "$i " &&
		cmp "$box/dovecot-uidlist" "$list" | grep -q 'line 1' && is "$(head -n 1 "$list" | cut -d' ' -f2,4)" "$(head -n 1 "$box/dovecot-uidlist" | cut -d' ' -f2,4)" &&
		is "$(tail -n 1 "$list")" "$(tail -n 1 "$box/dovecot-uidlist")" || { echo "# $head"; break; }
done
[ -z "$head" ] && is "$(ls "$box/tmp/mailferry-aside" | grep -c INBOX)" 3
ok $? "the follower's: set aside, made anew with the leader's V, G and next UID"
sed -i '1s/ N[0-9]*/ N5000/' "$box/dovecot-uidlist" && try $((i += 1)) 0 '' && is "$(uidnext $u old) $(uidnext $u new)" "5001 5001"
ok $? "a follower that is ahead: the next UID is above both"
echo "1..$n"
