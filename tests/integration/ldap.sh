#!/bin/sh
# SPDX-License-Identifier: ISC
# ldap.sh - the map in a real slapd: the whole way of a message, and what can go wrong
set -u
. "$(dirname "$0")/../lib/site.sh"
. "$(dirname "$0")/../lib/slapd.sh"
[ -x "$BUILD/maps/mailferry-mapd" ] && grep -q '^WITH_LDAP = yes' "$BUILD/Makefile" ||
	{ echo "# built without LDAP"; echo 1..0; exit 0; }
site_begin
stall=
finish()
{
	slapds_end
	[ -z "$stall" ] || kill "$stall" 2>/dev/null
	[ -z "$mapd" ] || kill -CONT "$(pgrep -P "$mapd" | tr '\n' ' ')" 2>/dev/null
	site_end
}
trap finish EXIT
says() { grep -q -e "$1" "$t/out" || { echo "it does not say: $1" >>"$t/out"; return 1; }; }
fails()		# STATUS VERB...
{
	want=$1
	shift
	mailferry "$@"
	got=$?
	[ $got -eq "$want" ] || { echo "status $got, want $want" >>"$t/out"; return 1; }
}
ms() { date +%s%3N; }
within()	# MILLISECONDS COMMAND...
{
	from=$(ms) most=$1
	shift
	"$@" || return 1
	took=$(($(ms) - from))
	[ $took -le $((most * $(slack))) ] ||
		{ echo "took $took ms, at most $most" >>"$t/out"; return 1; }
}
soon()		# COMMAND...: within 6 seconds
{
	begun=$(ms)
	until "$@"; do [ $(($(ms) - begun)) -lt $((6000 * $(slack))) ] || return 1; sleep 0.1; done
}
# Something has happened at least N times: changes that a watcher reports.
changes() { [ "$(grep -c -e "$2" "$t/watched")" -ge "$1" ]; }	# N TEXT
map_is()	# LINE...: the file that map = ldap: names
{
	for l in "$@"; do echo "$l"; done >"$t/ldap.conf"
}
usual()
{
	map_is "uri = ${1:-ldap://127.0.0.1:$port_one}" "base = $suffix" "bind_dn = cn=mapd,$suffix" "password_file = $t/password" "tls_ca = $t/ca.pem" "timeout = 1" "patience = 4" "workers = 3"
}
again() { mapd_stop; mapd_start; }
printf 'mapdpw\n' >"$t/password"
chmod 600 "$t/password"
cp "$conf" "$t/tdb.conf"
sed -i "s,^map = .*,map = ldap:$t/ldap.conf,; s/^deadline.*/deadline = 6/" "$conf"
echo "skew = 0" >>"$conf"
user_add 1
user_add 2
u=mferry1 v=mferry2
slapd_new one && slapd_fill one $u user3 && slapd_run one
ok $? "a slapd with mailferry.schema"
slaptest -Q -f "$t/one.conf" >"$t/out" 2>&1
grep -v mailferry "$t/one.conf" >"$t/bare.conf" && mkdir "$t/bare.d" &&
	slaptest -Q -f "$t/bare.conf" -F "$t/bare.d" >>"$t/out" 2>&1 &&
	slapadd -n 0 -F "$t/bare.d" -l "$here/examples/mailferry.ldif" >>"$t/out" 2>&1 &&
	slapcat -n 0 -F "$t/bare.d" 2>>"$t/out" | sed ':a;N;$!ba;s/\n //g' | grep '^olcAttributeTypes\|^olcObjectClasses' | grep -o "NAME 'mailferry[A-Za-z]*" | sort >"$t/a" &&
	grep -o "NAME 'mailferry[A-Za-z]*" "$here/examples/mailferry.schema" | sort >"$t/b" &&
	[ -s "$t/a" ] && cmp "$t/a" "$t/b" >>"$t/out" 2>&1
ok $? "mailferry.ldif is the same for cn=config"

