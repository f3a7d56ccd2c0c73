#!/bin/sh
# SPDX-License-Identifier: ISC
# mapd.sh - mailferry-mapd among clients of all kinds, and maps that answer nonsense
set -u
. "$(dirname "$0")/../lib/site.sh"
site_begin
user_add 1
user_add 2
u=mferry1 other=mferry2
sed -i 's/^deadline.*/deadline = 12/' "$conf"
{ echo "idle_timeout = 3"; echo "max_connections = 1200"; echo "admin_group = nogroup"; } >>"$conf"
mapd_start
mailferry add $u && mailferry add $other && mailferry step $other overlap
ok $? "two users"
ask()		# USER REQUEST: what mapd answers to him
{
	python3 - "$(id -u "$1")" "$t/run/map.sock" "$2" <<-'END'
		import os, socket, sys
		q = sys.argv[3].encode().decode("unicode_escape").encode()
		os.setgroups([]); os.setresgid(100, 100, 100); os.setresuid(*[int(sys.argv[1])] * 3)
		s = socket.socket(socket.AF_UNIX); s.settimeout(10); s.connect(sys.argv[2])
		s.sendall(b"%d:%s," % (len(q), q))
		print(s.recv(65536).decode(errors="replace").replace("\n", "|"))
	END
}
ask $u "get $u" >"$t/out" && grep -q 'state old' "$t/out" && ask $u "get $other" >"$t/out" && grep -q 'NEVER not permitted' "$t/out"
ok $? "a user is told of himself alone"
for q in "stored $u" "each" "history *" "watch" "replace $u 1 0\\nx\\ny\\n" "begin" "address x" "get $other " "get  $other" "get $other\\nx" "GET $other" "get *"; do
	ask $u "$q" >"$t/out"
	grep -q 'overlap' "$t/out" && break
	grep -q '^[0-9]*:NEVER \|^[0-9]*:AGAIN \|default yes' "$t/out" || break
	q=
done
[ -z "$q" ]
ok $? "and may ask for nothing else${q:+ ($q)}"
setpriv --reuid=$u --regid=users --groups="$(id -g nobody)" "$BUILD/admin/mailferry" --config "$conf" list >"$t/out" 2>&1 && is "$(wc -l <"$t/out")" 2
ok $? "a member of admin_group may"

python3 - "$t/run/map.sock" >"$t/out" 2>&1 <<'END'
import socket, sys, time
path = sys.argv[1]
def conn():
    s = socket.socket(socket.AF_UNIX); s.settimeout(10); s.connect(path); return s
def ask(s, q=b"get nobody-here"):
    s.sendall(b"%d:%s," % (len(q), q))
    n = b""
    while b":" not in n: n += s.recv(4096)
    want = int(n.split(b":")[0]); body = n.split(b":", 1)[1]
    while len(body) < want + 1:
        more = s.recv(65536)
        assert more, "closed"
        body += more
    return body[:want]
idle = [conn() for i in range(1000)]
for i in range(50):
    assert ask(conn()).startswith(b"OK"), "not answered beside 1,000 idle ones"
slow = conn()
for c in b"15:get nobody-here,":    # a byte at a time
    slow.sendall(bytes([c])); time.sleep(0.005)
assert slow.recv(100).startswith(b"5") or True
# One who asks for much and reads nothing does not keep others waiting.
deaf = conn(); deaf.setblocking(False)
try:
    for i in range(200000): deaf.send(b"4:each,")
except BlockingIOError:
    pass
for i in range(50):
    assert ask(conn()).startswith(b"OK"), "not answered beside a deaf one"
for bad in (b"999999999:x", b"x" * 100, b"-1:,", b"5:get a;", b"0000000000000000001:a,", b"70000:" + b"x" * 70001):
    s = conn()
    try:
        s.sendall(bad)
        assert s.recv(100) == b"" or bad.startswith(b"000"), bad[:20]
    except ConnectionResetError:
        pass
time.sleep(4.5)
alive = 0
for s in idle:
    try:
        s.setblocking(False); alive += s.recv(1) != b""
    except BlockingIOError:
        alive += 1
    except ConnectionResetError:
        pass
assert alive == 0, "%d idle ones were kept" % alive
assert ask(conn()).startswith(b"OK")
END
ok $? "1,000 idle clients, slow, deaf and mad ones: everybody else is answered"

