#!/usr/bin/env bash
# make.sh LUA OTHER_LUA: `make install` of what make has built for both, into an
# empty prefix and into an empty DESTDIR, what programs in Lua and in C find there,
# and `make uninstall`.
. "$(dirname "$0")/steps.sh"
readonly lua=$1 other=$2
readonly prefix=$scratch/prefix stage=$scratch/stage skewed=$scratch/skewed
unset PREFIX DESTDIR LUA_LMOD LUA_CMOD LIBDIR INCLUDEDIR

# run_make TARGET LUA [VARIABLE=VALUE...]
run_make() {
  local target=$1 for_lua=$2
  shift 2
  make -C "$root" "$target" LUA="$for_lua" "$@"
}

# What others have there, in the same directories.
others=(share/lua/x/others.lua share/lua/x/dqlite/others.lua share/lua/x/resty/others.lua
  lib/lua/x/dqlite/others.txt lib/pkgconfig/others.pc lib/libothers.a "include/$lua/others.h")
others=("${others[@]/\/x\//\/$(version_of "$lua")\/}")

plant() {
  (mkdir -p "$prefix" && cd "$prefix" && for file in "${others[@]}"; do
    mkdir -p "${file%/*}" && echo others >"$file" || return
  done)
}

only_others_are_left() {
  diff <(printf '%s\n' "${others[@]}" | sort) <(cd "$prefix" && find . -type f | sed 's|^\./||' | sort)
}

# contents DIR: the files there and what is in them
contents() {
  (cd "$1" && find . -type f -exec sha256sum {} + | sort -k 2)
}

leaves_alone() {
  contents "$prefix" >"$scratch/before"
  "$@" && contents "$prefix" | diff "$scratch/before" -
}

of_both() {
  run_make install "$other" PREFIX="$prefix" && run_make uninstall "$other" PREFIX="$prefix"
}

# skew: an installation whose Lua files are of another version
skew() {
  cp -r "$prefix" "$skewed"
  sed -i 's/VERSION = "[^"]*"/VERSION = "99.0"/' "$skewed"/share/lua/*/dqlite/native.lua
}

# mix: one with the C module for the other Lua
mix() {
  cp "$prefix"/share/lua/*/dqlite/native.lua "$skewed"/share/lua/*/dqlite
  cp "$(cd "$root" && realpath "$BUILD")/$other/dqlite/core.so" "$skewed"/lib/lua/*/dqlite
}

# compile PACKAGE FLAG...: a program in C by what pkg-config says alone
compile() {
  local package=$1
  shift
  export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
  ${CC:-cc} "$@" -o "$scratch/$package" "$root/spec/install/host.c" \
    $(pkg-config --cflags --libs "$package")
}

# hosted PROGRAM: the quick start inside of it, without a file of ours in reach
hosted() (
  mkdir -p "$scratch/elsewhere" && cd "$scratch/elsewhere" || return
  says_hello env LUA_PATH= LUA_CPATH= timeout 30 "$scratch/$1" "$scratch/quickstart.lua"
)

hosted_with_node() (
  unset DQLITE_ADDRESS
  hosted "$@"
)

same_version() {
  [ "$(PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config --modversion "$1")" = \
    "$(installed "$lua" "$prefix" "$lua" -e 'print(require "dqlite"._VERSION)')" ]
}

staged_package() {
  local pc=$stage/opt/lib/pkgconfig/$lua-dqlite.pc
  cat "$pc"
  grep -qx 'prefix=/opt' "$pc" && ! grep -rF "$stage" "$stage"
}

plant
step 'make install' run_make install "$lua" PREFIX="$prefix"
step 'the quick start' quick_start "$lua" "$prefix"
step 'with the embedded node' quick_start_with_node "$lua" "$prefix"
step 'exported symbols' exports "$prefix/lib/lua/$(version_of "$lua")/dqlite"
step 'pkg-config has the version' same_version "$lua-dqlite"
step 'a program in C' compile "$lua-dqlite"
step 'the quick start in it' hosted "$lua-dqlite"
step 'a program in C with a node' compile "$lua-dqlite-node" -DNODE
step 'the quick start in it' hosted_with_node "$lua-dqlite-node"
step "installing and uninstalling for $other changes nothing" leaves_alone of_both
step 'Lua files of another version' skew
step 'are told' fails_with 'are of version 99.0, but the C module dqlite.core' \
  requires "$lua" "$skewed" dqlite
step 'a C module for another Lua' mix
step 'is told' fails_with 'was it built for another Lua?' requires "$lua" "$skewed" dqlite
step 'make uninstall' run_make uninstall "$lua" PREFIX="$prefix"
step 'what others have is left, and nothing else' only_others_are_left

step 'make install with DESTDIR' run_make install "$lua" PREFIX=/opt DESTDIR="$stage"
step 'the quick start' quick_start "$lua" "$stage/opt"
step 'pkg-config knows nothing of DESTDIR' staged_package
step 'make uninstall' run_make uninstall "$lua" PREFIX=/opt DESTDIR="$stage"
step 'nothing is left' nothing_left "$stage"
finish
