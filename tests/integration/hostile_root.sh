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
echo "1..$n"
