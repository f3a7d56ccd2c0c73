#!/bin/sh
# SPDX-License-Identifier: ISC
# doctor.sh - what an admin gets wrong, told as the programs would meet it
set -u
. "$(dirname "$0")/../lib/site.sh"
site_begin
user_add 1
u=mferry1
says() { grep -q -e "$1" "$t/out" || { echo "does not say $1" >>"$t/out"; return 1; }; }
silent() { lacks -q -e "$1" "$t/out" || { echo "says $1" >>"$t/out"; return 1; }; }
fails() { s=$1; shift; "$@"; rc=$?; [ $rc -eq "$s" ] || { echo "status $rc, want $s" >>"$t/out"; return 1; }; }
set_key() { sed -i "/^$1 =/d" "$conf"; [ $# -lt 2 ] || echo "$1 = $2" >>"$conf"; }
postfix_conf()	# LINE...; with a date that is past: Postfix reads a new file until it is not
{
	mkdir -p "$t/pf"
	cp "$t/main.base" "$t/pf/main.cf"
	cp "$t/master.base" "$t/pf/master.cf"
	for l in "$@"; do echo "$l" >>"$t/pf/main.cf"; done
	touch -d "-1 minute" "$t/pf/main.cf" "$t/pf/master.cf"
}
doctor() { mailferry doctor --postfix "$t/pf" --dovecot "$t/dv.conf" "$@"; }

cp /usr/share/postfix/master.cf.dist "$t/master.base" 2>/dev/null || cp /etc/postfix/master.cf.proto "$t/master.base"
sed -i "s/^\\(\\([a-z]*\\) *[a-z]* *[^ ]* *[^ ]* *\\)y /\\1n /" "$t/master.base"
cat >"$t/main.base" <<END
compatibility_level = 3.6
queue_directory = $t/spool
mydestination = example.test
recipient_delimiter = +
mailbox_command = $BUILD/lda/mailferry-lda --config $conf -a "\$EXTENSION"
smtpd_milters =
END
printf 'protocols = imap\nmail_location = maildir:%s/leader/%%u\nlog_path = /dev/null\n' "$t" >"$t/dv.conf"
mkdir "$t/spool"; chmod 755 "$t/spool"
postfix_conf

# As README has it: root runs the command before there is a mapd, which is another user.
mkdir -m 700 "$t/first"; chown daemon "$t/first"
sed "s,^map = .*,map = tdb:$t/first/map.tdb," "$conf" >"$t/first.conf"; chmod 644 "$t/first.conf"
"$BUILD/admin/mailferry" --config "$t/first.conf" list >"$t/out" 2>&1 && is "$(stat -c %U "$t/first/map.tdb" "$t/first/map.tdb.lock" | tr '\n' ' ')" "daemon daemon "
ok $? "a map that root's command makes is its directory's owner's"

fails 1 doctor && says "map.sock: bad: mailferry-mapd does not answer" && says '^    start mailferry-mapd'
ok $? "no mapd: told, with its mend"
mapd_start
set_key old_filer "$t/old"; set_key new_filer "$t/new"; set_key domains example.test
fails 1 doctor && says "new $t/new: bad: .*\.mailferry-filer"
ok $? "no markers"
mailferry doctor --init && says "old $t/old: ok" && doctor && silent ': bad:' && says 'mailbox_command: ok'
ok $? "all is well"
doctor --json && python3 -c 'import json, sys
a = json.load(open(sys.argv[1])); assert len(a) > 5 and all(set(f) >= {"level", "what", "text"} for f in a)' "$t/out"
ok $? "--json"
for shift in -100 +100; do
	fails 1 env NO_FAKE_STAT=1 ASAN_OPTIONS=detect_leaks=0:verify_asan_link_order=0 faketime -f "${shift}s" "$BUILD/admin/mailferry" --config "$conf" doctor --postfix "$t/pf" --dovecot "$t/dv.conf" >"$t/out" 2>&1
	said=$?
	[ $said -eq 0 ] && says "its clock is \(99\|100\|101\) seconds" || break
done
[ "$shift" = +100 ] && says "behind ours, and skew is 5"
ok $? "a filer whose clock differs"
chmod 600 "$conf"; fails 1 doctor && says "not everybody can read it"; r=$?; chmod 644 "$conf"; [ $r -eq 0 ]
ok $? "a configuration that the LDA cannot read"
cp "$t/map/map.tdb" "$t/map.good"; truncate -s 8192 "$t/map/map.tdb"
fails 1 doctor && says '^map: bad: .*map.tdb was cut' && says '^    .*RESTORING'; r=$?; mapd_stop; cp "$t/map.good" "$t/map/map.tdb"; mapd_start; [ $r -eq 0 ] && doctor
ok $? "a map that is damaged"
chmod 700 "$t/run"; fails 1 doctor && says "a recipient cannot reach it"; r=$?; chmod 755 "$t/run"; [ $r -eq 0 ]
ok $? "a socket that recipients cannot reach"
set_key trusted_users nosuchuser; fails 1 doctor && says "trusted_users: bad: there is no user nosuchuser"; r=$?; set_key trusted_users; [ $r -eq 0 ]
ok $? "a trusted user who is not there"
set_key new_mail "$t/old/%u/Maildir"; fails 1 doctor && says "new_mail: bad"; r=$?; set_key new_mail "$t/new/%u/Maildir"; [ $r -eq 0 ]
ok $? "both sides in one place"

postfix_conf 'mailbox_command = /usr/bin/procmail -a "$EXTENSION"'
fails 1 doctor && says "mailbox_command: bad: procmail delivers" && says "procmail without -t bounces"
ok $? "procmail delivers, and without -t"
postfix_conf 'mailbox_command = /usr/bin/procmail -t -a "$EXTENSION"'
fails 1 doctor && says "procmail delivers" && silent "without -t"
ok $? "procmail -t"
postfix_conf "mailbox_command = $t/nothere/mailferry-lda"; fails 1 doctor && says "nothere/mailferry-lda: No such file"
ok $? "an LDA that is not there"
postfix_conf "command_time_limit = 30s"; fails 1 doctor && says "command_time_limit: bad: 30 seconds, and our deadline is 60"
ok $? "a deadline that Postfix does not wait for"
postfix_conf "non_smtpd_milters = unix:$t/run/milter.sock"; fails 1 doctor && says "non_smtpd_milters: bad"
ok $? "the milter where it keeps mail in maildrop"
postfix_conf "recipient_delimiter = -"; doctor && says 'recipient_delimiter: warning: it is "-", ours is "+"'
ok $? "another delimiter"
postfix_conf "mydestination = other.test"; doctor && says "domains: warning: other.test"
ok $? "a destination whose users are not known by name"
postfix_conf "mailbox_transport = lmtp:unix:private/lmtp"; doctor && says "mailbox_transport: warning: it goes before"
ok $? "a transport that goes before"

postfix_conf "smtpd_milters = unix:$t/run/milter.sock" "milter_default_action = tempfail"
fails 1 doctor && says "smtpd_milters: bad: .*nobody answers" && says "milter_default_action: warning"
ok $? "a milter that does not run"
python3 - "$t/run/milter.sock" "$t/spool/milter.sock" <<'END' &
import os, socket, sys, time
s = []
for p in sys.argv[1:]:
    c = socket.socket(socket.AF_UNIX); c.bind(p); os.chmod(p, 0o666); c.listen(100); s.append(c)
time.sleep(120)
END
fake=$!
wait_for [ -S "$t/spool/milter.sock" ]
doctor && says "smtpd_milters: ok"
ok $? "one that does"
chmod 600 "$t/run/milter.sock"; fails 1 doctor && says "user postfix: Permission denied"; r=$?; chmod 666 "$t/run/milter.sock"; [ $r -eq 0 ]
ok $? "one that the Postfix user may not reach"
postfix_conf "smtpd_milters = unix:$t/run/milter.sock"
sed -i 's/^\(smtp *inet *n *- *\)n /\1y /' "$t/pf/master.cf"
fails 1 doctor && says "not there inside $t/spool, where Postfix is chrooted"
ok $? "one outside of smtpd's chroot"
sed -i '/^smtpd_milters/d' "$t/pf/main.cf"; echo "smtpd_milters = unix:milter.sock, inet:localhost:1" >>"$t/pf/main.cf"
set_key milter_socket "$t/spool/milter.sock"; doctor && says "smtpd_milters: ok, milter.sock answers"
ok $? "one inside"
postfix_conf "transport_maps = socketmap:unix:$t/run/nothere.sock:transport"; fails 1 doctor && says "transport_maps: bad: .*nobody answers"
ok $? "a socketmap that nobody answers"

# Lists of milters, and services of their own.
set_key milter_socket
postfix_conf "smtpd_milters = unix:$t/run/opendkim.sock, { unix:$t/run/milter.sock, default_action=accept }" "milter_default_action = tempfail"
doctor && says "smtpd_milters: ok, $t/run/milter.sock answers" && silent milter_default_action
ok $? "behind another milter, with an action of its own"
postfix_conf "smtpd_milters = { unix:$t/run/milter.sock, default_action = tempfail }" "milter_default_action = accept"
doctor && says "milter_default_action: warning: tempfail"
ok $? "an action of its own that stops mail"
postfix_conf "smtpd_milters = unix:$t/run/milter.sock"
printf '127.0.0.1:10025 inet n - n - - smtpd\n  -o smtpd_milters=\n' >>"$t/pf/master.cf"
doctor && says "smtpd_milters: ok" && silent "smtpd_milters: warning"
ok $? "behind a content filter it is not asked again"
printf 'submission inet n - n - - smtpd\n  -o smtpd_milters=\n' >>"$t/pf/master.cf"
doctor && says "smtpd_milters: warning: our milter is not in it for submission/inet"
ok $? "a service that leaves it out"
postfix_conf; sed -i "s,^smtp *inet .*smtpd,&\\n  -o smtpd_milters=unix:$t/run/milter.sock -o milter_default_action=accept," "$t/pf/master.cf"
doctor && says "smtpd_milters: ok" && silent "smtpd_milters: warning" && silent milter_default_action
ok $? "a service that alone has it"
port=$(free_port); set_key milter_socket "inet:$port@127.0.0.1"; postfix_conf "smtpd_milters = inet:127.0.0.1:$port" "milter_default_action = accept"
fails 1 doctor && says "smtpd_milters: bad: inet:127.0.0.1:$port: nobody answers" && silent "not in it"
ok $? "a milter by TCP that does not run"
python3 -c 'import socket, sys, time; s = socket.create_server(("127.0.0.1", int(sys.argv[1]))); time.sleep(60)' "$port" & tcp=$!
wait_for doctor
says "smtpd_milters: ok, inet:127.0.0.1:$port answers"
ok $? "one that does"
kill $tcp; wait $tcp 2>/dev/null; set_key milter_socket
kill $fake; wait $fake 2>/dev/null

# A site of virtual users: pipe(8) in the place of mailbox_command.
pipe()		# LINE...
{
	postfix_conf "$@"
	sed -i '/^mailbox_command/d' "$t/pf/main.cf"
	printf 'ferry unix - n n - - pipe\n  flags=DRX user=%s argv=%s/lda/mailferry-lda -d ${user}@${domain}\n' "$u" "$BUILD" >>"$t/pf/master.cf"
	touch -d "-1 minute" "$t/pf/main.cf" "$t/pf/master.cf"
}
pipe; fails 1 doctor && says "postfix ferry: bad: ferry_destination_recipient_limit is 50" && says "postfix ferry: bad: it delivers as $u, who is not among trusted_users" && silent mailbox_command
ok $? "a pipe(8) transport, and what it lacks"
pipe 'ferry_destination_recipient_limit = 1' 'ferry_time_limit = 20'; set_key trusted_users $u
fails 1 doctor && says "ferry_time_limit: bad: 20 seconds" && silent 'postfix ferry:'
ok $? "its time limit"
pipe 'ferry_destination_recipient_limit = 1'; set_key trusted_users "$(id -u $u)"; doctor && silent "^postfix ferry"
ok $? "and one that is right"
set_key trusted_users
postfix_conf 'no such line'; fails 1 doctor && says "^postfix: bad\|mailbox_command: "
ok $? "a main.cf that postconf does not read"
postfix_conf

printf 'auth_cache_size = 10M\nprotocols = imap lmtp\n' >>"$t/dv.conf"
fails 1 doctor && says "auth_cache_size: bad: it is 10 M" && says "lmtp is served"
ok $? "Dovecot's auth cache, and LMTP"
printf 'protocols = imap\nmail_location = maildir:~/Maildir:CONTROL=/ctl/%%u\nlog_path = /dev/null\n' >"$t/dv.conf"
fails 1 doctor && says "has CONTROL=, and old_control is not set"
ok $? "control directories that the LDA does not know of"
printf 'protocols = imap\nmail_location = mbox:~/mail\nlog_path = /dev/null\n' >"$t/dv.conf"; doctor && says "mail_location: warning: .*mailferry moves no other format\|mail_location: warning"
ok $? "mbox"
printf 'protocols = imap\nprotocol lda {\n  mail_plugins = sieve\n}\nmail_location = maildir:~/Maildir\nlog_path = /dev/null\n' >"$t/dv.conf"; doctor && says "sieve filters what comes by dovecot-lda"
ok $? "sieve users"
printf 'auth_username_format = %%u\nprotocols = imap\nmail_location = maildir:~/Maildir\nlog_path = /dev/null\n' >"$t/dv.conf"; doctor && says "auth_username_format: warning: it is %u"
ok $? "names whose case counts"
printf 'protocols = imap\nmail_location = maildir:~/Maildir\nlog_path = /dev/null\n' >"$t/dv.conf"; chmod 600 "$t/run/dict.sock"
fails 1 doctor && says "dict.sock: bad: user dovecot: Permission denied"; r=$?; chmod 666 "$t/run/dict.sock"; [ $r -eq 0 ] && doctor && silent dict.sock
ok $? "a dict that Dovecot may not ask"

# The filers say that they are NFS.
cat >"$t/nfs.c" <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/vfs.h>
int
statfs(const char *path, struct statfs *fs)
{
	int (*real)(const char *, struct statfs *) = (int (*)(const char *, struct statfs *))dlsym(RTLD_NEXT, "statfs");
	int rc = real(path, fs);

	fs->f_type = 0x6969;
	return rc;
}
END
${CC:-cc} -shared -fPIC -o "$t/nfs.so" "$t/nfs.c" -ldl
nfs() { env ASAN_OPTIONS=detect_leaks=0:verify_asan_link_order=0 LD_PRELOAD="$t/nfs.so" "$BUILD/admin/mailferry" --config "$conf" doctor --postfix "$t/pf" --dovecot "$t/dv.conf" >"$t/out" 2>&1; }
fails 1 nfs && says "mmap_disable: bad" && says "mail_fsync: warning" && says "mail_nfs_storage: warning" && says "mail_nfs_index: warning"
ok $? "a filer on NFS, and Dovecot as if it were a disk"
printf 'mmap_disable = yes\nmail_fsync = always\nmail_nfs_storage = yes\nmail_nfs_index = yes\n' >>"$t/dv.conf"; nfs && silent nfs_ && silent mmap && silent fsync
ok $? "as it should be there"
echo 'no such thing' >"$t/dv.conf"; fails 1 doctor && says "^dovecot: bad"
ok $? "a dovecot.conf that doveconf does not read"
printf 'protocols = imap\nmail_location = maildir:~/Maildir\nlog_path = /dev/null\n' >"$t/dv.conf"

mailferry add $u && mailferry step $u overlap && mkdir -p "$t/old/$u/Maildir/new" "$t/old/$u/Maildir/cur" "$t/old/$u/Maildir/tmp" && chown -R $u "$t/old/$u"
touch -d '-1 minute' "$t/old/$u/Maildir/new/1764061234.4711_0.otherhost"
doctor && silent "another program"
ok $? "what others delivered before overlap says nothing"
touch -d '+1 minute' "$t/old/$u/Maildir/new/1764061235.4711_0.otherhost"; chown $u "$t/old/$u/Maildir/new/"*
fails 1 doctor && says "deliveries: bad: another program delivers to 1 user .*host otherhost"
ok $? "another host still runs procmail"
rm "$t/old/$u/Maildir/new/"*
mailferry add ghost --old "$t/old/ghost" && echo '{"user":"ghost","uid":4711}' >"$t/x.jsonl" && mailferry import "$t/x.jsonl" &&
	fails 1 doctor && says "another uid than the system says.* ghost"
ok $? "a record with another uid than the system's"

# Dovecot, asked where it serves users from.
mailferry delete ghost
dovecot_start "mail_location = maildir:$t/old/%u/Maildir" 'passdb {' 'driver = static' 'args = password=x' '}' 'userdb {' 'driver = passwd' '}'
doctor && says "dovecot logins: ok, 1 served"
ok $? "the leader is served"
mailferry step $u cutover --for 60 && fails 1 doctor && says "logins: bad: $u is inside a window, and Dovecot serves"
ok $? "a window that Dovecot does not know of"
mailferry step $u settle && fails 1 doctor && says "logins: bad: the mail of $u, in settle, goes to $t/new/$u/Maildir, and Dovecot serves $t/old/$u/Maildir"
ok $? "a Dovecot that does not follow the map"
again() { dovecot_stop; dovecot_start "$@"; }
example dovecot-dict.conf; example mailferry-dict.conf.ext
again "!include $t/dovecot-dict.conf" "mail_location = maildir:$t/old/%u/Maildir" && doctor && says "logins: ok"
ok $? "as the manual says, it does"
mailferry step $u cutover --for 60 && doctor && silent "logins: bad"
ok $? "and nobody is served in a window"
mailferry step $u overlap && mailferry step $u old && mailferry delete $u && again "mail_location = maildir:$t/elsewhere/%u" 'passdb {' 'driver = static' 'args = password=x' '}' 'userdb {' 'driver = passwd' '}'
fails 1 doctor && says "logins: bad: the mail of [^ ]*, in old, goes to $t/old/[^ ]*, and Dovecot serves $t/elsewhere/" && says 'set old_mail to where'
ok $? "an old_mail that is not Dovecot's mail_location"
echo "1..$n"