python3 - "$t/run/map.sock" "$(id -u $u)" >"$t/out" 2>&1 <<'END'
import os, socket, sys
def conn():
    s = socket.socket(socket.AF_UNIX); s.settimeout(10); s.connect(sys.argv[1]); return s
pid = os.fork()
if pid == 0:
    os.setgroups([]); os.setresgid(100, 100, 100); os.setresuid(*[int(sys.argv[2])] * 3)
    cs = [conn() for i in range(200)]
    refused = 0
    for c in cs:
        c.settimeout(0.2 if refused == 0 else 5)
        try: refused += b"AGAIN too many clients" in c.recv(100)
        except socket.timeout: pass
    os._exit(0 if refused >= 150 else 1)
assert os.waitpid(pid, 0)[1] == 0
s = conn(); s.sendall(b"11:get nothere,"); assert b":OK\n" in s.recv(4096)
END
ok $? "an ordinary user cannot take all connections"

# Under load: a reload loses no answer.
python3 - "$t/run/map.sock" "$mapd" >"$t/out" 2>&1 <<'END'
import os, signal, socket, sys, time
s = [socket.socket(socket.AF_UNIX) for i in range(8)]
for c in s: c.settimeout(10); c.connect(sys.argv[1])
for i in range(400):
    if i % 40 == 0: os.kill(int(sys.argv[2]), signal.SIGHUP)
    for c in s: c.sendall(b"11:get nothere,")
    for c in s:
        a = c.recv(4096)
        assert b":OK\n" in a, a
END
ok $? "SIGHUP under load: no connection is lost"
sed -i 's/^log = .*/lug = none/' "$conf" && reread "$mapd" "$t/mapd.log" && grep -q "reload why=.*lug: .*log" "$t/mapd.log" &&
	sed -i 's/^lug = .*/log = none/' "$conf" && mailferry show $u
ok $? "a configuration that is wrong changes nothing, and is named"

i=0 lost=0
while [ $i -lt 10 ]; do
	mailferry add "kill$i" || break
	kill -9 "$mapd"; wait "$mapd" 2>/dev/null
	mapd_start
	mailferry show --json "kill$i" && lacks -q default "$t/out" || lost=1
	i=$((i + 1))
done
is "$i $lost" "10 0"
ok $? "kill -9 behind each answer: nothing acknowledged is lost"

mapd_stop
mount -t tmpfs -o size=4m,mode=700 tmpfs "$t/map" 2>/dev/null && {
	trap 'umount -l "$t/map"; site_end' EXIT
	mapd_start
	i=0
	while mailferry add "fill$i" --address "$(head -c 200 /dev/zero | tr '\0' a)$i@x.test" && [ $i -lt 3000 ]; do i=$((i + 1)); done
	grep -q 'map: ' "$t/out" && mailferry show fill0 && lacks -q default "$t/out" && mailferry show "fill$((i - 1))" && lacks -q default "$t/out" &&
		mailferry show "fill$i" && grep -q 'default yes' "$t/out"
	ok $? "a full disk: the change is refused, all others are there"
	kill -9 "$mapd"; wait "$mapd" 2>/dev/null; mapd_start
	mailferry show "fill$((i - 1))" && lacks -q default "$t/out"
	ok $? "and after a crash, too"
	mapd_stop
	umount "$t/map"
	trap site_end EXIT
}
: >"$t/mapd.log"; starts=0
(ulimit -n 40; exec "$BUILD/maps/mailferry-mapd" --config "$conf" --log stderr 2>>"$t/mapd.log") & mapd=$!
sleep 0.5
python3 - "$t/run/map.sock" >"$t/out" 2>&1 <<'END'
import socket, sys, time
cs = []
for i in range(60):
    s = socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect(sys.argv[1]); cs.append(s)
for s in cs[:5]:
    s.sendall(b"11:get nothere,"); assert b":OK\n" in s.recv(4096)
for s in cs: s.close()
time.sleep(0.5)
s = socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect(sys.argv[1])
s.sendall(b"11:get nothere,"); assert b":OK\n" in s.recv(4096)
END
[ $? -eq 0 ] && grep -q 'full why="no descriptors left' "$t/mapd.log"
ok $? "no descriptors left: told, and over when clients go"
kill "$mapd"; wait "$mapd"; is $? 0 && grep -q 'stopped' "$t/mapd.log" && [ ! -e "$t/run/map.sock" ]
ok $? "SIGTERM: a clean end"

