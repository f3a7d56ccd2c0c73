#!/bin/sh
# SPDX-License-Identifier: ISC
# dovecot_tables.sh - the other ways for Dovecot: a passwd-file, Lua, LDAP
#
# With the files of examples/, but for paths, the passdb and the directory's base.
set -u
. "$(dirname "$0")/../lib/site.sh"
site_begin
user_add 1
user_add 2
u=mferry1 slapd=
trap '[ -z "$slapd" ] || kill "$slapd"; site_end' EXIT
sed -i 's/^deadline.*/deadline = 12/' "$conf"
mapd_start
away="mail_location = maildir:/nonexistent/%u"
again()		# LINE...
{
	dovecot_stop 2>/dev/null
	: >"$t/dovecot.log"
	dovecot_start "$@"
}
# A userdb that fails: Dovecot says [UNAVAILABLE], or just closes the connection.
later()		# USER
{
	case $(login "$1" x) in OK*|*AUTHENTICATIONFAILED*) return 1;; esac
}
quiet() { lacks -e Error -e Panic -e Fatal "$t/dovecot.log"; }

# A table.
table()
{
	mailferry export --format passwd-file "$t/mailferry.users" && chmod 644 "$t/mailferry.users"
}
mailferry add $u --old-control "$t/old/$u/c" --old-index "$t/old/$u/i" && table &&
	is "$(cat "$t/mailferry.users")" \
	"$u:*:$(id -u $u):$(id -g $u)::$t/home/$u::userdb_mail=maildir:$t/old/$u/Maildir:CONTROL=$t/old/$u/c:INDEX=$t/old/$u/i"
ok $? "export --format passwd-file"
example dovecot-passwd-file.conf
again "!include $t/dovecot-passwd-file.conf" "mail_location = maildir:$t/old/%u/Maildir" &&
	sees $u OK && [ -d "$t/old/$u/c/.INBOX" ] && [ -d "$t/old/$u/i/.INBOX" ] &&
	is "$(where $u)" "maildir:$t/old/$u/Maildir:CONTROL=$t/old/$u/c:INDEX=$t/old/$u/i" &&
	sees mferry2 OK && [ -d "$t/old/mferry2/Maildir/cur" ]
ok $? "a user of the file, and one who is not in it"
quiet && mailferry step $u overlap && mailferry step $u cutover --for 60 && table &&
	is "$(cut -d: -f8- "$t/mailferry.users")" "userdb_tempfail=yes" && sleep 1 && later $u &&
	sees mferry2 OK
ok $? "in the window: a temporary failure"
mailferry step $u settle --force && table && sleep 1 && sees $u OK &&
	is "$(where $u)" "maildir:$t/new/$u/Maildir"
ok $? "settle: new"
again "passdb {" "driver = passwd-file" "args = $t/mailferry.users" "}" "userdb {" "driver = passwd" "}" "$away" && case $(login $u "*") in *AUTHENTICATIONFAILED*) ;; *) false;; esac &&
	case $(login $u "") in OK*) false;; esac
ok $? "as a passdb the file lets nobody in"
mailferry add blank --old "$t/old/a b" &&
	! mailferry export --format passwd-file "$t/mailferry.users" &&
	grep -q 'blank: a passwd-file cannot hold' "$t/out" &&
	grep -q "^$u:" "$t/mailferry.users" && mailferry delete blank
ok $? "what the form cannot hold is refused, and the file stays as it was"

# Lua, as for 2.4.
for f in dovecot-lua.conf mailferry-dovecot.lua; do example $f; done
sed -i 's/^local two_three = false/local two_three = true/' "$t/mailferry-dovecot.lua"
again "!include $t/dovecot-lua.conf" "$away" && sees $u OK &&
	is "$(where $u)" "maildir:$t/new/$u/Maildir" && sees mferry2 OK &&
	is "$(where mferry2)" "maildir:$t/old/mferry2/Maildir" && quiet
ok $? "Lua: the leader's location"
case $(login $u wrong) in *AUTHENTICATIONFAILED*) ;; *) false;; esac
ok $? "a wrong password is one"
mailferry step $u cutover --for 60 && sees $u "[UNAVAILABLE]" && sees mferry2 OK &&
	grep -q 'being moved' "$t/dovecot.log"
