# SPDX-License-Identifier: ISC
# wait.sh - waiting for what must happen, whatever else this machine does
#
# Sourced by tests; $t is the test's directory, $t/out says why a test failed.  site.sh
# lists what is here.
patience=60			# seconds

wait_for()	# COMMAND...
{
	wait_until=$(($(date +%s) + patience))
	until "$@"; do
		[ "$(date +%s)" -lt $wait_until ] || { echo "never: $*" >>"$t/out"; return 1; }
		sleep 0.05
	done
}

no_file() { [ ! -e "$1" ]; }	# FILE

lacks()		# [OPTION...] PATTERN FILE...
{
	lacks_found=$(grep "$@" 2>&1)
	[ $? -ne 1 ] || return 0
	printf 'found, or not readable: %s\n%s\n' "$*" "$lacks_found" >>"$t/out"
	return 1
}

# How often PATTERN stands in FILE; 0 where there is no such file.
how_often() { grep -c -e "$1" "$2" 2>/dev/null || [ -e "$2" ] || echo 0; }
more_often() { [ "$(how_often "$2" "$3")" -gt "$1" ]; }	# THAN PATTERN FILE

slack()
{
	awk -v cpus="$(nproc)" '{ split($4, now, "/"); n = $1 > now[1] ? $1 : now[1]
		n /= cpus; print n <= 1 ? 1 : int(n + 0.999) }' /proc/loadavg
}

reread()	# PID LOG
{
	reread_was=$(how_often ': reload' "$2")
	kill -HUP "$1" && wait_for more_often "$reread_was" ': reload' "$2"
}
