#!/bin/sh
# SPDX-License-Identifier: ISC
# recipe_site.sh - the real Postfix, a user with a real rc file, in every state
#
# BUILD is the build directory.
set -u
. "$(cd "$(dirname "$0")" && pwd)/../lib/site.sh"
site_begin
mapd_start
user_add 1
u=mferry1
home=$t/home/$u
ln -s "$t/old/$u/Maildir" "$home/Maildir"
cat >"$home/.procmailrc" <<END
PATH=/usr/bin:/bin
MAILDIR=$t/old/$u/Maildir
DEFAULT=\$MAILDIR/
LOGFILE=\$HOME/procmail.log
SENDER=\`sed -n 's/^Return-Path: <\\(.*\\)>/\\1/p'\`

# A copy of everything, outside.
:0 c
\$HOME/backup/

:0 Wh: msgid.lock
| grep -q '^Subject: duplicate'

:0 fhw
* ^Subject:.*tagged
| sed -e 's/^Subject:/X-Tagged: yes\\
Subject:/'

:0
* ^X-Tagged: yes
.tagged/

:0
* SENDER ?? ^^sender@
* ^Subject: \\/(list|news)
.\$MATCH/
END
chown -R $u "$home"
postfix_start
count() { find "$1" -type f 2>/dev/null | wc -l; }	# DIR
where()		# FOLDER: how many on old, on new
{
	echo "$(count "$t/old/$u/Maildir/$1/new") $(count "$t/new/$u/Maildir/$1/new")"
}
all()		# WORD: one message to each place
{
	for s in "tagged $1" "list $1" "plain $1"; do send $u "$s" || return 1; done
}
all old && settled && is "$(where .tagged)" "1 0" && is "$(where .list)" "1 0" &&
	is "$(where .)" "1 0" && is "$(count "$home/backup/new")" 3
ok $? "old: as procmail would"
mailferry add $u && mailferry step $u overlap && all overlap && settled &&
	is "$(where .tagged)" "2 1" && is "$(where .list)" "2 1" && is "$(where .)" "2 1" &&
	is "$(count "$home/backup/new")" 6
ok $? "overlap: both sides, outside once"
for f in . .tagged .list; do
	cut -d: -f2- "$t/old/$u/Maildir/$f/dovecot-uidlist" | tail -n 1 >"$t/a"
	cut -d: -f2- "$t/new/$u/Maildir/$f/dovecot-uidlist" | tail -n 1 >"$t/b"
	cmp "$t/a" "$t/b" >>"$t/out" &&
		tail -n 1 "$t/old/$u/Maildir/$f/dovecot-uidlist" | grep -q '^2 '
	ok $? "overlap: the same name and UID in $f"
done
mailferry step $u cutover --for 120; all window; sleep 2
is "$(queue | grep -c 'is being moved')" 3 && is "$(count "$home/backup/new")" 6
ok $? "cutover: deferred, nothing was run"
mailferry step $u settle --force && postqueue -c "$t/pf" -f && settled &&
	is "$(where .tagged)" "3 2" && is "$(where .list)" "3 2" && is "$(where .)" "3 2" &&
	is "$(count "$home/backup/new")" 9
ok $? "settle: both sides, the copy outside once"
mailferry step $u new && all new && settled && is "$(where .tagged)" "3 3" &&
	is "$(where .list)" "3 3" && is "$(where .)" "3 3"
ok $? "new: the new filer alone, though the rc file names the old one"
rm -rf "$t/old/$u" && all gone && settled && is "$(where .tagged)" "0 4" && is "$(where .)" "0 4" &&
	[ ! -e "$t/old/$u" ]
ok $? "and when the old filer is gone"
"$BUILD/admin/mailferry" --config "$conf" lint $u >"$t/out" 2>&1
grep -q 'mapped: MAILDIR=' "$t/out" && grep -q 'mapped: .tagged/' "$t/out"
ok $? "lint says that it follows by itself"
lacks -q 'status=bounced' "$t/mail.log"; ok $? "nothing bounced"
echo "1..$n"
