# SPDX-License-Identifier: ISC
# slapd.sh - throw-away slapds below $t, on loopback and ldapi
#
# Sourced by tests; $here is the source directory.
#   slapd_new NAME [LINE...]	make one with base dc=example,dc=test; further lines
#				of its database section
#   slapd_run NAME [PORT [URL]]	start it, at that URL, too; $pid_NAME, $port_NAME; ldapi at $t/NAME.sock
#   slapd_stop NAME		end it
slapds=
suffix=dc=example,dc=test
manager="cn=manager,$suffix"
ldap_get() { eval "echo \"\${$1}\""; }

certificates()	# an authority, a server's certificate for localhost and for hosts.sh, a client's; and another authority
{
	[ -e "$t/ca.pem" ] && return
	for ca in ca other; do
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
			-subj "/CN=$ca" -keyout "$t/$ca.key" -out "$t/$ca.pem" 2>/dev/null ||
			return 1
	done
	for c in server client; do
		cn=$c
		[ $c = client ] || cn=localhost
		openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$cn" \
			-keyout "$t/$c.key" -out "$t/$c.csr" 2>/dev/null &&
			printf 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:10.77.1.1,IP:10.77.2.1\n' >"$t/ext" &&
			openssl x509 -req -in "$t/$c.csr" -CA "$t/ca.pem" -CAkey "$t/ca.key" -CAcreateserial \
				-days 2 -extfile "$t/ext" -out "$t/$c.pem" 2>/dev/null || return 1
	done
}

slapd_new()	# NAME [LINE...]
{
	name=$1
	shift
	certificates || return 1
	mkdir -p "$t/$name.db"
	{
		cat <<-END
			include /etc/ldap/schema/core.schema
			include /etc/ldap/schema/cosine.schema
			include /etc/ldap/schema/nis.schema
			include /etc/ldap/schema/inetorgperson.schema
			${schema-include $here/examples/mailferry.schema}
			modulepath /usr/lib/ldap
			moduleload back_mdb
			moduleload syncprov
			pidfile $t/$name.pid
			TLSCACertificateFile $t/ca.pem
			TLSCertificateFile $t/server.pem
			TLSCertificateKeyFile $t/server.key
			TLSVerifyClient ${verify-try}
			authz-regexp gidNumber=0.uidNumber=0,cn=peercred,cn=external,cn=auth cn=root,$suffix
			authz-regexp ^cn=client\$ cn=mapd,$suffix
			database mdb
			suffix $suffix
			rootdn $manager
			rootpw secret
			directory $t/$name.db
			maxsize 1073741824
			${sync_line-dbnosync}
			index objectClass,entryUUID,entryCSN eq
			index uid eq
		END
		[ "${schema+none}" ] ||
			sed -n 's/^#	index/index/p' "$here/examples/mailferry.schema"
		cat <<-END
			limits dn.exact="cn=mapd,$suffix" size=unlimited time=unlimited
			access to * by dn.exact="cn=mapd,$suffix" write by dn.exact="cn=root,$suffix" write by anonymous auth by * read
		END
		for l in "$@"; do echo "$l"; done
	} >"$t/$name.conf"
}

slapd_fill()	# NAME [USER...]: the base, a DN for mapd, people
{
	name=$1
	shift
	{
		printf 'dn: %s\nobjectClass: dcObject\nobjectClass: organization\no: x\ndc: example\n\n' "$suffix"
		printf 'dn: ou=people,%s\nobjectClass: organizationalUnit\nou: people\n\n' "$suffix"
		printf 'dn: cn=mapd,%s\nobjectClass: person\ncn: mapd\nsn: mapd\nuserPassword: mapdpw\n\n' "$suffix"
		for person in "$@"; do
			printf 'dn: uid=%s,ou=people,%s\nobjectClass: inetOrgPerson\nuid: %s\ncn: %s\nsn: x\n\n' "$person" "$suffix" "$person" "$person"
		done
	} >"$t/$name.ldif"
	slapadd -q -f "$t/$name.conf" -l "$t/$name.ldif" >"$t/out" 2>&1
}

slapd_run()	# NAME [PORT [URL]]
{
	eval "port=\${2:-\${port_$1:-$(free_port)}}"
	rm -f "$t/$1.sock"
	slapd -d none -f "$t/$1.conf" -h "ldap://127.0.0.1:$port/ ldapi://$(echo "$t/$1.sock" | sed 's,/,%2f,g')/ ${3:-}" \
		>>"$t/$1.log" 2>&1 &
	eval "pid_$1=$! port_$1=$port"
	slapds="$slapds $!"
	wait_for slapd_answers "$port" || { cat "$t/$1.log" >>"$t/out"; return 1; }
}

slapd_answers() { ldapwhoami -x -H "ldap://127.0.0.1:$1/" >/dev/null 2>&1; }	# PORT

slapd_stop()	# NAME [SIGNAL]
{
	eval "p=\$pid_$1"
	kill "-${2:-TERM}" "$p" 2>/dev/null
	kill -CONT "$p" 2>/dev/null
	wait "$p" 2>/dev/null
	eval "pid_$1="
}

slapds_end() { for p in $slapds; do kill -9 "$p" 2>/dev/null; done; }

# As the manager: ldap NAME search|modify|add ARGUMENT...
ldap()
{
	eval "p=\$port_$1"
	tool=ldap$2
	shift 2
	"$tool" -x -H "ldap://127.0.0.1:$p/" -D "$manager" -w secret "$@"
}
