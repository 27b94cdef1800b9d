#!/usr/bin/env bash
# check.sh COMMAND...: one check for run_suites.sh. The command's exit status
# is the result; it becomes the line `N passed, N failed`.
if "$@"; then
  echo "1 passed, 0 failed"
else
  echo "0 passed, 1 failed"
  exit 1
fi
