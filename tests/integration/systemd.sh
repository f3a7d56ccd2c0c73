#!/bin/sh
# SPDX-License-Identifier: ISC
# systemd.sh - the units, and what a daemon tells systemd
set -u
. "$(dirname "$0")/../lib/site.sh"
site_begin
units=$here/examples/systemd

mkdir "$t/units"
for u in mailferry-mapd mailferry-milter; do
	sed "s,/usr/sbin/mailferry-mapd,$BUILD/maps/mailferry-mapd,; s,/usr/sbin/mailferry-milter,$BUILD/milter/mailferry-milter,; s/^User=.*/User=daemon/; s/^Group=.*/Group=daemon/; /^Documentation/d" "$units/$u.service" >"$t/units/$u.service"
	systemd-analyze verify "$t/units/$u.service" >"$t/out" 2>&1 && lacks -q "$u" "$t/out"
	ok $? "$u.service is well-formed"
done
for u in mailferry-mapd mailferry-milter; do
	systemd-analyze security --offline=yes --threshold=25 "$units/$u.service" >"$t/out" 2>&1
	ok $? "$u.service is in a sandbox"
done

# The default sockets, and those for a chrooted smtpd, lie where the units may write;
# and who ends takes nobody's socket along.
r=0
for u in mailferry-mapd mailferry-milter; do
	for d in /run/mailferry /var/spool/postfix/mailferry; do
		grep -h -e '^RuntimeDirectory=' -e '^ReadWritePaths=' "$units/$u.service" | sed 's,^RuntimeDirectory=,/run/,; s/^[A-Z][A-Za-z]*=//' |
			tr ' ' '\n' | sed 's/^-//' | grep -q -x "$d" ||
				{ echo "$u may not write $d" >>"$t/out"; r=1; }
	done
done
[ $r -eq 0 ] && grep -q '^RuntimeDirectoryPreserve=yes' "$units/mailferry-mapd.service" &&
	lacks -q '^RuntimeDirectory=' "$units/mailferry-milter.service"
ok $? "their sockets may lie where the manuals say"

# systemd's side of the conversation.
cat >"$t/notify.py" <<'END'
import os, signal, socket, subprocess, sys, time
path = sys.argv[1]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(path); s.settimeout(10)
env = dict(os.environ, NOTIFY_SOCKET=path, WATCHDOG_USEC="3000000")
p = subprocess.Popen(sys.argv[2:], env=env)
def until(word):
    end = time.time() + 15
    while time.time() < end:
        if word in s.recv(4096).decode(): return
    sys.exit("no " + word)
until("READY=1")
if "milter" in sys.argv[2]:
    p.send_signal(signal.SIGHUP); until("STATUS=reloaded")
    p.terminate(); until("STOPPING=1")
    sys.exit(p.wait())
until("WATCHDOG=1"); until("WATCHDOG=1")
p.send_signal(signal.SIGHUP); until("STATUS=reloaded")
# A loop that stands still says nothing: systemd would start it anew.
p.send_signal(signal.SIGSTOP); time.sleep(0.2); s.settimeout(0.01)
try:
    while True: s.recv(4096)
except TimeoutError: pass
s.settimeout(2.5)
try:
    s.recv(4096); sys.exit("a stopped daemon is alive")
except TimeoutError: pass
s.settimeout(10)
p.send_signal(signal.SIGCONT)
p.terminate(); until("STOPPING=1")
sys.exit(p.wait())
END
if ldd "$BUILD/maps/mailferry-mapd" | grep -q libsystemd; then
	python3 "$t/notify.py" "$t/notify" "$BUILD/maps/mailferry-mapd" --config "$conf" --log stderr >"$t/out" 2>&1
	ok $? "mapd: ready, alive, reloaded, stopping"
	rm -f "$t/notify"
	python3 "$t/notify.py" "$t/notify" "$BUILD/milter/mailferry-milter" --config "$conf" --log stderr >"$t/out" 2>&1
	ok $? "the milter: ready, reloaded, stopping"
else
	mapd_start && mailferry list
	ok $? "built without libsystemd: works all the same"
fi
NOTIFY_SOCKET=$t/nobody-there "$BUILD/maps/mailferry-mapd" --config "$conf" --log stderr 2>>"$t/mapd.log" & mapd=$!
wait_for mailferry list && wait_for [ -S "$t/run/map.sock" ]
ok $? "nobody at NOTIFY_SOCKET: works all the same"
echo "1..$n"
