#!/bin/sh
# SPDX-License-Identifier: ISC
# lint.sh - mailferry lint: what is said of rc files that cannot follow
#
# BUILD is the build directory.
set -u
. "$(cd "$(dirname "$0")" && pwd)/../lib/site.sh"
site_begin
user_add 1
user_add 2
u=mferry1
cat >"$t/home/$u/.procmailrc" <<END
MAILDIR=$t/old/$u/Maildir
LOCKFILE=$t/old/$u/Maildir/all.lock
INCLUDERC=\$HOME/inc.rc
:0 Wh: msgid.lock
| formail -D 8192 msgid.cache
:0
* ^Subject: (unpaired
.lists/
:0 c
old-mbox
:0 c
$t/new/$u/Maildir/.new/
:0 c
| /usr/lib/dovecot/dovecot-lda -m x
:0 Z
* ? spamc -c | grep -q yes
\$HOME/outside/
}
X="not closed
END
printf ':0 c\n| cat >>%s/old/%s/Maildir/piped\n' "$t" $u >"$t/home/$u/inc.rc"
says()		# TEXT NAME
{
	grep -q "$1" "$t/out"; ok $? "$2"
}
mailferry lint $u; is $? 1; ok $? "something to look at: 1"
rc=$t/home/$u/.procmailrc
says "^$rc:1:1: mapped: MAILDIR=" "MAILDIR on the old filer is mapped"
says "^$rc:2:1: manual: LOCKFILE has a path" "a path in another variable"
says "^$t/home/$u/inc.rc:2:1: manual: a program gets a path" "a path in a program of an included file"
says "^$rc:5:1: manual: formail -D" "formail -D"
says "^$rc:7:1: error: parentheses" "an expression that does not pair"
says "^$rc:8:1: mapped: .lists/" "a folder relative to MAILDIR"
says "^$rc:10:1: manual: old-mbox is an mbox below" "an mbox inside"
says "^$rc:12:1: mapped: $t/new" "a folder on the new filer"
says "^$rc:14:1: manual: dovecot-lda" "another delivery agent"
says "^$rc:15:1: error: no flag, and skipped: Z" "a letter that is no flag"
says "^$rc:18:1: error: a closing brace too many" "a brace too many"
says "^$rc:19:1: error: a quote" "a quote that is not closed"
says "^programs: .*spamc(1)" "programs, by how many files"
lacks -q outside "$t/out"; ok $? "a Maildir outside is nothing to say"
mailferry lint --json $u mferry2 && false
python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
s = d["summary"]
assert s["error"] == 4 and s["without"] == 1 and s["files"] == 1 and s["mapped"] == 3, s
assert d["files"][0]["user"] == "mferry1"' "$(sed -n '/^mailferry:/!p' "$t/out" >"$t/json"; echo "$t/json")" >>"$t/out" 2>&1
ok $? "--json: the same, and a user without an rc file"
printf ':0\n* ^Subject\n.lists/\n' >"$t/home/$u/.procmailrc"
mailferry lint $u; is $? 0; ok $? "nothing to do: 0"
mailferry lint; is $? 2; ok $? "usage"
mailferry lint nobody-of-this-name; is $? 1; ok $? "no such user"
mailferry lint "$t/no/such/file"; is $? 1; ok $? "no such file"
echo "1..$n"
