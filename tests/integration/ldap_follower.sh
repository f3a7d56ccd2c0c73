#!/bin/sh
# SPDX-License-Identifier: ISC
# ldap_follower.sh - mapd follows an LDAP map: what comes late, goes, or is nonsense
set -u
. "$(dirname "$0")/../lib/site.sh"
. "$(dirname "$0")/../lib/slapd.sh"
[ -x "$BUILD/maps/mailferry-mapd" ] && grep -q '^WITH_LDAP = yes' "$BUILD/Makefile" ||
	{ echo "# built without LDAP"; echo 1..0; exit 0; }
site_begin
trap 'slapds_end; site_end' EXIT

within()	# SECONDS COMMAND...: it is true once in that time
{
	tries=$(($1 * 10))
	shift
	until "$@"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || { echo "it did not come: $*" >>"$t/out"; return 1; }
		sleep 0.1
	done
}
metric()
{
	"$BUILD/admin/mailferry" --config "$conf" status --metrics 2>>"$t/out" | sed -n "s/^mailferry_$1 //p"
}
users() { [ "$(metric "users{state=\"$1\"}")" = "$2" ]; }
logged() { grep -q "$1" "$t/mapd.log"; }
alive() { kill -0 "$mapd" 2>/dev/null || { echo "mapd is dead" >>"$t/out"; return 1; }; }
# The copy is whole, and the server was heard a moment ago.
follows()
{
	age=$(metric cache_age_seconds) before=$(metric cached_answers_total)
	[ "${age:-9}" -le 1 ] && look_up && [ "$(metric cached_answers_total)" -gt "$before" ]
}
look_up()
{
	python3 - "$t/run/map.sock" >>"$t/out" 2>&1 <<-'END'
		import socket, sys
		s = socket.socket(socket.AF_UNIX); s.settimeout(12); s.connect(sys.argv[1])
		s.sendall(b"22:recipient local\nnobody,"); sys.exit(s.recv(100) != b"4:NONE,")
	END
}
import()	# PREFIX N
{
	python3 -c 'import sys
for i in range(int(sys.argv[2])): print("{\"user\":\"%s%d\",\"uid\":null,\"state\":\"old\"}" % (sys.argv[1], i))' "$1" "$2" >"$t/users"
	mailferry import "$t/users"
}

printf 'mapdpw\n' >"$t/password"
chmod 600 "$t/password"
sed -i "s,^map = .*,map = ldap:$t/ldap.conf,; s/^deadline.*/deadline = 6/" "$conf"
slapd_new one "overlay syncprov" && slapd_fill one person && slapd_run one
for l in "uri = ldap://127.0.0.1:$port_one" "base = $suffix" "bind_dn = cn=mapd,$suffix" \
	"password_file = $t/password" "tls_ca = $t/ca.pem" "timeout = 1" "patience = 4" "workers = 3" "lease = 60"; do
	echo "$l"
done >"$t/ldap.conf"
mapd_start
within 20 follows
ok $? "the copy is whole"

# An import stages each record on an entry of its own, which has no record yet.
kill -STOP "$pid_one"
within 30 logged unfollowed
kill -CONT "$pid_one"
within 30 follows && within 30 import a 20 && alive && within 10 users old 20
ok $? "slapd is stopped and continued; then 20 records are imported"
within 30 import b 20 && alive && within 10 users old 40
ok $? "and 20 more"

# A deleted record leaves its last version behind, also for a follower that begins.
mailferry delete a0 && within 10 users old 39 && mapd_stop && mapd_start && within 20 follows &&
	users old 39 && mailferry list && is "$(wc -l <"$t/out")" 39
ok $? "a record is deleted, and mapd started again"
mailferry add person && within 10 users old 40 &&
	ldap one delete "uid=person,ou=people,$suffix" >"$t/out" 2>&1 &&
	within 20 users old 39 && alive
ok $? "an entry goes, and its record with it: it is counted no longer"
! logged 'report is not valid'
ok $? "no report of a worker was refused"

# A report that no worker makes, in a worker's place: through its own end of the pipe.
report()	# WORKER PAYLOAD...: netstrings; with RAW as the payload: just so
{
	python3 - "$@" >>"$t/out" 2>&1 <<-'END'
		import ctypes, os, sys
		libc = ctypes.CDLL(None, use_errno=True)
		end = libc.syscall(438, os.pidfd_open(int(sys.argv[1])), 3, 0)	# pidfd_getfd(2)
		if end < 0: sys.exit("pidfd_getfd: " + os.strerror(ctypes.get_errno()))
		for text in sys.argv[2:]:
		    b = text.encode().decode("unicode_escape").encode("latin-1")
		    os.write(end, b[4:] if b.startswith(b"RAW ") else b"%d:%s," % (len(b), b))
	END
}
workers() { pgrep -P "$mapd" | sort -n; }
gone() { ! kill -0 "$1" 2>/dev/null; }
are() { [ "$(workers | wc -l)" -eq "$1" ]; }
lost=0
replaced()	# keeper|follower|other PAYLOAD...: it is killed, and another takes its place
{
	case $1 in keeper) victim=$keeper;; follower) victim=$follower;; *) victim=$other;; esac
	shift
	had=$(workers | wc -l) lost=$((lost + 1))
	report "$victim" "$@" && within 10 gone "$victim" && within 10 are "$had" && alive &&
		[ "$(metric workers_lost_total)" -ge $lost ] &&
		is "$(grep -c 'worker why="its report is not valid: killed"' "$t/mapd.log")" $lost
	rc=$?
	# Who is who: the new one has the highest number of all.
	[ "$victim" != "$keeper" ] || keeper=$(workers | tail -n 1)
	[ "$victim" != "$follower" ] || follower=$(workers | tail -n 1)
	[ "$victim" != "$other" ] || other=$(workers | tail -n 1)
	return $rc
}
keeper=$(workers | sed -n 1p) follower=$(workers | sed -n 2p) other=$(workers | sed -n 3p)
replaced other 'RAW xxx' && replaced keeper 'RAW 99999999:' && within 20 mailferry list
ok $? "a worker whose report is no netstring is killed and replaced"
replaced other 'answer ok -\n\0OK x' && replaced keeper 'answer ok -\n\0OK x'
ok $? "so is one that answers without a request"
replaced keeper 'change -\nseq x' && replaced other 'change -\n\0' && replaced other begin
ok $? "one that reports a change that is none, or follows and is no follower"
within 20 follows && replaced follower complete && within 20 follows &&
	replaced follower 'record 1 1 -\n../../etc\0' && within 20 follows &&
	replaced follower 'record 1 1 t\nab\0x' && within 20 follows && users old 39
ok $? "a follower that is out of turn, or reports a name that is none"
echo "1..$n"
