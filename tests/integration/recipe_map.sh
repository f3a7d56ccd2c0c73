#!/bin/sh
# SPDX-License-Identifier: ISC
# recipe_map.sh - rc files beside a map: each Maildir they name takes part in the migration
#
# BUILD is the build directory.
set -u
. "$(cd "$(dirname "$0")" && pwd)/../lib/site.sh"
site_begin
mapd_start
user_add 1
u=mferry1
home=$t/home/$u old=$t/old/$u/Maildir new=$t/new/$u/Maildir

lda() { setpriv --reuid=$u --regid=nogroup --clear-groups env -i ASAN_OPTIONS=detect_leaks=0 HOME="$home" \
	LOGNAME=$u USER=$u RECIPIENT=$u@example.test PATH=/usr/bin:/bin "$BUILD/lda/mailferry-lda" --config "$conf" "$@" >"$t/out" 2>&1; }
message()	# SUBJECT: with a queue id, as from Postfix
{
	printf 'From s@x.test  Mon Jan  1 00:00:00 2026\nReceived: by mx (Postfix, from userid 0)\n\tid %s; Mon, 1 Jan 2026 00:00:00 +0000\nSubject: %s\n\nbody of %s\n' \
		"ABCDEF$(printf %s "$1" | md5sum | cut -c1-6 | tr a-f A-F)" "$1" "$1" >"$t/msg"
}
rc() { cat >"$home/.procmailrc"; chown $u "$home/.procmailrc"; }
# Uid, name, and hash of every message of a mailbox; equal on both sides, and how many.
box()		# SIDE-DIR FOLDER
{
	for f in "$1/$2"/new/* "$1/$2"/cur/*; do
		[ -f "$f" ] || continue
		b=${f##*/}; b=${b%%:*}
		echo "$(grep -F " :$b" "$1/$2/dovecot-uidlist" | cut -d' ' -f1) $b $(md5sum <"$f")"
	done | sort -n
	head -n 1 "$1/$2/dovecot-uidlist"
}
both()		# FOLDER HOW-MANY
{
	box "$old" "$1" >"$t/a"; box "$new" "$1" >"$t/b"
	is "$(find "$old/$1/new" -type f | wc -l)" "$2" && cmp "$t/a" "$t/b" >>"$t/out" &&
		lacks -q '^ ' "$t/a"
}
count() { grep -c . "$1" 2>/dev/null || true; }
# In SENDMAIL's place: a line for each call; fails while $home/refuse is there.
cat >"$home/sendmail" <<END
#!/bin/sh
cat >/dev/null
echo "\$*" >>$home/sent
[ ! -e $home/refuse ]
END
chmod 755 "$home/sendmail"
chown $u "$home/sendmail"
ln -s "$old" "$home/Maildir"
mailferry add $u && mailferry step $u overlap
ok $? "a user in overlap, HOME has a link to the old filer"

