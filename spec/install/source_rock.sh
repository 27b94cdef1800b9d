#!/usr/bin/env bash
# source_rock.sh LUA TARBALL: `luarocks pack` of the client's rockspec, which gets its
# sources out of this tarball, and `luarocks install` of that.
. "$(dirname "$0")/steps.sh"
readonly lua=$1 tarball=$2
readonly prefix=$scratch/prefix

# What a rock is made of: luarocks takes long for each file.
sources() {
  tar xf "$tarball" -C "$scratch" && cd "$scratch" &&
    tar czf sources.tar.gz lua-dqlite-*/{lua,src,library,LICENSE}
}

pack() {
  local name
  name=$(basename "$tarball" .tar.gz)
  sed "s|url = .*|url = \"file://$scratch/sources.tar.gz\", dir = \"$name\",|" \
    "$root/lua-dqlite-scm-1.rockspec" >"$scratch/lua-dqlite-scm-1.rockspec"
  (cd "$scratch" && luarocks --lua-version="$(version_of "$lua")" pack lua-dqlite-scm-1.rockspec)
}

rocks() {
  luarocks --lua-version="$(version_of "$lua")" --tree "$prefix" "$@"
}

step 'sources' sources
step 'luarocks pack' pack
step 'luarocks install' rocks install --deps-mode none "$scratch/lua-dqlite-scm-1.src.rock" \
  CFLAGS='-O0 -fPIC'
step 'the quick start' quick_start "$lua" "$prefix"
step 'luarocks remove' rocks remove --deps-mode none lua-dqlite
step 'nothing is left' nothing_left "$prefix"
finish
