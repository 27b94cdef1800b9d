--- dqlite for programs that were written for LuaSQL: its environments, connections and
-- cursors, as its driver for SQLite has them. One line of such a program changes:
--
--    local env = require "luasql.sqlite3".sqlite3() -- before
--    local env = require "dqlite.luasql".dqlite "10.0.0.1:9001,10.0.0.2:9001" -- now
--
-- `env:connect "people.db"` then opens the database of that name. Or the nodes stand in each
-- source name, and the module alone is another one:
--
--    local luasql = require "dqlite.luasql"
--    local env = assert(luasql.sqlite3())
--    local conn = assert(env:connect "10.0.0.1:9001,10.0.0.2:9001/people.db")
--    local cur = assert(conn:execute "SELECT name FROM people")
--    local row = cur:fetch({}, "a")
--
-- What fails answers nil, "LuaSQL: " and what is wrong, and, which LuaSQL has not, the error
-- value of dqlite.error behind it. Misuse raises. Calls wait on every loop as those of
-- `dqlite` do. What else differs from LuaSQL is told where it does.
-- @module dqlite.luasql

local dqlite = require "dqlite"
local environments = require "dqlite.luasql.environment"

local luasql = {
  _VERSION = ("lua-dqlite %s (as LuaSQL 2.6)"):format(dqlite._VERSION),
  _COPYRIGHT = "Copyright (c) 2026 lua-dqlite authors",
  _DESCRIPTION = "LuaSQL's interface to dqlite",
  _CLIENTVERSION = dqlite._VERSION,
}

--- Makes an environment. Nothing is opened.
-- @function dqlite
-- @tparam[opt] string|table where the nodes of all its connections, "host:port" of each with
-- commas between them, or what dqlite.connect takes; a source name is a database's alone
-- then. Left out: each source name tells both
-- @tparam[opt] table opts options of dqlite.connect for all its connections
-- @treturn dqlite.luasql.environment
luasql.dqlite = environments.new

--- The same by the name that programs for SQLite call.
-- @function sqlite3
-- @tparam[opt] string|table where as of dqlite
-- @tparam[opt] table opts as of dqlite
-- @treturn dqlite.luasql.environment
luasql.sqlite3 = environments.new

return luasql
