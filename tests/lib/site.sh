# SPDX-License-Identifier: ISC
# site.sh - a throw-away site below one directory: mapd, Postfix, Dovecot
#
# Sourced by tests.  BUILD is the build directory; after site_begin:
#   $t           the directory; everything is below it, and gone at exit
#   $conf        mailferry.conf: tdb map, $t/old/%u and $t/new/%u
#   mailferry    the command on that map; output in $t/out
#   mapd_start   mapd_stop    mapd_start fails where it does not start, and says why
#   wait_for COMMAND...       until it succeeds; $patience seconds at most, whatever else
#                             this machine does
#   lacks [OPTION...] PATTERN FILE...   grep finds nothing; a missing file is a failure
#   slack                     prints how many processes share one processor at this moment: the
#                             factor for limits of time, 1 on a quiet machine
#   reread PID LOG            SIGHUP, and wait until the log says that it was done
#   user_add N   a system user mferryN with both locations' directories
#   postfix_start [LINE...]   on 127.0.0.1:$smtp, its mailbox_command the LDA;
#                             lines go into main.cf
#   dovecot_start [LINE...]   IMAP on 127.0.0.1:$imap; the location follows the map's
#                             leader through $t/leader/USER, a link the test sets;
#                             or the lines say who may log in, and where mail is
#   send USER SUBJECT         by SMTP; waits for nothing
#   settled [SECONDS]         waits until the queue is empty
#   queued PATTERN            the queue has it; for wait_for
#   imap USER COMMAND...      one session: python, see imap.py
#   example FILE              examples/FILE into $t, with the site's paths and password
#   login USER PASSWORD       what a client sees: `OK UID...`, or the refusal
#   sees USER WORD            the login's answer begins with it
#   where USER                the location that Dovecot has of him
#   crash_begin USERS         site_begin, mapd, users, and the environment of tests/crash
#   $there                    empty, or what brings a command to another host (hosts.sh)
# ASAN: a program of one run does not free at its end.
: "${BUILD:?}"
ASAN_OPTIONS=detect_leaks=0
export ASAN_OPTIONS
here=${SRC:-$(cd "$(dirname "$0")/../.." && pwd)}
t= mapd= users= starts=0 there= mx=mx

. "$here/tests/lib/wait.sh"

site_end()
{
	status=$?
	trap - EXIT
	[ ! -e "$t/pf/main.cf" ] || postfix -c "$t/pf" stop >/dev/null 2>&1
	[ ! -e "$t/dv/master.pid" ] || doveadm -c "$t/dv.conf" stop 2>/dev/null
	[ -z "$mapd" ] || kill "$mapd" 2>/dev/null
	wait
	[ -z "$t" ] || wait_for no_file "$t/dv/master.pid"
	for u in $users; do userdel "$u" 2>/dev/null; done
	[ -z "$t" ] || rm -rf "$t"
	exit $status
}

free_port()
{
	$there python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

site_begin()
{
	t=$(mktemp -d) || exit 2
	trap site_end EXIT
	trap 'exit 2' INT TERM
	chmod 755 "$t"
	mkdir -m 700 "$t/map"
	mkdir "$t/old" "$t/new" "$t/leader" "$t/home"
	conf=$t/conf
	: >"$t/mapd.log"
	cat >"$conf" <<-END
		map = tdb:$t/map/map.tdb
		socket_dir = $t/run
		old_mail = $t/old/%u/Maildir
		new_mail = $t/new/%u/Maildir
		deadline = 60
		log = none
	END
}

mailferry() { $there "$BUILD/admin/mailferry" --config "$conf" "$@" >"$t/out" 2>&1; }

mapd_start()
{
	$there "$BUILD/maps/mailferry-mapd" --config "$conf" --log stderr 2>>"$t/mapd.log" &
	mapd=$!
	starts=$((starts + 1))
	wait_for mapd_came && [ "$(how_often ': started ' "$t/mapd.log")" -ge $starts ] && return
	starts=$(how_often ': started ' "$t/mapd.log")
	echo "# mapd did not start: $(tail -n 1 "$t/mapd.log")" | tee -a "$t/out"
	return 1
}

# It has started, or will never.
mapd_came()
{
	[ "$(how_often ': started ' "$t/mapd.log")" -ge $starts ] ||
		case $(ps -o stat= -p "$mapd") in Z* | '') ;; *) return 1;; esac
}

