#!/bin/sh
# SPDX-License-Identifier: ISC
# line.sh - the command's line: options, help, several users, a cohort; the exit status
set -u
. "$(dirname "$0")/../lib/site.sh"
site_begin
for i in 1 2 3; do user_add $i; done
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
state() { "$BUILD/admin/mailferry" --config "$conf" show "$1" | sed -n 's/^state //p'; }

# Help needs neither a map nor a configuration; it is on the standard output.
help() { "$BUILD/admin/mailferry" "$@" >"$t/out" 2>"$t/errors" && [ ! -s "$t/errors" ] && says '^usage: '; }
all=0
for a in --help -h help "--config $t/nothere --help" "--json -h"; do
	# shellcheck disable=SC2086
	help $a && says '^  step  *USER... STATE$' && says '^  status$' || all=1
done
[ $all -eq 0 ]
ok $? "help is printed, with 0"
verbs=$("$BUILD/admin/mailferry" help | sed -n 's/^  \([a-z]*\).*/\1/p')
all=0 seen=0
for v in $verbs; do
	seen=$((seen + 1))
	help "$v" --help && says "^usage: mailferry $v" && cp "$t/out" "$t/help" && help help "$v" && cmp -s "$t/out" "$t/help" &&
		help -h "$v" && [ "$(awk 'length > 80' "$t/out" | wc -l)" -eq 0 ] || all=1
done
[ $all -eq 0 ] && [ $seen -ge 15 ]
ok $? "each verb has its own help, in three ways, in 80 columns"
all=0
for a in --version -V "show -V"; do
	# shellcheck disable=SC2086
	"$BUILD/admin/mailferry" $a >"$t/out" 2>&1 && says '^mailferry [0-9]' || all=1
done
[ $all -eq 0 ]
ok $? "the version"
"$BUILD/admin/mailferry" >"$t/out" 2>"$t/errors"; [ $? -eq 2 ] && [ ! -s "$t/out" ] && grep -q '^usage: ' "$t/errors"
ok $? "no verb: usage, as an error"
rc_is 2 frobnicate && says 'no such verb: frobnicate' && rc_is 2 help frobnicate && says 'no such verb: frobnicate'
ok $? "a verb that does not exist is named"

mapd_start
mailferry add $u && mailferry step $u overlap && mkdir "$t/cwd" && cd "$t/cwd" || exit 2
rc_is 0 export --format=csv && says '^user,' && rc_is 0 export --format csv && says '^user,' && [ -z "$(ls -A)" ]
ok $? "--format=csv is --format csv"
rc_is 0 history --limit=1 && is "$(wc -l <"$t/out")" 1 && rc_is 0 history $u --limit 1 && is "$(wc -l <"$t/out")" 1
ok $? "--limit=1, before and after the user"
rc_is 0 step $u cutover --for=60 --dry-run && says 'would step' && rc_is 0 step --for 60 $u --dry-run cutover && says 'would step' &&
	rc_is 0 step $u cutover --window=+5 +60 --dry-run && is "$(state $u)" overlap
ok $? "options stand anywhere on the line"
"$BUILD/admin/mailferry" --json --config="$conf" show $u >"$t/out" && says '^{"user":' && "$BUILD/admin/mailferry" show --config "$conf" $u --json >"$t/out" && says '^{"user":'
ok $? "also before the verb"
all=0
for v in $verbs; do rc_is 2 "$v" --nosuch && says "unknown option --nosuch" && says "^usage: mailferry $v" && [ -z "$(ls -A)" ] || all=1; done
[ $all -eq 0 ]
ok $? "each verb refuses an option that it does not have, and names it"
rc_is 2 export --dryrun && says 'unknown option --dryrun' && rc_is 2 export --dry-run=yes && says 'takes no value' && rc_is 2 export -x && says 'unknown option -x' && [ -z "$(ls -A)" ]
ok $? "nothing is written then"
rc_is 2 step $u cutover --for && says 'for needs SECONDS' && rc_is 2 step $u cutover --window +5 && says 'window needs BEGIN END'
ok $? "a value that is missing"
rc_is 2 step $u bogus && says 'bogus is no state' && says cutover && rc_is 2 list bogus && says 'bogus is no state' && rc_is 2 show --in bogus && says 'bogus is no state' &&
	rc_is 2 add x --state bogus && says 'bogus is no state' && rc_is 2 default overlap && says 'cannot be overlap' && rc_is 2 history --limit x && says 'limit: x' &&
	rc_is 2 history --limit 0 && rc_is 2 history --limit 5x && rc_is 2 step $u cutover --for 5x && says '5x' && says '2h' && rc_is 2 step $u cutover --for 367d && says 366d && rc_is 2 step $u cutover --for -5 && says 'for: -5' &&
	rc_is 2 step $u cutover --window +5 tomorrow && says tomorrow && says 2026 && rc_is 2 export --format xml && says xml && says passwd-file && rc_is 2 import --format ldif x && says ldif
