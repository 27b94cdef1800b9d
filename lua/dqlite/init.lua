--- dqlite for Lua: connect, run statements, fetch rows as plain tables.
--
--    local dqlite = require "dqlite"
--    local conn = assert(dqlite.connect("127.0.0.1:9001"))
--    print(conn:fetchval("SELECT 1 + ?", 41))
--
-- @module dqlite

local connection = require "dqlite.connection"
local core = require "dqlite.core"
local session = require "dqlite.session"
local tasks = require "dqlite.task"
local values = require "dqlite.values"
local wire = require "dqlite.wire"

local dqlite = {
  _VERSION = "0.1.0",
  null = values.null,
  blob = values.blob,
  real = values.real,
  int64 = values.int64,
  list = values.list,
  quote_name = values.quote_name,
  session = session,
  wire = wire,
}

assert(core._VERSION == dqlite._VERSION,
  "dqlite: the C module and the Lua files are of different versions")

--- Connects to one node and opens a database. The version, LEADER, CLIENT and
-- OPEN leave in one write. While the node knows no leader it is asked again.
-- @function connect
-- @tparam string where "host:port", "[::1]:9001", "/path/to/socket" or
-- "@abstract"
-- @tparam[opt] table opts `database` ("default"), `timeout` (15 seconds for
-- each call), `connect_timeout` (2 seconds for the dial and LEADER), `loop` ("blocking" or "luv";
-- left out: luv in a coroutine while its loop runs, else blocking),
-- `busy_timeout` (5 seconds that a statement waits for another writer),
-- `statement_cache` (64 texts; 0: none), `null`, `int64`, `blobs`, `dates`,
-- `array_mt`, `max_message_size` (64 MiB), `max_result_bytes` (256 MiB),
-- `max_rows`, `direct` (do not compare the leader's address with `where`)
-- @treturn table|nil a connection
-- @treturn table|nil the error: "connect", "timeout", "no_leader",
-- "not_leader" (its field `leader` says who is) or "value" for a name that
-- would take the server down (hazards.md)
dqlite.connect = connection.connect

--- Runs a function in a coroutine under luv (see dqlite.task).
-- @function run
dqlite.run = tasks.run

--- Runs a function beside the one that calls (see dqlite.task).
-- @function spawn
dqlite.spawn = tasks.spawn

--- Waits (see dqlite.task).
-- @function sleep
dqlite.sleep = tasks.sleep

-- The second rock.
return setmetatable(dqlite, {
  __index = function(_, name)
    if name == "node" then return require "dqlite.node" end
  end,
})