# The file.
wrong()		# TEXT LINE...: refused, with that text
{
	text=$1
	shift
	map_is "$@"
	"$BUILD/maps/mailferry-mapd" --config "$conf" --log none >"$t/out" 2>&1 && return 1
	says "$text"
}
wrong 'ldap.conf, line 2: bas: unknown key; did you mean "base"' "uri = ldap://x" "bas = x" &&
	wrong 'base is not set' "uri = ldapi:///" &&
	wrong 'bind_dn needs a password_file' "uri = ldapi:///" "base = x" "bind_dn = x" &&
	wrong 'without bind_dn' "uri = ldap://x" "base = x" &&
	wrong 'is ldap://' "uri = http://x" "base = x" "bind_dn = x" "password_file = /x" &&
	wrong 'line 3: starttls: is yes or no' "uri = ldapi:///" "base = x" "starttls = maybe" &&
	rm "$t/ldap.conf" &&
	! "$BUILD/maps/mailferry-mapd" --config "$conf" --log none >"$t/out" 2>&1 &&
	says 'there is no such file'
ok $? "errors of the file name line and nearest key"

usual
mapd_start
mailferry add $u && mailferry add $v --address "V@x.test" && mailferry show $u && says '^state old$'
ok $? "STARTTLS, a bind DN, a password from a file"
ldap one search -LLL -b "uid=$u,ou=people,$suffix" >"$t/out" && says "^mailferryUser: $u" &&
	says '^mailferryVersion: 1' && says '^mailferryState: old' &&
	ldap one search -LLL -b "mailferryUser=$v,cn=records,cn=mailferry,$suffix" >"$t/out" &&
	says '^mailferryAddress: v@x.test'
ok $? "the record is on the user's entry; who has none gets one"
fails 75 add $u || fails 1 add $u
ok $? "who is there is not added again"

# The way of a message.
mail()
{
	printf 'From s@x.test  Mon Jan  1 00:00:00 2026\nReceived: by mx (Postfix)\n\tid 4XYZ%06d; Mon\nSubject: %d\n\ntext\n' "$1" "$1"
}
lda()		# STATUS NUMBER
{
	mail "$2" >"$t/msg"
	{ env -i ASAN_OPTIONS=detect_leaks=0 USER=$u LOGNAME=$u HOME="$t/home/$u" RECIPIENT=$u@x.test setpriv --reuid=$u --regid=nogroup \
		--clear-groups "$BUILD/lda/mailferry-lda" --config "$conf" <"$t/msg"; echo "status $?"; } 2>&1 | cat >"$t/out"
	grep -q "^status $1\$" "$t/out" || { echo "want $1" >>"$t/out"; return 1; }
	[ "$1" -ne 75 ] ||
		{ grep -q '^4\.[0-9]\.[0-9] ' "$t/out" && [ "$(wc -l <"$t/out")" -eq 2 ]; }
}
mails() { find "$t/$1/$u/Maildir/new" -type f 2>/dev/null | wc -l; }
lda 0 1 && mailferry step $u overlap --why wave && lda 0 2 && mailferry step $u cutover --for 60 &&
	lda 75 3 &&
	mailferry step $u settle --force && lda 0 3 && mailferry step $u new && lda 0 4 &&
	mailferry step $u settle && lda 0 5 &&
	mailferry step $u cutover --for 60 && mailferry step $u overlap && lda 0 6 &&
	mailferry step $u old && lda 0 7 &&
	is "$(mails old) $(mails new)" "7 5"		# what came in new is caught up in settle
ok $? "a user through all states and back, mail in each"
mailferry history $u && is "$(grep -c ' -> ' "$t/out")" 9 && says 'old -> overlap by root: wave' &&
	mailferry undo $u && mailferry show $u && says '^state overlap' && mailferry undo $u
ok $? "history and undo"
mailferry delete $v && mailferry show $v && says 'default yes' && says '^version 2' &&
	mailferry undo $v && mailferry show $v && says '^version 3' && says '^address v@x.test'
ok $? "delete, and back; the version goes on"
mailferry explain V@x.test && says "^$v is in state old" && mailferry list &&
	is "$(wc -l <"$t/out")" 2
ok $? "explain by address, list"
"$BUILD/admin/mailferry" --config "$conf" watch >"$t/watched" 2>&1 & watcher=$!
watches() { mailferry step $v overlap && mailferry step $v old && grep -q . "$t/watched"; }
wait_for watches && wait_for changes 1 'old -> overlap' && wait_for changes 1 'overlap -> old'
kill $watcher; wait $watcher 2>/dev/null
grep -q 'old -> overlap' "$t/watched" && grep -q 'overlap -> old' "$t/watched" &&
	grep -q "changed user=$v from=old to=overlap" "$t/mapd.log"
