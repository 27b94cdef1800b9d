# For the checks of installations, which source this. Each is a list of steps: the
# first that goes wrong ends it, for the others are of no use then. The last line is
# `N passed, N failed`. Beforehand: DQLITE_ADDRESS, a node that serves; BUILD.

set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# not in memory, from where no library may be loaded on some machines
scratch=$(mktemp -d "${TMPDIR:-/tmp}/lua-dqlite.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 143' HUP INT TERM
readonly root scratch
passed=0
unset LUA_INIT "${!LUA_PATH@}" "${!LUA_CPATH@}" "${!LUA_INIT@}" MAKEFLAGS MAKELEVEL
export HOME=$scratch

# step TITLE COMMAND...: its output is shown only when it fails
step() {
  local title=$1
  shift
  if "$@" >"$scratch/log" 2>&1; then
    passed=$((passed + 1))
    echo "ok    $title"
    return
  fi
  echo "FAIL  $title"
  tail -n 40 "$scratch/log" | sed 's/^/        /'
  echo "$passed passed, 1 failed"
  exit 1
}

finish() {
  echo "$passed passed, 0 failed"
}

# fails_with TEXT COMMAND...: it does, and says that
fails_with() {
  local text=$1 output
  shift
  if output=$("$@" 2>&1); then
    echo "did not fail: $*"
    return 1
  fi
  echo "$output"
  [[ $output == *"$text"* ]]
}

version_of() {
  local name=${1#lua}
  echo "${name/jit/5.1}"
}

# installed LUA PREFIX COMMAND...: with the modules that are installed there and no
# other, in another directory than that of the sources
installed() (
  local version
  version=$(version_of "$1")
  local share=$2/share/lua/$version lib=$2/lib/lua/$version
  shift 2
  mkdir -p "$scratch/elsewhere" && cd "$scratch/elsewhere" || return
  exec env LUA_PATH="$share/?.lua;$share/?/init.lua" LUA_CPATH="$lib/?.so" "$@"
)

# says_hello COMMAND...: the quick start does so last of all
says_hello() {
  "$@" >"$scratch/output" 2>&1
  local status=$?
  cat "$scratch/output"
  [ $status -eq 0 ] && tail -n 1 "$scratch/output" | grep -qxP '\d+\thello'
}

# quick_start LUA PREFIX: with the node that serves
quick_start() {
  cp "$root/examples/quickstart.lua" "$scratch"
  says_hello installed "$1" "$2" timeout 30 \
    "$1" "$root/spec/install/inside.lua" "$2" "$scratch/quickstart.lua"
}

# quick_start_with_node LUA PREFIX: with the embedded node
quick_start_with_node() (
  unset DQLITE_ADDRESS
  quick_start "$@"
)

# requires LUA PREFIX MODULE
requires() {
  installed "$1" "$2" "$1" -e "require '$3'"
}

# exports DIR: each shared object there has luaopen_* and nothing else
exports() {
  local libraries library names
  mapfile -t libraries < <(find "$1" -name '*.so')
  [ ${#libraries[@]} -gt 0 ] || return
  for library in "${libraries[@]}"; do
    names=$(nm -D --defined-only "$library" | awk '{ print $3 }')
    echo "$library: ${names//$'\n'/ }"
    [ -n "$names" ] && ! grep -v '^luaopen_' <<<"$names" || return
  done
}

# needs_libc_alone PREFIX: the client's C module
needs_libc_alone() {
  local library
  library=$(find "$1" -name core.so)
  [ -n "$library" ] || return
  ! objdump -p "$library" | grep NEEDED | grep -vE ' (libc\.so|ld-linux)[^ ]*$'
}

# nothing_left DIR: nothing of ours, and all of what others have there
nothing_left() {
  ! find "$1" -path "$1/*dqlite*" | grep . && ! find "$1" -path '*/resty*' | grep .
}
