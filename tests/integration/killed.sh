#!/bin/sh
# SPDX-License-Identifier: ISC
# killed.sh [all] - the LDA killed at every system call; tests/crash/killed.py has the story
#
# With `all` the retry is killed from every state that the first death leaves.
set -u
. "$(dirname "$0")/../lib/site.sh"
crash_begin 4
python3 "$here/tests/crash/killed.py" "$@"
