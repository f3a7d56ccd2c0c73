#!/bin/sh
# SPDX-License-Identifier: ISC
# parallel.sh - eight deliverers at once to both sides, beside two live IMAP sessions
#
# MESSAGES (default 400) of them in all; afterwards both sides must be one mailbox.
set -u
. "$(dirname "$0")/../lib/site.sh"
site_begin
user_add 1
for i in 2 3 4 5 6 7; do user_add $i; done
u=mferry1
each=$((${MESSAGES:-400} / 8))
mapd_start
dovecot_start && mailferry add $u && mailferry step $u overlap
ok $? "a user in overlap"

deliver()	# WORKER
{
	i=0
	while [ $i -lt $each ]; do
		i=$((i + 1))
		printf 'From s@x.test  Mon Jan  1 00:00:00 2026\nReceived: by mx (Postfix)\n\tid 4XY%dZ%05d; Mon\nSubject: m-%d-%d\n\ntext\n' \
			"$1" $i "$1" $i >"$t/m$1"
		env -i ASAN_OPTIONS=$ASAN_OPTIONS USER=$u LOGNAME=$u HOME="$t/home/$u" \
			RECIPIENT=$u@example.test setpriv --reuid=$u --regid=nogroup --clear-groups \
			"$BUILD/lda/mailferry-lda" --config "$conf" <"$t/m$1" >"$t/d$1" 2>&1 ||
			{ echo "m-$1-$i: $(cat "$t/d$1")" >>"$t/deferred"; i=$((i - 1)); sleep 0.2; }
	done
	echo done >"$t/done$1"
}
: >"$t/deferred"
chmod 666 "$t/deferred"
for w in 1 2 3 4 5 6 7 8; do deliver $w & done
# Watches UIDNEXT, appends, copies, expunges what it appended, idles.
for s in 1 2; do
	python3 "$here/tests/lib/session.py" "$imap" $u "$s" "$t/stop" >"$t/session$s" 2>&1 &
	eval "session$s=$!"
done
i=0
all_done() { [ "$(cat "$t"/done? 2>/dev/null | wc -l)" -ge 8 ]; }
patience=600 wait_for all_done
touch "$t/stop"
is "$(cat "$t"/done? | wc -l)" 8
ok $? "all were delivered"
# shellcheck disable=SC2154
wait "$session1"; s1=$?
# shellcheck disable=SC2154
wait "$session2"; s2=$?
cat "$t/session1" "$t/session2" >"$t/out"
is "$s1 $s2" "0 0"
ok $? "no session saw UIDNEXT shrink, a UID twice or one that changed its message"
sed 's/^/# deferred /' "$t/deferred" | tail -n 3

imap $u uids >"$t/uids"
cut -d' ' -f2 "$t/uids" | grep '^m-' | sort >"$t/a"
for w in 1 2 3 4 5 6 7 8; do i=0; while [ $i -lt $each ]; do i=$((i + 1)); echo "m-$w-$i"; done; done |
	sort >"$t/b"
cmp -s "$t/a" "$t/b" || diff "$t/a" "$t/b" | head -n 5 >>"$t/out"
cmp -s "$t/a" "$t/b"
ok $? "each message once"

# Every message that the leader has, the follower has under the same UID: up to
# what a client has put on the leader since the last delivery.
last=$(uidnext $u new)
messages $u old | awk -v last="$last" '$1 < last' >"$t/a"
messages $u new >"$t/b"
cut -d' ' -f1-3 "$t/a" | sort >"$t/as"
cut -d' ' -f1-3 "$t/b" | sort >"$t/bs"
comm -23 "$t/as" "$t/bs" | head -n 5 >>"$t/out"
is "$(comm -23 "$t/as" "$t/bs" | wc -l)" 0
ok $? "leader and follower agree on UID, name and bytes"
is "$(cut -d' ' -f1 "$t/b" | uniq -d | wc -l)" 0
ok $? "no UID twice on the follower"

