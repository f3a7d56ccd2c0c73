#!/bin/sh
# SPDX-License-Identifier: ISC
# postfix.sh - the real Postfix asks the map: transports, and refusals in a window
#
# A second Postfix sends to it, as the world does.
set -u
. "$(dirname "$0")/../lib/site.sh"
site_begin
user_add 1; user_add 2; user_add 3
u=mferry1 new=mferry2 other=mferry3
sed -i 's/^deadline.*/deadline = 12/' "$conf"
cat >>"$conf" <<END
domains = example.test
transport_old = local:
transport_new = newway:%u
END
sm=socketmap:unix:$t/run/socketmap.sock
mapd_start
mailferry add $u --address help@example.test &&
	mailferry add $new --state new --address Sales@shop.test --address info@example.test

# It notes what it is asked, and knows nothing.
python3 - "$t/notes.sock" "$t/notes" <<'END' &
import os, socketserver, sys
class Note(socketserver.StreamRequestHandler):
    def handle(self):
        while True:
            n = b""
            while not n.endswith(b":"):
                c = self.rfile.read(1)
                if not c: return
                n += c
            q = self.rfile.read(int(n[:-1]) + 1)[:-1]
            with open(sys.argv[2], "ab") as f: f.write(q + b"\n")
            self.wfile.write(b"9:NOTFOUND ,")
class Server(socketserver.ThreadingUnixStreamServer): daemon_threads = True
os.umask(0)
Server(sys.argv[1], Note).serve_forever()
END
notes=$!
trap 'kill $notes; [ ! -e "$t/pf2/main.cf" ] || postfix -c "$t/pf2" stop >/dev/null 2>&1; site_end' EXIT
wait_for [ -S "$t/notes.sock" ]
mkdir -m 777 "$t/newway"
n2="socketmap:unix:$t/notes.sock"
postfix_start "relay_domains = shop.test" "newway_destination_recipient_limit = 1" "transport_maps = $n2:transport, $sm:transport" "virtual_alias_maps = inline:{help@example.test=$u@example.test}" \
	"smtpd_recipient_restrictions = check_recipient_access $n2:access, check_recipient_access $sm:access, permit_mynetworks, reject" &&
	cat >>"$t/pf/master.cf" <<END && postfix -c "$t/pf" reload >/dev/null 2>&1
newway unix - n n - 4 pipe
  flags=R user=nobody argv=/usr/bin/tee -a $t/newway/\${nexthop}
END
ok $? "Postfix with socketmaps"

rcpt()		# SUBJECT RECIPIENT...: the replies' codes; to $port, else the first Postfix
{
	python3 - "${port:-$smtp}" "$@" <<-'END' | tee "$t/out"
		import smtplib, sys
		s = smtplib.SMTP("127.0.0.1", int(sys.argv[1]), "client.test", 30)
		s.ehlo()
		s.mail("Sender@client.test")
		codes = [s.rcpt(a) for a in sys.argv[3:]]
		if any(c == 250 for c, _ in codes):
		    s.data("Subject: %s\n\ntext\n" % sys.argv[2])
		print(*[("%d %s" % (c, t.decode())).split(" Ok")[0].split(": ", 1)[0] if c == 250 else "%d %s" % (c, t.decode()) for c, t in codes], sep="|")
		s.quit()
	END
}
comes()		# USER SIDE SUBJECT; both queues are flushed while it does not
{
	tries=0
	wait_for has_come "$@"
}
has_come()
{
	! subjects "$1" "$2" | grep -q "$3 " || return 0
	tries=$((tries + 1))
	[ $((tries % 20)) -ne 0 ] ||
		{ postqueue -c "$t/pf" -f; [ ! -e "$t/pf2" ] || postqueue -c "$t/pf2" -f; }
	return 1
}
subjects()
{
	cat "$t/$2/$1/Maildir/new/"* 2>/dev/null | sed -n 's/^Subject: //p' | sort | tr '\n' ' '
}
rcpt one $u@example.test $new@example.test MFERRY2@Example.TEST $new+x.y@example.test $other@example.test >/dev/null
comes $u old one && comes $other old one && settled &&
	is "$(grep -c '^Subject: one' "$t/newway/$new")" 2
ok $? "each user by his transport: whatever the case, with and without extension; no record: Postfix's own"
rcpt two SALES@shop.test info+x@example.test >/dev/null
two_came() { is "$(grep -c '^Subject: two' "$t/newway/$new")" 2; }
wait_for two_came
ok $? "addresses of the record"

