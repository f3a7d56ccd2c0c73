#!/bin/sh
# SPDX-License-Identifier: ISC
# stopped.sh [all] - the LDA asleep at every system call; tests/crash/stopped.py has the story
set -u
. "$(dirname "$0")/../lib/site.sh"
crash_begin 3
python3 "$here/tests/crash/stopped.py" "$@"
