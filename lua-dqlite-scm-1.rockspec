rockspec_format = "3.0"
package = "lua-dqlite"
version = "scm-1"
source = {
  url = "git+https://github.com/lua-dqlite/lua-dqlite",
}
description = {
  summary = "A dqlite client",
  detailed = [[
A client for dqlite (SQLite replicated by Raft) for plain scripts and for
programs with an event loop. Needs no C library. The embedded node is a rock
of its own, lua-dqlite-node.]],
  homepage = "https://github.com/lua-dqlite/lua-dqlite",
  license = "MIT",
}
dependencies = {
  "lua >= 5.1, < 5.5",
}
build = {
  type = "builtin",
  modules = {
    dqlite = "lua/dqlite/init.lua",
    ["dqlite.ahead"] = "lua/dqlite/ahead.lua",
    ["dqlite.cache"] = "lua/dqlite/cache.lua",
    ["dqlite.call"] = "lua/dqlite/call.lua",
    ["dqlite.connection"] = "lua/dqlite/connection.lua",
    ["dqlite.error"] = "lua/dqlite/error.lua",
    ["dqlite.exchange"] = "lua/dqlite/exchange.lua",
    ["dqlite.features"] = "lua/dqlite/features.lua",
    ["dqlite.helpers"] = "lua/dqlite/helpers.lua",
    ["dqlite.link"] = "lua/dqlite/link.lua",
    ["dqlite.loop.blocking"] = "lua/dqlite/loop/blocking.lua",
    ["dqlite.many"] = "lua/dqlite/many.lua",
    ["dqlite.open"] = "lua/dqlite/open.lua",
    ["dqlite.options"] = "lua/dqlite/options.lua",
    ["dqlite.pipeline"] = "lua/dqlite/pipeline.lua",
    ["dqlite.result"] = "lua/dqlite/result.lua",
    ["dqlite.rows"] = "lua/dqlite/rows.lua",
    ["dqlite.schema"] = "lua/dqlite/schema.lua",
    ["dqlite.scope"] = "lua/dqlite/scope.lua",
    ["dqlite.script"] = "lua/dqlite/script.lua",
    ["dqlite.session"] = "lua/dqlite/session.lua",
    ["dqlite.sql"] = "lua/dqlite/sql.lua",
    ["dqlite.state"] = "lua/dqlite/state.lua",
    ["dqlite.statement"] = "lua/dqlite/statement.lua",
    ["dqlite.transaction"] = "lua/dqlite/transaction.lua",
    ["dqlite.values"] = "lua/dqlite/values.lua",
    ["dqlite.window"] = "lua/dqlite/window.lua",
    ["dqlite.wire"] = "lua/dqlite/wire.lua",
    ["dqlite.core"] = {
      sources = {
        "src/core/addr.c",
        "src/core/buf.c",
        "src/core/frame.c",
        "src/core/message.c",
        "src/core/param.c",
        "src/core/rows.c",
        "src/core/session.c",
        "src/core/sock.c",
        "src/core/sql.c",
        "src/core/token.c",
        "src/core/value.c",
        "src/lua/boxed.c",
        "src/lua/core.c",
        "src/lua/decode.c",
        "src/lua/encode.c",
        "src/lua/keys.c",
        "src/lua/list.c",
        "src/lua/number.c",
        "src/lua/numbering.c",
        "src/lua/params.c",
        "src/lua/reply.c",
        "src/lua/request.c",
        "src/lua/result.c",
        "src/lua/scan.c",
        "src/lua/session.c",
        "src/lua/sock.c",
        "src/lua/value.c",
        "src/lua/wire.c",
      },
      incdirs = { "src" },
    },
  },
}
