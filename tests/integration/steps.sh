#!/bin/sh
# steps.sh [SECONDS] - a user steps through all states while LDAs deliver; its story is in
# tests/crash/steps.py.  A soak: some thousands of SECONDS.
set -u
. "$(dirname "$0")/../lib/site.sh"
crash_begin 1
python3 "$here/tests/crash/steps.py" "$@"
