#!/bin/sh
# SPDX-License-Identifier: ISC
# verbs.sh - the command's verbs, through mapd: what they say, refuse and change
#
# BUILD is the build directory.  USERS (2000) is how many users the import has.
set -u
. "$(dirname "$0")/../lib/site.sh"
users_n=${USERS:-2000}
n=0
ok()		# STATUS NAME
{
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else
		echo "not ok $n - $2"
		sed 's/^/# /' "$t/out" "$t/mapd.log" 2>/dev/null | tail -n 20
	fi
}
says() { grep -q -e "$1" "$t/out" || { echo "it does not say: $1" >>"$t/out"; return 1; }; }
fails()		# STATUS VERB...: that exit status and no other
{
	want=$1
	shift
	mailferry "$@"
	got=$?
	[ $got -eq "$want" ] || { echo "status $got, want $want" >>"$t/out"; return 1; }
}
# json EXPRESSION: of the object in $t/out, as python sees it
json()
{
	python3 -c 'import json, sys
o = json.loads(open(sys.argv[1]).read().splitlines()[-1])
assert eval(sys.argv[2]), o' "$t/out" "$1" 2>>"$t/out"
}

site_begin
cat >>"$conf" <<END
old_filer = $t/old
new_filer = $t/new
skew = 0
END
sed -i 's/^deadline.*/deadline = 1/' "$conf"
mapd_start

fails 1 doctor && says 'marker\|\.mailferry-filer'
ok $? "doctor: the filers have no marker"
mailferry doctor --init && says "^old $t/old: ok" && says "^new $t/new: ok" &&
	mailferry doctor --init && mailferry doctor && [ -f "$t/new/.mailferry-filer" ]
ok $? "doctor --init makes them, and once more"

mailferry add alice --address Alice@x.test && mailferry show --json alice &&
	json 'o["user"] == "alice" and o["state"] == "old" and o["leader"] == "old" and o["version"] == 1 and o["old"].endswith("/old/alice/Maildir")'
ok $? "show --json"
fails 1 add 'a/b' && fails 2 add alice --state nowhere && fails 2 add -- && fails 1 add -- -x && fails 1 add alice && says changed ||
	fails 75 add alice
ok $? "add: bad names, and a user who is there"
mailferry step alice overlap --why 'a test' && mailferry history --json alice &&
	json 'o["is"]["user"] == "alice"' && mailferry history alice && says 'old -> overlap by root: a test'
ok $? "history, and why"
mailferry undo --dry-run alice && says 'would step from overlap to old' && mailferry undo alice &&
	mailferry show alice && says '^state old$' && says '^version 3$'
ok $? "undo of a step is a step back"
mailferry undo alice && mailferry show alice && says '^state overlap$' && mailferry undo alice
ok $? "and of that, forth again"
mailferry delete alice && fails 1 delete alice && mailferry undo alice && mailferry show alice &&
	says '^version 7$' && says '^address'
ok $? "undo of a delete: the record is back, its version goes on"
fails 1 undo nobody-there && says 'no history'
ok $? "undo of nothing"
mailferry step alice overlap && mailferry step alice cutover --for 60 && mailferry step alice settle &&
	fails 1 undo alice && says 'mailferry rollback'
ok $? "undo of a change of leader is refused, and names rollback"
fails 1 step alice old && says 'possible now: cutover new'
ok $? "an illegal step is refused, and told what is legal"
fails 1 delete alice && says 'is in settle'
ok $? "delete in settle is refused"

mailferry explain alice+x@nowhere.test && says '^alice is in state settle since version 10, made by root' &&
	says "both sides under one UID: $t/new/alice/Maildir (new, which leads)" &&
	says "IMAP is served from $t/new/alice/Maildir" && says 'mailferry step alice cutover --for SECONDS; mailferry step alice new'
ok $? "explain: an address with an extension"
mailferry explain ALICE@X.test && says '^alice is in state settle'
ok $? "explain: an alias of the record, in capitals"
mailferry explain --json bob@x.test && json 'o["user"] == "bob" and o["default"] and o["delivered_to"] == ["old"]'
ok $? "explain: a user without record"
mailferry step alice cutover --window +3600 +3700 && mailferry explain alice && says 'A window is planned, from' &&
	mailferry show alice && says '^state settle$'
ok $? "explain: a planned window"
mkdir -p "$t/old/carol/Maildir/cur" "$t/old/carol/Maildir/new" "$t/old/carol/Maildir/tmp" &&
	echo "1:elsewhere" >"$t/old/carol/Maildir/dovecot-uidlist.lock" &&
	printf '3 V17 N4 G%032d\n3 :x\n' 7 >"$t/old/carol/Maildir/dovecot-uidlist"
