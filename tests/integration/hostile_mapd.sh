#!/bin/sh
# SPDX-License-Identifier: ISC
# hostile_mapd.sh - what mferry1 can do to mailferry-mapd at its sockets, while mferry2 has mail
#
# Each line of SECURITY in mailferry-mapd(8) is attacked here, with sockets that are open to
# everybody.
set -u
. "$(dirname "$0")/../lib/site.sh"
site_begin
for i in 1 2 3; do user_add $i; done
for key in socketmap_mode dict_mode metrics_mode; do echo "$key = 0666"; done >>"$conf"
client=$here/tests/lib/hostile_client.py attackers=
trap 'status=$?; kill -KILL $attackers 2>/dev/null; (exit $status); site_end' EXIT
as() { user=$1; shift; setpriv --reuid="$user" --regid=nogroup --clear-groups "$@"; }
python() { user=$1; shift; as "$user" python3 "$client" "$@"; }
attack()	# USER WHAT SOCKET [ARGUMENT...]: what it prints is in $t/said
{
	: >"$t/said"
	attacker=$1
	shift
	setpriv --reuid="$attacker" --regid=nogroup --clear-groups python3 "$client" "$@" >"$t/said" 2>&1 <"$t/go" &
	attackers="$attackers $!"
}
said() { grep -q "$1" "$t/said"; }
done_with_it()	# the attackers of now
{
	kill -KILL $attackers 2>/dev/null
	wait $attackers 2>/dev/null
	attackers=
}
asked()		# is the map asked meanwhile, within 5 s of a machine that does nothing else?
{
	timeout $((5 * $(slack))) "$BUILD/admin/mailferry" --config "$conf" show "$1" >"$t/out" 2>&1
}
lda()		# USER
{
	printf 'From s@x.test  Mon Jan  1 00:00:00 2026\nSubject: t\n\ntext\n' |
		as "$1" env RECIPIENT="$1@x.test" "$BUILD/lda/mailferry-lda" --config "$conf" -d "$1" >"$t/out" 2>&1
}
mkfifo "$t/go"; exec 7<>"$t/go"

# Descriptors: as this kernel has it, and as one does that refuses none of them.
passes()	# SOCKET NUMBER
{
	kill -STOP "$mapd"
	attack mferry1 passes "$t/run/$1.sock" "$2" 100
	wait_for said passed
	kill -CONT "$mapd"
	asked mferry2 && lda mferry2
	passes=$?
	done_with_it
	return $passes
}
mapd_start; mailferry add mferry2
for s in map socketmap dict metrics; do passes $s 5; ok $? "descriptors that wait long in their last close, to $s.sock: $(cat "$t/said")"; done
mapd_stop
cat >"$t/old_kernel.c" <<'CODE'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sys/socket.h>

int
setsockopt(int fd, int level, int name, const void *val, socklen_t len)
{
	int (*real)(int, int, int, const void *, socklen_t) = (int (*)(int, int, int, const void *, socklen_t))
	    dlsym(RTLD_NEXT, "setsockopt");

	if (level == SOL_SOCKET && name == 83) {
		errno = ENOPROTOOPT;
		return -1;
	}
	return real(fd, level, name, val, len);
}
CODE
${CC:-cc} -shared -fPIC -o "$t/old_kernel.so" "$t/old_kernel.c" -ldl
LD_PRELOAD=$t/old_kernel.so ASAN_OPTIONS=detect_leaks=0:verify_asan_link_order=0
export LD_PRELOAD ASAN_OPTIONS
mapd_start
started=$?
unset LD_PRELOAD
ASAN_OPTIONS=detect_leaks=0
[ $started -eq 0 ] && for s in map socketmap dict metrics; do
	passes $s 5 && said 'passed 5 refused 0'
	ok $? "with a kernel that lets them pass, $s.sock: $(cat "$t/said")"
done
passes socketmap 70 && said 'passed 70'
ok $? "and more connections than one user may have: $(cat "$t/said")"
grep -q ': dropped .*passes a descriptor' "$t/mapd.log"
ok $? "logged"
attack mferry1 passes "$t/run/map.sock" 5 100
wait_for said passed
begin=$(date +%s); mapd_stop
[ $(($(date +%s) - begin)) -lt $((10 * $(slack))) ]
ok $? "mapd ends meanwhile"
done_with_it

