#!/usr/bin/env bash
# dist.sh LUA TARBALL: what `make dist` has made is built, tested, installed and packed
# again where there is no git.
. "$(dirname "$0")/steps.sh"
readonly lua=$1 tarball=$2
readonly prefix=$scratch/prefix
unset BUILD PREFIX DESTDIR

without_git() {
  mkdir -p "$scratch/bin"
  printf '#!/bin/sh\necho git was called >&2\nexit 1\n' >"$scratch/bin/git"
  chmod +x "$scratch/bin/git"
  export PATH=$scratch/bin:$PATH
  fails_with 'git was called' git
}

run_make() {
  make -C "$tree" LUA="$lua" CFLAGS=-O0 "$@"
}

# Some of them: they run as they are, in the tree itself.
specs() {
  (cd "$tree" && eval "$(run_make -s env)" &&
    "$lua" spec/support/run_specs.lua spec/unit/native_spec.lua)
}

same_tarball() {
  run_make dist && cmp "$tarball" "$tree/build/${tarball##*/}"
}

tar xf "$tarball" -C "$scratch"
tree=$(echo "$scratch"/lua-dqlite-*)
step 'there is no git' without_git
step 'make all static' run_make -j 2 all static
step 'specs' specs
step 'make install' run_make install PREFIX="$prefix"
step 'the quick start' quick_start "$lua" "$prefix"
step 'with the embedded node' quick_start_with_node "$lua" "$prefix"
step 'make uninstall' run_make uninstall PREFIX="$prefix"
step 'nothing is left' nothing_left "$prefix"
step 'make dist makes the same tarball' same_tarball
finish