ok $? "watch hears what the workers change, the log has it"

# Names as attackers send them, on the wire.
mailferry add user3 && mailferry step user3 overlap && python3 - "$t/run/map.sock" >"$t/out" 2>&1 <<'END'
import socket, sys
s = socket.socket(socket.AF_UNIX); s.settimeout(10); s.connect(sys.argv[1])
def ask(q):
    s.sendall(b"%d:%s," % (len(q), q))
    d = b""
    while b":" not in d or len(d) < int(d.split(b":")[0]) + len(d.split(b":")[0]) + 2: d += s.recv(65536)
    return d
assert b"state overlap" in ask(b"get user3")
for n in (b"a*)(uid=*", b"*)(mailferryUser=user3", b"USER3", b" user3", b"user3\0", b"\0user3", b"us\0er3", b"\xff\xfe", b"user3\xc0\x80", b"*)(|(objectClass=*", b"u*", b"\\75ser3", b"user3)", b"(user3"):
    for q in (b"get ", b"stored ", b"address ", b"recipient any\n", b"recipient local\n"):
        a = ask(q + n)
        if q[:1] == b"r" and n == b"USER3": continue   # addresses are folded, as local(8) does
        assert b"state overlap" not in a, (q, n, a)
END
ok $? "names as attackers send them are nobody else's"

# How one reaches it.
says_show() { again; soon mailferry show $u && says '^state old'; }
map_is "uri = ldapi://$(echo "$t/one.sock" | sed 's,/,%2f,g')" "base = $suffix"
says_show
ok $? "ldapi with SASL EXTERNAL"
map_is "uri = ldap://127.0.0.1:$port_one" "base = $suffix" "tls_ca = $t/ca.pem" "tls_cert = $t/client.pem" "tls_key = $t/client.key"
says_show
ok $? "a client certificate with SASL EXTERNAL"
slapd_stop one
listen_ldaps=$(free_port)
slapd_run one "$port_one" "ldaps://127.0.0.1:$listen_ldaps/"
usual "ldaps://127.0.0.1:$listen_ldaps" && says_show
ok $? "ldaps"
refused() { again; within 10000 fails 75 show $u && says "$1"; }
usual && sed -i "s,ca.pem,other.pem," "$t/ldap.conf" && refused STARTTLS
ok $? "a certificate of another authority is refused"
sed -i "s,tls_ca.*,tls_require = no," "$t/ldap.conf" && says_show
ok $? "but for tls_require = no"
usual "ldaps://127.0.0.1:$listen_ldaps" && sed -i "s,ca.pem,other.pem," "$t/ldap.conf" &&
	refused 'Can.t contact'
ok $? "also with ldaps"
usual; chmod 604 "$t/password"; refused 'others may read the password'
ok $? "a password file that others may read"
chmod 600 "$t/password"
printf 'wrong\n' >"$t/password"
refused 'Invalid credentials' && printf 'mapdpw\n' >"$t/password" && soon mailferry show $u
ok $? "a wrong password; a right one needs no restart"

# slapd is stopped, killed, gone, back.
again; mailferry show $u
kill -STOP "$pid_one"
within 9000 lda 75 10 && within 9000 fails 75 step $u overlap && within 3000 fails 75 show $u
ok $? "slapd stopped: mail is deferred, the command says later"
SLACK=$(slack) python3 - "$t/run/map.sock" >"$t/out" 2>&1 <<'END'
import os, socket, sys, time
b, slack = time.time(), int(os.environ["SLACK"])
def conn():
    s = socket.socket(socket.AF_UNIX); s.settimeout(12); s.connect(sys.argv[1]); return s
cs = [conn() for i in range(60)]
for c in cs: c.sendall(b"8:get user,")
bad = conn(); bad.sendall(b"xxx"); assert bad.recv(10) == b"" and time.time() - b < slack, "the loop waits"
for c in cs:
    a = c.recv(1000)
    assert b"AGAIN" in a, a
