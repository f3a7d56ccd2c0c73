# SPDX-License-Identifier: ISC
# hosts.sh - mail hosts with networks and names of their own, one directory, two filers
#
# Sourced behind site.sh and slapd.sh, in tests/lib/box.  The slapds are at the hub, which
# is the network of the box; a host reaches them by a cable of its own, and everybody
# sees the same $t/old and $t/new.
#   hosts_begin NAME...   make them, with a mapd's configuration each
#   on NAME               mapd_start, postfix_start, mailferry, send, queue ... are that
#                         host's from here on, and so are $t and $conf; NAME `hub`: the site's
#   directory_start       a provider and its replica, for all hosts; users with `slapd_fill`
#                         before: USER...
#   cable NAME up|down    down: packets vanish, nobody is told
#   stream_begin USER     each host gets mail for him all the time, by SMTP
#   stream_end            that ends, and the queues are empty
#   snap USER             what both sides' uidlists say now, for tally
#   tally USER SIDE       all that was sent is on that side, once; no UID was another's, and
#                         no next UID shrank, in any snap; nothing bounced
#   hosts_end             before site_end
host=hub hosts= streams= snaps=0

on()		# NAME
{
	eval "mapd_$host=\$mapd starts_$host=\$starts smtp_$host=\${smtp-}"
	host=$1 t=$site there= mx=$1
	eval "mapd=\${mapd_$1-} starts=\${starts_$1-0} smtp=\$smtp_$1"
	if [ "$1" != hub ]; then
		t=$site/$1
		eval "there=\"nsenter --net --uts --target \$ns_$1\""
	fi
	conf=$t/conf
}

hosts_begin()	# NAME...
{
	site=$t
	for h in "$@"; do
		hosts="$hosts $h"
		net=$(echo $hosts | wc -w)
		unshare --net --uts sh -c 'hostname "$1"; exec sleep 7200' x "$h" &
		eval "ns_$h=$! net_$h=$net smtp_$h="
		mkdir "$site/$h"
		ln -s "$site/old" "$site/new" "$site/home" "$site/leader" "$site/$h/"
		: >"$site/$h/mapd.log"
		sed "s,^map = .*,map = ldap:$site/$h/ldap.conf,; s,^socket_dir = .*,socket_dir = $site/$h/run,
			s,^old_mail = $site/$h/,old_mail = $site/," "$conf" >"$site/$h/conf"
		wait_for is_called "$h" $! || return 1
		ip link add "to-$h" type veth peer name eth0 netns $! &&
			ip addr add 10.77.$net.1/24 dev "to-$h" && ip link set "to-$h" up &&
			nsenter --net --target $! sh -c "ip link set lo up; ip addr add 10.77.$net.2/24 dev eth0; ip link set eth0 up" ||
			return 1
	done
}

is_called() { [ "$(nsenter --uts --target "$2" hostname 2>/dev/null)" = "$1" ]; }	# NAME PID

cable() { ip link set "to-$1" "$2"; }	# NAME up|down

directory_start()	# USER...
{
	on hub
	printf 'mapdpw\n' >"$t/password"
	chmod 600 "$t/password"
	port_provider=$(free_port)
	port_replica=$(free_port)
	urls() { for h in $hosts; do eval "echo ldap://10.77.\$net_$h.1:$1/"; done | tr '\n' ' '; }
	slapd_new provider "overlay syncprov" && slapd_fill provider "$@" &&
		slapd_run provider "$port_provider" "$(urls $port_provider)" &&
		slapd_new replica "syncrepl rid=1 provider=ldap://127.0.0.1:$port_provider type=refreshAndPersist searchbase=$suffix bindmethod=simple binddn=$manager credentials=secret retry=\"1 +\"" \
			"updateref ldap://127.0.0.1:$port_provider" &&
			slapd_run replica "$port_replica" "$(urls $port_replica)" || return 1
	for h in $hosts; do
		eval "at=10.77.\$net_$h.1"
		cat >"$t/$h/ldap.conf" <<-END
			uri = ldap://$at:$port_provider ldap://$at:$port_replica
			base = $suffix
			bind_dn = cn=mapd,$suffix
			password_file = $t/password
			tls_ca = $t/ca.pem
			timeout = 1
			patience = 4
			workers = 2
		END
	done
}

stream_begin()	# USER
{
	for h in $hosts; do
		on $h
		$there python3 "$here/tests/lib/stream.py" "$smtp" "$1" "$h" "$t/sent" &
		streams="$streams $!"
	done
}

stream_end()
{
	for s in $streams; do kill "$s" && wait "$s" || return 1; done
	streams=
	for h in $hosts; do
		on $h
		postqueue -c "$t/pf" -f
		settled || return 1
	done
}

snap()		# USER
{
	snaps=$((snaps + 1))
	for side in old new; do
		mkdir -p "$site/snaps"
		cp "$site/$side/$1/Maildir/dovecot-uidlist" "$site/snaps/$(printf %04d $snaps).$side" 2>/dev/null
	done
	:
}

tally()		# USER SIDE
{
	on hub
	snap "$1"
	for h in $hosts; do
		lacks 'status=bounced' "$site/$h/mail.log" || return 1
	done
	# shellcheck disable=SC2046
	python3 "$here/tests/lib/tally.py" "$site" "$1" "$2" $(for h in $hosts; do echo "$site/$h/sent"; done) >"$site/out" 2>&1
}

hosts_end()
{
	for s in $streams; do kill "$s" 2>/dev/null; done
	for h in $hosts; do
		on $h
		[ ! -e "$t/pf/main.cf" ] || postfix -c "$t/pf" stop >/dev/null 2>&1
		[ -z "$mapd" ] || kill "$mapd" 2>/dev/null
		eval "kill \$ns_$h"
	done
	on hub
	slapds_end
}