# What the map must understand, as Postfix says it.
asked()
{
	grep -a -q -x -F -e "$1" "$t/notes" || { echo "was not asked: $1" >>"$t/out"; return 1; }
}
rcpt three MFERRY1+X@Example.TEST >/dev/null; comes $u old three
asked "transport *" && asked "transport Sender@client.test" &&
	asked "transport MFERRY1+X@Example.TEST" && asked "access mferry1+x@example.test" &&
	lacks -a -v -x -e 'transport \*' -e '[a-z]* [^@]*[^@ ]@[^@]*' "$t/notes"
ok $? "Postfix asks for *, the sender, the whole address once; transport in its case, access folded"

for a in "$u@example.test" "nobody@example.test" "example.test" "Sender@client.test" "*" "@example.test"; do
	echo "$a=$(postmap -c "$t/pf" -q "$a" $sm:transport)"
done >"$t/out"
is "$(tr '\n' ' ' <"$t/out")" "$u@example.test=local: nobody@example.test= example.test= Sender@client.test= *= @example.test= "
ok $? "postmap -q"
postmap -c "$t/pf" -q $u@example.test $sm:virtual >"$t/out" 2>&1
[ $? -eq 1 ] && grep -q 'PERM\|permanent error\|no such map' "$t/out"
ok $? "a map that is not there is a permanent error"

# The tables that are exported say the same.
mailferry export --format transport "$t/transport" &&
	mailferry export --format access "$t/access" &&
	postmap -c "$t/pf" "hash:$t/transport" "hash:$t/access" && for m in transport access; do
	for a in $u@example.test Sales@shop.test info@example.test $new@example.test nobody@example.test $other@example.test; do
		[ "$(postmap -c "$t/pf" -q "$a" "hash:$t/$m")" = "$(postmap -c "$t/pf" -q "$a" $sm:$m)" ] ||
			{ echo "$m $a differs" >>"$t/out"; break 2; }
		a=
	done
done && [ -z "$a" ] && is "$(wc -l <"$t/transport") $(wc -l <"$t/access")" "5 0"
ok $? "export --format transport and access: postmap says what the socketmap says"

# A sending Postfix.
port2=$(free_port)
mkdir -p "$t/pf2" "$t/spool2" "$t/data2" && chown postfix "$t/data2" &&
	sed "s/^127.0.0.1:$smtp /127.0.0.1:$port2 /" "$t/pf/master.cf" >"$t/pf2/master.cf" &&
	grep -v -e '^smtpd_recipient' -e '^transport_maps' -e '^virtual_alias' -e '^mydestination' -e '^relay_transport' -e '^default_transport' "$t/pf/main.cf" |
	sed "s,$t/spool,$t/spool2,; s,$t/data,$t/data2,; s,mail.log,mail2.log,; s/^myhostname.*/myhostname = sender.test/" >"$t/pf2/main.cf" &&
	cat >>"$t/pf2/main.cf" <<END && postfix -c "$t/pf2" start >"$t/out" 2>&1
mydestination =
relayhost = [127.0.0.1]:$smtp
smtp_tls_security_level = none
smtp_destination_concurrency_failed_cohort_limit = 10
END
wait_for listens "$port2"
waiting() { postqueue -c "$t/pf2" -j 2>/dev/null; }
port=$port2
rcpt four $u@example.test $other@example.test >/dev/null; comes $other old four && comes $u old four
ok $? "a second Postfix sends"

# A window: one recipient of a message waits, with the sender; the others do not.
mailferry step $u overlap && mailferry step $u cutover --for 60
port=$smtp rcpt five $other@example.test $u@example.test $new@example.test >/dev/null
grep -q '|450 4\.2\.1 <mferry1@example.test>: .*mailbox is being moved, try again in [0-9]* seconds|' "$t/out" &&
	is "$(tr '|' '\n' <"$t/out" | cut -c1-3 | tr '\n' ' ')" "250 450 250 "
ok $? "in the window: 450 4.2.1 for this recipient alone"
mailferry export --format access &&
	is "$(grep -c '^\(mferry1\|help\)@example.test	450 4\.2\.1 mailbox is being moved, try again in [0-9]* seconds$' "$t/out") $(wc -l <"$t/out")" "2 2"
ok $? "so does the table"
rcpt six $other@example.test $u@example.test help@example.test >/dev/null
waits_for() { waiting | grep -q -e "$1"; }
comes $other old six && wait_for waits_for '4\.2\.1'
waiting | grep -q '4\.2\.1.*being moved' && is "$(waiting | grep -o '"address"' | wc -l)" 2
ok $? "from the second Postfix: the innocent has it at once, the two others wait there"
mailferry step $u settle --force && postqueue -c "$t/pf2" -f && comes $u new "six six"
ok $? "after the window they come, to the new side: nothing is lost"
mailferry step $u cutover --for 2 && port=$smtp rcpt x $u@example.test >/dev/null &&
	grep -q '^450' "$t/out" && sleep 2 &&
	port=$smtp rcpt seven $u@example.test >/dev/null && grep -q '^250' "$t/out" &&
	comes $u new seven
