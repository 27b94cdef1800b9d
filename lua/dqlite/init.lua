--- dqlite for Lua: connect, run statements, fetch rows as plain tables.
--
--    local dqlite = require "dqlite"
--    local conn = assert(dqlite.connect("127.0.0.1:9001"))
--    print(conn:fetchval("SELECT 1 + ?", 41))
--
-- @module dqlite

local native = require "dqlite.native"
native.load "dqlite.core" -- before the others ask for it

local clusters = require "dqlite.cluster"
local policy = require "dqlite.policy"
local retry = require "dqlite.retry"
local session = require "dqlite.session"
local store = require "dqlite.store"
local tasks = require "dqlite.task"
local values = require "dqlite.values"
local wire = require "dqlite.wire"

local dqlite = {
  _VERSION = native.VERSION,
  null = values.null,
  blob = values.blob,
  real = values.real,
  int64 = values.int64,
  list = values.list,
  quote_name = values.quote_name,
  policy = policy,
  session = session,
  store = store,
  wire = wire,
}

--- Connects to the leader of a cluster and opens a database: whichever node is
-- given, the leader is looked for until the deadline. To a node that leads, that
-- takes one round trip. Connections to the same addresses share a search, and what
-- it has found (dqlite.cluster does that for anything else).
-- @function connect
-- @tparam string|table where "host:port", "[::1]:9001", "/path/to/socket" or
-- "@abstract"; a list of those; a store (see dqlite.store); a cluster. One address
-- alone that cannot be reached is an error at once
-- @tparam[opt] table opts `database` ("default"), `timeout` (15 seconds for
-- each call, and for the search), `connect_timeout` (2 seconds for the dial and LEADER of
-- one node), `loop` ("blocking", "luv",
-- or one of dqlite.host; left out: in a coroutine luv while its loop runs, and that of a
-- host while it takes a step, else blocking),
-- `busy_timeout` (5 seconds that a statement waits for another writer),
-- `statement_cache` (64 texts; 0: none), `null`, `int64`, `blobs`, `dates`,
-- `array_mt`, `max_message_size` (64 MiB), `max_result_bytes` (256 MiB),
-- `max_rows`, `direct` (exactly that node, whoever leads), `redirect` (a list of the
-- addresses that may be dialled, or a function that allows them; see dqlite.policy),
-- `translate(address)` (from the address that the cluster knows a node by to the one
-- to dial; called with every address), `dial(address, deadline)` (a stream, as
-- DEVELOPMENT.md has it, in place of a socket), `tls` (under nginx: true, or a table of
-- `verify`, `server_name`, `cert` and `key`; for nodes behind proxies that end TLS),
-- `refresh` (write the nodes that the leader names to the store), `on_event` (a function
-- that is told what happens; see dqlite.events), `slow_query` (1 second: from when on a
-- call is told as slow)
--
-- Under nginx also `shared_dict` (the name of a `lua_shared_dict`, by which the workers
-- tell each other who leads), `pool_size` (how many connections to that node and database
-- a worker keeps), `backlog` (how many calls wait where there are as many; left out: there
-- may be more), `pool` (a name: connections of another one are kept apart)
-- @treturn table|nil a connection
-- @treturn table|nil the error: "no_leader" (what each node has answered, and whether
-- a quorum is missing), "policy", "connect" or "timeout" for one address alone,
-- "value" for a malformed address or a name of a database that would take the
-- server down (hazards.md); with `direct`: "not_leader" from the first call on
dqlite.connect = clusters.connect

--- Makes a cluster: the way to its leader and its administration (see
-- dqlite.cluster). No input or output until it is used.
-- @function cluster
-- @tparam string|table where as for connect
-- @tparam[opt] table opts as for connect: of its connections
-- @treturn table|nil a cluster
-- @treturn table|nil an error of kind "value" for a malformed address
dqlite.cluster = clusters.new

--- Makes a pool of connections to the leader of a cluster (see dqlite.pool).
-- @function create_pool
-- @tparam string|table where as for connect
-- @tparam[opt] table opts as for connect, for its connections, and `min_size` (1: made
-- at once, and kept when idle), `max_size` (10), `acquire_timeout` (seconds to wait for
-- a connection; `timeout`), `idle_timeout` (300 seconds), `max_lifetime` (3600 seconds),
-- `init(conn)` (called once for each new connection), `setup(conn)` (called at each
-- acquire), `retries` (3: of `pool:transaction`), `multiplex` (reads of many coroutines
-- share connections), `debug` (reports say where a connection was acquired). What
-- `init` or `setup` raises, or answers as `nil, err`, is what the acquire does
-- @treturn table|nil a pool
-- @treturn table|nil the error of the first connections, as for connect
dqlite.create_pool = clusters.create_pool

--- Runs a function again while it fails with what is certainly not applied (see
-- dqlite.retry).
-- @function retry
dqlite.retry = retry.run

--- Runs a function in a coroutine under luv (see dqlite.task).
-- @function run
dqlite.run = tasks.run

--- Runs a function beside the one that calls (see dqlite.task).
-- @function spawn
dqlite.spawn = tasks.spawn

--- Waits (see dqlite.task).
-- @function sleep
dqlite.sleep = tasks.sleep

-- The second rock, and what few programs need.
local LATER = { host = "dqlite.host", node = "dqlite.node" }

return setmetatable(dqlite, {
  __index = function(_, name)
    if LATER[name] then return require(LATER[name]) end
  end,
})
