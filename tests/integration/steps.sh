#!/bin/sh
# SPDX-License-Identifier: ISC
# steps.sh [ROUNDS] - a user steps through all states while LDAs deliver; its story is in
# tests/crash/steps.py.  A round takes 40 seconds and does some hundred steps.
set -u
. "$(dirname "$0")/../lib/site.sh"
crash_begin $((${1:-1} + 1))
python3 "$here/tests/crash/steps.py" "$@"
