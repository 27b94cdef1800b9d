#!/usr/bin/env bash
# run.sh SECONDS DIRECTORY PROGRAM...: lets each libFuzzer program NAME_fuzz
# run for that time. DIRECTORY/seeds/NAME is what it begins with, what it
# learns is kept in DIRECTORY/grown/NAME, inputs that break something go to
# DIRECTORY/found. A program passes that ran some inputs and found nothing.
# Ends with the line `N passed, N failed`.
set -u
seconds=$1
directory=$2
shift 2
passed=0
failed=0
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1
export UBSAN_OPTIONS=print_stacktrace=1

# fuzz NAME PROGRAM LOG
fuzz() {
  local dictionary=spec/fuzz/wire.dict
  [ -f "spec/fuzz/$1.dict" ] && dictionary=spec/fuzz/$1.dict
  mkdir -p "$directory/grown/$1" "$directory/found"
  "$2" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 \
    -max_len=4096 -dict="$dictionary" -print_final_stats=1 \
    -artifact_prefix="$directory/found/$1-" \
    "$directory/grown/$1" "$directory/seeds/$1" >"$3" 2>&1
}

# executions LOG: how many inputs were run
executions() {
  sed -nE 's/^stat::number_of_executed_units: *([0-9]+)/\1/p' "$1"
}

# coverage LOG: what they reached, from libFuzzer's last line
coverage() {
  sed -nE 's/^#[0-9]+\s+DONE +cov: ([0-9]+) ft: ([0-9]+) corp: ([0-9]+).*/\
\1 edges, \2 features, \3 inputs kept/p' "$1" | tail -n 1
}

for program in "$@"; do
  name=$(basename "$program" _fuzz)
  log=$directory/$name.log
  fuzz "$name" "$program" "$log"
  status=$?
  count=$(executions "$log")
  echo "$name: ${count:-0} executions, $(coverage "$log")"
  if [ "$status" -eq 0 ] && [ "${count:-0}" -gt 0 ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "FAIL  $name, exit status $status; the end of $log:"
    grep -vE '^#[0-9]+\s' "$log" | tail -n 40 | sed 's/^/      /'
  fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