fails 0 explain carol && says 'carol has no account, and uid 0, which has the mail, is not among trusted_users'
ok $? "explain: root's mailbox of a name without an account is not looked at"
chown -R nobody "$t/old/carol" && echo "trusted_users = nobody" >>"$conf"
mailferry explain carol && says 'dovecot-uidlist.lock is held by 1:elsewhere' && says 'old, INBOX: 4 is the next UID, UIDVALIDITY 17'
ok $? "explain: who holds the lock, which UID is next"

fails 1 add carol --state new && says 'has mail in .*/old/carol/Maildir, and new would lead'
ok $? "add in a state whose leader would hide the mail is refused"
fails 1 default new && says '1 user without a record has mail on the old side: carol'
ok $? "the default does not change while somebody without record has mail"
mailferry add carol && mailferry default --dry-run new && mailferry default new && says 'waiting 1 seconds' &&
	mailferry default --json && json 'o["state"] == "new" and o["user"] == "*"' &&
	mailferry show dave && says '^state new$' && says '^default yes$'
ok $? "default new"
mailferry history default && says 'none -> new by root'
ok $? "the default has a history"
mkdir -p "$t/new/erin/Maildir/cur"
fails 1 default old && says 'on the new side: erin' && rm -rf "$t/new/erin" && mailferry default old
ok $? "and back"

python3 - "$t/in.jsonl" "$users_n" <<'END'
import json, sys
with open(sys.argv[1], 'w') as f:
    for i in range(int(sys.argv[2])):
        o = {"user": "user%06d" % i, "uid": None, "address": ["u%d@x.test" % i]}
        if i == 3: o.update(state="overlap", unknown=["quota 7"])
        if i == 4: o.update(state="new", old="/elsewhere/x, \"y\"")
        print(json.dumps(o), file=f)
END
"$BUILD/admin/mailferry" --config "$conf" watch --json >"$t/watched" & watcher=$!
sleep 0.3
mailferry import --dry-run "$t/in.jsonl" && says '^+ user000003 overlap' && says "^$users_n would be added, 0 would be changed, 0 the same" &&
	fails 0 list && [ "$(grep -c user0 "$t/out")" -eq 0 ]
ok $? "import --dry-run says what would change, and changes nothing"
mailferry import --why 'all of them' "$t/in.jsonl" && says "^$users_n added, 0 changed" && mailferry list &&
	[ "$(grep -c user0 "$t/out")" -eq "$users_n" ]
ok $? "import: all of them"
i=0
all_watched() { [ "$(wc -l <"$t/watched")" -ge "$users_n" ]; }
wait_for all_watched
kill $watcher
[ "$(grep -c '"why":"all of them"' "$t/watched")" -eq "$users_n" ]
ok $? "watch saw each"
mailferry list overlap && [ "$(wc -l <"$t/out")" -eq 1 ] && says '^user000003 overlap old 1$'
ok $? "list STATE"
mailferry export "$t/a.jsonl" && mailferry export --format csv "$t/a.csv" && mailferry import "$t/a.jsonl" &&
	says "^0 added, 0 changed, $((users_n + 2)) the same" && mailferry import "$t/a.csv" && says "^0 added, 0 changed, $((users_n + 2)) the same"
ok $? "what export wrote is what is there, as JSON Lines and as CSV"

# A map of its own: what comes out of it is the same again, versions too.
mkdir -m 700 "$t/map2" && sed "s,$t/map/,$t/map2/,;s,$t/run,$t/run2," "$conf" >"$conf.2"
two() { "$BUILD/admin/mailferry" --config "$conf.2" "$@" >"$t/out" 2>&1; }
two import "$t/a.csv" && two export "$t/b.jsonl" && sort "$t/a.jsonl" >"$t/a" && sort "$t/b.jsonl" | diff "$t/a" - >>"$t/out" &&
	rm -rf "$t/map2" && mkdir -m 700 "$t/map2" && two import - <"$t/a.jsonl" && two export --format csv "$t/b.csv" &&
	sort "$t/a.csv" >"$t/a" && sort "$t/b.csv" | diff "$t/a" - >>"$t/out"
ok $? "into another map and out again: byte for byte, without mapd"

printf '{"user":"user000000","state":"overlap"}\n{"user":"user000001","stat":"old"}\n{"user":"user000002","state":"settle"}\nnonsense\n' >"$t/bad.jsonl"
fails 1 import "$t/bad.jsonl" && says 'bad.jsonl:2: stat is no key of a record' && says 'bad.jsonl:3: .*user000002 cannot step from old to settle' &&
	says 'bad.jsonl:4: ' && mailferry show user000000 && says '^state old$'
ok $? "a line that is wrong: named, and nothing is imported"
printf 'user,new,address\nuser000005,,"u5@x.test u0@x.test"\n' >"$t/bad.csv"
fails 1 import "$t/bad.csv" && says 'the address u0@x.test is user000000'
ok $? "an address that is another's"
printf 'user,state\nuser000000,overlap\nuser000001,overlap\nzoe,\n' >"$t/good.csv"
mailferry import "$t/good.csv" && says '^1 added, 2 changed, 0 the same' && mailferry show user000001 && says '^state overlap' &&
	says '^version 2$' && says '^address u1@x.test'
