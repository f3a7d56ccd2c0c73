#!/bin/sh
# SPDX-License-Identifier: ISC
# recipe_cases.sh - cases of rc files: as procmail, and on both sides beside a map
#
# The cases in tests/rc, and some that are generated (tests/fuzz/rcdiff), are run by Debian's
# procmail and by mailferry-lda: without a map, and with the user in overlap and in
# settle (tests/lib/rcboth.py says what must be equal).  BUILD is the build directory;
# PROCMAIL_CASES another directory of cases in the same format, which are run as well.
set -u
: "${BUILD:?}"
src=$(cd "$(dirname "$0")/../.." && pwd)
t=$(mktemp -d) || exit 2
trap 'rm -rf "$t"' EXIT
trap 'exit 2' INT TERM
chmod 755 "$t"
PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE

corpus=${PROCMAIL_CASES:-}
(
	python3 "$src/tests/fuzz/rcdiff" "$BUILD" "$src/tests/rc"
	python3 "$src/tests/fuzz/rcdiff" --jobs 1 --count 100 --seed 1 --save "$t/found" "$BUILD" >"$t/out" 2>&1
	status=$?
	[ $status -eq 0 ] && echo "ok - 100 generated rc files" || { echo "not ok - 100 generated rc files"
		cat "$t/out" "$t"/found/* 2>/dev/null | sed 's/^/# /'; }
) >"$t/alone" 2>&1 &
python3 "$src/tests/lib/rcboth.py" --jobs 4 "$BUILD" "$src/tests/rc" ${corpus:+"$corpus"} >"$t/both" 2>&1
wait
awk '/^(not )?ok - / { sub(/ok - /, "ok " ++n " - ") } !/^(not )?ok / && !/^#/ { $0 = "# " $0 } { print } END { print "1.." n + 0 }' "$t/alone" "$t/both"