# What a change costs is given back: else it would be the last of a long migration.
: >"$t/mapd.log"; starts=0
ASAN_OPTIONS=detect_leaks=1 mapd_start
anon() { awk '/^RssAnon/ { print $2 }' "/proc/$mapd/status"; }
i=0; while [ $i -lt 1000 ]; do echo "{\"user\":\"many$i\"}"; i=$((i + 1)); done >"$t/many"
for s in old overlap old overlap; do
	sed "s/}/,\"state\":\"$s\",\"old\":\"\/o\",\"new\":\"\/n\"}/" "$t/many" >"$t/many.jsonl"
	mailferry import "$t/many.jsonl" || break
	mailferry list >/dev/null
	anon >>"$t/anon"
done
grown=$(($(sed -n 4p "$t/anon") - $(sed -n 2p "$t/anon")))
mapd_stop; s=$?
echo "grown by $grown kB" >>"$t/out"
[ $s -eq 0 ] && { grep -q __asan "$BUILD/maps/mailferry-mapd" || [ $grown -lt 2500 ]; }
ok $? "4,000 changes leave nothing behind in memory"

# Something else answers at the socket.
printf 'From s@x.test  Mon Jan  1 00:00:00 2026\nSubject: x\n\nx\n' >"$t/msg"
nonsense()	# PYTHON EXPRESSION: the bytes that it answers; None: nothing, ever
{
	rm -f "$t/run/map.sock" "$t/ready"
	python3 - "$t/run/map.sock" "$1" "$u" "$other" "$t/ready" <<-'END' &
		import os, socket, sys, time
		s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(9); os.chmod(sys.argv[1], 0o666)
		open(sys.argv[5], "w").close()
		u, other = sys.argv[3:5]
		def rec(**k):
		    k = dict({"user": u, "state": "old", "version": 1, "old": "/nonexistent/x"}, **k)
		    b = "OK\nmailferry 1\n" + "".join("%s %s\n" % i for i in k.items())
		    return b"%d:%s," % (len(b), b.encode())
		answer = eval(sys.argv[2])
		while True:
		    c = s.accept()[0]
		    c.recv(4096)
		    if answer is not None:
		        c.sendall(answer); c.close()
		    else:
		        keep = c
	END
	mapd=$!
	wait_for [ -e "$t/ready" ]
	{ env -i ASAN_OPTIONS=detect_leaks=0 USER=$u LOGNAME=$u HOME="$t/home/$u" setpriv --reuid=$u --regid=nogroup --clear-groups \
		"$BUILD/lda/mailferry-lda" --config "$conf" <"$t/msg"; echo "status $?"; } 2>&1 | cat >"$t/out"
	kill "$mapd"; wait "$mapd" 2>/dev/null
	mapd=
	grep -q '^status 75' "$t/out" && grep -q '^4\.' "$t/out" && is "$(find "$t/old/$u" "$t/new/$u" -type f | wc -l)" 0
}
nonsense 'b"3:abc,"'; ok $? "a map that answers nonsense"
nonsense 'b"HTTP/1.1 200 OK\r\n\r\n"'; ok $? "one that speaks another protocol"
nonsense 'b"99999999999:x"'; ok $? "an answer too long"
nonsense 'b"100:OK\nmailferry 1\n"'; ok $? "half an answer"
nonsense 'b""'; ok $? "none"
nonsense 'rec(user=other)'; ok $? "another user's record"
nonsense 'rec(state="somewhere")'; ok $? "a state we do not know"
nonsense 'rec(uid=1)'; ok $? "a record of another uid"
nonsense 'rec(old="relative")'; ok $? "a location that is none"
nonsense 'rec(state="overlap", new="/x/../y")'; ok $? "a location that leads out"
nonsense 'rec().replace(b"mailferry 1", b"mailferry 9")'; ok $? "a record of a later version"
nonsense 'b"9:AGAIN oh,"'; ok $? "a temporary failure"
nonsense 'b"9:NEVER oh,"'; ok $? "a permanent one"
nonsense 'b"4:NONE,"'; ok $? "no such user"
nonsense None; ok $? "a map that accepts and never answers"
echo "1..$n"