ok $? "a window that is over by itself"

# Whatever is wrong with the map: later, for everybody, and at once.
raw()		# REQUEST...: each answer, and the longest wait in ms behind it
{
	python3 - "$t/run/socketmap.sock" "$@" <<-'END'
		import socket, sys, time
		s = socket.socket(socket.AF_UNIX); s.settimeout(10); s.connect(sys.argv[1])
		longest = 0
		for q in sys.argv[2:]:
		    q = eval(q) if q.startswith("b'") else q.encode()
		    t = time.time(); s.sendall(b"%d:%s," % (len(q), q)); a = b""
		    while not a.endswith(b","): a += s.recv(4096) or sys.exit("closed")
		    longest = max(longest, time.time() - t); print(a.decode())
		print(int(longest * 1000))
	END
}
raw "transport $u@example.test" "b'transport ' + b'a' * 99000" "b'access ' + b'\xff\x00@' * 3000" "b'x' * 100000" "transport $u@example.test" >"$t/out" 2>&1
is "$(sed '$d' "$t/out" | tr '\n' ' ')" "9:OK local:, 9:NOTFOUND , 9:NOTFOUND , 29:PERM a request is MAP ADDRESS, 9:OK local:, "
ok $? "a question of 100,000 bytes keeps its connection"
cp "$t/map/map.tdb" "$t/map.good"
truncate -s 8192 "$t/map/map.tdb"
raw "transport $u@example.test" "transport nobody@else.test" "access $other@example.test" >"$t/out"
[ "$(grep -c ':TEMP .*was cut' "$t/out")" -eq 3 ] &&
	[ "$(tail -n 1 "$t/out")" -lt $((100 * $(slack))) ]
ok $? "a map that is damaged: TEMP with the reason, within milliseconds"
rcpt eight $other@example.test >/dev/null; wait_for waits_for '"delay_reason": ".*451 4\.3\.'
ok $? "mail waits with the sender"
mapd_stop; cp "$t/map.good" "$t/map/map.tdb"
rcpt nine $u@example.test $other@example.test >/dev/null; wait_for waits_for '451 4\.3\.'
ok $? "mapd away: it waits as well"
printf 'Subject: local\n\nx\n' | sendmail -C "$t/pf" -f sender@client.test $other@example.test
wait_for queued '"queue_name": "deferred"'
queue >"$t/out"; grep -q '"queue_name": "deferred"' "$t/out"
ok $? "and what is in the queue stays there"
mapd_start
postqueue -c "$t/pf2" -f
postqueue -c "$t/pf" -f
comes $other old local && comes $other old eight && comes $other old nine && comes $u new nine
ok $? "mapd back: all of it comes"

# Killed and started again, under load.
python3 - "$port2" $u $other $new >"$t/out" 2>&1 <<'END' &
import smtplib, sys, time
s = smtplib.SMTP("127.0.0.1", int(sys.argv[1]), "client.test", 30)
for i in range(100):
    s.sendmail("sender@client.test", [u + "@example.test" for u in sys.argv[2:]], "Subject: load%d\n\nx\n" % i)
    time.sleep(0.02)
END
load=$!
for i in 1 2 3 4; do
	sleep 0.4; kill -9 "$mapd"; wait "$mapd" 2>/dev/null; mapd_start
done
wait $load
ok $? "mail comes in while mapd is killed again and again"
count()
{
	echo "$(subjects $u new | tr ' ' '\n' | grep -c load) $(subjects $other old | tr ' ' '\n' | grep -c load) $(grep -c '^Subject: load' "$t/newway/$new")"
}
all_came()
{
	is "$(count)" "100 100 100" ||
		{ postqueue -c "$t/pf2" -f; postqueue -c "$t/pf" -f; sleep 1; return 1; }
}
patience=180 wait_for all_came
settled; is "$(count)" "100 100 100"
ok $? "each has each message, once"

echo "idle_timeout = 1" >>"$conf"; reread "$mapd" "$t/mapd.log"
mark=$(wc -l <"$t/mail.log"); port=$smtp
rcpt ten $u@example.test >/dev/null && sleep 3 && rcpt eleven $u@example.test >/dev/null &&
	grep -q '^250' "$t/out" && comes $u new eleven &&
	! tail -n +$mark "$t/mail.log" | grep -i -e warning -e error -e fatal >>"$t/out"
ok $? "a connection that mapd dropped when it was idle: Postfix asks again, and says nothing"

lacks -h 'status=bounced' "$t/mail.log" "$t/mail2.log"
ok $? "nothing bounced"
echo "1..$n"