ok $? "in the window: a temporary failure, with the reason in the log"
mailferry step $u overlap && sees $u OK &&
	is "$(where $u)" "maildir:$t/old/$u/Maildir:CONTROL=$t/old/$u/c:INDEX=$t/old/$u/i"
ok $? "back on old"
mapd_stop
sees $u "[UNAVAILABLE]" && grep -q 'mailferry-mapd: ' "$t/dovecot.log"
r=$?
mapd_start
[ $r -eq 0 ] && sees $u OK
ok $? "mapd away: a temporary failure, and back"
sed 's/^local two_three = true/local two_three = false/; s/^function auth_userdb_lookup/function was/' "$t/mailferry-dovecot.lua" >"$t/four.lua"
cat >>"$t/four.lua" <<'END'
function auth_userdb_lookup(req)
  local f = location([[maildir:/a::b c:CONTROL=/d::::e:INDEX=/f]])
  return dovecot.auth.USERDB_RESULT_OK, { four = f.mail_driver .. "," .. f.mail_path .. "," .. f.mail_control_path .. "," .. f.mail_index_path }
end
END
again "passdb {" "driver = static" "args = password=x" "}" "userdb {" "driver = passwd" "result_success = continue-ok" "}" "userdb {" "driver = lua" "args = file=$t/four.lua blocking=yes" "}" "$away" &&
	is "$(doveadm -c "$t/dv.conf" user -f four $u)" "maildir,/a:b c,/d::e,/f"
ok $? "the fields of 2.4: a location taken apart"

# LDAP: the state is on the user's own entry.
mkdir "$t/ldap"
cat >"$t/slapd.conf" <<END
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
attributetype ( 2.25.1.1 NAME 'mailferryState' EQUALITY caseExactIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 SINGLE-VALUE )
objectclass ( 2.25.1.2 NAME 'stated' SUP top AUXILIARY MAY mailferryState )
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
suffix "dc=example,dc=org"
rootdn "cn=root,dc=example,dc=org"
rootpw x
directory $t/ldap
END
sock=$(echo "$t/ldap/sock" | sed 's,/,%2F,g')
for i in 1 2; do
	printf 'dn: uid=mferry%d,dc=example,dc=org\nobjectClass: account\nobjectClass: posixAccount\nobjectClass: stated\nuid: mferry%d\ncn: x\nuidNumber: %d\ngidNumber: 100\nhomeDirectory: %s\n\n' $i $i "$(id -u mferry$i)" "$t/home/mferry$i"
done >"$t/users.ldif"
printf 'dn: dc=example,dc=org\nobjectClass: domain\ndc: example\n\n' | cat - "$t/users.ldif" >"$t/all.ldif"
slapadd -q -f "$t/slapd.conf" -l "$t/all.ldif" >"$t/out" 2>&1 &&
	{ slapd -d 0 -f "$t/slapd.conf" -h "ldapi://$sock" & slapd=$!; }
wait_for [ -S "$t/ldap/sock" ]
state()
{
	printf 'dn: uid=%s,dc=example,dc=org\nchangetype: modify\nreplace: mailferryState\nmailferryState: %s\n' $u "$1" | ldapmodify -x -H "ldapi://$sock" -D "cn=root,dc=example,dc=org" -w x >>"$t/out" 2>&1
}
example dovecot-ldap.conf.ext
sed -i "s,ldapi:///,ldapi://$sock,; s,ou=people\\,,,; s,/filer1/mail/,$t/old/,; s,/filer2/mail/,$t/new/," "$t/dovecot-ldap.conf.ext"
again "passdb {" "driver = static" "args = password=x" "}" "userdb {" "driver = ldap" "args = $t/dovecot-ldap.conf.ext" "}" "$away" "auth_cache_size = 0" &&
	sees mferry2 OK && is "$(where mferry2)" "maildir:$t/old/mferry2/Maildir"
ok $? "LDAP: without a record, old"
r=0
for s in old overlap settle new; do
	case $s in settle|new) side=new;; *) side=old;; esac
	state $s && sees $u OK && is "$(where $u)" "maildir:$t/$side/$u/Maildir" ||
		{ echo "state $s" >>"$t/out"; r=1; break; }
done
ok $r "by the state of the entry"
state cutover && later $u && sees mferry2 OK && state new && sees $u OK
ok $? "a cutover: a temporary failure"
echo "1..$n"