ok $? "a CSV with some columns: the others stay"
fails 1 import "$t/a.jsonl" && says 'user000000 is in version 2 by now'
ok $? "an export that is older than the map is not imported over it"
fails 2 import && fails 2 import --format xml x && fails 1 import "$t/not-there" && says 'open .*not-there'
ok $? "import: usage and a file that is not there"

# Two admins, one user: one wins, the other is told, and nobody is left between.
mailferry add torn --old "$t/old/torn" --new "$t/new/torn" && mailferry step torn overlap
i=0 both=0 told=0 wrong=
while [ $i -lt 12 ] && [ -z "$wrong" ]; do
	mailferry step torn cutover --for 60 || { wrong="no window"; break; }
	"$BUILD/admin/mailferry" --config "$conf" step torn settle --why left >"$t/left" 2>&1 & left=$!
	"$BUILD/admin/mailferry" --config "$conf" step torn overlap --why right >"$t/right" 2>&1; r=$?
	wait $left; l=$?
	mailferry show torn; state=$(sed -n 's/^state //p' "$t/out")
	case "$l $r $state" in
	"0 75 settle"|"0 1 settle") told=$((told + $(grep -c . "$t/right")));;
	"75 0 overlap"|"1 0 overlap") told=$((told + $(grep -c . "$t/left")));;
	*) wrong="$l $r $state";;
	esac
	[ "$state" = overlap ] || { mailferry step torn cutover --for 60 && mailferry step torn overlap; } || wrong="no way back"
	i=$((i + 1))
done
[ -z "$wrong" ] && [ "$told" -ge 12 ]
ok $? "two admins step one user at once: one wins, the other is told${wrong:+ ($wrong)}"

# Look-ups and a change go on while a large import is written.
python3 - "$t/more.jsonl" "$users_n" <<'END'
import sys
with open(sys.argv[1], 'w') as f:
    for i in range(int(sys.argv[2])):
        print('{"user":"more%06d","uid":null}' % i, file=f)
END
"$BUILD/admin/mailferry" --config "$conf" import "$t/more.jsonl" >"$t/import.out" 2>&1 & import=$!
asked=0 bad=0
while kill -0 $import 2>/dev/null; do
	mailferry show alice || bad=1
	mailferry add "between$asked" || bad=1
	asked=$((asked + 1))
done
wait $import && [ $bad -eq 0 ] && [ $asked -gt 0 ] && mailferry list && [ "$(grep -c '^more' "$t/out")" -eq "$users_n" ] &&
	[ "$(grep -c '^between' "$t/out")" -eq $asked ]
ok $? "look-ups and changes go on during an import"
"$BUILD/admin/mailferry" --config "$conf" import "$t/a.csv" >/dev/null 2>&1 & import=$!
sleep 0.05
kill -9 $import 2>/dev/null
wait $import 2>/dev/null
mailferry show alice && mailferry list && [ "$(grep -c '^user0' "$t/out")" -eq "$users_n" ]
ok $? "an import that is killed changes nothing"
# Root sets up a map in mapd's own directory, as README does: it must be mapd's.
[ -z "$mapd" ] || mapd_stop
user_add 1
mkdir -m 700 "$t/own" "$t/own-run" && chown mferry1 "$t/own" "$t/own-run"
sed "s,^map = .*,map = tdb:$t/own/map.tdb,; s,^socket_dir.*,socket_dir = $t/own-run," "$conf" >"$t/own.conf"
chmod 644 "$t/own.conf"
own() { "$BUILD/admin/mailferry" --config "$t/own.conf" "$@" >"$t/out" 2>&1; }
printf '{"user":"x","state":"old"}\n' >"$t/own.users"
own add first && own import "$t/own.users" && is "$(stat -c %U "$t"/own/* | sort -u)" mferry1
ok $? "what root's command makes belongs to the owner of the map's directory"
setpriv --reuid=mferry1 --regid=nogroup --clear-groups "$BUILD/maps/mailferry-mapd" --config "$t/own.conf" --log stderr >"$t/own.log" 2>&1 & own=$!
wait_for grep -q ': started ' "$t/own.log"
grep -q ': started ' "$t/own.log" && own list && is "$(wc -l <"$t/out")" 2; r=$?
kill $own; wait $own
ok $r "mapd opens it, as its own user"
rm -f "$t"/own/* && echo secret >"$t/roots" && chmod 600 "$t/roots" && ln -s "$t/roots" "$t/own/map.tdb"
! own add second && is "$(cat "$t/roots")" secret && is "$(stat -c '%U %a' "$t/roots")" "root 600"
ok $? "a link that mapd's user put there leads root nowhere"
echo "1..$n"
