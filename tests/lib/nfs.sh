#!/bin/sh
# SPDX-License-Identifier: ISC
# nfs.sh CASE PROTO - one case of tests/nfs, as root inside the lab; prints TAP
#
# Four users, one in each state with a delivery (old overlap settle new), get mail on
# hostA and hostB at the same time, each by a worker that retries as Postfix does.
# mailferry-mapd runs on hostA; its socket lies in /run/lab, which both hosts share.
# Meanwhile CASE disturbs; then both hosts must see every message once.
set -u
case=$1 proto=$2
: "${BUILD:?}" "${MESSAGES:=6}"
here=$PWD d=/run/lab/mf
LDA=$BUILD/lda/mailferry-lda LDA_TRACE=
export LDA LDA_TRACE
users="uold uoverlap usettle unew" n=0

ok()		# STATUS NAME
{
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then echo "ok $n - $2"; return; fi
	echo "not ok $n - $2"
	for f in out wrong faults; do
		[ ! -s $d/$f ] || { echo "# --- $f"; tail -n 15 $d/$f | sed 's/^/# /'; }
	done
	[ ! -s $d/log ] || { echo "# --- log"; tail -n 15 $d/log | sed 's/^/# /'; }
}

mailferry() { on hostA "$BUILD/admin/mailferry" --config $d/conf "$@" >$d/out 2>&1; }
persist()	# COMMAND...: until it succeeds, as an admin would
{
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ $tries -lt 100 ] || return 1
		sleep 0.5
	done
}

setup()
{
	mkdir -p -m 755 $d
	mkdir -m 700 $d/map
	: >$d/log; : >$d/sent; : >$d/faults
	chmod 1777 $d
	chmod 666 $d/log $d/sent $d/faults
	uid=3001
	for u in $users umoved; do
		echo "$u:x:$uid:65534::/:/bin/sh" >>/etc/passwd
		for f in old new; do
			on filer$f "mkdir -p /export/mail/$u && chown $uid:65534 /export/mail/$u && chmod 700 /export/mail/$u"
		done
		uid=$((uid + 1))
	done
	cat >$d/conf <<-END
		map = tdb:$d/map/map.tdb
		socket_dir = $d/run
		old_mail = /mnt/old/mail/%u/Maildir
		new_mail = /mnt/new/mail/%u/Maildir
		old_filer = /mnt/old
		new_filer = /mnt/new
		deadline = ${DEADLINE:-60}
		log = none
	END
	on hostA "exec $BUILD/maps/mailferry-mapd --config $d/conf --log stderr" 2>$d/mapd.log &
	tries=0
	until grep -q ': started ' $d/mapd.log || [ $tries -gt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
}

steps_to()	# USER STATE...
{
	u=$1
	shift
	for s in "$@"; do
		case $s in
		cutover) persist mailferry step "$u" cutover --for 120 || return 1;;
		*) persist mailferry step "$u" "$s" || return 1;;
		esac
	done
}

worker()	# HOST USER FIRST LAST: in the background; $workers has its pid
{
	on -u "$2" "$1" sh "$here/nfs-worker.sh" $d "$2" "$1" "$3" "$4" &
	workers="$workers $!"
}

all_workers()	# FIRST LAST
{
	workers=
	for u in ${only:-$users}; do
		worker hostA "$u" "$1" "$2"
		worker hostB "$u" "$1" "$2"
	done
}

wait_workers() { for p in $workers; do wait "$p"; done; }

check()		# USER=SIDES...
{
	drop-caches
	: >$d/wrong
	for h in hostA hostB; do	# as the user: root may be nobody there
		for c in "$@"; do
			on -u "${c%=*}" $h python3 "$here/nfs.py" check $d "$c" 2>&1 | sed "s/^/on $h: /" >>$d/wrong
		done
	done
	[ ! -s $d/wrong ]
}

everywhere="uold=old uoverlap=both usettle=both unew=new"

# The whole of most cases; $1 COMMAND...: the disturbance, beside the workers.
disturbed()
{
	watchers=
	for u in $users; do
		for h in hostA hostB; do
			on -u "$u" $h python3 "$here/nfs.py" watch $d "$u" >$d/watch.$u.$h 2>&1 &
			watchers="$watchers $!"
		done
	done
	all_workers 1 "$MESSAGES"
	sleep 1.5
	"$@" >$d/disturbance 2>&1
	wait_workers
	touch $d/stop
	for p in $watchers; do wait "$p"; done
	# Each mailbox once more, from both hosts: what was left undecided is decided.
	all_workers 9001 9001
	wait_workers
	[ ! -s $d/faults ]
	ok $? "every attempt ends with 0, 75 or the deadline ($(grep -c ' 75 ' $d/log) x 75, $(grep -c ' 142 ' $d/log) x deadline)"
	check $everywhere
	ok $? "both hosts see every message once on each side, same UID, name, bytes and mtime"
	grep -hv '^seen ' $d/watch.* >$d/wrong
	[ ! -s $d/wrong ] && [ "$(grep -l '^seen [1-9]' $d/watch.* | wc -l)" -eq 8 ]
	ok $? "no next UID shrank"
}

