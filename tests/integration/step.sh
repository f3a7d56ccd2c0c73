#!/bin/sh
# SPDX-License-Identifier: ISC
# step.sh - what `mailferry step` and `undo` say, refuse, and wait for
set -u
. "$(dirname "$0")/../lib/site.sh"
site_begin
for i in 1 2; do user_add $i; done
u=mferry1
rc_is()		# STATUS VERB...: that exit status and no other
{
	want=$1
	shift
	mailferry "$@"
	got=$?
	[ $got -eq "$want" ] || { echo "status $got, want $want" >>"$t/out"; return 1; }
}
says() { grep -q -e "$1" "$t/out" || { echo "it does not say: $1" >>"$t/out"; return 1; }; }
silent() { ! grep -q -e "$1" "$t/out" || { echo "it says: $1" >>"$t/out"; return 1; }; }
shown() { "$BUILD/admin/mailferry" --config "$conf" show "$1" | sed -n "s/^$2 //p"; }
maildir()	# USER SIDE: an empty mailbox
{
	m=$t/$2/$1/Maildir
	mkdir -p "$m/cur" "$m/new" "$m/tmp" && chown -R "$1" "$m" && chmod -R go= "$m"
}
useradd -M -N -s /bin/sh mferryadm && groupadd mferrygrp && usermod -aG mferrygrp mferryadm && users="$users mferryadm" || exit 2
cat >"$t/who" <<'END'
#!/bin/sh
echo "username #  proto (pids) (ips)"
[ ! -e "${0%/*}/who.$1" ] || cat "${0%/*}/who.$1"
exit 1
END
chmod 755 "$t/who"
printf 'admin_group = mferrygrp\nwho_command = %s/who %%u\n' "$t" >>"$conf"
sed -i 's/^deadline.*/deadline = 4/' "$conf"
mapd_start
maildir $u old && maildir $u new && mailferry add $u && mailferry step $u overlap
ok $? "a user in overlap"

# A window that is only planned.
mailferry step $u cutover --window +2 +60 && rc_is 0 step $u overlap --dry-run && says 'would be cancelled' && is "$(shown $u window | wc -l)" 1 &&
	rc_is 0 step $u overlap && says 'the window planned from .*Z to .*Z is cancelled' && is "$(shown $u window | wc -l)" 0
ok $? "a planned window is cancelled by a step to where the user is"
sleep 3
is "$(shown $u effective)" overlap && is "$(shown $u version)" 4
ok $? "it does not begin"
rc_is 0 step $u overlap && [ ! -s "$t/out" ] && is "$(shown $u version)" 4
ok $? "without a window the same step changes nothing, and waits once more"

# Sessions, as doveadm who lists them.
rc_is 0 step $u cutover --for 60 && says "^$u has 0 sessions ($t/who $u)\$"
ok $? "in a cutover: no session is left"
printf '%s 2 imap (1 2) (::1)\n%s1 1 imap (3) (::1)\n%s	1 pop3 (4) (::1)\n' $u $u $u >"$t/who.$u"
rc_is 0 step $u settle && says "^$u has 2 sessions ($t/who $u): run .doveadm kick $u., then look again"
ok $? "at a change of leader: how many are left, and what to run"
rc_is 0 step $u cutover --window +50 +60 && silent session && rc_is 0 step $u settle && says cancelled && silent session
ok $? "a plan says nothing of them; in settle it is cancelled as well"
rc_is 0 step $u cutover --for 60 --dry-run && silent session
ok $? "nor does --dry-run"
chmod 644 "$t/who" && rc_is 0 step $u cutover --for 60 && silent session && rm "$t/who" && rc_is 0 step $u overlap && silent session
ok $? "a program that cannot be run, or is absent, is passed in silence"
printf '#!/bin/sh\necho "no server" >&2\n' >"$t/who" && chmod 755 "$t/who" && rc_is 0 step $u cutover --for 60 && silent session && rc_is 0 step $u overlap
ok $? "and one that prints nothing at all: it could not ask"

# What is waited for is announced after a second.
list=$t/old/$u/Maildir/dovecot-uidlist
lock=$list.lock
[ -e "$list" ] || printf '3 V17 N4 G%032d\n' 7 >"$list"
chown $u "$list"
printf '1:elsewhere' >"$lock" && chown $u "$lock"
(sleep 2.5; rm -f "$lock") & rc_is 0 step $u old && says '^mailferry: waiting for deliveries by the former state' && is "$(wc -l <"$t/out")" 1
ok $? "a wait that is long is announced"
wait $!
rc_is 0 step $u overlap && silent waiting
ok $? "one that is short is not"