mapd_stop() { kill "$mapd"; wait "$mapd"; mapd=; }

user_add()	# N
{
	u=mferry$1
	id "$u" >/dev/null 2>&1 || useradd -M -N -d "$t/home/$u" -s /bin/sh "$u" || exit 2
	users="$users $u"
	mkdir -p "$t/home/$u" "$t/old/$u" "$t/new/$u"
	chown "$u" "$t/home/$u" "$t/old/$u" "$t/new/$u"
	chmod 700 "$t/old/$u" "$t/new/$u"
	lead "$u" old
}

lead() { ln -sfn "$t/$2/$1/Maildir" "$t/leader/$1"; }	# USER SIDE

postfix_start()	# [LINE...]
{
	smtp=$(free_port)
	mkdir -p "$t/pf" "$t/spool" "$t/data"
	chown postfix "$t/data"
	cp /usr/share/postfix/master.cf.dist "$t/pf/master.cf" 2>/dev/null ||
		cp /etc/postfix/master.cf.proto "$t/pf/master.cf"
	sed -i "s/^smtp *inet .*/127.0.0.1:$smtp inet n - n - - smtpd/; /^smtp .* inet/d
		s/^\\(\\([a-z]*\\) *unix *[^ ]* *[^ ]* *\\)y /\\1n /" "$t/pf/master.cf"
	cat >"$t/pf/main.cf" <<-END
		compatibility_level = 3.6
		queue_directory = $t/spool
		data_directory = $t/data
		maillog_file = $t/mail.log
		maillog_file_prefixes = $t
		myhostname = $mx.example.test
		mydestination = example.test
		inet_interfaces = 127.0.0.1
		inet_protocols = ipv4
		mynetworks = 127.0.0.0/8
		default_transport = error:closed
		relay_transport = error:closed
		alias_maps =
		alias_database =
		local_recipient_maps =
		smtputf8_enable = no
		recipient_delimiter = +
		biff = no
		minimal_backoff_time = 300s
		mailbox_command = $BUILD/lda/mailferry-lda --config $conf -a "\$EXTENSION"
		import_environment = MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ ASAN_OPTIONS
		export_environment = TZ MAIL_CONFIG LANG ASAN_OPTIONS
	END
	for line in "$@"; do echo "$line" >>"$t/pf/main.cf"; done
	$there postfix -c "$t/pf" start >"$t/out" 2>&1 || { sed 's/^/# /' "$t/out"; return 1; }
	wait_for listens "$smtp"
}

listens()	# PORT
{
	$there python3 -c 'import socket, sys
socket.create_connection(("127.0.0.1", int(sys.argv[1])), 1)' "$1" 2>/dev/null
}

dovecot_start()
{
	imap=$(free_port)
	mkdir -p "$t/dv"
	cat >"$t/dv.conf" <<-END
		base_dir = $t/dv
		state_dir = $t/dv
		log_path = $t/dovecot.log
		protocols = imap
		listen = 127.0.0.1
		ssl = no
		disable_plaintext_auth = no
		auth_failure_delay = 0
		mail_plugins =
		first_valid_uid = 1
		first_valid_gid = 1
		default_internal_user = dovecot
		default_login_user = dovenull
		service imap-login {
		  chroot =
		  inet_listener imap {
		    port = $imap
		  }
		  inet_listener imaps {
		    port = 0
		  }
		}
		service anvil {
		  chroot =
		}
		namespace inbox {
		  inbox = yes
		}
	END
	[ $# -gt 0 ] || set -- "mail_location = maildir:$t/leader/%u" 'passdb {' \
		'driver = static' 'args = password=x' '}' 'userdb {' 'driver = passwd' '}'
	for line in "$@"; do echo "$line" >>"$t/dv.conf"; done
	dovecot -c "$t/dv.conf" >"$t/out" 2>&1 || { sed 's/^/# /' "$t/out"; return 1; }
}

dovecot_stop()
{
	doveadm -c "$t/dv.conf" stop
	wait_for no_file "$t/dv/master.pid"
}

send()		# USER SUBJECT
{
	$there python3 - "$smtp" "$1" "$2" <<-'END'
		import smtplib, sys
		s = smtplib.SMTP("127.0.0.1", int(sys.argv[1]), "client.test", 20)
		s.sendmail("sender@client.test", [sys.argv[2] + "@example.test"],
		    "From: sender@client.test\nSubject: %s\n\ntext\n" % sys.argv[3])
		s.quit()
	END
}

queue() { postqueue -c "$t/pf" -j 2>/dev/null; }

queue_is_empty() { [ -z "$(queue)" ]; }
queued() { queue | grep -q -e "$1"; }

settled()	# [SECONDS]
{
	usual_patience=$patience patience=${1:-$patience}
	wait_for queue_is_empty
	empty=$? patience=$usual_patience
	return $empty
}

imap()		# USER COMMAND...
{
	user=$1
	shift
	python3 "$here/tests/lib/imap.py" "$imap" "$user" "$@"
}

example()	# FILE
{
	sed "s,/run/mailferry,$t/run,; s,/etc/dovecot,$t,; s,driver = pam,driver = static\\n  args = password=x," \
		"$here/examples/$1" >"$t/$1"
}

login()		# USER PASSWORD
{
	python3 - "$imap" "$1" "$2" <<-'END' | tee "$t/out"
		import imaplib, sys
		m = imaplib.IMAP4("127.0.0.1", int(sys.argv[1]))
		try:
		    m.login(sys.argv[2], sys.argv[3])
		    m.select("INBOX")
		    print("OK", *[d.decode() for d in m.uid("search", "ALL")[1]])
		    m.logout()
		except imaplib.IMAP4.error as e:
		    print(e.args[0].decode() if isinstance(e.args[0], bytes) else e)
	END
}

sees()		# USER WORD
{
	case $(login "$1" x) in "$2"*) ;; *) return 1;; esac
}

