rockspec_format = "3.0"
package = "lua-dqlite-node"
version = "scm-1"
source = {
  url = "git+https://github.com/lua-dqlite/lua-dqlite",
}
description = {
  summary = "An embedded dqlite node",
  detailed = [[
The server side of dqlite (SQLite replicated by Raft) inside a Lua process: the
C part of `dqlite.node`, whose Lua files are in the rock lua-dqlite. Needs
libdqlite 1.11.1 or newer (Debian: libdqlite-dev). Linux only, as libdqlite is.]],
  homepage = "https://github.com/lua-dqlite/lua-dqlite",
  license = "MIT",
}
supported_platforms = { "linux" }
dependencies = {
  "lua >= 5.1, < 5.5",
  "lua-dqlite",
}
-- Sets DQLITE_DIR, DQLITE_INCDIR and DQLITE_LIBDIR. Whether libdqlite is there is
-- seen when it is used, which says what to install; luarocks would not.
external_dependencies = {
  DQLITE = {},
}
build = {
  type = "make",
  makefile = "src/node/rock.mk",
  build_target = "node",
  variables = {
    CFLAGS = "$(CFLAGS)",
    LIBFLAG = "$(LIBFLAG)",
    LUA_INCDIR = "$(LUA_INCDIR)",
    DQLITE_DIR = "$(DQLITE_DIR)",
    DQLITE_INCDIR = "$(DQLITE_INCDIR)",
    DQLITE_LIBDIR = "$(DQLITE_LIBDIR)",
    LIBDIR = "$(LIBDIR)",
    SOURCES = "src/node/node.c src/node/setting.c",
  },
}
