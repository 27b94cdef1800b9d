rockspec_format = "3.0"
package = "lua-dqlite-node"
version = "scm-1"
source = {
  url = "git+https://github.com/lua-dqlite/lua-dqlite",
}
description = {
  summary = "An embedded dqlite node",
  detailed = [[
The server side of dqlite (SQLite replicated by Raft) inside a Lua process.
Needs libdqlite 1.11.1 or newer (Debian: libdqlite-dev). Linux only, as
libdqlite is. The client is the rock lua-dqlite.]],
  homepage = "https://github.com/lua-dqlite/lua-dqlite",
  license = "MIT",
}
supported_platforms = { "linux" }
dependencies = {
  "lua >= 5.1, < 5.5",
  "lua-dqlite",
}
external_dependencies = {
  DQLITE = { header = "dqlite.h", library = "dqlite" },
}
build = {
  type = "builtin",
  modules = {
    ["dqlite.node"] = "lua/dqlite/node.lua",
    ["dqlite.node.address"] = "lua/dqlite/node/address.lua",
    ["dqlite.node.library"] = "lua/dqlite/node/library.lua",
    ["dqlite.node.nginx"] = "lua/dqlite/node/nginx.lua",
    ["dqlite.node.options"] = "lua/dqlite/node/options.lua",
    ["dqlite.node_core"] = {
      sources = { "src/node/node.c", "src/node/setting.c" },
      libraries = { "dqlite", "dl" },
      incdirs = { "src", "$(DQLITE_INCDIR)" },
      libdirs = { "$(DQLITE_LIBDIR)" },
    },
  },
}
