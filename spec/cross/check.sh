#!/usr/bin/env bash
# check.sh MACHINE SPEC...: builds core and binding for a C library or a machine
# that is not this one's, without warnings, and runs what can be run: the specs of
# the core and the fuzz targets' inputs; on another machine's Lua, from Debian, the
# specs named and the first steps with real servers, which run here. The machines:
#
#   musl    this machine's instructions, another C library. Debian has no Lua for it
#   arm64   by qemu, as those below; a plain char is unsigned on all of them
#   armhf   a size_t of 32 bits
#   s390x   big-endian
set -u
cd "$(dirname "$0")/../.." || exit 1
readonly machine=$1
shift
readonly specs=$* build=${BUILD:-build}/cross/$machine
readonly make=${MAKE:-make} support=spec/support
readonly live=(connect values parameters rows executemany transaction prepare pipeline)

# The interpreters that run. Debian's LuaJIT crashes in plain Lua under qemu 7.2: for
# armhf in a loop that makes a million tables, for s390x in `local a = 5 print(a % 3)`.
luas=lua5.4

# No sanitizer's library is for musl: what it finds is a trap.
instrument="-fsanitize=undefined -fno-sanitize-recover=all"
case $machine in
  musl) triplet="" cc=musl-gcc qemu="" luas="" instrument+=" -fsanitize-undefined-trap-on-error" ;;
  arm64) triplet=aarch64-linux-gnu qemu=qemu-aarch64 luas="lua5.4 luajit" ;;
  armhf) triplet=arm-linux-gnueabihf qemu=qemu-arm ;;
  s390x) triplet=s390x-linux-gnu qemu=qemu-s390x ;;
  *) echo "check: no machine is called $machine" >&2; exit 1 ;;
esac
readonly cc=${cc:-$triplet-gcc} root=$build/root
mkdir -p "$build/include"

# The one header of Debian's Lua 5.4 that lies where those of this C library are.
ln -sf "/usr/include/$(gcc -print-multiarch)/lua5.4-deb-multiarch.h" "$build/include"

# SQLite itself is there for this machine only.
core="$make CC=$cc BUILD=$build INSTRUMENT='$instrument' RUN='${qemu:+$qemu -L /usr/$triplet}' \
  LEAVE_OUT=spec/core/sqlite_test.c"
suites=("core in C=$core test-c" "fuzz replay=$core fuzz-replay")

# modules LUA: builds what its specs need
modules() {
  echo "$make CC=$cc BUILD=$build DQLITE_CFLAGS= CPPFLAGS=-I$build/include LUA=$1 \
    client $build/$1/spec/support/fork.so"
}

# interpreter LUA: a command of that name in $build/bin, which qemu runs
interpreter() {
  mkdir -p "$build/bin"
  cat >"$build/bin/$1" <<END
#!/bin/sh
exec $qemu -L '$PWD/$root' -0 "\$0" '$PWD/$root/usr/bin/$1' "\$@"
END
  chmod +x "$build/bin/$1"
}

# run LUA SPEC...: its specs, in what `make env` prints
run() {
  local lua=$1
  shift
  echo "eval \"\$($make -s env BUILD=$build LUA=$lua)\" &&
    $build/bin/$lua $support/run_specs.lua $*"
}

if [ -n "$qemu" ]; then
  spec/cross/root.sh "$machine" "$root" lua5.4 luajit2 lua-filesystem lua-luv lua-system \
    lua-term || exit 1
fi
for lua in lua5.4 luajit; do
  if [[ " $luas " != *" $lua "* ]]; then
    suites+=("built for $lua=$support/check.sh $(modules $lua)")
    continue
  fi
  interpreter $lua
  suites+=("binding, $lua=$(modules $lua) && $(run $lua "$specs")")
  suites+=("servers, $lua=$support/with_servers.sh bash -c '$(run $lua \
    "$(printf 'spec/live/%s_spec.lua ' "${live[@]}")")'")
done
$support/run_suites.sh "${suites[@]}"
