#!/bin/sh
# SPDX-License-Identifier: ISC
# leader.sh - a new record has no leader but the default's where the other side has mail
set -u
. "$(dirname "$0")/../lib/site.sh"
site_begin
for i in 1 2 3 4; do user_add $i; done
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
mail()		# USER SIDE N MESSAGES
{
	m=$t/$2/$1/Maildir
	mkdir -p "$m/cur" "$m/new" "$m/tmp"
	printf '3 V1600000000 N%d G%032d\n' "$3" 1 >"$m/dovecot-uidlist"
	i=0
	while [ $i -lt "$4" ]; do
		i=$((i + 1))
		printf 'Subject: %d\n\nx\n' $i >"$m/cur/1600000000.M${i}P1.h:2,S"
		echo "$i :1600000000.M${i}P1.h" >>"$m/dovecot-uidlist"
	done
	chown -R "$1" "$m"
}
none() { mailferry show "$1" && says '^default yes$'; }

mapd_start
mail $u old 124 2 && mail $u new 90 1
for s in settle new; do
	rc_is 1 add $u --state $s --dry-run && says "has mail in $t/old/$u/Maildir, and new would lead" && rc_is 1 add $u --state $s && says 'mailferry move' && none $u
	ok $? "add --state $s: the next UID is 124 on old, 90 on new: refused"
done
printf '{"user":"%s","state":"settle"}\n' $u >"$t/line" && rc_is 1 import "$t/line" && says 'and new would lead' && says 'nothing was imported' && rc_is 1 import --dry-run "$t/line" && none $u
ok $? "import as well"
printf '{"user":"%s","state":"new","led":3,"version":7}\n' $u >"$t/line" && rc_is 1 import "$t/line" && none $u
ok $? "also a line that says when its leader changed: any line can"
rc_is 0 add $u && rc_is 0 delete $u && mail mferry2 new 5 4 && rc_is 0 add mferry2 --state overlap && rc_is 0 step mferry2 old && rc_is 0 delete mferry2 && rc_is 0 add mferry4 --state settle && mailferry show mferry4 && says '^leader new$'
ok $? "the default's leader may lead whatever lies on new; and new, where old has nothing"

# A map that is restored, or carried to another backend.
printf '{"user":"%s","state":"settle"}\n{"user":"mferry3","state":"overlap"}\n' $u >"$t/line"
rc_is 0 import --force --dry-run "$t/line" && none $u && rc_is 0 import --force "$t/line" && says '^2 added' && says '1 of them leads where the default does not, as --force says' &&
	mailferry show $u && says '^leader new$'
ok $? "import --force takes it, and says so"
rc_is 0 import --force "$t/line" && says '2 the same' && ! grep -q 'as --force says' "$t/out"
ok $? "once more: it is there, and nothing is said"
mail mferry2 old 5 4 && rc_is 1 add mferry2 --state new && rc_is 0 add mferry2 --state new --force && says "new leads, as --force says, and mail lies in $t/old/mferry2/Maildir"
ok $? "add --force"

# A line that would hand over: no side would be made ready.
mailferry step mferry3 cutover --for 60 && printf '{"user":"mferry3","state":"settle"}\n' >"$t/line" && rc_is 1 import "$t/line" && says 'would change who leads, from old to new' &&
	rc_is 1 import --force "$t/line" && mailferry show mferry3 && says '^state cutover$' && mailferry step mferry3 settle
ok $? "import makes no hand-over: step does"

# RESTORING in mailferry-map(5), to the letter: the map of before a change of leader is back.
u=mferry3
lda()		# STATUS
{
	printf 'Received: by mx (Postfix)\n\tid 4XYZ00%s; Mon\nSubject: s\n\nx\n' "$1" |
		env -i ASAN_OPTIONS="$ASAN_OPTIONS" USER=$u LOGNAME=$u HOME="$t/home/$u" RECIPIENT=$u@x.test \
		setpriv --reuid=$u --regid=nogroup --clear-groups "$BUILD/lda/mailferry-lda" --config "$conf" >"$t/out" 2>&1
	is $? "$1"
}
mailferry step $u cutover --for 60 && mailferry step $u overlap && lda 0 && mailferry export "$t/backup" &&
	mailferry step $u cutover --for 60 && mailferry step $u settle && lda 0 && mailferry show --json $u && cp "$t/out" "$t/truth" &&
	mapd_stop && rm -rf "$t/map" && mkdir -m 700 "$t/map" && mapd_start && mailferry import --force "$t/backup" && mailferry show $u && says '^state overlap$' && lda 75 && says 'old map restored'
ok $? "a restored map that is too old: mail is deferred, and says why"
mailferry step $u old && mailferry delete $u && python3 - "$t/truth" >"$t/line" <<'END' && rc_is 0 import --force "$t/line" && mailferry show $u && says '^state settle$' && lda 0
import json, sys
o = json.load(open(sys.argv[1]))
print(json.dumps({k: o[k] for k in ("user", "state", "version", "led")}))
END
ok $? "the record is made right: mail flows"

# Where the side that leads by the default cannot be seen, it may have mail.
mapd_stop && printf 'old_filer = %s/old\nnew_filer = %s/new\nskew = 1\n' "$t" "$t" >>"$conf" && sed -i 's/^deadline.*/deadline = 2/' "$conf" &&
	mailferry doctor --init && mapd_start && user_add 5 && user_add 6 && mail mferry5 old 5 4 && mv "$t/old" "$t/away" && mkdir "$t/old"
printf '{"user":"mferry5","state":"settle"}\n' >"$t/line"
rc_is 75 add mferry5 --state settle && says 'new would lead for mferry5' && says 'not mounted' && none mferry5 && rc_is 75 import "$t/line" && says 'not mounted' && says 'nothing was imported' && none mferry5
ok $? "a filer that is not mounted: add and import wait"
rc_is 75 default new && says 'not mounted' && mailferry default && says '^state old$'
ok $? "and so does the default"
rc_is 0 add mferry6 --state settle --force && says 'as --force says'
ok $? "--force takes it all the same, and says so"
rmdir "$t/old" && mv "$t/away" "$t/old" && rc_is 1 add mferry5 --state settle && says 'has mail in'
ok $? "mounted again: it has mail"

# The default has a verb of its own, which looks.
rm -r "$t/old/mferry5/Maildir" && rc_is 0 default new && mail mferry5 new 5 4 && rc_is 1 undo '*' && says 'mailferry default' && rc_is 1 delete '*' && says 'mailferry default' &&
	rc_is 1 undo --dry-run '*' && rc_is 1 default old && says mferry5 && mailferry default && says '^state new$'
ok $? "neither undo nor delete changes it"
echo "1..$n"