printf '1:elsewhere' >"$lock" && chown $u "$lock" && rc_is 75 step $u cutover --for 60 && says "$u is in cutover" && says 'the step out of the cutover waits for it' && rm "$lock" && rc_is 0 step $u overlap
ok $? "a cutover whose wait failed: what to run is what can be run"

# A member of admin_group may write the map, but cannot visit the mailboxes.
as_admin() { setpriv --reuid=mferryadm --regid="$(id -g mferryadm)" --init-groups "$BUILD/admin/mailferry" --config "$conf" "$@" >"$t/out" 2>&1; got=$?; }
before=$(shown $u version)
as_admin step $u cutover --for 60; is $got 1 && says "may not work on $t/old/$u/Maildir: Permission denied" && is "$(shown $u state)" overlap && is "$(shown $u version)" "$before"
ok $? "who may not read the filers is refused before anything is written"
as_admin step $u cutover --for 60 --dry-run; is $got 1 && as_admin add mferry2; is $got 0 && as_admin history $u; is $got 0
ok $? "--dry-run says the same; what needs no mailbox is done"
printf '{"user":"%s","state":"old"}\n' $u >"$t/rows" && chmod 644 "$t/rows"; as_admin import "$t/rows"; is $got 1 && says "may not work on $t/old/$u/Maildir: Permission denied" && is "$(shown $u state)" overlap && is "$(shown $u version)" "$before"
ok $? "nor does an import change a state"
mailferry step $u cutover --window +300 +400; as_admin step $u overlap; is $got 1 && is "$(shown $u window | wc -l)" 1 && mailferry step $u overlap && is "$(shown $u window | wc -l)" 0
ok $? "nor is a planned window cancelled: the step waits for deliveries, too"
chown root "$t/new/$u" && chmod 700 "$t/new/$u" && rc_is 1 step $u cutover --for 60 && says "$t/new/$u/Maildir: Permission denied" && is "$(shown $u state)" overlap; r=$?
chown $u "$t/new/$u"
[ $r -eq 0 ]
ok $? "nor may root, where the user himself may not: the work is done as the user"

# undo says what it did.
seq() { mailferry history --json --limit 1 $u && sed 's/.*"seq":\([0-9]*\),.*/\1/' "$t/out"; }
mailferry step $u old && mailferry step $u overlap --why "first wave" && seq=$(seq) &&
	rc_is 0 undo $u --dry-run && says "^$u: this would undo change $seq of .*Z by root: old -> overlap: first wave" && is "$(shown $u state)" overlap &&
	rc_is 0 undo $u && says "^$u: undid change $seq of .*Z by root: old -> overlap: first wave" && is "$(shown $u state)" old
ok $? "undo names the change: number, time, who, both states, why"
mailferry history --limit 1 $u && says "overlap -> old by root: undo of change $seq\$" && rc_is 0 undo $u --why "no, yes" &&
	says "^$u: undid change $((seq + 1)) of .*Z by root, itself an undo: overlap -> old" && is "$(shown $u state)" overlap && mailferry history --limit 1 $u && says "undo of change $((seq + 1)): no, yes\$"
ok $? "a second one says that it reverses an undo; the history says so, too"
rc_is 0 undo --json $u && python3 - "$t/out" "$((seq + 2))" <<'END' >>"$t/out" 2>&1
import json, sys
o = json.loads(open(sys.argv[1]).read())
assert o["was_undo"] and not o["dry_run"] and o["undone"]["seq"] == int(sys.argv[2]) and o["undone"]["is"]["state"] == "overlap", o
END
ok $? "as JSON"
mailferry step $u overlap && mailferry step $u cutover --window +100 +200 && rc_is 0 undo $u && says 'overlap -> overlap' && is "$(shown $u window | wc -l)" 0
ok $? "a planned window is taken back"
mailferry step $u cutover --window +1 +2 && mailferry step $u overlap && sleep 2 && rc_is 1 undo $u && says "^mailferry: $u: the window of before is over" && is "$(shown $u window | wc -l)" 0
ok $? "its cancelling is not, once the window is over"
echo "1..$n"
