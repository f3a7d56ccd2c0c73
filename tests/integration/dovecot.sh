#!/bin/sh
# SPDX-License-Identifier: ISC
# dovecot.sh - the real Dovecot asks the map at each login, in every state
#
# With examples/dovecot-dict.conf and mailferry-dict.conf.ext as they are, but for
# paths and the passdb.
set -u
. "$(dirname "$0")/../lib/site.sh"
site_begin
user_add 1
user_add 2
u=mferry1
sed -i 's/^deadline.*/deadline = 12/' "$conf"
echo "domains = example.test" >>"$conf"
mapd_start
deliver()	# SUBJECT
{
	printf 'From s@x.test  Mon Jan  1 00:00:00 2026\nSubject: %s\n\nx\n' "$1" |
		setpriv --reuid=$u --regid=users --clear-groups env -i ASAN_OPTIONS=detect_leaks=0 \
		USER=$u LOGNAME=$u HOME="$t/home/$u" "$BUILD/lda/mailferry-lda" --config "$conf" >"$t/out" 2>&1
}
away="mail_location = maildir:/nonexistent/%u"
example dovecot-dict.conf
example mailferry-dict.conf.ext
dovecot_start "!include $t/dovecot-dict.conf" "$away" "auth_verbose = yes"
ok $? "Dovecot with the snippets of examples/"

deliver one && sees $u "OK 1" && is "$(where $u)" "maildir:$t/old/$u/Maildir"
ok $? "no record: the mailbox that the map's default and the templates name"
case $(login $u wrong) in *AUTHENTICATIONFAILED*) ;; *) false;; esac
ok $? "a wrong password is one: the other passdb decides"
lacks -q 'No password returned' "$t/dovecot.log" && [ "$(login nosuch x | grep -c OK)" -eq 0 ]
ok $? "our passdb has no say, our userdb makes no user"
is "$(where $u@example.test)" "" && is "$(where mferry2)" "maildir:$t/old/mferry2/Maildir"
ok $? "the other userdb decides who there is"

mailferry add $u && deliver two && sees $u "OK 1 2" && mailferry step $u overlap && deliver three &&
	sees $u "OK 1 2 3" &&
	is "$(where $u)" "maildir:$t/old/$u/Maildir"
ok $? "old and overlap: old is served"

# A session that is under way is kicked, and may not come back before the window is over.
python3 - "$imap" $u "$t/there" "$t/kicked" <<'END' &
import imaplib, sys
m = imaplib.IMAP4("127.0.0.1", int(sys.argv[1])); m.login(sys.argv[2], "x"); m.select("INBOX")
open(sys.argv[3], "w").close()
try:
    m.send(b"a IDLE\r\n")
    while m.readline(): pass
except (OSError, imaplib.IMAP4.abort): pass
open(sys.argv[4], "w").close()
END
session=$!
wait_for [ -e "$t/there" ]
mailferry step $u cutover --for 60 && doveadm -c "$t/dv.conf" kick $u >"$t/out" 2>&1
wait_for [ -e "$t/kicked" ]
[ -e "$t/kicked" ] && wait $session
ok $? "cutover: the live session is kicked"
sees $u "[UNAVAILABLE]"
ok $? "and the next login is told of a temporary failure, not of a wrong password"
! where $u >/dev/null && grep -q 'lookup failed' "$t/out" &&
	grep -q "dict-server returned failure: mailbox is being moved, try again in [0-9]* seconds" "$t/dovecot.log"
ok $? "nobody else gets a location either; the log has the reason"
sees mferry2 "OK"
ok $? "others log in"

mailferry step $u settle --force && deliver four && sees $u "OK 3 4" &&
	is "$(where $u)" "maildir:$t/new/$u/Maildir"
ok $? "settle: new is served, under the same UIDs"
mailferry step $u new && deliver five && sees $u "OK 3 4 5"
ok $? "new: new is served"
mailferry step $u settle && mailferry step $u cutover --for 2 && sees $u "[UNAVAILABLE]" &&
	sleep 2 && sees $u "OK 3 4 5"
ok $? "a window that was given up: the former leader is served again"

mapd_stop
sees $u "[UNAVAILABLE]" && sees mferry2 "[UNAVAILABLE]"
ok $? "mapd away: a temporary failure, nobody is served from a guess"
mapd_start
sees $u "OK 3 4 5"
ok $? "mapd back: served, without a word to Dovecot"