ok $? "a bad value is named, and what is possible"
rc_is 2 step $u cutover && says 'needs --for' && rc_is 2 step $u old --for 60 && rc_is 2 step $u cutover --for 5 --window +5 +6 && is "$(state $u)" overlap
ok $? "a window for a cutover, and for nothing else"
rc_is 2 list old new && says 'one word too many: new' && rc_is 2 add && says 'a word is missing' && rc_is 2 add a b && rc_is 2 show && says 'no user is named' && rc_is 2 step overlap && says 'no user is named'
ok $? "a word too many, or too few"
rc_is 1 show -- --json && says -- '--json' && rc_is 0 export -- --nosuch && [ -s ./--nosuch ] && rm -- ./--nosuch
ok $? "behind -- there are no options"

# Several users.
mailferry add mferry2 && mailferry add mferry3 && rc_is 0 show mferry2 mferry3 && says '^user mferry2' && says '^user mferry3' && is "$(grep -c '^$' "$t/out")" 1 &&
	rc_is 0 show --json mferry2 mferry3 && is "$(wc -l <"$t/out")" 2
ok $? "show of two: an empty line between them, as JSON a line each"
rc_is 0 list && sort -c "$t/out" && is "$(wc -l <"$t/out")" 3 && rc_is 0 list --json && is "$(sed 's/.*"user":"\([^"]*\)".*/\1/' "$t/out" | tr '\n' ' ')" "mferry1 mferry2 mferry3 "
ok $? "list is sorted"
rc_is 0 step mferry2 mferry3 overlap && is "$(state mferry2) $(state mferry3)" "overlap overlap" && rc_is 0 step mferry2 mferry3 cutover --for 1m && is "$(state mferry2) $(state mferry3)" "cutover cutover" &&
	rc_is 0 step mferry2 mferry3 overlap && rc_is 0 undo mferry2 mferry2 && is "$(state mferry2)" cutover && rc_is 0 step mferry2 overlap
ok $? "step USER... STATE: the last word is the state; a user named twice is one"
printf '# wave 3\nmferry2\n\n  mferry3   # the boss\n' >wave && rc_is 0 step --cohort wave old && is "$(state mferry1) $(state mferry2) $(state mferry3)" "overlap old old" &&
	rc_is 0 step mferry1 --cohort=wave --dry-run overlap && says 'mferry2 would' && says 'mferry3 would' && rc_is 0 step overlap --cohort - <wave && is "$(state mferry3)" overlap
ok $? "a cohort: a user a line, with comments, from a file or the standard input"
printf 'mferry2\nmferry3 mferry1\n' >bad && rc_is 1 step --cohort bad old && says 'bad:2: one user a line' && is "$(state mferry2)" overlap && rc_is 1 show --cohort nothere && says 'open nothere' && rc_is 1 show --cohort / && says 'read /: '
ok $? "a cohort that cannot be read: named by file and line, and nobody is stepped"
rc_is 0 step mferry1 old && rc_is 0 show --in overlap && silent mferry1 && is "$(sed -n 's/^user //p' "$t/out" | tr '\n' ' ')" "mferry2 mferry3 " && rc_is 0 show --in=old --cohort wave && [ ! -s "$t/out" ] &&
	rc_is 0 step mferry1 mferry2 --in old overlap && is "$(state mferry1)" overlap && rc_is 0 step --in overlap old && is "$(mailferry list old; wc -l <"$t/out")" 3
ok $? "--in STATE: of those that are named, else everybody"
rc_is 0 delete --in old --dry-run && is "$(grep -c 'would be deleted' "$t/out")" 3 && rc_is 0 explain --cohort wave && says '^mferry2 is in state old' && says '^mferry3 is in state old'
ok $? "delete and explain as well"

# The worst status: 2 before 1 before 75 before 0; each error has its user.
rc_is 1 step mferry2 nosuchuser mferry3 overlap && says '^mailferry: nosuchuser' && is "$(state mferry2) $(state mferry3)" "overlap overlap"
ok $? "one of three is refused: 1, and the others are stepped"
m=$t/old/mferry2/Maildir
mkdir -p "$m/cur" "$m/new" "$m/tmp" && echo "1:elsewhere" >"$m/dovecot-uidlist.lock" && printf '3 V17 N4 G%032d\n' 7 >"$m/dovecot-uidlist" && chown -R mferry2 "$m"
sed -i 's/^deadline.*/deadline = 1/' "$conf"
rc_is 75 step mferry1 mferry2 old && says 'mferry2 is in old, but' && rc_is 1 step mferry2 nosuchuser mferry3 overlap && is "$(state mferry3)" overlap
ok $? "1 outranks 75, and 75 outranks 0"
as_user() { setpriv --reuid=mferry1 --regid=nogroup --clear-groups "$BUILD/admin/mailferry" --config "$conf" "$@" >"$t/out" 2>&1; got=$?; }
mapd_stop
as_user show mferry1 mferry2 o; is $got 75 && says '^mailferry: mferry1: ' && says '^mailferry: mferry2: ' && says '^mailferry: o: '
ok $? "no mapd: 75, with each user's name"
echo "1..$n"
