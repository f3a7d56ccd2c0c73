#!/bin/sh
# SPDX-License-Identifier: ISC
# modes.sh - what is made has the mode and the group of what it is made in
set -u
. "$(dirname "$0")/../lib/site.sh"
site_begin
user_add 1
u=mferry1
mapd_start
mailferry add $u && mailferry step $u overlap
lda()		# NUMBER [ARGUMENT...]
{
	i=$1
	shift
	printf 'Received: by mx (Postfix)\n\tid 4XYZ%06d; Mon\nSubject: %d\n\ntext\n' "$i" "$i" | env -i ASAN_OPTIONS=detect_leaks=0 \
		USER=$u LOGNAME=$u HOME="$t/home/$u" setpriv --reuid=$u --regid=nogroup --clear-groups \
		"$BUILD/lda/mailferry-lda" --config "$conf" "$@" >"$t/out" 2>&1
}
# Modes and groups below a Maildir, each once: directories, then files.
modes()
{
	(cd "$t/$1/$u" && find Maildir -type d -printf 'd %m %g\n' -o -type f ! -name maildirfolder ! -name subscriptions -printf 'f %m %g\n' | sort -u | tr '\n' ' ')
}

chgrp mail "$t/old/$u" "$t/new/$u" && chmod 2770 "$t/old/$u" "$t/new/$u"
lda 1 && is "$(modes old)" "d 2770 mail f 660 mail " && is "$(modes new)" "d 2770 mail f 660 mail "
ok $? "setgid: the group goes down, though the user is not in it"
sed -i '1s/ V[0-9]*/ V5/' "$t/new/$u/Maildir/dovecot-uidlist"
lda 2 && aside=$t/new/$u/Maildir/tmp/mailferry-aside && ls "$aside"/*.INBOX/new/* >>"$t/out" &&
	rm -r "$aside" &&
	is "$(modes new)" "d 2770 mail f 660 mail "
ok $? "a follower made anew is like the one that was set aside"
echo "1..$n"