assert time.time() - b < 9 * slack, time.time() - b
END
ok $? "60 who ask meanwhile: each hears it in time, the loop waits for nobody"
# trivial-rewrite(8) asks for all mail of the host, one question after another.
cat >"$t/sm.py" <<'END'
import socket, sys, time
s = socket.socket(socket.AF_UNIX); s.settimeout(12); s.connect(sys.argv[1])
def ask(who):
    q = b"access %s@x.test" % who; t = time.time()
    s.sendall(b"%d:%s," % (len(q), q)); a = s.recv(1000)
    return a, time.time() - t
END
SLACK=$(slack) python3 - >"$t/out" 2>&1 <<END
import os, sys, time; sys.argv[1:] = ["$t/run/socketmap.sock"]
exec(open("$t/sm.py").read())
end, times = time.time() + 3, []
while time.time() < end:
    a, took = ask(b"u%d" % len(times)); times.append(took)
    assert b":TEMP " in a, a
    time.sleep(0.01)
times.sort()
slack = int(os.environ["SLACK"])
assert times[-1] < 0.9 * slack and times[-2] < 0.1 * slack, times[-9:]
END
ok $? "the socketmap says TEMP after half a second, and from then on at once"
kill -CONT "$pid_one"; soon mailferry show $u && lda 0 10
python3 - >>"$t/out" 2>&1 <<END
import sys; sys.argv[1:] = ["$t/run/socketmap.sock"]
exec(open("$t/sm.py").read())
end = time.time() + 60
while b"NOTFOUND" not in ask(b"user3")[0]:     # for a second it remembers that nobody answered
    assert time.time() < end; time.sleep(0.1)
for i in range(20):
    a, took = ask(b"user3"); assert b"NOTFOUND" in a, (a, took)
END
ok $? "it goes on: so do we"
slapd_stop one KILL
lda 75 11
rc=$?
within 2000 fails 75 show $u
rc=$((rc + $?))
slapd_run one "$port_one"
soon mailferry show $u && lda 0 11 && [ $rc -eq 0 ]
ok $? "slapd killed, and started again"
# (Unless the follower asks while it is away: then everybody is told so for a second.)
restarted() { slapd_stop one; slapd_run one "$port_one"; mailferry show $u; }
{ restarted || { says "no LDAP server" && sleep 1.2 && restarted; }; } &&
	mailferry step $u overlap && mailferry step $u old
ok $? "restarted between two questions: nobody notices"

# The handshake stalls; another server of the list does not.
cat >"$t/stall.py" <<'END'
import socket, sys, threading, time
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(99); print(s.getsockname()[1], flush=True)
keep = []
def talk(c):
    d = c.recv(4096)
    if sys.argv[1] == "tls" and len(d) > 4:    # STARTTLS: yes; and then nothing
        c.sendall(bytes([0x30, 0x0c, 0x02, 0x01, d[4], 0x78, 0x07, 0x0a, 1, 0, 4, 0, 4, 0]))
while True:
    c = s.accept()[0]; keep.append(c); threading.Thread(target=talk, args=(c,), daemon=True).start()
END
for kind in silent tls ldaps; do
	python3 "$t/stall.py" $kind >"$t/port" & stall=$!
	wait_for [ -s "$t/port" ]
	scheme=ldap
	[ $kind != ldaps ] || scheme=ldaps
	usual "$scheme://127.0.0.1:$(cat "$t/port")"
	again; within 6000 lda 75 12
	ok $? "a server that accepts and says nothing ($kind)"
	usual "$scheme://127.0.0.1:$(cat "$t/port") ldap://127.0.0.1:$port_one"
	again; within 6000 soon mailferry show $u
	ok $? "and the next one of the list answers ($kind)"
	kill $stall; wait $stall 2>/dev/null; stall=; : >"$t/port"
done

# Workers.
usual; again; mailferry show $u
kids() { pgrep -P "$mapd" | tr '\n' ' '; }
all_there() { is "$(kids | wc -w)" 5; }
wait_for all_there && kill -9 $(kids) && soon mailferry show $u && mailferry step $u overlap &&
	mailferry step $u old &&
	wait_for all_there && grep -q 'worker why="a worker ended"' "$t/mapd.log"
