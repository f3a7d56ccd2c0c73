#!/bin/sh
# SPDX-License-Identifier: ISC
# recipe.sh - rc files: procmail and mailferry-lda side by side, without a map
#
# Each rc file is run by Debian's procmail and by mailferry-lda in the same HOME, on the
# same message; what lies in HOME afterwards, what went to standard output, and the exit
# status must be the same.  BUILD is the build directory.
set -u
: "${BUILD:?}"
ASAN_OPTIONS=detect_leaks=0
export ASAN_OPTIONS
src=$(cd "$(dirname "$0")/../.." && pwd)
t=$(mktemp -d) || exit 2
user=mferryr
# shellcheck disable=SC2317
finish() { userdel $user 2>/dev/null; rm -f "/var/mail/$user"; rm -rf "$t"; }
trap finish EXIT
trap 'exit 2' INT TERM
chmod 755 "$t"
home=$t/home
. "$src/tests/lib/wait.sh"
useradd -M -N -d "$home" -s /bin/sh $user 2>/dev/null
printf 'map = none\nlog = none\ndeadline = 30\n' >"$t/conf"
n=0
ok()		# STATUS NAME
{
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else
		echo "not ok $n - $2"
		sed 's/^/# /' "$t/out" | cut -c1-200 | head -n 40
	fi
}
as() { (cd "$home" && setpriv --reuid=$user --regid=nogroup --clear-groups env -i ASAN_OPTIONS=detect_leaks=0 \
	HOME="$home" LOGNAME=$user USER=$user PATH=/usr/bin:/bin TZ=UTC0 "$@"); }
default='From ann@a.example  Mon Jan  6 08:00:00 2020
Received: from relay by mx.example.test; Mon, 6 Jan 2020 08:00:00 +0000
From: Ann <ann@a.example>
To: alice@example.test,
	Bob <bob@b.example>
Subject: hello world
Message-ID: <1@a.example>
X-Number: 42

body line one
From here on it is the body
body line three
'
message=$default prepare=
fresh()		# an empty HOME with the rc file
{
	rm -rf "$home" "/var/mail/$user"
	mkdir "$home" && cp "$t/rc" "$home/.procmailrc"
	(cd "$home" && eval "$prepare")
	cat >"$home/sendmail" <<-'END'
		#!/bin/sh
		{ echo "args: $*"; cat; } >>"$HOME/sent"
	END
	chmod 755 "$home/sendmail"
	chown -R $user "$home"
	install -m 600 -o $user -g mail /dev/null "/var/mail/$user"
	touch -d yesterday "/var/mail/$user"	# procmail sleeps a second where it was written just now
}
run()		# NAME COMMAND...: what it left behind, in $t/NAME
{
	fresh
	name=$1
	shift
	printf '%s' "$message" | as "$@" >"$t/$name.1" 2>"$t/$name.2"
	status=$?
	# Where procmail bounces what it could not store, we defer.
	[ $status -ne 73 ] || status=75
	{ echo "status $status"; cat "$t/$name.1"; grep -v '^procmail: ' "$t/$name.2"
	  python3 "$src/tests/lib/tree.py" "$home"; echo "mailbox:"; cat "/var/mail/$user"; } |
		sed 's/\*\*Bounced\*\*/**Requeued**/' >"$t/$name"
}
same()		# NAME [ARG...] <RC
{
	title=$1
	shift
	cat >"$t/rc"
	run theirs /usr/bin/procmail "$@"
	run ours "$BUILD/lda/mailferry-lda" --config "$t/conf" "$@"
	diff "$t/theirs" "$t/ours" >"$t/out" 2>&1
	ok $? "$title"
}

