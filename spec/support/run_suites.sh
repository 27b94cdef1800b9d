#!/usr/bin/env bash
# run_suites.sh 'TITLE=COMMAND'...: runs each command in turn and shows what
# it prints. A suite's result is the last line `N passed, N failed` that it
# printed. One without such a line, one that ran nothing, and one that ends
# with an error though it counted none, adds one failure. Prints a line for
# each suite and, last of all, the sum in the same form, so that suites nest.
set -u

log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
total_passed=0
total_failed=0
summary=""

# counts STATUS: what the log says, as "passed failed note"
counts() {
  local passed failed
  read -r passed failed < <(
    sed -nE 's/^([0-9]+) passed, ([0-9]+) failed$/\1 \2/p' "$log" | tail -n 1)
  if [ -z "${failed:-}" ]; then
    echo "0 1 (no count: it crashed or never ran, exit status $1)"
  elif [ $((passed + failed)) -eq 0 ]; then
    echo "0 1 (nothing was run)"
  elif [ "$failed" -eq 0 ] && [ "$1" -ne 0 ]; then
    echo "$passed 1 (exit status $1)"
  else
    echo "$passed $failed"
  fi
}

# run TITLE COMMAND
run() {
  local start=$SECONDS status passed failed note
  printf '== %s\n' "$1"
  bash -c "$2" </dev/null 2>&1 | tee "$log"
  status=${PIPESTATUS[0]}
  read -r passed failed note < <(counts "$status")
  total_passed=$((total_passed + passed))
  total_failed=$((total_failed + failed))
  summary+=$(printf '%-24s %5d passed, %d failed  %4d s  %s' \
    "$1" "$passed" "$failed" $((SECONDS - start)) "$note")$'\n'
}

for suite in "$@"; do
  run "${suite%%=*}" "${suite#*=}"
done
printf -- '--\n%s' "$summary"
printf '%d passed, %d failed\n' "$total_passed" "$total_failed"
[ "$total_failed" -eq 0 ] && [ "$total_passed" -gt 0 ]