rc <<END
MAILDIR=\$HOME/Maildir
SENDMAIL=$home/sendmail
LOGFILE=\$HOME/pm.log
:0 c
.lists/
:0 c
$old/.hard-coded/
:0 c
$new/.by-new/
:0 c
\$HOME/Maildir/.link/ .second/
:0 c
Sub/
:0 c
Deep/er/
:0 c
\$HOME/outside/
:0 c
plain-mbox
:0 c
mh/.
:0 wc
! other@example.test
:0 fhw
| sed 's/^Subject: /&[seen] /'
:0
* ^Subject: \[seen\] one
.seen/
END
message one
mkdir -p "$old/Deep" && chown -R $u "$old"
lda <"$t/msg"; ok $? "one message to many places"
both .lists 1; ok $? "relative to MAILDIR: on both sides, one UID, equal UIDVALIDITY and GUID"
both .hard-coded 1; ok $? "by a path on the old filer: on both sides"
both .by-new 1; ok $? "by a path on the new filer: on both sides"
both .link 1 && both .second 1; ok $? "through the link in HOME; two at once"
both Sub 1 && both Deep/er 1; ok $? "directories as folders, also in each other"
both .seen 1 && grep -q '^Subject: \[seen\] one' "$old"/.seen/new/*
ok $? "filtered, then delivered: on both sides"
is "$(ls "$home/outside/new" | wc -l)" 1 && [ ! -e "$new/../outside" ]
ok $? "outside of the roots: once, where it is"
[ -s "$old/plain-mbox" ] && [ -s "$old/mh/1" ] && [ ! -e "$new/plain-mbox" ] &&
	[ ! -e "$new/mh" ] &&
	grep -q '^plain-mbox$' "$old/mailferry-others" && grep -q '^mh$' "$old/mailferry-others"
ok $? "mbox and MH inside: on the leader, and in the list for the mirror"
is "$(cat "$home/sent")" "-oi other@example.test"; ok $? "forwarded"
grep -q "Folder: .seen/new/" "$home/pm.log"; ok $? "the abstract names the file"

lda <"$t/msg"; ok $? "the mail system brings it again"
both .lists 1 && both .hard-coded 1 && both .by-new 1 && both .link 1 && both Sub 1 &&
	both .seen 1 &&
	is "$(count "$home/sent")" 1 && is "$(ls "$home/outside/new" | wc -l)" 1 &&
	is "$(grep -c '^Subject' "$old/plain-mbox")" 1 && [ ! -e "$old/mh/2" ]
ok $? "and nothing is done twice: no delivery, no forward, no mbox"
message two
lda <"$t/msg" && both .lists 2 && is "$(count "$home/sent")" 2 && both "" 1
ok $? "another message is another one; the inbox by default"

# A failure after a side effect: the retry continues where it ended.
rc <<END
SENDMAIL=$home/sendmail
:0 c
! first@example.test
:0 c
| cat >>$home/piped
:0
$old/.locked/
END
: >"$home/sent"
message three
mkdir -p "$old/.locked" && chown -R root "$old/.locked" && chmod 700 "$old/.locked"
lda <"$t/msg"; is $? 75 && is "$(count "$home/sent")" 1 && is "$(grep -c ^Subject "$home/piped")" 1
ok $? "a folder of the plan that cannot be written: deferred, after a forward and a pipe"
lda <"$t/msg"; is $? 75 && is "$(count "$home/sent")" 1 && is "$(grep -c ^Subject "$home/piped")" 1
ok $? "the retry repeats neither"
rmdir "$old/.locked"
lda <"$t/msg"
is $? 0 && is "$(count "$home/sent")" 1 && is "$(grep -c ^Subject "$home/piped")" 1 &&
	both .locked 1
ok $? "and delivers what is missing"

# A clone is another client of the map.
rc <<END
:0 wc
{
	:0 c
	$old/.clone-one/
	:0
	$old/.clone-two/
}
:0
$old/.parent/
END
message four
lda <"$t/msg"
is $? 0 && both .clone-one 1 && both .clone-two 1 && both .parent 1
ok $? "a cloned block: all of it on both sides"
lda <"$t/msg"
is $? 0 && both .clone-one 1 && both .clone-two 1 && both .parent 1
ok $? "and known when it comes again"

# EXITCODE is the rc file's to choose.
rc <<END
EXITCODE=67
:0
/dev/null
END
lda <"$t/msg"; is $? 67; ok $? "EXITCODE"

# In a window nothing runs at all.
rc <<END
A=\`echo ran >>$home/ran\`
:0 c
| cat >>$home/ran
END
mailferry step $u cutover --for 60
message five
lda <"$t/msg"
is $? 75 && grep -q '^4.2.1 ' "$t/out" && [ ! -e "$home/ran" ]
ok $? "in a cutover window no recipe runs: 4.2.1"
mailferry step $u settle
ln -sfn "$new" "$home/Maildir"
rc <<END
DEFAULT=\$HOME/Maildir/
MAILDIR=\$HOME/Maildir
:0 c
.lists/
:0 c
late-mbox
END
lda <"$t/msg"; is $? 0 && both .lists 3 && [ -s "$new/late-mbox" ] && [ ! -e "$old/late-mbox" ]
ok $? "settle: the new filer leads, also for an mbox"
both "" 2; ok $? "DEFAULT is the inbox of the plan"
mailferry step $u new
message six
lda <"$t/msg"
is $? 0 && is "$(ls "$new/.lists/new" | wc -l)" 4 && is "$(ls "$old/.lists/new" | wc -l)" 3
ok $? "new: one side"

# mapd away: deferred before the first recipe.
rc <<END
A=\`echo ran >>$home/ran\`
END
mapd_stop
lda <"$t/msg"; is $? 75 && [ ! -e "$home/ran" ]; ok $? "mapd away: nothing runs"
echo "1..$n"
