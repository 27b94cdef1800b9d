#!/usr/bin/env bash
# check_layers.sh BUILD: which file may use what, one check for each rule.
# BUILD is where make has built for the Luas. Comments in the sources do not
# count. A rule that finds no file to look at fails. Ends with the line
# `N passed, N failed`.
set -u
shopt -s nullglob globstar
cd "$(dirname "$0")/../.." || exit 1
build=$1
passed=0
failed=0

cache=$(mktemp -d)
trap 'rm -rf "$cache"' EXIT

# strip FILE: its text without comments is in $cache/FILE then
strip() {
  [ ! -e "$cache/$1" ] || return 0
  mkdir -p "$cache/${1%/*}"
  case $1 in
  *.lua) sed 's/--.*//' "$1" ;;
  *) gcc -w -fpreprocessed -dD -E -P -x c "$1" ;;
  esac >"$cache/$1"
}

# except FILE FILE...: the others but the first
except() {
  local out=$1 file
  shift
  for file in "$@"; do
    [ "$file" = "$out" ] || echo "$file"
  done
}

# uses PATTERN FILE...: the lines of code that match (as Perl's), by file
uses() {
  local pattern=$1 file
  shift
  [ $# -gt 0 ] || { echo "no file to look at"; return; }
  for file in "$@"; do
    [ -f "$file" ] || echo "$file: no such file"
    strip "$file"
  done
  grep -PHs -- "$pattern" "${@/#/$cache/}" | sed "s|^$cache/||; s|:|: |"
}

# defines PATTERN NM_OPTION FILE...: the global symbols that do not match
defines() {
  local pattern=$1 option=$2 file names
  shift 2
  [ $# -gt 0 ] || echo "no file to look at"
  for file in "$@"; do
    names=$(nm "$option" --defined-only "$file" | awk 'NF == 3 { print $3 }')
    [ -n "$names" ] || echo "$file: no symbol"
    grep -vE -- "$pattern" <<<"$names" | sed "s|^|$file: |"
  done
}

# lacks FILE NAME...: those of the global symbols that it does not define
lacks() {
  local file=$1 name names
  shift
  names=$(nm -g --defined-only "$file" | awk 'NF == 3 { print $3 }')
  for name in "$@"; do
    grep -qxF -- "$name" <<<"$names" || echo "$file: no $name"
  done
}

# wants PATTERN FILE MEMBER...: what these members of an archive leave to others, and matches
wants() {
  local pattern=$1 file=$2
  shift 2
  file=$(realpath "$file")
  (cd "$cache" && ar x "$file" "$@") || { echo "no member $*"; return; }
  nm -u "${@/#/$cache/}" | grep -E -- "$pattern"
}

# clashes LUA FILE: global symbols of the archive FILE that another library defines
# which a program with all of it, with a node and with luv is linked to
clashes() {
  local program=$cache/program library names
  echo 'int main(void) { return 0; }' >"$program.c"
  gcc "$program.c" -Wl,--whole-archive "$2" -Wl,--no-whole-archive -Wl,--no-as-needed \
    -ldqlite -lraft -luv -lsqlite3 $(pkg-config --libs "$1") -ldl -o "$program" || return
  names=$(nm -g --defined-only "$2" | awk 'NF == 3 { print $3 }')
  ldd "$program" | awk '$3 ~ "^/" && $3 !~ "/libc\\." { print $3 }' >"$program.libraries"
  [ "$(grep -cE '/lib(dqlite|raft|uv|sqlite3|lua)' "$program.libraries")" -ge 5 ] ||
    echo "not linked to all of them"
  while read -r library; do
    nm -D --defined-only "$library" | awk -v f="$library" 'NF == 3 { print $3 }' | sed 's/@.*//' |
      grep -xF -- "$names" | sed "s|^|$library: |"
  done <"$program.libraries"
}

# rule TITLE COMMAND...: holds when the command prints nothing
rule() {
  local title=$1 found
  shift
  found=$("$@" 2>&1)
  if [ -z "$found" ]; then
    passed=$((passed + 1))
    echo "ok    $title"
  else
    failed=$((failed + 1))
    echo "FAIL  $title"
    echo "${found//$'\n'/$'\n'        }" | sed '1s/^/        /'
  fi
}

sources=(src/**/*.[ch])
core=(src/core/*.[ch])
include='^\s*#\s*include\s*[<"]'
socket_headers='(sys/socket|sys/un|netinet/|netdb|arpa/)'
allocators='(malloc|calloc|realloc|reallocarray|free|strdup|strndup)'
output='(v?f?printf|f?puts|putchar|perror|abort|_?exit|assert)'

rule 'src/core knows no Lua' \
  uses "$include(.*/)?(lua|lauxlib|lualib|luajit|luaconf)\.h" "${core[@]}"
rule 'sockets are known to src/core/sock.c alone' \
  uses "$include$socket_headers" \
  $(except src/core/sock.c "${sources[@]}")
rule 'poll(2) is known to src/core/poll.c alone' \
  uses "$include(poll|sys/poll)\.h" $(except src/core/poll.c "${sources[@]}")
rule 'nothing in src/core uses the socket' \
  uses "$include(.*/)?sock\.h" $(except src/core/sock.c "${core[@]}")
rule 'the socket knows no session' \
  uses "$include(.*/)?session\.h" src/core/sock.c src/core/sock.h
rule 'memory in src/core comes from buf.c alone' \
  uses "(?<![\w.>])$allocators\s*\(" $(except src/core/buf.c "${core[@]}")
rule 'src/core never aborts, never prints' \
  uses "(?<![\w.>])$output\s*\(" "${core[@]}"
rule 'global names of src/core begin with dqc_' \
  defines '^dqc_' -g "$build"/*/obj/core/*.o
rule 'libdqlite is known to src/node alone' \
  uses "$include(.*/)?dqlite\.h" src/{core,lua,host}/*.[ch]
rule 'src/host knows itself, lua/compat.h and the C library alone' \
  uses "$include(?!host/|lua/compat\.h|\w+\.h>)" src/host/*.[ch]
rule 'luadqlite.h includes nothing' \
  uses "$include" src/host/luadqlite.h
rule 'lua/dqlite/loop requires only dqlite.core, dqlite.error and itself' \
  uses 'require\W*dqlite\b(?!\.(core|error|loop\.\w+)\b(?![.\w]))' \
  lua/dqlite/loop/**/*.lua
# what asks nginx itself, beside the facade and the node's part of it
readonly in_nginx='lua/dqlite/(loop/(nginx|cosocket|handshake|phases)|leaders|tls|node/nginx)\.lua'
mapfile -t without_nginx < <(printf '%s\n' lua/dqlite/**/*.lua | grep -vxE "$in_nginx")
rule 'nginx is known to its loop, leaders.lua, tls.lua and node/nginx.lua alone' \
  uses '^[^"]*\bngx\.' "${without_nginx[@]}"
rule 'shared objects export luaopen_* alone' \
  defines '^luaopen_' -D "$build"/*/dqlite/*.so
documented=$(strip src/host/luadqlite.h; grep -oE '\w+\(' "$cache/src/host/luadqlite.h" | tr -d '(')
archives=("$build"/{lua5.4,luajit}/libluadqlite.a)
rule 'libluadqlite.a defines what luadqlite.h documents, and nothing else' \
  defines "^(${documented//$'\n'/|})\$" -g "${archives[@]}"
for lua in lua5.4 luajit; do
  archive=$build/$lua/libluadqlite.a
  rule "libluadqlite.a defines all of it, $lua" lacks "$archive" $documented
  rule "only its node needs libdqlite, $lua" \
    wants '\b(dqlite|sqlite3|uv|raft)_' "$archive" luadqlite_client.o
  rule "it clashes with no library of a node or of Lua, $lua" clashes "$lua" "$archive"
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
