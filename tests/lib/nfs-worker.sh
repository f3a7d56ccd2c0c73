#!/bin/sh
# SPDX-License-Identifier: ISC
# nfs-worker.sh DIR USER HOST FIRST LAST - deliver, and retry as Postfix does
#
# As the user, on the host.  Messages HOST-FIRST ... HOST-LAST; in DIR/log a line for each
# attempt that failed (`HOST-N STATUS REASON`), in DIR/sent one for each message that is done.
# Any status but 0, 75 and 142 (the deadline's SIGALRM) is a fault, and so is a retry
# without end.  LDA_TRACE is put before the first attempt only.
dir=$1 user=$2 host=$3 n=$4
msg=$dir/msg.$user.$host.$n out=$dir/out.$user.$host.$n
while [ "$n" -le "$5" ]; do
	{
		printf 'From s@x.test  Mon Jan  1 00:00:00 2026\nReceived: by mx.%s (Postfix)\n\tid 4XYZ%s%05d; Mon\nSubject: %s-%d\n\n' \
			"$host" "${host#host}" "$n" "$host" "$n"
		[ $((n % 3)) -ne 0 ] || head -c 30000 /dev/zero | tr '\0' x
		echo end
	} >"$msg"
	tries=0
	while :; do
		LOGNAME=$user USER=$user HOME=/ RECIPIENT=$user@x.test \
			$LDA_TRACE "$LDA" --config "$dir/conf" <"$msg" >"$out" 2>&1
		status=$?
		LDA_TRACE=
		[ $status -ne 0 ] || break
		tries=$((tries + 1))
		echo "$user $host-$n $status $(tail -n 1 "$out")" >>"$dir/log"
		case $status in
		75|142) ;;
		*) echo "$user $host-$n: status $status" >>"$dir/faults";;
		esac
		[ $tries -lt 300 ] || { echo "$user $host-$n: never" >>"$dir/faults"; break; }
		sleep 0.3
	done
	echo "$user $host-$n" >>"$dir/sent"
	n=$((n + 1))
done