same "variables: quotes, defaults, unset, disarmed" <<'END'
LOGFILE=log
A="two words"
B='$A' C=x\ y D=${N:-d e} E=${A:+set} F="${N-"q"}" G=pre`echo mid`post
H="`printf 'a\nb\n\n'`"
I=`echo one   two` J="a\"b\c"
A1=$\A
LOG="[$A|$B|$C|$D|$E|$F|$G|$H|$I|$J|$A1|$?|$#|$_]
"
N
LOG="[${N-unset}][${A:+}]
"
:0
$C
END
same "words of a folder, one of them empty" <<'END'
LOGFILE=log
EMPTY=
:0 c
"$EMPTY"
:0 c
$EMPTY
:0 c
 'a b' more
:0
a$EMPTY"b"'c'
END
same "conditions: areas, negation, size, program, variable" <<'END'
LOGFILE=log
V="abc
def"
:0
* ^To:.*bob@
* ! ^Cc:
* > 100
* < 10000
* ? grep -q "line one"
* V ?? ^def$
* B ?? ^From here
* HB ?? 42$$body
* $ ^From:.*${N:-ann}
* H ?? !body
all-hold
END
same "regular expressions: edges, words, classes, MATCH" <<'END'
LOGFILE=log
:0
* ^^From ann
* ^Subject: (hello|bye)\>w?
* ^X-Number: [^a-z]+$
* \<relay\>
* ^Message-ID: <\/[^@]+
{ LOG="[$MATCH]" }
:0 B
* three$^^
* ^\/body line [a-z]+
{ LOG="[$MATCH]" }
:0
* V ?? ^^^^
* ^Subject:.*\/[a-z]+
{ LOG="[$MATCH]
" }
:0 D
* ^subject
wrong
:0
* ^TO_bob@b\.example
* ! ^FROM_DAEMON
right
END
same "a daemon by the macros" <<'END'
LOGFILE=log
:0 fhw
| sed 's/^From: .*/From: Mailer-Daemon@x.example/'
:0
* ^FROM_MAILER
{ LOG="mailer " }
:0
* ^FROM_DAEMON
daemon
END
same "scores" <<'END'
LOGFILE=log
:0 B
* -2^0
* 1^1 ^.*$
{ LOG="lines $= " }
:0
* 10^0 ^Subject
* -3^1 e
{ LOG="wrong " }
LOG="$= "
:0
* 100^.5 o
* -10^1 > 200
* 2^3 ? false
* 5^0 ! ^Cc
{ LOG="s $= " }
:0
* 1^1 ()
{ LOG="most $= " }
:0
* -1^1 ()
{ LOG="wrong" }
LOG="least $=
"
:0
box
END
same "flags: A a E e, chained" <<'END'
LOGFILE=log
:0 c
* ^Subject: hello
one
:0 Ac
two
:0 Wc
| cat >/dev/null; false
:0 ac
wrong
:0 ec
on-error
:0
* ^Subject: no
{ LOG="wrong" }
:0 E
* ^Subject: hel
{ LOG="else " }
:0 E
{ LOG="wrong" }
:0 A
last
END
same "h, b, r, i, and a filter of each part" <<'END'
LOGFILE=log
:0 hc
head
:0 bc
body
:0 rc
raw
:0 fhw
| sed 's/^Subject: /&[h] /'
:0 fbw
| tr a-z A-Z
:0 fw
| sed '1!s/o/0/g'
:0 fw
| cat >/dev/null; exit 3
LOG="[$?]
"
:0
rest
END
same "capture: with w, without, of a part, failing" <<'END'
LOGFILE=log
OLD=kept
:0
A=| sed -n 's/^Subject: //p'
:0 b
B=| wc -l
:0 w
OLD=| echo lost; cat >/dev/null; exit 1
LOG="[$A][$B][$OLD]
"
:0
box
END
same "blocks: nested, cloned, left by the end of file" <<'END'
LOGFILE=log
:0
* ^Subject
{
	:0 wc
	{
		X=clone
		:0
		in-clone
	}
	:0 a
	* ^X-Number
	{ LOG="deep $X" }
	:0
	* ^No
	{
		:0
		wrong
	}
LOG="
"
:0
after
END
prepare='mkdir inc; printf "LOG=\"a \"\nINCLUDERC=inc/b\nLOG=\"a2 \"\n" >inc/a; printf ":0\n* ^Subject: hello\n{ SWITCHRC=inc/c }\nLOG=wrong\n" >inc/b; printf "LOG=\"c \"\n" >inc/c'
same "INCLUDERC and SWITCHRC" <<'END'
LOGFILE=log
INCLUDERC=inc/a
INCLUDERC=missing
LOG="main
"
SWITCHRC=
:0
wrong
END
prepare=
same "folders: mbox, directory, MH, Maildir, several" <<'END'
LOGFILE=log
MAILDIR=$HOME
:0 c
mbox
:0 c
mbox
:0 c
mh/.
:0 c
mh/.
:0 c
md/
:0 c
md2/ mh/. md3/
:0 c
/dev/null
:0
nowhere/at/all
:0 e
rescued
END
prepare='mkdir dir sub; echo keep >plain; ln -s target link; mkdir -m 500 ro'
same "folders that are something else" <<'END'
LOGFILE=log
MSGPREFIX=p.
:0 c
dir
:0 c
plain/
:0 c
plain/.
:0 c
link
:0
ro/box
:0
ro/md/
:0 c
./sub//
UMASK=022
:0 c
open
:0
open-md/
END
prepare=
same "forward: SENDMAIL, its flags, words of addresses" <<'END'
LOGFILE=log
SENDMAIL=$HOME/sendmail
TO="a@x.example b@x.example"
:0 wc
! $TO "$TO" 'c d'
SENDMAILFLAGS="-a -b"
:0 w
! last@x.example
END
prepare='echo 0 >box.lock; touch -d "2 hours ago" box.lock'
same "lockfiles: forced, named, of a pipe, global" <<'END'
LOGFILE=log
SUSPEND=1 LOCKSLEEP=1 LOCKTIMEOUT=10
:0 c:
box
LOCKTIMEOUT=1024
:0 wc: my$LOCKEXT
| ls *.lock >seen1; cat >/dev/null
:0 wc:
| cat >>piped; ls *.lock >seen2
LOCKFILE=all.lock
:0 w
| ls *.lock >seen3; cat >/dev/null
END
prepare=
same "TRAP, EXITCODE, LOGABSTRACT, DEFAULT" <<'END'
LOGFILE=log
LOGABSTRACT=all
EXITCODE=
TRAP='echo "trap $LASTFOLDER"; exit 7;'
DEFAULT=$HOME/dflt
:0 c
copy
END
same "HOST ends it" <<'END'
LOGFILE=log
EXITCODE=12
HOST=elsewhere
:0
wrong
END
same "TIMEOUT ends a program" <<'END'
LOGFILE=log
TIMEOUT=1
:0 fw
| sleep 20
:0 w
| sleep 20
TIMEOUT=0
:0
rest
END
same "LINEBUF: too long an expansion, too long a condition" <<'END'
LOGFILE=log
LINEBUF=200
A=0123456789012345678901234567890123456789012345678901234567890123456789
B=$A$A$A
:0
* $ ^Subject:.*$A$A$A
wrong
LOG="[$PROCMAIL_OVERFLOW][${B:+set}]
"
:0
box
END
same "what is wrong is skipped" <<'END'
LOGFILE=log
}
this is nothing
= neither
:0 Z x
* ^Subject: (hello
* ^Subject: hel)o
{ LOG="bad " }
:0

:0
* ^No-such
:0
fine
END
same "arguments" -a one -a "two words" X=3 <<'END'
LOGFILE=log
LOG="[$1][$2][$3][$#][$X]
"
:0 wc
| for i in "$@"; do echo "$i"; done >unused; cat >/dev/null
SHIFT=1
:0 w
| printf '<%s>' "$@"
LOG="$1
"
:0
$1
END
prepare='cat .procmailrc >my.rc; echo wrong >.procmailrc'
same "a filter: -m, its arguments, standard output" -m ./my.rc sender rcpt <<'END'
:0 fhw
| sed "s/^Subject:/X-Args: $# $1 $2&/"
:0
|
END
same "-m without a delivery" -m ./my.rc <<'END'
:0
* ^No
/dev/null
END
same "named rc files: the first that there is" gone.rc my.rc other.rc <<'END'
LOG="$_ $MAILDIR
"
:0
mine
END
prepare=
for p in 'chmod 666 .procmailrc' 'chmod 000 .procmailrc' 'rm .procmailrc; mkdir .procmailrc' 'chmod 757 .' 'mv .procmailrc real; ln -s real .procmailrc'; do
	prepare=$p
	printf ':0\nbox\n' >"$t/safe"
	same "may it be run: $p" <"$t/safe"
done
prepare=
for m in '' 'X: y
Subject: only' 'X: y
Subject: head

' '

Subject: late

x' 'From a@b  Mon Jan  6 08:00:00 2020
>From c@d  Mon Jan  6 08:00:00 2020
Subject: two

From x
' 'From a@b  Mon Jan  6 08:00:00 2020
Content-Length: 9
Subject: length

From one
From two
' 'X: y
Subject: folded
 more
	yet more

body without an end'; do
	message=$m
	same "a message: $(printf %s "$m" | head -c 30 | tr '\n' '/')" <<-'END'
		LOGFILE=log
		:0 c
		* ^Subject:.*more
		folded
		:0 Bc
		* ^
		has-body
		:0 c
		box
		:0 c
		mh/.
		:0 c
		md/
		:0 c
		| cat >piped
		:0 bc
		| wc -l >lines
		DEFAULT=$HOME/rest
	END
done
message=$default

# What procmail could do wrong, and this cannot.
fresh_rc() { cat >"$t/rc"; fresh; }
ours()
{
	printf '%s' "$message" | as "$BUILD/lda/mailferry-lda" --config "$t/conf" "$@" >"$t/out" 2>&1
}
fresh_rc <<'END'
SWITCHRC=$HOME/.procmailrc
END
ours; [ $? -eq 75 ]; ok $? "rc files that follow each other without end are deferred"
python3 -c 'print(":0 B\n* " + "(a*)*" * 200 + "b\nwrong\n:0\n* ^Subject:" + ".*" * 300 + "hello\nbox")' >"$t/rc"
fresh
message="Subject: hello

$(head -c 200000 /dev/zero | tr '\0' a)
"
start=$(date +%s); ours; [ $? -eq 0 ] && [ -s "$home/box" ] && [ $(($(date +%s) - start)) -lt 20 ]
ok $? "expressions that would take for ever elsewhere"
python3 -c 'print("A=" + "x" * 3000000 + "\nB=${" + "n" * 100000 + "}\n:0\n" + "* " + "(" * 100000 + "\n{ " * 3000 + "\n:0\nbox")' >"$t/rc"
fresh
message=$default
ours
[ $? -eq 0 ] && [ -s "$home/box" -o -s "/var/mail/$user" ]
ok $? "long lines, long names, deep blocks"

# In a hurry.
fresh_rc <<'END'
LOGFILE=log
:0 w
| touch marker; exec sleep 20
END
for s in TERM:75 HUP:73 INT:73 QUIT:0; do
	rm -f "$home/marker"
	printf '%s' "$message" >"$t/m"
	(cd "$home" && exec setpriv --reuid=$user --regid=nogroup --clear-groups env -i HOME="$home" LOGNAME=$user \
		ASAN_OPTIONS=detect_leaks=0 PATH=/usr/bin:/bin "$BUILD/lda/mailferry-lda" --config "$t/conf" <"$t/m" >"$t/out" 2>&1) & pid=$!
	wait_for [ -e "$home/marker" ]
	kill -"${s%:*}" $pid
	wait $pid
	[ $? -eq "${s#*:}" ]; ok $? "SIG${s%:*}: ${s#*:}"
done
echo "1..$n"
