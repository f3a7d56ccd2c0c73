#!/bin/sh
# SPDX-License-Identifier: ISC
# hosts.sh - two mail hosts with a cable each to one directory: what both do to one user
set -u
. "$(dirname "$0")/../lib/site.sh"
. "$(dirname "$0")/../lib/slapd.sh"
. "$(dirname "$0")/../lib/hosts.sh"
[ -x "$BUILD/maps/mailferry-mapd" ] && grep -q '^WITH_LDAP = yes' "$BUILD/Makefile" ||
	{ echo "# built without LDAP"; echo 1..0; exit 0; }
site_begin
milter=
trap 'status=$?; [ -z "$milter" ] || kill $milter; hosts_end; (exit $status); site_end' EXIT
for i in 1 2 3; do user_add $i; done
u=mferry1 frozen=mferry2 other=mferry3
sed -i 's/^deadline.*/deadline = 8/' "$conf"
echo "skew = 0" >>"$conf"
says() { grep -q -e "$1" "$t/out" || { echo "it does not say: $1" >>"$t/out"; return 1; }; }
soon()		# COMMAND...: within 20 seconds
{
	wait_for "$@"
}
delivered() { grep -c 'status=sent' "$t/mail.log"; }
flush() { for h in $hosts; do on $h; postqueue -c "$t/pf" -f; done; }
beyond() { [ "$(delivered)" -gt "$was" ]; }
more()		# [NAME...]: they deliver, all of them
{
	for h in ${*:-$hosts}; do on $h; was=$(delivered); soon beyond || return 1; done
}
waits() { queue | grep -q "$1"; }
step()		# NAME STATE...: said on that host
{
	on "$1"
	shift
	mailferry step $u "$@"
}
# RCPT TO, at the present host: the code
rcpt()
{
	$there python3 -c 'import smtplib, sys; s = smtplib.SMTP("127.0.0.1", int(sys.argv[1]), "client.test", 20); s.ehlo(); s.mail("s@client.test"); print(s.rcpt(sys.argv[2] + "@example.test")[0])' "$smtp" "$1"
}

refuses() { is "$(rcpt "$1")" 451; }	# a moment late: the milter remembers answers

hosts_begin mxa mxb && directory_start $u $other
rc=$?
on mxa
mapd_start
$there "$BUILD/milter/mailferry-milter" --config "$conf" --log stderr 2>"$t/milter.log" & milter=$!
soon grep -q ': started ' "$t/milter.log" &&
	postfix_start "smtpd_milters = unix:$t/run/milter.sock" "milter_default_action = accept" &&
	on mxb && mapd_start && postfix_start && [ $rc -eq 0 ]
ok $? "two hosts, a provider and its replica"
on mxa
mailferry add $u && mailferry add $frozen && mailferry step $frozen overlap && on mxb &&
	mailferry add $other && mailferry show $frozen && says '^state overlap'
ok $? "what one writes the other reads"

# Mail comes in on both, all the time.
stream_begin $u
round()		# STATE...: on the hosts in turn
{
	for to in "$@"; do
		with=			# the mail from before overlap is on old only
		case $to in
		cutover) with="--for 60";;
		settle | overlap) with=--force;;
		esac
		# shellcheck disable=SC2086
		step mxb $to $with || return 1
		on mxa
		mailferry show $u && says "^state $to" || return 1
		if [ $to = cutover ]; then
			soon refuses $u && is "$(rcpt $other)" 250 && on mxb &&
				soon waits 'being moved' || return 1
		else
			flush
			more || return 1
		fi
		snap $u
	done
}
round overlap cutover settle new settle cutover overlap old overlap
ok $? "through all states and back, both deliver; inside a window one refuses, one keeps"

# The cables are cut, for longer than any timeout of ours.
on mxa
mailferry step $frozen cutover --for 600; sleep 0.5
cable mxa down
cut=$(date +%s)
soon waits map && more mxb
ok $? "one cable cut: this host's mail waits, the other's does not"
on mxa
is "$(rcpt $frozen)" 451 && is "$(rcpt $u)" 250 && is "$(rcpt $other)" 250 && ! mailferry show $u &&
	says 'no LDAP server\|Timed out\|contact'
ok $? "its milter still knows who is frozen, from its lease; nobody guesses for the others"
cable mxb down
on mxb
soon waits map
ok $? "both cables cut: all mail waits"
while [ $(($(date +%s) - cut)) -lt 10 ]; do sleep 0.1; done
on mxa
is "$(rcpt $frozen)" 451
ok $? "and the milter knows still"
cable mxa up; cable mxb up
for h in $hosts; do on $h; soon mailferry show $u || break; done
flush; more
ok $? "the cables are back: both deliver"

# A standby that lags is promoted.  u has got a new leader of which it knows nothing.
snap $u
kill -STOP "$pid_replica"
round cutover settle
ok $? "a replica that lags: nobody needs it"
slapd_stop provider KILL; kill -9 "$pid_replica"; wait "$pid_replica" 2>/dev/null
grep -v '^syncrepl\|^updateref' "$site/replica.conf" >"$site/promoted.conf"
on hub
slapd_run promoted "$port_replica" "$(urls $port_replica)" && for h in $hosts; do on $h; soon waits 'lags behind' || break; done && waits 'lags behind'
ok $? "a lagging standby was promoted: neither host follows it"
for h in $hosts; do on $h; mapd_stop; mapd_start; done
on mxb
mailferry show $u && says '^state overlap' && flush && for h in $hosts; do on $h; soon waits 'old map restored' || break; done && waits 'old map restored'
ok $? "accepted on both: who had changed sides since waits"
round cutover settle
ok $? "until his record is right again"
stream_end && tally $u new
ok $? "nothing was lost, doubled or renumbered, no next UID went back: $(cat "$site/out")"
on hub
rm -f "$(find "$site/new/$u/Maildir/new" -type f | tail -n 1)" && ! tally $u new && says 'is lost'
ok $? "and a message that is missing would have been noticed"
echo "1..$n"
