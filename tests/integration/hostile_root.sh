#!/bin/sh
# SPDX-License-Identifier: ISC
# hostile_root.sh - a local user who wants root's rights, or root's files, by way of
# root's own commands
#
# Nothing outside of the user's own files is read, made or changed.
set -u
. "$(dirname "$0")/../lib/site.sh"
site_begin
user_add 1; user_add 2
u=mferry1 me=$t/home/mferry1 box=$t/old/mferry1/Maildir
sed -i 's/^deadline.*/deadline = 10/' "$conf"
mapd_start
mailferry add $u
ok $? "a user on the old filer"

as() { setpriv --reuid=$u --regid=nogroup --clear-groups env -i ASAN_OPTIONS=detect_leaks=0 PATH=/usr/bin:/bin USER=$u LOGNAME=$u HOME="$me" "$@"; }
secret=$t/secret
printf ':0\n| swordfish http://x\n:0\n* ^(\n/swordfish\n' >"$secret"
chmod 600 "$secret"
cp "$secret" "$t/precious"
kept() { cmp "$secret" "$t/precious" >>"$t/out" 2>&1 && is "$(stat -c '%a %U' "$secret")" "600 root"; }

# An export into a directory of the user's.
as ln -s "$secret" "$me/map.tmp" && mailferry export "$me/map" && kept && is "$(stat -c '%a %U' "$me/map")" "600 root"
ok $? "export: a link in the place of the temporary file is not followed, the file is root's alone"
rm "$me/map" && as ln -s "$secret" "$me/map" && mailferry export "$me/map" && kept && [ ! -L "$me/map" ]
ok $? "a link in the place of the file: replaced, not followed"
rm "$me/map" && as touch "$me/map" && chmod 666 "$me/map" && mailferry export "$me/map" && is "$(stat -c '%a %U' "$me/map")" "600 root"
ok $? "another's file there: replaced, its mode does not count"
chmod 640 "$me/map" && chgrp mail "$me/map" && mailferry export "$me/map" && is "$(stat -c '%a %G' "$me/map")" "640 mail"
ok $? "the caller's own: its mode and group stay"

# procmail's own mode on Debian, and others like it.
echo "map = none" >"$t/none"
mkdir -m 1777 "$t/open"
lda()	# MODE [ARGUMENT...]
{
	cp "$BUILD/lda/mailferry-lda" "$t/procmail" && chgrp mail "$t/procmail" && chmod "$1" "$t/procmail"
	shift
	printf 'From s@x.test  Mon Jan  1 00:00:00 2026\nSubject: t\n\ntext\n' | as "$t/procmail" --config "$t/none" "$@" >"$t/out" 2>&1
	is $? 75
}
for mode in 6755 4755 2755; do
	lda $mode && grep -q '^4.3.5 mailferry-lda has a set-id bit' "$t/out" && lda $mode -d root DEFAULT="$t/open/cron" && lda $mode --help &&
		lda $mode -d mferry2 DEFAULT="$secret" && kept || break
done && [ $mode = 2755 ] && is "$(ls "$t/open")" ""
ok $? "mailferry-lda with a set-id bit: refuses, whatever the line says"
lda 755 -d $u DEFAULT="$t/open/mine" && grep -q 'only root may assign' "$t/out" && is "$(ls "$t/open")" ""
ok $? "an assignment beside -d by another than root: refused"