ok $? "all workers killed: others take their place"
kill -STOP $(kids)
within 6000 lda 75 13 && within 6000 mailferry show $u && lda 0 13 &&
	grep -q 'worker why="no answer in time' "$t/mapd.log"
ok $? "workers stopped: killed at their deadline, and replaced"
soon mailferry show $v; before=$(sed -n 's/^version //p' "$t/out")
# The workers are killed until enough steps have come through between two deaths.
(while [ ! -e "$t/enough" ]; do kill -9 $(kids) 2>/dev/null; sleep 0.15; done) & killer=$!
i=0 lost=0 until=$(($(ms) + patience * 5000))
while [ $i -lt 30 ] && [ "$(ms)" -lt $until ]; do
	for s in overlap old; do
		mailferry step $v $s || continue
		until mailferry show $v || [ "$(ms)" -ge $until ]; do :; done
		lacks -q '^user' "$t/out" || says "^state $s" || lost=$((lost + 1))
		i=$((i + 1))
	done
done
touch "$t/enough"; wait $killer; soon mailferry show --json $v && mailferry history --json --limit 1000 $v && python3 - "$t/out" "$before" >"$t/a" 2>&1 <<'END'
import json, sys
h = [json.loads(l) for l in open(sys.argv[1])]
v = [c["is"]["version"] for c in h if c["is"]]
assert v == [n for n in range(v[0], 0, -1) if n != 2], v    # 2: the delete
assert v[0] > int(sys.argv[2]) + 4, (v[0], sys.argv[2])
for a, b in zip(h, h[1:]):
    assert a["was"] is None or a["was"]["version"] == b["is"]["version"], (a, b)
END
rc=$?; cat "$t/a" >>"$t/out"; [ $rc -eq 0 ] && is $lost 0 && [ $i -ge 30 ]
ok $? "killed while they write: none lost, none twice, none without its history ($i steps)"

shows() { mailferry show "$1" && says "$2"; }	# USER TEXT
# Two hosts, one provider.
sed "s,^socket_dir.*,socket_dir = $t/run2," "$conf" >"$t/conf2"
unshare --uts sh -c 'hostname host-b; exec "$@"' x "$BUILD/maps/mailferry-mapd" --config "$t/conf2" --log stderr 2>"$t/mapd2.log" & mapd2=$!
wait_for grep -qs ': started ' "$t/mapd2.log"
other() { "$BUILD/admin/mailferry" --config "$t/conf2" "$@" >"$t/out2" 2>&1; }
mailferry add race && race() { c=$1 w=0 i=0; while [ $i -lt 25 ]; do for s in overlap old; do "$BUILD/admin/mailferry" --config "$c" step race $s >/dev/null 2>&1 && w=$((w + 1)); done; i=$((i + 1)); done; echo $w; }
race "$conf" >"$t/w1" & r1=$!
race "$t/conf2" >"$t/w2" & r2=$!
race "$conf" >"$t/w3" & r3=$!
wait $r1 $r2 $r3
mailferry show race
echo "wins $(cat "$t/w1" "$t/w2" "$t/w3" | tr '\n' ' ')" >>"$t/out"
v1=$(sed -n 's/^version //p' "$t/out")
mailferry history --json --limit 1000 race && is "$(wc -l <"$t/out")" "$v1" &&
	is "$(grep -o '"is":{[^}]*"version":[0-9]*' "$t/out" | grep -o '[0-9]*$' | sort -u | wc -l)" "$v1" &&
	is "$(grep -o '"seq":[0-9]*' "$t/out" | sort -u | wc -l)" "$v1" && [ "$v1" -gt 20 ]
ok $? "two hosts race for one record: each version once, with its history ($v1)"
mailferry add win && mailferry step win overlap && S=$(slack) &&
	mailferry step win cutover --window +$S +$((3 * S)) && sleep $((S + 1)) &&
	(other show win & mailferry show win; wait $!) && says '^state cutover' &&
	says '^version 4' &&
	soon shows win '^state overlap' && (other show win & mailferry show win; wait $!) &&
	says '^version 5'
ok $? "a window that both hosts meet is written once"
mailferry step $u overlap && other step $u cutover --for 30 && lda 75 14 &&
	mailferry step $u settle --force && lda 0 14 && other step $u cutover --for 30 &&
	mailferry step $u overlap && other step $u old