# A connection that is kept, and dropped by mapd.
dovecot_stop
echo "idle_timeout = 1" >>"$conf"; kill -HUP "$mapd"
sed -i 's,proxy:,proxy:idle_msecs=60000:,' "$t/mailferry-dict.conf.ext"
: >"$t/dovecot.log"
dovecot_start "!include $t/dovecot-dict.conf" "$away" && sees $u OK && sleep 3 && sees $u OK &&
	sees $u OK &&
	lacks -i 'error' "$t/dovecot.log"
ok $? "a connection that mapd dropped when it was idle: no login fails"

# A home that only Dovecot knows.
sed -i "s,^old_mail.*,old_mail = %h/Maildir," "$conf" && reread "$mapd" "$t/mapd.log" &&
	sees mferry2 OK &&
	is "$(where mferry2)" "maildir:~/Maildir" && [ -d "$t/home/mferry2/Maildir/cur" ]
ok $? "a template with %h: the home of the other userdb"
sed -i "s,^old_mail.*,old_mail = $t/old/%u/Maildir," "$conf" && reread "$mapd" "$t/mapd.log"

# Names of directories that would mean something to Dovecot.
user_add 3; u=mferry1
chown mferry3 "$t/old"
mailferry add mferry3 --old "$t/old/a:b %u \"q\"" --old-control "$t/old/c:%h" --old-index "$t/old/i" &&
	sees mferry3 OK &&
	[ -d "$t/old/a:b %u \"q\"/cur" ] && [ -d "$t/old/c:%h/.INBOX" ] && [ -d "$t/old/i/.INBOX" ]
ok $? "CONTROL= and INDEX=, colons, percent signs, blanks and quotes in a location"

# Facts that the manual stands on.
again() { dovecot_stop; dovecot_start "$@"; }
alone()
{
	again "passdb {" "driver = dict" "args = $t/mailferry-dict.conf.ext" "}" "userdb {" "driver = passwd" "}"
}
sed -i 's,passdb/%u,nopassdb/%u,' "$t/mailferry-dict.conf.ext"
alone && case $(login $u x) in *AUTHENTICATIONFAILED*) ;; *) false;; esac
ok $? "N would be a wrong password"
example mailferry-dict.conf.ext
alone && [ "$(login $u x | grep -c OK)" -eq 0 ]
ok $? "our passdb alone lets nobody in"
sed 's,auth_cache_size = 0,auth_cache_size = 1 M,' "$t/dovecot-dict.conf" >"$t/cached.conf"
again "!include $t/cached.conf" "$away" && sees $u OK && mailferry step $u cutover --for 30 &&
	mailferry step $u overlap &&
	is "$(where $u)" "maildir:$t/new/$u/Maildir"
ok $? "with the auth cache on a step is missed: it must be off"
again "!include $t/dovecot-dict.conf" "$away" && is "$(where $u)" "maildir:$t/old/$u/Maildir" &&
	mailferry step $u cutover --for 30 &&
	sees $u "[UNAVAILABLE]" && mailferry step $u settle --force &&
	is "$(where $u)" "maildir:$t/new/$u/Maildir" && sees $u OK
ok $? "as it is in the snippet, none is"

# Dovecot 2.4 speaks another version.
python3 - "$t/run/dict.sock" >"$t/out" 2>&1 <<'END'
import socket, sys
def talk(data):
    s = socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect(sys.argv[1]); s.sendall(data)
    got = b""
    while True:
        more = s.recv(4096)
        if not more: return got
        got += more
        if got.count(b"\n") == data.count(b"\nL"): return got
assert talk(b"H4\t0\t0\t\tmailferry\nLshared/userdb/mferry1\tmferry1\n") == b"", "answered"
got = talk(b"H3\t9\t0\t\tmailferry\nLshared/passdb/mferry1\tmferry1\nLx\n")
assert got == b'O{"leader":"new"}\nN\n', got
END
[ $? -eq 0 ] && grep -q 'dropped protocol=dict uid=0 why="a version of Dovecot' "$t/mapd.log"
ok $? "another major version: the connection is closed, and the log says why"
echo "1..$n"