ready()
{
	[ -d $d ] || setup
	mailferry doctor --init
	ok $? "both filers have their markers"
	for u in $users umoved; do persist mailferry add "$u" || break; done
	steps_to uoverlap overlap && steps_to usettle overlap cutover settle &&
		steps_to unew overlap cutover settle new
	ok $? "a user in each state, stepped there by the command"
}

# The first attempt of a delivery to USER from hostA waits 14 s at its WHENth CALL.
held()		# USER CALL WHEN NUMBER [exit]
{
	LDA_TRACE="strace -f -o $d/trace.$1 -e trace=$2 -e inject=$2:delay_${5:-enter}=14000000:when=$3"
	worker hostA "$1" "$4" "$4"
	LDA_TRACE=
}

tell() { sed 's/^/# /' "$@"; }		# what was seen, without judging it

# Calls that are executed, but whose reply is lost with the server's memory of it.
lost()		# USER:CALL:WHEN...
{
	workers= only=
	for c in "$@"; do
		u=${c%%:*} w=${c##*:} c=${c#*:}
		held "$u" "${c%:*}" "$w" "$next"
	done
	sleep 8
	server-restart --lose-replies 9
	wait_workers
	next=$((next + 1))
}

# Deliveries are held in a CALL under their locks; hostB breaks them, and delivers.
slept()		# rm|mv USER:CALL:WHEN:enter|exit...
{
	workers= how=$1
	shift
	for c in "$@"; do
		IFS=:
		# shellcheck disable=SC2086
		set -- $c
		unset IFS
		held "$1" "$2" "$3" $next "$4"
	done
	sleep 8
	for u in ${only:-$users}; do
		for f in old new; do
			on -u "$u" hostB "cd /mnt/$f/mail/$u/Maildir && mv dovecot-uidlist.lock broken &&
				{ [ $how = mv ] || rm broken; }" 2>/dev/null && broken=$((broken + 1))
		done
		worker hostB "$u" $next $next
	done
	wait_workers
	for f in old new; do on filer$f "rm -f /export/mail/*/Maildir/broken"; done
	next=$((next + 1))
}

case $case in
steps)
	# One user goes forth and back while both hosts deliver to him and a filer stops.
	ready
	steps_to umoved overlap
	workers= only=umoved next=$((MESSAGES * 3))
	all_workers 1 "$next"
	(server-restart --lose-replies 2 old; sleep 3; server-freeze 6 new) &
	filers=$!
	stepped=0
	while [ $stepped -lt 3 ]; do
		steps_to umoved cutover settle cutover overlap || break
		stepped=$((stepped + 1))
	done
	ok $((stepped - 3)) "three times to the new filer and back"
	wait $filers
	wait_workers
	all_workers 9001 9001
	wait_workers
	[ ! -s $d/faults ]
	ok $? "every attempt ends with 0, 75 or the deadline ($(grep -c ' 75 ' $d/log) x 75, $(grep -c ' 142 ' $d/log) x deadline)"
	check umoved=both
	ok $? "both hosts see every message once on each side";;
squash)
	# --export-opts root_squash: root is nobody there.
	setup
	! mailferry doctor --init && grep -q 'make it there, owned by root' $d/out
	ok $? "doctor --init says that root's marker cannot be root's"
	for f in old new; do on filer$f "touch /export/.mailferry-filer && chmod 644 /export/.mailferry-filer"; done
	ready
	disturbed true;;
unmounted)
	ready
	on hostB umount /mnt/new
	mounted() { sleep 8; on hostB "find /mnt/new"; on hostB mount -t nfs -o "vers=$proto,retry=0,hard,timeo=50,retrans=2" filernew:/export /mnt/new; }
	disturbed mounted
	is=$(grep -c 'has no .mailferry-filer: it is not mounted' $d/log)
	[ "$(cat $d/disturbance)" = /mnt/new ] && [ "$is" -gt 3 ]
	ok $? "where a filer was not mounted deliveries waited ($is), and nothing lay below";;