# Turns, by counts: while the requests of 50 connections wait, another's is answered after
# one turn of theirs.
rss() { awk '/^VmRSS/ { print $2 }' "/proc/$mapd/status"; }
mapd_start
idle=$(rss)
attack mferry1 pipelines "$t/run/socketmap.sock" 50
wait_for said connected
sleep 0.5
kill -STOP "$mapd"
echo go >&7
wait_for said sent
python mferry2 counts "$t/run/metrics.sock" >"$t/counted" &
counting=$!
wait_for grep -q asked "$t/counted"
kill -HUP "$mapd"
kill -CONT "$mapd"
wait $counting
count=$(sed -n 2p "$t/counted")
[ "$count" -gt 0 ] && [ "$count" -le 100 ]
ok $? "50 connections full of questions: another user's is answered after $count of them"
wait_for grep -q ': reloaded ' "$t/mapd.log"
ok $? "and SIGHUP is heard"
lda mferry2
ok $? "a delivery beside it"

# Answers that nobody reads.
sleep 1
more=$((48 * 1024))			# kB; a sanitizer keeps what was freed
! grep -q __asan_init "$BUILD/maps/mailferry-mapd" || more=$((1024 * 1024))
[ "$(rss)" -lt $((idle + more)) ]
ok $? "their answers are not read: mapd has $(rss) kB, and had $idle"
done_with_it
mapd_stop

# Places.
printf 'max_connections = 40\nuser_connections = 20\nkept_users = mferry3\nidle_timeout = 600\n' >>"$conf"
mapd_start
for s in map socketmap dict metrics; do
	attack mferry1 holds "$t/run/$s.sock" 30
	wait_for said '^[0-9]'
	said '^20$'
	ok $? "$s.sock: one user holds $(cat "$t/said") connections of 30"
	done_with_it
	sleep 0.3
done
attack mferry1 holds "$t/run/socketmap.sock" 20; wait_for said '^20'
attack mferry2 holds "$t/run/map.sock" 20; wait_for said '^[0-9]'
said '^1[678]$'
ok $? "two users do not fill it: the second has $(cat "$t/said") of 20"
attack nobody holds "$t/run/map.sock" 5; wait_for said '^[0-9]'
said '^5$'
ok $? "a third gets $(cat "$t/said") of 5: those who have the most lose what they use least"
attack mferry3 holds "$t/run/map.sock" 4; wait_for said '^[0-9]'
said '^4$' && asked mferry2
ok $? "kept_users and root have places"
done_with_it
mapd_stop

# What another process of its uid can read.
mkdir -m 700 "$t/own"; mkdir -m 755 "$t/own_run"; chown mferry3 "$t/own" "$t/own_run"
sed "s|^map = .*|map = tdb:$t/own/map.tdb|; s|^socket_dir = .*|socket_dir = $t/own_run|" "$conf" >"$t/own_conf"
setpriv --reuid=mferry3 --regid=nogroup --clear-groups "$BUILD/maps/mailferry-mapd" --config "$t/own_conf" --log stderr 2>"$t/own_log" &
own=$!
wait_for grep -q ': started ' "$t/own_log"
as mferry3 cat "/proc/$own/status" >/dev/null && ! as mferry3 cat "/proc/$own/environ" >/dev/null 2>&1
ok $? "the memory of mapd is not open to others of its uid"
kill $own; wait $own

# History: a member of admin_group says that root did it, in 2001.
sed -i '/^admin_group/d' "$conf"; echo "admin_group = daemon" >>"$conf"
mapd_start
setpriv --reuid=mferry1 --regid=nogroup --groups="$(getent group daemon | cut -d: -f3)" python3 - "$t/run/map.sock" >"$t/said" <<'PY'
import re, socket, sys
def ask(b):
    k.send(b"%d:%s," % (len(b), b))
    return k.recv(65536)
k = socket.socket(socket.AF_UNIX)
k.connect(sys.argv[1])
body = ask(b"stored mferry2").split(b"\n", 1)[1].rstrip(b",")
v = int(re.search(rb"^version (\d+)", body, re.M)[1])
print(ask(b"replace mferry2 %d 1000000000\nroot\nhonest\n" % v + body.replace(b"version %d" % v, b"version %d" % (v + 1))))
PY
mailferry history --limit 1 mferry2 && said OK && lacks 'by root\|^2001' "$t/out" && grep -q "by uid $(id -u mferry1) (says root): honest" "$t/out"
ok $? "history has the uid of the client and the time of mapd"
SUDO_USER=alice mailferry step mferry2 overlap && mailferry history --limit 1 mferry2 && grep -q 'by root (says alice)' "$t/out"
ok $? "SUDO_USER is a remark"
mapd_stop

# Time.
sed -i '/^idle_timeout/d' "$conf"; echo "idle_timeout = 2" >>"$conf"
mapd_start
for s in map socketmap; do
	python mferry1 drips "$t/run/$s.sock" 60 >"$t/said"
	[ "$(cat "$t/said")" -lt $((8 * $(slack))) ]
	ok $? "$s.sock: a byte now and then: closed after $(cat "$t/said") s"
done
mapd_stop
echo "1..$n"