ok $? "a user through the states, steps on either host"
addr()
{
	"$BUILD/admin/mailferry" --config "$1" add "$2" --address "same$3@x.test" >/dev/null 2>&1 &&
		echo got
}
i=0 twice=0; while [ $i -lt 8 ]; do addr "$conf" "p$i" $i >"$t/w1" & addr "$t/conf2" "q$i" $i >"$t/w2"; wait $!; [ "$(cat "$t/w1" "$t/w2" | wc -l)" -eq 1 ] || twice=$((twice + 1)); i=$((i + 1)); done; is $twice 0
ok $? "two users, two hosts, one address: one gets it"
kill $mapd2; wait $mapd2

# There and back again.
mailferry export "$t/e1" && cp "$conf" "$t/l.conf" && mapd_stop &&
	tdb() { "$BUILD/admin/mailferry" --config "$t/tdb.conf" "$@" >"$t/out" 2>&1; } &&
	tdb import --format jsonl "$t/e1" && tdb export "$t/e2" && sort "$t/e1" >"$t/a" &&
	sort "$t/e2" >"$t/b" && cmp "$t/a" "$t/b" >>"$t/out" 2>&1 && [ "$(wc -l <"$t/a")" -gt 10 ]
ok $? "export from LDAP, import into tdb: equal"
slapd_new two && slapd_fill two $u user3 && slapd_run two && usual "ldap://127.0.0.1:$port_two" &&
	mapd_start && mailferry import "$t/e2" && mailferry export "$t/e3" &&
	sort "$t/e3" >"$t/b" && cmp "$t/a" "$t/b" >>"$t/out" 2>&1
ok $? "and from tdb into another directory: equal"
mailferry export --format ldif "$t/e.ldif" && slapd_stop two && slapd_new three &&
	slapd_fill three $u && slapadd -q -f "$t/three.conf" -l "$t/e.ldif" >"$t/out" 2>&1 &&
	slapd_run three && usual "ldap://127.0.0.1:$port_three" && again &&
	mailferry export "$t/e4" && sort "$t/e4" >"$t/b" && cmp "$t/a" "$t/b" >>"$t/out" 2>&1 &&
	mailferry explain V@x.test && says "^$v is" && fails 1 add another --address v@x.test
ok $? "export as LDIF for slapadd: equal, with its addresses"
slapd_stop three

# A replica, behind and in front of its provider.
slapd_new provider "overlay syncprov" && slapd_fill provider $u && slapd_run provider &&
	slapd_new replica "syncrepl rid=1 provider=ldap://127.0.0.1:$port_provider type=refreshAndPersist searchbase=$suffix bindmethod=simple binddn=$manager credentials=secret retry=\"1 +\"" \
		"updateref ldap://127.0.0.1:$port_provider" && slapd_run replica
usual "ldap://127.0.0.1:$port_provider"; again; mailferry add $u; rc=$?
usual "ldap://127.0.0.1:$port_replica ldap://127.0.0.1:$port_provider"
again; mailferry show $u && says "^version 1" && [ $rc -eq 0 ]
ok $? "a replica in the list is not taken for the provider"
i=0 stale=0; while [ $i -lt 20 ]; do mailferry step $u overlap || stale=1; mailferry show $u; says '^state overlap' || stale=1; mailferry step $u old || stale=1; mailferry show $u; says '^state old' || stale=1; i=$((i + 1)); done; is $stale 0
ok $? "what was written is what is read, at once"
usual "ldap://127.0.0.1:$port_replica"; refused 'is a replica, not the provider'
ok $? "a replica alone is no map"
usual "ldap://127.0.0.1:$port_provider ldap://127.0.0.1:$port_replica"; again
mailferry step $u overlap && sleep 0.5 && kill -STOP "$pid_replica" &&
	mailferry step $u cutover --for 60 && mailferry step $u settle --force && lda 0 20
