#!/usr/bin/env bash
# run_examples.sh LUA...: runs every examples/*.lua with this interpreter, a
# command with its environment. An example passes when it ends well within a
# minute and prints the lines of spec/support/examples/NAME.txt, in that
# order, each as a part of a line. One that says `-- Runs in LuaJIT` is for that
# alone. Ends with the line `N passed, N failed`.
set -u
shopt -s nullglob
cd "$(dirname "$0")/../.." || exit 1
passed=0
failed=0
output=$(mktemp)
trap 'rm -f "$output"' EXIT

# printed EXPECTED: the lines of this file are in the output, in their order
printed() {
  local wanted line
  [ -s "$1" ] || { echo "no lines to look for in $1"; return 1; }
  exec 3<"$output"
  while IFS= read -r wanted; do
    while IFS= read -r line <&3; do
      [[ $line == *"$wanted"* ]] && continue 2
    done
    echo "not printed: $wanted"
    return 1
  done <"$1"
}

for example in examples/*.lua; do
  if grep -q '^-- Runs in LuaJIT' "$example" && ! "$@" -e 'assert(jit)' 2>/dev/null; then
    echo "$example: in LuaJIT only"
    continue
  fi
  name=$(basename "$example" .lua)
  echo "$example"
  timeout 60 "$@" "$example" </dev/null 2>&1 | tee "$output"
  status=${PIPESTATUS[0]}
  if [ "$status" -eq 0 ] && printed "spec/support/examples/$name.txt"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "FAIL $example (exit status $status)"
  fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