# dsync, both ways, finds nothing to do once the follower has caught up, and lost what
# a client expunged, as by the mirror.
catch_up=$(uidnext $u old)
printf 'From s@x.test  Mon Jan  1 00:00:00 2026\nReceived: by mx (Postfix)\n\tid 4XYZ99999; Mon\nSubject: last\n\nx\n' >"$t/m1"
setpriv --reuid=$u --regid=nogroup --clear-groups env -i ASAN_OPTIONS=$ASAN_OPTIONS USER=$u LOGNAME=$u HOME="$t/home/$u" RECIPIENT=$u@example.test \
	"$BUILD/lda/mailferry-lda" --config "$conf" <"$t/m1" >>"$t/out" 2>&1 &&
	is "$(uidnext $u new)" $((catch_up + 1))
messages $u old | cut -d' ' -f2 | sort >"$t/as" &&
	messages $u new | cut -d' ' -f2 | sort | comm -13 "$t/as" - >"$t/gone"
while read -r name; do
	rm -f "$t/new/$u/Maildir/new/$name"* "$t/new/$u/Maildir/cur/$name"*
	sed -i "/ :$name/d" "$t/new/$u/Maildir/dovecot-uidlist"
done <"$t/gone"
for side in old new; do messages $u $side | cut -d' ' -f1-3 >"$t/before.$side"; head -n 1 "$t/$side/$u/Maildir/dovecot-uidlist" | cut -d' ' -f2,4 >"$t/head.$side"; done
dsync()		# FROM TO
{
	doveadm -c "$t/dv.conf" -o "mail_location=maildir:$t/$1/$u/Maildir" sync -f -u $u "maildir:$t/$2/$u/Maildir" >>"$t/out" 2>&1
}
dsync old new && dsync new old && for side in old new; do
	messages $u $side | cut -d' ' -f1-3 >"$t/after.$side"
	head -n 1 "$t/$side/$u/Maildir/dovecot-uidlist" | cut -d' ' -f2,4 | cmp - "$t/head.$side" >>"$t/out" 2>&1 &&
		is "$(uidnext $u $side)" $((catch_up + 1)) || break
	side=
done
[ -z "$side" ] && diff "$t/before.old" "$t/after.old" >>"$t/out" &&
	diff "$t/after.old" "$t/after.new" >>"$t/out" &&
	cmp "$t/before.new" "$t/after.new" >>"$t/out"
ok $? "doveadm sync -f, both ways: nothing comes, moves or is renumbered"

# A mailbox that Dovecot and several LDAs make at the same moment.
first()		# USER SUBJECT
{
	printf 'From s@x.test  Mon Jan  1 00:00:00 2026\nReceived: by mx (Postfix)\n\tid 4XYZ00000; Mon\nSubject: %s\n\nx\n' "$2" |
		setpriv --reuid="$1" --regid=nogroup --clear-groups env -i ASAN_OPTIONS=$ASAN_OPTIONS USER="$1" LOGNAME="$1" HOME="$t/home/$1" \
		RECIPIENT="$1@example.test" "$BUILD/lda/mailferry-lda" --config "$conf" >>"$t/first.$1" 2>&1 ||
		echo failed >>"$t/first.$1"
}
for i in 2 3 4 5 6 7; do mailferry add mferry$i && mailferry step mferry$i overlap; done
for i in 2 3 4 5 6 7; do
	pids=
	for k in 1 2 3 4; do first mferry$i m$k & pids="$pids $!"; done
	imap mferry$i uids >"$t/early.$i" 2>&1 & pids="$pids $!"
	imap mferry$i append draft uids >>"$t/early.$i" 2>&1 & pids="$pids $!"
	# shellcheck disable=SC2086
	wait $pids
done
for i in 2 3 4 5 6 7; do
	first mferry$i m5
	imap mferry$i uids >"$t/uids"
	is "$(cut -d' ' -f1 "$t/uids" | tr '\n' ' ')" "1 2 3 4 5 6 " &&
		is "$(cut -d' ' -f2 "$t/uids" | sort | tr '\n' ' ')" "draft m1 m2 m3 m4 m5 " &&
		same_messages mferry$i && [ ! -s "$t/first.mferry$i" ] ||
		{ cat "$t/first.mferry$i" "$t/early.$i" "$t/uids" >>"$t/out"; break; }
	i=
done
[ -z "$i" ]
ok $? "a mailbox that Dovecot and LDAs make at the same moment: one, on both sides"
lacks -E 'Error|Warning|Panic|Fatal' "$t/dovecot.log"
ok $? "nothing that Dovecot would warn of"
echo "1..$n"
