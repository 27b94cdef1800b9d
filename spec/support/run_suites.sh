#!/usr/bin/env bash
# run_suites.sh [-j N] 'TITLE=COMMAND'...: runs each command in turn and shows
# what it prints; or N at a time, each shown when it is done. A suite's result
# is the last line `N passed, N failed` that it printed. One without such a
# line, one that ran nothing, and one that ends with an error though it counted
# none, adds one failure. Prints a line for each suite and, last of all, the sum
# in the same form, so that suites nest.
set -u

at_once=1
if [ "${1:-}" = -j ]; then
  at_once=$2
  shift 2
fi
dir=$(mktemp -d)
clean_up() {
  trap '' HUP INT TERM
  local pid
  for pid in $(jobs -p); do kill -TERM -- "-$pid" 2>/dev/null; done
  wait 2>/dev/null
  rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
total_passed=0
total_failed=0
summary=""

# counts LOG STATUS: what the log says, as "passed failed note"
counts() {
  local passed failed
  read -r passed failed < <(
    sed -nE 's/^([0-9]+) passed, ([0-9]+) failed$/\1 \2/p' "$1" | tail -n 1)
  if [ -z "${failed:-}" ]; then
    echo "0 1 (no count: it crashed or never ran, exit status $2)"
  elif [ $((passed + failed)) -eq 0 ]; then
    echo "0 1 (nothing was run)"
  elif [ "$failed" -eq 0 ] && [ "$2" != 0 ]; then
    echo "$passed 1 (exit status $2)"
  else
    echo "$passed $failed"
  fi
}

# add TITLE LOG STATUS SECONDS
add() {
  local passed failed note
  read -r passed failed note < <(counts "$2" "$3")
  total_passed=$((total_passed + passed))
  total_failed=$((total_failed + failed))
  summary+=$(printf '%-24s %5d passed, %d failed  %4d s  %s' \
    "$1" "$passed" "$failed" "$4" "$note")$'\n'
}

# run TITLE COMMAND
run() {
  local start=$SECONDS status
  printf '== %s\n' "$1"
  bash -c "$2" </dev/null 2>&1 | tee "$dir/log"
  status=${PIPESTATUS[0]}
  add "$1" "$dir/log" "$status" $((SECONDS - start))
}

# start LOG COMMAND: leaves "STATUS SECONDS" in LOG.end
start() {
  (
    start=$SECONDS
    bash -c "$2" </dev/null >"$1" 2>&1
    echo "$? $((SECONDS - start))" >"$1.end"
  ) &
}

# show TITLE LOG
show() {
  local status=none seconds=0
  [ -s "$2.end" ] && read -r status seconds <"$2.end"
  printf '== %s\n' "$1"
  cat "$2"
  add "$1" "$2" "$status" "$seconds"
}

# beside SUITE...: shows them in their order. Each has a process group of its
# own, for clean_up.
beside() {
  local i running=0 next=0 suites=("$@")
  set -m
  for i in "${!suites[@]}"; do
    while [ ! -s "$dir/$i.end" ]; do
      while [ $next -lt $# ] && [ $running -lt "$at_once" ]; do
        start "$dir/$next" "${suites[next]#*=}"
        next=$((next + 1))
        running=$((running + 1))
      done
      [ $running -gt 0 ] || break # killed, before it could tell
      wait -n
      running=$((running - 1))
    done
    show "${suites[i]%%=*}" "$dir/$i"
  done
}

if [ "$at_once" -gt 1 ]; then
  beside "$@"
else
  for suite in "$@"; do run "${suite%%=*}" "${suite#*=}"; done
fi
printf -- '--\n%s' "$summary"
printf '%d passed, %d failed\n' "$total_passed" "$total_failed"
[ "$total_failed" -eq 0 ] && [ "$total_passed" -gt 0 ]
