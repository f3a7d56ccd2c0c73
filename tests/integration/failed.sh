#!/bin/sh
# SPDX-License-Identifier: ISC
# failed.sh [all] - every system call of the LDA fails once; tests/crash/failed.py has the story
#
# With `all` each errno in each kind of mailbox.
set -u
. "$(dirname "$0")/../lib/site.sh"
crash_begin 3
python3 "$here/tests/crash/failed.py" "$@"