ok $? "the replica stops; nobody needs it"
slapd_stop provider KILL; kill -9 "$pid_replica"; wait "$pid_replica" 2>/dev/null
grep -v '^syncrepl\|^updateref' "$t/replica.conf" >"$t/promoted.conf"
slapd_run promoted "$port_replica"
lags() { fails 75 show $u && says 'lags behind'; }
soon lags && lda 75 21
ok $? "a lagging standby was promoted: its older record is not followed"
again; mailferry show $u && says '^state overlap' && lda 75 21 && says 'old map restored'
ok $? "accepted by a restart; and then the delivery log knows better"

# Look-ups that may be late: from a copy, for as long as it is leased.
slapd_new fed "overlay syncprov" && slapd_fill fed $u $v && slapd_run fed
usual "ldap://127.0.0.1:$port_fed"; S=$(slack) lease=$((9 * $(slack)))
echo "lease = $lease" >>"$t/ldap.conf"; again
"$BUILD/maps/mailferry-mapd" --config "$t/conf2" --log stderr 2>"$t/mapd2.log" & mapd2=$!
wait_for grep -qs ': started ' "$t/mapd2.log"
cat >"$t/ask.py" <<'END'
import socket, sys, time
def ask(path, q):
    s = socket.socket(socket.AF_UNIX); s.settimeout(12); s.connect(path)
    s.sendall(b"%d:%s," % (len(q), q)); d = s.recv(65536); s.close(); return d
b = time.time()
a = ask(sys.argv[1], sys.argv[2].encode().decode("unicode_escape").encode())
print("%d ms" % ((time.time() - b) * 1000), a.decode(errors="replace").replace("\n", "|"))
END
ask() { python3 "$t/ask.py" "$t/run/${2:-map.sock}" "$1" >"$t/out" 2>&1; }
quick() { ask "$1" && [ "$(cut -d' ' -f1 "$t/out")" -lt $((500 * $(slack))) ] && says "$2"; }
count()
{
	"$BUILD/admin/mailferry" --config "$conf" status --metrics 2>/dev/null | sed -n "s/^mailferry_$1 //p"
}
copied() { is "$(count 'users{state="old"}')" 2; }
mailferry add $u --address late@x.test && mailferry add $v && wait_for copied &&
	before=$(count cached_answers_total) &&
	quick 'recipient any\nlate@x.test' "user $u|.*state old" &&
	quick "recipient local\\n$v" "state old" &&
	ask "transport late@x.test" socketmap.sock &&
	[ "$(count cached_answers_total)" -ge $((before + 3)) ] &&
	is "$(count 'users{state="old"}')" 2
ok $? "recipients and transports are answered from the copy"
"$BUILD/admin/mailferry" --config "$conf" watch >"$t/watched" 2>&1 & watcher=$!
watching() { other step $v overlap && other step $v old && grep -q . "$t/watched"; }
wait_for watching; other step $u overlap && soon quick 'recipient any\nlate@x.test' "state overlap"
ok $? "what another host changes is there at once"
wait_for changes 1 "$u.*old -> overlap"; sleep 2.5; kill $watcher; wait $watcher 2>/dev/null
is "$(grep -c "$u.*old -> overlap" "$t/watched")" 1 && is "$(count 'users{state="overlap"}')" 1
ok $? "and who watches hears of it, once"
# A delivery's first question, too, which only says whose locks to take.  Another map
# led these mailboxes.
rm -rf "$t"/old/$u/Maildir "$t"/new/$u/Maildir
follower=$(pgrep -P "$mapd" | sort -n | sed -n 2p) before=$(count cached_answers_total)
lda 0 40 && is "$(count cached_answers_total)" $((before + 1)) &&
	is "$(mails old) $(mails new)" "1 1"
ok $? "a delivery asks the provider once"
kill -STOP "$follower"
other step $u cutover --for 60 && lda 75 41 && says '^4.2.1 .*is being moved' &&
	other step $u settle && lda 0 41
rc=$?
is "$(count cached_answers_total)" $((before + 3)) && is "$(mails old) $(mails new) $rc" "2 2 0"
ok $? "a copy that is behind decides nothing: the answer under the lock does"
ldap fed search -LLL -o ldif-wrap=no -b "uid=$u,ou=people,$suffix" mailferryText >"$t/settle" 2>&1
rc=$?
kill -CONT "$follower"
other step $u cutover --for 60 && other step $u overlap &&
	soon quick 'recipient any\nlate@x.test' "state overlap"