where() { doveadm -c "$t/dv.conf" user -f mail "$1" 2>>"$t/out"; }

uidnext()	# USER SIDE: as the file says
{
	awk 'NR == 1 { for (i = 1; i <= NF; i++) if ($i ~ /^N/) n = substr($i, 2) + 0; next }
		$1 >= n { n = $1 + 1 } END { print n }' "$t/$2/$1/Maildir/dovecot-uidlist"
}

# UID, size and hash of every message of a side, flags apart; anew where Dovecot moves one
# meanwhile.
messages()	# USER SIDE
{
	d=$t/$2/$1/Maildir
	wait_for each_message || { cat "$t/unread" >>"$t/out"; return 1; }
	sort -n "$t/messages"
}

each_message() { list_messages >"$t/messages" 2>"$t/unread"; }

list_messages()
{
	for f in "$d"/new/* "$d"/cur/*; do
		b=${f##*/}
		[ "$b" != '*' ] || continue
		b=${b%%:*}
		is=$(md5sum <"$f" && stat -c %Y "$f") || return 1
		# shellcheck disable=SC2086
		set -- $is
		echo "$(grep -F " :$b" "$d/dovecot-uidlist" | head -n 1 | cut -d' ' -f1) $b $1 $3"
	done
}

same_messages()	# USER
{
	messages "$1" old >"$t/a"
	messages "$1" new >"$t/b"
	cmp -s "$t/a" "$t/b" || { diff "$t/a" "$t/b" >>"$t/out"; return 1; }
}

# Mailboxes in memory where there is room for it: thousands of deliveries, none of
# which has to survive this machine.
crash_begin()	# USERS
{
	site_begin
	mount -t tmpfs -o mode=755 tmpfs "$t/old" 2>/dev/null &&
		mount -t tmpfs -o mode=755 tmpfs "$t/new" 2>/dev/null
	trap 'umount "$t/old" "$t/new" 2>/dev/null; site_end' EXIT
	sed -i 's/^deadline.*/deadline = 240/' "$conf"
	i=0
	while [ $i -lt "$1" ]; do i=$((i + 1)); user_add $i; done
	${CC:-cc} -O2 -D_GNU_SOURCE -o "$t/inject" "$here/tests/crash/inject.c" || exit 2
	mapd_start
	T=$t CONF=$conf INJECT=$t/inject PYTHONDONTWRITEBYTECODE=1
	export T BUILD CONF INJECT PYTHONDONTWRITEBYTECODE
}

n=0
ok()		# STATUS NAME
{
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else
		echo "not ok $n - $2"
		for f in out mapd.log milter.log mail.log dovecot.log; do
			[ ! -s "$t/$f" ] || { echo "# --- $f"; tail -n 12 "$t/$f" | sed 's/^/# /'; }
		done
	fi
}

is() { [ "$1" = "$2" ] || { echo "got $1, want $2" >>"$t/out"; return 1; }; }
