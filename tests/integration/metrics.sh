#!/bin/sh
# SPDX-License-Identifier: ISC
# metrics.sh - what mailferry-mapd counts, read as Prometheus reads it
set -u
. "$(dirname "$0")/../lib/site.sh"
site_begin
user_add 1
u=mferry1
mapd_start
says() { grep -q -x -e "$1" "$t/out" || { echo "does not say $1" >>"$t/out"; return 1; }; }
mailferry status && says 'old 0' && says 'default old'
ok $? "status of an empty map"
mailferry add $u && mailferry step $u overlap && mailferry add other && mailferry status &&
	says 'old 1' && says 'overlap 1' && says 'cutover 0'
ok $? "users by state"
mailferry step $u cutover --for 600 && mailferry status && says "window $u cutover .*Z .*Z" &&
	mailferry status --json &&
	python3 -c 'import json, sys
s = json.load(open(sys.argv[1])); assert s["users"] == 2 and s["states"]["cutover"] == 1 and s["windows"][0]["user"] == "mferry1"' "$t/out"
ok $? "who is in a window"
printf 'From s@x.test  Mon Jan  1 00:00:00 2026\nSubject: x\n\nx\n' >"$t/msg"
setpriv --reuid=$u --regid=nogroup --clear-groups env -i ASAN_OPTIONS=detect_leaks=0 USER=$u LOGNAME=$u "$BUILD/lda/mailferry-lda" --config "$conf" <"$t/msg" >"$t/out" 2>&1
is $? 75 && mailferry status --metrics && says 'mailferry_users{state="cutover"} 1' &&
	says 'mailferry_users{state="old"} 1' &&
	says 'mailferry_deferrals_total [1-9][0-9]*' &&
	says 'mailferry_changes_total [1-9][0-9]*' && says 'mailferry_map_whole 1'
ok $? "status --metrics: a delivery was deferred"
cat >"$t/read.py" <<'END'
import re, socket, sys
def ask(request):
    s = socket.socket(socket.AF_UNIX); s.settimeout(10); s.connect(sys.argv[1]); s.sendall(request)
    data = b""
    while True:
        more = s.recv(65536)
        if not more: return data.decode()
        data += more
head, body = ask(b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n").split("\r\n\r\n", 1)
assert head.startswith("HTTP/1.0 200 ") and "version=0.0.4" in head, head
assert int(re.search("Content-Length: (\\d+)", head).group(1)) == len(body)
types, seen, samples = {}, set(), {}
for line in body.splitlines():
    m = re.match("# (HELP|TYPE) (\\S+) (.+)$", line)
    if m:
        if m.group(1) == "TYPE":
            assert m.group(2) not in types; types[m.group(2)] = m.group(3)
        continue
    m = re.match('([a-z_]+)(\\{[a-z]+="[^"]*"(?:,[a-z]+="[^"]*")*\\})? (-?[0-9.]+)$', line)
    assert m, line
    key = m.group(1) + (m.group(2) or "")
    assert key not in samples, key
    samples[key] = float(m.group(3))
    name = m.group(1)
    assert name in types or re.sub("_(bucket|sum|count)$", "", name) in types, name
last = 0
for k, v in samples.items():
    if k.startswith('mailferry_request_seconds_bucket{protocol="map"'):
        assert v >= last; last = v
assert last == samples['mailferry_request_seconds_count{protocol="map"}'] > 0
assert ask(b"POST / HTTP/1.0\r\n\r\n").startswith("HTTP/1.0 405")
assert ask(b"GET / HTTP/1.0\n\n").startswith("HTTP/1.0 200")
assert ask(b"x" * 9000) == ""
END
python3 "$t/read.py" "$t/run/metrics.sock" >"$t/out" 2>&1
ok $? "the text is what Prometheus reads"
mapd_stop
mailferry status --metrics
is $? 75 && grep -q 'cannot ask mailferry-mapd at .*metrics.sock' "$t/out"
ok $? "no mapd: told"
echo "1..$n"
