#!/usr/bin/env bash
# luarocks.sh LUA TARBALL CFLAGS [pack]: both rocks made from their rockspecs in the
# tree of the tarball, into an empty tree; with `pack` also installed into another
# from what `luarocks pack` makes of them.
. "$(dirname "$0")/steps.sh"
readonly lua=$1 tarball=$2 cflags=$3 packing=${4:-}
readonly made=$scratch/made packed=$scratch/packed

configure() {
  [ "$lua" = luajit ] || return 0
  cat >"$scratch/config.lua" <<END
lua_interpreter = "luajit"
variables = {
  LUA_DIR = "/usr",
  LUA_BINDIR = "/usr/bin",
  LUA_INCDIR = "/usr/include/luajit-2.1",
}
END
  export LUAROCKS_CONFIG=$scratch/config.lua
}

# rocks TREE COMMAND ARGUMENT...
rocks() {
  local tree=$1
  shift
  luarocks --lua-version="$(version_of "$lua")" --tree "$tree" "$@"
}

# build NAME [VARIABLE=VALUE...]
build() {
  local rockspec=$1-scm-1.rockspec
  shift
  (cd "$source" && rocks "$made" make --deps-mode none "$rockspec" \
    "CFLAGS=$cflags -fPIC" "$@")
}

pack() {
  (mkdir -p "$scratch/rocks" && cd "$scratch/rocks" && rocks "$made" pack "$1")
}

install_packed() {
  rocks "$packed" install --deps-mode none "$scratch/rocks/$1"-scm-1.linux-*.rock
}

remove() {
  rocks "$1" remove --deps-mode none "$2"
}

configure
tar xf "$tarball" -C "$scratch"
source=$(echo "$scratch"/lua-dqlite-*/)
step 'luarocks make lua-dqlite' build lua-dqlite
step 'it needs libc alone' needs_libc_alone "$made"
step 'the quick start' quick_start "$lua" "$made"
step 'without the node it says what to install' \
  fails_with 'luarocks install lua-dqlite-node' requires "$lua" "$made" dqlite.node
step 'without libdqlite, too' \
  fails_with 'Debian: libdqlite-dev' build lua-dqlite-node CC='gcc -nostdinc'
step 'luarocks make lua-dqlite-node' build lua-dqlite-node
step 'the quick start with its node' quick_start_with_node "$lua" "$made"
step 'exported symbols' exports "$made"
if [ "$packing" ]; then
  step 'luarocks pack' pack lua-dqlite
  step 'luarocks pack of the node' pack lua-dqlite-node
fi
step 'luarocks remove of the node' remove "$made" lua-dqlite-node
step 'the client is whole' requires "$lua" "$made" dqlite
step 'luarocks remove' remove "$made" lua-dqlite
step 'nothing is left' nothing_left "$made"
if [ "$packing" ]; then
  step 'luarocks install of the packed rock' install_packed lua-dqlite
  step 'the quick start' quick_start "$lua" "$packed"
  step 'luarocks install of the packed node' install_packed lua-dqlite-node
  step 'the quick start with its node' quick_start_with_node "$lua" "$packed"
  step 'exported symbols' exports "$packed"
fi
finish
