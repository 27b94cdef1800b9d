#!/usr/bin/env bash
# run.sh: every way to install, each into an empty place. Needs what make has built in
# BUILD for lua5.4 and luajit (all, static, and the tarball TARBALL) and starts a node.
# The last line is `N passed, N failed`.
set -u
cd "$(dirname "$0")/../.." || exit 1
export BUILD
tarball=$(realpath "$TARBALL")
dir=$(mktemp -d)
clean_up() {
  trap '' HUP INT TERM
  [ -n "${node_PID:-}" ] && kill -KILL "$node_PID" && wait "$node_PID"
  rm -rf "$dir"
} 2>/dev/null
trap clean_up EXIT
trap 'exit 143' HUP INT TERM

start_node() {
  coproc node { eval "$(make -s env LUA=lua5.4)" &&
    exec lua5.4 spec/support/node_process.lua "$dir/node" 127.0.0.1:0; }
  local word address
  read -r -t 30 word address <&"${node[0]}"
  [ "$word" = ready ] || exit 1
  export DQLITE_ADDRESS=$address
}

# The longest first. The compiler works hardest where most will have it work.
start_node
cd spec/install || exit 1
../support/run_suites.sh -j 2 \
  "luarocks, lua5.4=./luarocks.sh lua5.4 '$tarball' -O2 pack" \
  "luarocks, luajit=./luarocks.sh luajit '$tarball' -O1 pack" \
  "source rock=./source_rock.sh lua5.4 '$tarball'" \
  "luarocks, lua5.3=./luarocks.sh lua5.3 '$tarball' -O0" \
  "luarocks, lua5.2=./luarocks.sh lua5.2 '$tarball' -O0" \
  "luarocks, lua5.1=./luarocks.sh lua5.1 '$tarball' -O0" \
  "tarball=./dist.sh lua5.4 '$tarball'" \
  'make install, lua5.4=./make.sh lua5.4 luajit' \
  'make install, luajit=./make.sh luajit lua5.4'
