#!/usr/bin/env bash
# run.sh [PORT]: the inventory on a cluster of its own: three nodes, and nginx with two
# workers on the first free port from PORT (8080) on. A node that was killed starts
# again. Ctrl-C ends everything; all data are in a temporary directory.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tree=$(cd "$here/../.." && pwd)
build=$(realpath "${BUILD:-$tree/build}")
port=${1:-8080}
readonly pause=4 # seconds until a node starts again
dir=$(mktemp -d "${TMPDIR:-/tmp}/inventory.XXXXXX")
nginx=

finish() {
  trap '' HUP INT TERM
  exec 9>&- # the nodes' input ends
  [ -z "$nginx" ] || kill "$nginx" 2>/dev/null || true
  wait
  rm -rf "$dir"
}
trap finish EXIT
trap 'exit 0' HUP INT TERM
mkfifo "$dir/open"
exec 9<>"$dir/open"

# node ID: runs it, and tells its process id
node() {
  env -u LUA_INIT -u LUA_PATH_5_4 -u LUA_CPATH_5_4 \
    LUA_PATH="$tree/lua/?.lua;$tree/lua/?/init.lua;;" \
    LUA_CPATH="$build/lua5.4/?.so;;" lua5.4 "$here/node.lua" "$1" "$dir" <&0 &
  echo $! >"$dir/$1.pid"
  echo "node $1 starts, process $!"
  wait $!
}

# keep ID: the same, again and again, until the end of the input
keep() {
  local status
  trap '' INT # Ctrl-C reaches this one, too
  until node "$1"; do
    echo "node $1 has ended, and starts again in $pause s"
    status=0
    read -rt "$pause" || status=$?
    [ "$status" -gt 128 ] || break # not the time has passed: the input has ended
  done
}

for id in 1 2 3; do
  keep "$id" 9>&- <"$dir/open" 2>&1 &
  until [ -s "$dir/$id.address" ]; do sleep 0.05; done
done

is_open() {
  (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null
}

# As root the workers keep its rights: the tree may be readable to nobody else.
root=$([ "$(id -u)" -ne 0 ] || echo "user root;")

# start: nginx on the port, which somebody else may take first
start() {
  sed -e "s|@tree@|$tree|g; s|@build@|$build/luajit|g; s|@dir@|$dir|g; s|@port@|$port|g" \
    "$here/nginx.conf" >"$dir/nginx.conf"
  env -u LUA_PATH -u LUA_CPATH INVENTORY_NODES="$(cat "$dir"/?.address | xargs)" \
    nginx -p "$dir" -e stderr -c "$dir/nginx.conf" -g "daemon off; $root" 9>&- &
  nginx=$!
  until [ -s "$dir/nginx.pid" ]; do # written once it listens
    kill -0 "$nginx" 2>/dev/null || return 1
    sleep 0.05
  done
}

until ! is_open && start; do
  is_open || exit 1 # it said why
  port=$((port + 1))
done

echo
echo "The inventory is at http://127.0.0.1:$port/ (Ctrl-C ends it)."
echo "That page shows which node leads. Kill that one, and watch another take over:"
for id in 1 2 3; do echo "  node $id:  kill -9 \$(cat $dir/$id.pid)"; done
wait "$nginx"