opened)
	# Each host has the files open all the time, as where IMAP sessions are.
	ready
	all_workers 101 101
	wait_workers
	for u in $users; do
		for f in old new; do
			on -u "$u" hostA "cd /mnt/$f/mail/$u/Maildir 2>/dev/null && printf '1000000000S\n0 0\n' >maildirsize"
		done
	done
	openers=
	for h in hostA hostB; do
		for u in $users; do
			on -u "$u" $h python3 "$here/nfs.py" open $d "$u" &
			openers="$openers $!"
		done
	done
	disturbed true
	for p in $openers; do wait "$p"; done
	for u in uold unew; do
		on hostA "cat /mnt/${u#u}/mail/$u/Maildir/maildirsize"
	done >$d/wrong
	is=$(grep -c '^[1-9][0-9]* 1$' $d/wrong)
	[ "$is" -eq $((4 * MESSAGES + 4)) ]
	ok $? "every message is accounted, $is";;
late)
	# Cut off for longer than a lock lives, each with something in flight: the process
	# dies at the deadline, but what it wrote comes when the host is back.
	ready
	all_workers 101 101
	wait_workers
	workers=
	held uold fdatasync 1 1
	held uoverlap fdatasync 1 1
	held usettle renameat 1 1
	held unew pwrite64 2 1
	sleep 8
	host-cut 150 hostA &
	cut=$!
	sleep 1
	for u in $users; do worker hostB $u 1 3; done
	wait $cut
	wait_workers
	tell $d/log
	all_workers 9001 9001
	wait_workers
	[ ! -s $d/faults ] && is=$(grep -c ' hostA-1 142' $d/log) && [ "$is" -ge 3 ]
	ok $? "the deliveries of a host that was cut off died at the deadline ($is)"
	check $everywhere
	ok $? "what it wrote late does no harm: every message once on each side";;
lost)
	ready
	next=1
	lost uold:mkdirat:1 uoverlap:mkdirat:3 unew:mkdirat:2 umoved:mkdirat:5
	all_workers 101 101
	wait_workers
	for w in 1 2; do
		lost uold:linkat:1 uoverlap:linkat:$w usettle:renameat:$w unew:renameat:1
		lost uold:unlinkat:$w uoverlap:unlinkat:$w usettle:unlinkat:$((w + 2)) unew:fsync:$w
		lost uold:pwrite64:$w uoverlap:fdatasync:$w usettle:write:$((w + 1)) unew:close:$((w * 3))
	done
	sed 's/\(hostA-[0-9]*\).*/\1/' $d/log | sort | uniq -c >$d/times
	tell $d/log
	all_workers 9001 9001
	wait_workers
	[ ! -s $d/faults ]
	ok $? "every attempt ends with 0, 75 or the deadline ($(grep -c ' 75 ' $d/log) x 75, $(grep -c ' 142 ' $d/log) x deadline)"
	check $everywhere umoved=old
	ok $? "both hosts see every message once on each side";;
fence)
	ready
	next=1 broken=0
	all_workers 101 101
	wait_workers
	for how in rm mv; do
		slept $how uold:fdatasync:2:exit uoverlap:fdatasync:2:exit \
			usettle:renameat:1:enter unew:renameat:1:enter
		slept $how uold:renameat:1:enter uoverlap:renameat:2:enter \
			usettle:fsync:1:exit unew:fdatasync:1:exit
	done
	is=$(grep -c ' 75 ' $d/log)
	tell $d/log
	[ $broken -gt 16 ] && [ "$is" -ge 12 ]
	ok $? "each delivery whose locks were broken in its sleep is deferred ($is x 75, $broken locks)"
	check $everywhere
	ok $? "and comes once, on each side";;
ops)
	ready
	all_workers 1 1
	wait_workers
	for u in uold uoverlap; do
		on hostA cat /proc/self/mountstats >$d/before
		workers=
		worker hostA $u 101 110
		wait_workers
		on hostA cat /proc/self/mountstats >$d/after
		python3 "$here/nfs.py" ops $d 10 >$d/ops
		[ $? -eq 0 ] && [ -s $d/ops ]
		ok $? "NFS operations of a delivery to $u"
		tell $d/ops
	done;;
plain)
	ready
	disturbed true;;
restart)
	ready
	twice() { server-restart; sleep 2; server-restart --down 3 new; }
	disturbed twice;;
lose)
	ready
	twice() { server-restart --lose-replies 3; sleep 6; server-restart --lose-replies 2 old; }
	disturbed twice;;
crash)
	ready
	twice() { server-restart --crash; sleep 5; server-restart --lose-replies 2 --crash; }
	disturbed twice;;
freeze)
	ready
	twice() { server-freeze 9; sleep 2; server-freeze 6 new; }
	disturbed twice;;
deadline)
	DEADLINE=12
	ready
	disturbed server-freeze 30 new
	grep -q ' 142 ' $d/log
	ok $? "deliveries died at the deadline while the filer was frozen";;
drop)
	ready
	twice() { server-drop-replies 7; sleep 2; server-drop-replies 5 old; }
	disturbed twice;;
cut)
	ready
	twice() { host-cut 12 hostA; sleep 1; host-cut 5 hostB; }
	disturbed twice;;
esac
echo "1..$n"
