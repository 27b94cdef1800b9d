#!/usr/bin/env bash
# check.sh 'NAME=COMMAND'...: runs each command and compares what it prints with
# expected/NAME.txt; NAME ends at a comma. Ends with the line `N passed, N failed`.
set -u
cd "$(dirname "$0")" || exit 1
passed=0
failed=0

for check in "$@"; do
  name=${check%%=*}
  found=$(timeout 120 bash -c "${check#*=}" </dev/null)
  status=$?
  if [ $status -eq 0 ] && diff "expected/${name%%,*}.txt" - <<<"$found"; then
    passed=$((passed + 1))
    echo "ok    $name"
  else
    failed=$((failed + 1))
    echo "FAIL  $name (exit status $status)"
  fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