# Bytes that a terminal obeys.
esc=$(printf '\033[31m\302\233\a')
as mkdir -p "$box/cur" "$box/new" "$box/tmp" "$box/.a$esc/cur" "$box/.a$esc/new" "$box/.a$esc/tmp"
printf '1:host\033[2J\r\302\2331m all is well' | as tee "$box/dovecot-uidlist.lock" "$box/.a$esc/dovecot-uidlist.lock" >/dev/null
printf ':0\n/a%s\rb\nTRAP="x\nforged:1:1: note: %s"\n' "$esc" "$esc" | as tee "$me/.procmailrc" >/dev/null
plain() { [ -s "$t/out" ] && ! LC_ALL=C grep -q "$(printf '[\033\a\r]\\|\302\233')" "$t/out"; }
mailferry explain $u && plain && grep -Fq 'dovecot-uidlist.lock is held by 1:host\x1b[2J\x0d\xc2\x9b1m all is well' "$t/out"
ok $? "explain: escaped"
mailferry lint $u; plain && ! grep -q '^forged' "$t/out" && mailferry lint "$me/no$esc"; plain && mailferry "$esc"; plain
ok $? "lint, and errors: escaped, and no line is forged"
mailferry --json explain $u && python3 -c 'import json, sys; json.load(open(sys.argv[1]))' "$t/out"
ok $? "JSON is JSON"
rm -rf "$box" "$me/.procmailrc"

# Rc files that lead elsewhere.
printf ':0\n| second http://x\n' >"$t/home/mferry2/.procmailrc"
goes_on() { ! grep -q swordfish "$t/out" && grep -q "$me/.procmailrc:1:1: error: it cannot be read" "$t/out" && grep -q second "$t/out"; }
planted()	# COMMAND...
{
	as rm -rf "$me/.procmailrc"
	"$@"
	mailferry lint $u mferry2
	goes_on || { echo "# $*"; return 1; }
}
planted as ln -s "$secret" "$me/.procmailrc" && planted as mkfifo "$me/.procmailrc" && planted as mkdir "$me/.procmailrc" &&
	planted as ln -s /dev/zero "$me/.procmailrc" && planted as truncate -s 1G "$me/.procmailrc" && kept
ok $? "lint: as the user; what is no plain file is one finding, and the next user follows"
as rm "$me/.procmailrc"
echo "INCLUDERC=$secret" | as tee "$me/.procmailrc" >/dev/null
mailferry lint $u mferry2; ! grep -q swordfish "$t/out" && mailferry lint "$me/.procmailrc"; ! grep -q swordfish "$t/out" &&
	as ln -sf "$secret" "$me/rc" && { mailferry lint "$me/rc"; ! grep -q swordfish "$t/out"; }
ok $? "nor what it includes, nor a link in the user's directory that root names"
mailferry lint "$secret"; grep -q swordfish "$t/out"
ok $? "root's own file is root's to read"
as rm -f "$me/.procmailrc" "$me/rc"

# A user without a record, and a Maildir that is a link.
roots=$t/roots
mkdir -p "$roots/.box/cur" "$roots/cur" && mkdir -m 700 "$t/closed" "$t/closed/cur" "$t/closed/new" "$t/closed/tmp"
echo 1:swordfish >"$t/closed/dovecot-uidlist.lock"
ln -s "$roots" "$t/old/mferry2/Maildir"
mailferry explain mferry2; mailferry step mferry2 overlap; mailferry doctor
is "$(find "$roots" | wc -l)" 4
ok $? "nothing is made in root's directory"
rm "$t/old/mferry2/Maildir" && ln -s "$t/closed" "$t/old/mferry2/Maildir" && mailferry explain mferry2; ! grep -q swordfish "$t/out"
ok $? "nothing of root's closed directory is shown"
rm "$t/old/mferry2/Maildir"

# A record with another's uid, as a member of admin_group may import it.
id=$(id -u mferry2)
as mkdir -p "$box/cur" "$box/new" "$box/tmp"
for wrong in 0 "$id"; do
	printf '{"user":"%s","uid":%d}\n' $u "$wrong" >"$t/wrong" && { mailferry import "$t/wrong"; ! mailferry step $u overlap --force; } && ! [ -e "$t/new/$u/Maildir" ] || break
done && [ "$wrong" = "$id" ] && is "$(find "$box" ! -user $u)" ""
ok $? "a record with root's uid, or another's: no step works by it"
echo "1..$n"
