#!/usr/bin/env bash
# with_servers.sh COMMAND...: runs the command with DQLITE_SERVERS="addr..."
# set. Starts two servers for it, our embedded node and Debian's dqlite-demo,
# with their data in a fresh directory. However this script ends, by SIGKILL
# too, servers, command and directory are gone afterwards. With DQLITE_SERVERS
# set already it starts nothing. Needs what `make LUA=lua5.4` builds.
set -u
[ -n "${DQLITE_SERVERS:-}" ] && exec "$@"

cd "$(dirname "$0")/../.." || exit 1
readonly host=127.0.0.1
readonly patience=30 # seconds that a server may take to come up
dir=""
node_pid=""
demo_pid=""
command_pid=""

# Every child gets a process group of its own: Ctrl-C reaches this script
# alone, which then ends them in the right order.
set -m

fail() {
  printf 'with_servers: %s\n' "$1" >&2
  [ -s "${2:-}" ] && sed 's/^/  | /' "$2" >&2
  exit 1
}

# Nothing of a server is kept, so there is no need to let it finish.
kill_server() {
  [ -n "$1" ] || return 0
  kill -KILL "$1" 2>/dev/null
  wait "$1" 2>/dev/null
}

clean_up() {
  trap '' HUP INT TERM
  [ -n "$command_pid" ] && kill -TERM -- "-$command_pid" 2>/dev/null
  kill_server "$node_pid"
  kill_server "$demo_pid"
  [ -n "$dir" ] && rm -rf "$dir"
}

# Waits until this script, the only holder of descriptor 9, is dead, and ends
# what clean_up had no time for.
after_death() {
  trap '' HUP INT TERM
  cat >/dev/null
  [ -d "$dir" ] || return
  [ -s "$dir/command" ] && kill -KILL -- "-$(cat "$dir/command")" 2>/dev/null
  sleep 0.5
  rm -rf "$dir"
}

make_dir() {
  local base=${TMPDIR:-/tmp}
  [ -w /dev/shm ] && base=/dev/shm
  dir=$(mktemp -d "$base/lua-dqlite.XXXXXX") || fail "no temporary directory"
  mkdir "$dir/node"
  mkfifo "$dir/alive"
  after_death <"$dir/alive" >/dev/null 2>&1 &
  exec 9>"$dir/alive"
}

# server COMMAND...: becomes the command, killed when this script dies.
server() {
  exec 9>&-
  eval "$tree"
  exec setpriv --pdeathsig KILL "$@"
}

start_node() {
  local log=$dir/node.log word=""
  coproc node { server lua5.4 spec/support/node_process.lua "$dir/node" \
    "$host:0" 2>"$log"; }
  node_pid=$!
  read -r -t "$patience" word node_address <&"${node[0]}"
  [ "$word" = ready ] || fail "the embedded node did not come up" "$log"
}

free_port() (
  eval "$tree"
  lua5.4 - "$host" <<<'print(assert(require "dqlite.core".unused_port(...)))'
)

# http_answers PORT: a program that speaks HTTP listens there
http_answers() (
  exec 3<>"/dev/tcp/$host/$1" && printf 'GET /key HTTP/1.0\r\n\r\n' >&3 &&
    read -r -t 1 line <&3 && [[ $line == HTTP/* ]]
) 2>/dev/null

# demo_is_up PORT: its API answers, from the database, once the node is ready
demo_is_up() {
  local end=$((SECONDS + patience))
  while [ $SECONDS -lt $end ] && kill -0 "$demo_pid" 2>/dev/null; do
    http_answers "$1" && return 0
    sleep 0.05
  done
  return 1
}

# A port that was free may be taken by the time it is used: try again.
start_demo() {
  local log=$dir/demo.log api db
  for _ in 1 2 3 4 5; do
    api=$(free_port) && db=$(free_port) || fail "no unused port"
    [ "$api" != "$db" ] || continue
    server dqlite-demo -a "$host:$api" -d "$host:$db" -D "$dir/demo" \
      </dev/null >"$log" 2>&1 &
    demo_pid=$!
    demo_address=$host:$db
    demo_is_up "$api" && return
    kill_server "$demo_pid"
  done
  fail "dqlite-demo did not come up" "$log"
}

run() {
  local status
  (exec 9>&-; exec "$@") </dev/null &
  command_pid=$!
  echo "$command_pid" >"$dir/command"
  wait "$command_pid"
  status=$?
  command_pid=""
  return "$status"
}

trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
tree=$(make -s env LUA=lua5.4) || exit 1
make_dir
start_node
start_demo
DQLITE_SERVERS="$node_address $demo_address" run "$@"