ok $? "and is there again"
{ printf 'dn: uid=forger,ou=people,%s\nobjectClass: inetOrgPerson\nobjectClass: mailferryRecord\nuid: forger\ncn: f\nsn: f\nmailferryVersion: 99\nmailferryShelf: 0\n' "$suffix"
  printf 'mailferryUser:: %s\n' "$(printf '%s\0x' $u | base64)"; grep '^mailferryText' "$t/settle"; } | ldap fed add >"$t/out" 2>&1 && sleep 1 &&
	quick 'recipient any\nlate@x.test' "state overlap" && lda 0 42 &&
	is "$(mails old) $(mails new) $rc" "3 3 0"
ok $? "a name with a NUL is nobody's record"
ldap fed add >"$t/out" 2>&1 <<END; mailferry add gone; soon quick 'recipient local\ngone' 'state old' && ldap fed delete "uid=gone,ou=people,$suffix" && soon quick 'recipient local\ngone' NONE
dn: uid=gone,ou=people,$suffix
objectClass: inetOrgPerson
uid: gone
cn: gone
sn: x
END
ok $? "an entry that goes takes its record with it"
# The window begins when the provider has been away for a while, and within the lease.
mailferry step $v overlap && mailferry step $v cutover --window +$((3 * S)) +$((60 * S))
planned=$(ms)
soon quick "recipient local\\n$v" "|window "; kill -STOP "$pid_fed"; stopped=$(ms)
quick 'recipient any\nlate@x.test' "state overlap" &&
	quick "recipient local\\n$v" "state overlap" && within 9000 lda 75 30
ok $? "the provider is gone: deliveries wait, the milter is answered"
while [ $(($(ms) - planned)) -lt $((3000 * S + 1000)) ]; do sleep 0.1; done
quick 'recipient any\nlate@x.test' "state overlap" && ask "recipient local\\n$v" && says AGAIN
ok $? "but for whom a window has begun meanwhile"
while [ $(($(ms) - stopped)) -lt $((lease * 1000 + 2000)) ]; do sleep 0.1; done
ask 'recipient any\nlate@x.test' && says AGAIN && [ "$(count cache_age_seconds)" -ge $lease ]
ok $? "and when the lease is over nobody is"
"$BUILD/admin/mailferry" --config "$conf" watch >"$t/watched" 2>&1 & watcher=$!
sleep $S
kill -9 $(kids)
kill -CONT "$pid_fed"
soon other step $u old && soon grep -q 'overlap -> old' "$t/watched"
rc=$?
sleep 1.5; kill $watcher; wait $watcher 2>/dev/null
is "$(grep -c 'overlap -> old' "$t/watched")" 1 && [ $rc -eq 0 ]
ok $? "a change that another host made while nobody listened is told later"
other step $u overlap
soon mailferry show $u
soon quick 'recipient any\nlate@x.test' "state overlap" && mailferry show $v &&
	says '^state cutover'
ok $? "it is back"
kill $mapd2; wait $mapd2

# A server without the schema, or without the map: never "no such user".
schema= slapd_new none
slapd_fill none $u
slapd_run none && usual "ldap://127.0.0.1:$port_none" && refused 'schema' && lda 75 22
ok $? "a slapd without the schema is no answer"
slapd_new empty
slapd_fill empty $u
slapd_run empty && usual "ldap://127.0.0.1:1 ldap://127.0.0.1:$port_empty" && refused 'contact' &&
	! ldap empty search -b "cn=mailferry,$suffix" -s base >/dev/null 2>&1
ok $? "an empty one behind another of the list is not made a map"
usual
sed -i "s/^base.*/base = ou=nowhere,$suffix/" "$t/ldap.conf"
echo "map_entry = cn=mailferry,$suffix" >>"$t/ldap.conf"
refused 'nowhere.*there is no such entry'
ok $? "a base that is not there is no answer"
usual; again
ldap one modify >"$t/out" 2>&1 <<END
dn: uid=$u,ou=people,$suffix
changetype: modify
replace: mailferryState
mailferryState: new
END
lda 75 23 && fails 1 show $u && says 'somebody else changed it'
ok $? "a record that somebody edited is refused, not half believed"
echo "1..$n"
