#!/bin/sh
# SPDX-License-Identifier: ISC
# path.sh - mapd, the command and the LDA together: a user through all states
#
# BUILD is the build directory.  The LDA runs as `nobody`, as for local(8).
set -u
: "${BUILD:?}"
t=$(mktemp -d) || exit 2
mapd=
finish()
{
	[ -z "$mapd" ] || kill "$mapd" 2>/dev/null
	[ -z "${hang:-}" ] || kill "$hang" 2>/dev/null
	wait
	rm -rf "$t"
}
trap finish EXIT
trap 'exit 2' INT TERM
chmod 755 "$t"
n=0 starts=0
ok()		# STATUS NAME
{
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else
		echo "not ok $n - $2"
		sed 's/^/# /' "$t/out" "$t/log" 2>/dev/null | tail -n 20
	fi
}

mkdir -m 700 "$t/map"
mkdir "$t/old" "$t/new"
chown nobody "$t/old" "$t/new"
cat >"$t/conf" <<END
map = tdb:$t/map/map.tdb
socket_dir = $t/run
old_mail = $t/old/%u
new_mail = $t/new/%u
deadline = 20
log = none
END

# What a program of one run still has at its end is not a leak; mapd's is.
lazy=ASAN_OPTIONS=detect_leaks=0
mailferry() { env $lazy "$BUILD/admin/mailferry" --config "$t/conf" "$@" >"$t/out" 2>&1; }
start()
{
	"$BUILD/maps/mailferry-mapd" --config "$t/conf" --log stderr 2>>"$t/log" &
	mapd=$!
	starts=$((starts + 1)) i=0
	while [ "$(grep -c ': started ' "$t/log")" -lt $starts ] && [ $i -lt 100 ]; do
		sleep 0.05
		i=$((i + 1))
	done
}
mail()		# NUMBER: a message as Postfix would write it
{
	printf 'From s@x.test  Mon Jan  1 00:00:00 2026\nReceived: by mx (Postfix, from userid 0)\n\tid 4XYZ%06d; Mon\nSubject: %d\n\ntext\n' "$1" "$1"
}
lda()		# USER NUMBER: fd 1 and 2 are one pipe
{
	mail "$2" | { env -i $lazy USER="$1" LOGNAME="$1" HOME=/nonexistent RECIPIENT="$1@x.test" \
		SENDER=s@x.test setpriv --reuid=nobody --regid=nogroup --clear-groups \
		"$BUILD/lda/mailferry-lda" --config "$t/conf"; echo "status $?"; } 2>&1 | cat >"$t/out"
	grep -q "^status ${3:-0}\$" "$t/out"
}
files() { find "$t/$1/nobody/new" -type f 2>/dev/null | wc -l; }
next()		# SIDE
{
	awk 'NR == 1 { for (i = 1; i <= NF; i++) if ($i ~ /^N/) n = substr($i, 2) + 0; next }
		$1 >= n { n = $1 + 1 } END { print n }' "$t/$1/nobody/dovecot-uidlist"
}
is() { [ "$1" = "$2" ] || { echo "got $1, want $2" >>"$t/out"; return 1; }; }

lda nobody 1 75 && grep -q '^4\.3\.0 map: cannot ask mailferry-mapd' "$t/out"
ok $? "no mapd: deferred, and it says so"

start
lda nobody 2 && is "$(files old) $(files new)" "1 0"
ok $? "a user without a record: old, by the default"
chgrp root "$t/old/nobody" && chmod 770 "$t/old/nobody" && lda nobody 20 &&
	is "$(files old)" 2 &&
	is "$(find "$t/old/nobody/new" -type f -perm -020 | wc -l)" 0
ok $? "a Maildir of a group that the recipient is not in: delivered, for him alone"
chgrp nogroup "$t/old/nobody"
chmod 700 "$t/old/nobody"
rm "$t"/old/nobody/new/*
lda nobody 21
lda root 3 75 && grep -q '^4.*alias for root' "$t/out"
ok $? "root without an alias, run as nobody: deferred"

mailferry add nobody --why "test it" && mailferry show nobody &&
	grep -q '^state old$' "$t/out" && grep -q "^old $t/old/nobody\$" "$t/out" &&
	grep -q '^version 1$' "$t/out" && grep -q '^leader old$' "$t/out"
ok $? "add and show"
mailferry add daemon
lda daemon 4 75 && grep -q '^4.*not permitted' "$t/out"
ok $? "another user's record is not for us"
mailferry step nobody settle; is $? 1 && grep -q 'possible now: overlap' "$t/out"
ok $? "an illegal step names the legal ones"
mailferry step nobody
is $? 2
ok $? "usage is 2"

mailferry step nobody overlap && lda nobody 5 && is "$(files old) $(files new)" "2 1" &&
	is "$(next old)" 5 && is "$(next new)" 5
ok $? "overlap: both, one UID"
lda nobody 5 && is "$(files old) $(files new)" "2 1"
ok $? "the same message again: known"

# UIDs given and expunged on old: its header says 124.
sed -i '1s/ N[0-9]*/ N124/' "$t/old/nobody/dovecot-uidlist"
mailferry step nobody cutover --for 60 && lda nobody 6 75 && grep -q '^4\.2\.1 ' "$t/out"
ok $? "cutover: nobody, 4.2.1"
is "$(files old) $(files new)" "2 1"
ok $? "nothing was delivered in the window"
mailferry step nobody settle --force && mailferry show nobody && grep -q '^leader new$' "$t/out" &&
	is "$(next new)" 124
ok $? "settle: UIDNEXT on new is not below the 124 that old had shown"
lda nobody 6 && is "$(files old) $(files new)" "3 2" && is "$(next new)" 125 && is "$(next old)" 125
ok $? "settle: new leads, old follows"
mailferry step nobody new && lda nobody 7 && is "$(files old) $(files new)" "3 3"
ok $? "new: new alone"
mailferry delete nobody; is $? 1 && grep -q 'mailferry move' "$t/out"
ok $? "a delete that would change the leader is refused"

mailferry step nobody settle && mailferry step nobody cutover --for 1 && sleep 2 &&
	lda nobody 8 && mailferry show nobody && grep -q '^state settle$' "$t/out" &&
	grep -q '^by mapd$' "$t/out"
ok $? "a window that ended stays ended: back to settle by itself"
mailferry history nobody && is "$(wc -l <"$t/out")" 8 && grep -q 'test it' "$t/out"
ok $? "history has every step"
mailferry list && grep -q '^nobody settle new ' "$t/out"
ok $? "list"

kill -9 "$mapd"; wait "$mapd" 2>/dev/null
start
mailferry show nobody && grep -q '^state settle$' "$t/out"
ok $? "kill -9 and a new start: nothing is lost"
kill "$mapd"; wait "$mapd"
is $? 0 && [ ! -e "$t/run/map.sock" ]
ok $? "SIGTERM ends mapd cleanly"
mapd=

# A server that accepts and never answers.
python3 - "$t/run/map.sock" <<'END' &
import os, socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
s.listen(5)
time.sleep(60)
END
hang=$!
sleep 0.5
lda nobody 9 75 && grep -q '^4\.3\.0 map: ' "$t/out"
ok $? "a map that hangs: deferred within the deadline"
echo "1..$n"
