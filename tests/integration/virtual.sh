#!/bin/sh
# SPDX-License-Identifier: ISC
# virtual.sh - users without a uid of their own: the mail is one account's
#
# root's command works on it as that account.
set -u
. "$(dirname "$0")/../lib/site.sh"
site_begin
user_add 1
vmail=mferry1
echo "trusted_users = $vmail" >>"$conf"
mkdir "$t/old/x.test" "$t/new/x.test"
chown $vmail "$t/old/x.test" "$t/new/x.test"
sed -i "s|%u/Maildir|%d/%n|" "$conf"
mapd_start
lda()		# NUMBER [ARGUMENT...]
{
	i=$1
	shift
	printf 'Received: by mx (Postfix)\n\tid 4XYZ%06d; Mon\nSubject: %d\n\ntext\n' "$i" "$i" | env -i ASAN_OPTIONS=detect_leaks=0 \
		setpriv --reuid=$vmail --regid=nogroup --clear-groups "$BUILD/lda/mailferry-lda" --config "$conf" "$@" -d bob@x.test >"$t/out" 2>&1
}
theirs() { is "$(find "$t/old/x.test" "$t/new/x.test" ! -user $vmail)" ""; }

mailferry add bob@x.test && lda 1 && mailferry step bob@x.test overlap && lda 2 && theirs
ok $? "a virtual user on both sides, by one account"
sed -i '1s/ N[0-9]*/ N124/' "$t/old/x.test/bob/dovecot-uidlist"
mkdir "$t/old/x.test/bob/.Sub" &&
	mkdir "$t/old/x.test/bob/.Sub/cur" "$t/old/x.test/bob/.Sub/new" "$t/old/x.test/bob/.Sub/tmp" &&
	chown -R $vmail "$t/old/x.test/bob/.Sub"
mailferry step bob@x.test cutover --for 60 && mailferry step bob@x.test settle --force && theirs
ok $? "root hands over: every file is still the account's"
lda 3 && is "$(tail -n 1 "$t/new/x.test/bob/dovecot-uidlist" | cut -d' ' -f1)" 124
ok $? "and the account delivers"
lda 4 -a one && lda 4 -a two && lda 4 -a two &&
	is "$(cat "$t/new/x.test/bob/new/"* | grep -c '^Subject: 4')" 2
ok $? "one message to two extensions is two, though pipe(8) added no field that tells"
# The account leads root to a directory of root's, in place of a Maildir.
mkdir -p "$t/roots/cur" "$t/roots/new" "$t/roots/tmp" && ln -s "$t/roots" "$t/old/x.test/eve" && chown -h $vmail "$t/old/x.test/eve" && before=$(stat -c %y "$t/roots") &&
	mailferry add eve@x.test --state overlap && { mailferry step eve@x.test cutover --for 60; mailferry step eve@x.test settle --force; mailferry step eve@x.test settle; is "$(ls "$t/roots" | tr '\n' ' ')" "cur new tmp "; } && is "$(stat -c %y "$t/roots")" "$before" && theirs
ok $? "root does not follow the account's link"
mailferry add new@x.test --state overlap && mailferry step new@x.test cutover --for 60 && mailferry step new@x.test settle && theirs
ok $? "a user whose Maildirs are still to be made"
printf 'From s@x.test  Mon Jan  1 00:00:00 2026\nSubject: x\n\nx\n' >"$t/msg"
"$BUILD/lda/mailferry-lda" --config "$conf" -d nobody-1 nobody-2 nobody-3 <"$t/msg" >"$t/out" 2>&1
is "$? $(wc -l <"$t/out") $(grep -c '^4\.[0-9]\.[0-9] no such user: nobody-1' "$t/out")" "75 1 1"
ok $? "several users deferred: one line says why"
echo "1..$n"
