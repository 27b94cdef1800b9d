--- dqlite for Lua: connect, run statements, fetch rows as plain tables.
--
--    local dqlite = require "dqlite"
--    local conn = assert(dqlite.connect("127.0.0.1:9001"))
--    print(conn:fetchval("SELECT 1 + ?", 41))
--
-- What can be expected to fail answers nil and an error (@{dqlite.error}); misuse raises at
-- the caller's line. Times are in seconds, and a timeout is for a whole call. The modules
-- @{dqlite.store}, @{dqlite.policy}, @{dqlite.session}, @{dqlite.wire}, @{dqlite.host} and, of
-- the second rock, @{dqlite.node} are also fields of this one; `dqlite._VERSION` is the version.
-- @module dqlite

local native = require "dqlite.native"
native.load "dqlite.core" -- before the others ask for it

local clusters = require "dqlite.cluster"
local later = require "dqlite.later"
local retry = require "dqlite.retry"
local store = require "dqlite.store"
local tasks = require "dqlite.task"
local values = require "dqlite.values"

local dqlite = {
  _VERSION = native.VERSION,
  null = values.null,
  blob = values.blob,
  real = values.real,
  int64 = values.int64,
  list = values.list,
  quote_name = values.quote_name,
  store = store,
}

--- Connecting
-- @section connecting

--- Connects to the leader of a cluster and opens a database: whichever node is
-- given, the leader is looked for until the deadline. To a node that leads, that
-- takes one round trip. Connections to the same addresses share a search, and what
-- it has found (dqlite.cluster does that for anything else).
-- @function connect
-- @tparam string|table|dqlite.cluster where "host:port", "[::1]:9001", "/path/to/socket" or
-- "@abstract"; a list of those; a store (see @{dqlite.store}); a cluster. One address
-- alone that cannot be reached is an error at once
-- @tparam[opt] ConnectOptions opts also `refresh` (false): what the leader says of its nodes
-- is written to the store
-- @treturn dqlite.connection|nil
-- @treturn dqlite.error|nil "no_leader" (what each node has answered, and whether
-- a quorum is missing), "policy", "connect" or "timeout" for one address alone,
-- "value" for a malformed address or a name of a database that would take the
-- server down; with `direct`: "not_leader" from the first call on
dqlite.connect = clusters.connect

--- Makes a cluster: the way to its leader and its administration. No input or output
-- until it is used.
-- @function cluster
-- @tparam string|table where as for connect
-- @tparam[opt] ConnectOptions opts of its connections, and `refresh`, as for connect
-- @treturn dqlite.cluster|nil
-- @treturn dqlite.error|nil of kind "value" for a malformed address
dqlite.cluster = clusters.new

--- Makes a pool of connections to the leader of a cluster.
-- @function create_pool
-- @tparam string|table|dqlite.cluster where as for connect
-- @tparam[opt] PoolOptions opts its own options, and for its connections those of connect
-- @treturn dqlite.pool|nil
-- @treturn dqlite.error|nil of the first connections, as for connect
dqlite.create_pool = clusters.create_pool

--- Running
-- @section running

--- Runs a function, again as long as it answers nil and, or raises, an error of this
-- library that is `retryable` and not `ambiguous`.
-- @function retry
-- @tparam function fn called with the number of the try, from 1 on
-- @tparam[opt] table opts
-- @tparam[opt=15] number opts.timeout seconds: no try begins later
-- @tparam[opt] int opts.retries how many more tries; left out: no limit
-- @tparam[opt] string|table opts.loop as for connect
-- @return what the last try answered; raises what that raised
dqlite.retry = retry.run

--- Runs a function in a coroutine under luv's loop until it is done, and what is
-- left of abandoned results is read. Tasks that it has spawned and not waited for
-- stand still then, until the loop runs again.
-- @function run
-- @tparam function fn
-- @param ... its arguments
-- @return what it returns; raises what it raises, and when nothing is left that
-- could end its wait
dqlite.run = tasks.run

--- Runs a function in a coroutine of its own, begun by luv's loop, not before `spawn`
-- returns; where a controller of cqueues runs, or the loop of a host (@{dqlite.host}) takes
-- a step, by that one. An error that it raises is written to standard error, unless somebody
-- waits for the task by then.
-- @function spawn
-- @tparam function fn
-- @param ... its arguments
-- @treturn dqlite.task
dqlite.spawn = tasks.spawn

--- Waits, and lets others run meanwhile where it is called in a coroutine under
-- luv or cqueues, or of a host, or in nginx.
-- @function sleep
-- @tparam number seconds how long
dqlite.sleep = tasks.sleep

--- Values
-- @section values

--- SQL's NULL: equal to ngx.null and cjson.null.
-- @field null

--- Wraps bytes, to be bound as a BLOB.
-- @function blob
-- @tparam string bytes
-- @treturn userdata `tostring` gives the bytes back, `#` how many there are

--- Wraps a number, to be bound as a REAL also when it is whole.
-- @function real
-- @tparam number value
-- @treturn userdata

--- Makes an integer of 64 bits.
-- @function int64
-- @tparam string|number value decimal digits, or a whole number
-- @treturn userdata `tostring` gives its digits. Raises for what 64 bits do not hold

--- Packs values for an IN list into one parameter:
-- `WHERE id IN (SELECT value FROM json_each(?))`.
-- @function list
-- @tparam table list integers, reals, strings, booleans (1 and 0), nulls; `n`
-- counts trailing nils
-- @treturn string JSON. Raises for what JSON cannot carry: blobs, a NUL

--- Quotes a name of a table or column for SQL.
-- @function quote_name
-- @tparam string name
-- @treturn string in double quotes. Raises for a NUL, which cannot travel

--- Options and events
-- @section options

--- Options of a connection, by `connect`, and of all that a cluster makes.
-- @table ConnectOptions
-- @tfield[opt="default"] string database
-- @tfield[opt=15] number timeout seconds for each call, and for the search of the leader
-- @tfield[opt=2] number connect_timeout seconds to reach one node and ask it who leads
-- @tfield[opt=5] number busy_timeout seconds that a statement waits for another writer
-- @tfield[opt] string|table loop "blocking", "luv", "cqueues", "nginx", one of @{dqlite.host}, or
-- a table of one's own. Left out: nginx' in its workers; in a coroutine that of a host while it
-- takes a step, cqueues where a controller of it runs, luv while its loop runs; else blocking
-- @tfield[opt] any null what stands for NULL in rows. Left out: nil in rows by name,
-- dqlite.null in those by position
-- @tfield[opt="string"] string int64 what an INTEGER becomes that a number does not hold, on
-- Lua 5.1, 5.2 and LuaJIT: "string", "cdata" (an int64_t of LuaJIT), "number" (loses digits);
-- "string-all", on every Lua: a string where it is above 10^14, for JSON
-- @tfield[opt="string"] string blobs "string", or "wrap": a dqlite.blob, which is bound as a
-- BLOB again
-- @tfield[opt="null"] string dates "raw" leaves the empty text that older servers send for a
-- NULL in a date column
-- @tfield[opt] table array_mt metatable of lists of rows. Left out: under nginx that of cjson,
-- where it is loaded
-- @tfield[opt=64] int statement_cache texts that are kept prepared; 0: none
-- @tfield[opt=67108864] int max_message_size bytes of a request or a frame, up to 1 GiB
-- @tfield[opt=268435456] int max_result_bytes bytes of a result that is fetched as a whole
-- @tfield[opt] int max_rows rows of such a result. Left out: no limit
-- @tfield[opt=false] bool direct talk to exactly the node that is given, whoever leads
-- @tfield[opt] table|function redirect which addresses may be dialled: a list, or a function
-- of an address that answers true, or false and a reason; see @{dqlite.policy}
-- @tfield[opt] function translate called with every address of the cluster; answers the one
-- to dial in its place, or nil
-- @tfield[opt] function dial called with an address and a deadline of the loop's clock in
-- seconds; answers a stream with `recv`, `send`, `alive` and `close`, in place of a socket, or
-- nil, a kind of error and a reason
-- @tfield[opt=false] bool|table tls under nginx, for nodes behind proxies that end TLS: true, or
-- `verify` (true: the certificate must be good), `server_name` (for which it must be), `cert`
-- and `key` (PEM texts of the client's own)
-- @tfield[opt] function on_event called with an @{Event} when something happens. It must not
-- wait; what it raises is written to standard error
-- @tfield[opt=1] number slow_query seconds from which on a call is told as slow
-- @tfield[opt] string shared_dict under nginx: the name of a lua_shared_dict, by which workers
-- tell each other who leads
-- @tfield[opt] string pool under nginx: a name; kept connections of another one are apart
-- @tfield[opt] int pool_size under nginx: connections to that node and database that a worker
-- keeps
-- @tfield[opt] int backlog under nginx: calls that wait where there are as many as `pool_size`.
-- Left out: there may be more

--- Options of a call, in the table behind that of its parameters:
-- `conn:fetch(sql, {7}, {timeout = 1})`. `timeout` (in `rows`: for each frame),
-- `busy_timeout`, `null`, `int64`, `blobs`, `dates`, `array_mt`, `max_rows` and
-- `max_result_bytes` are as in @{ConnectOptions}; `rows` does without the last three.
-- @table CallOptions
-- @tfield[opt="leader"] string consistency of fetch calls and `rows`: "linearizable" reads behind
-- a barrier through the log, which takes four round trips and the write lock
-- @tfield[opt=false] bool row_types of `query`: the types of each row
-- @tfield[opt=false] bool arrays of `rows` and `pipeline`: rows by position
-- @tfield[opt=false] bool reuse of `rows`: one table for all rows

--- Options of a pool, beside those of its connections (@{ConnectOptions}). What `init` or
-- `setup` raises, or answers as nil and an error, is what the acquire does. Under nginx, which
-- keeps the connections itself, `min_size`, `max_lifetime`, `multiplex`, `debug`,
-- `statement_cache` and `pool_size` raise.
-- @table PoolOptions
-- @tfield[opt=1] int min_size connections that are made at once, and kept when idle
-- @tfield[opt=10] int max_size connections; under nginx: in each worker
-- @tfield[opt] number acquire_timeout seconds to wait for a connection. Left out: `timeout`
-- @tfield[opt=300] number idle_timeout seconds without use, after which one is closed
-- @tfield[opt=3600] number max_lifetime seconds, after which one is closed
-- @tfield[opt] function init called with each new connection
-- @tfield[opt] function setup called with the connection at each acquire
-- @tfield[opt=3] int retries of `pool:transaction`
-- @tfield[opt=false] bool multiplex reads of many coroutines share two connections
-- @tfield[opt=false] bool debug a report of a connection that nobody has given back says where
-- it was acquired
-- @tfield[opt=1000] int backlog under nginx: calls that wait for a connection

--- What the function `on_event` is called with. Texts are capped, and never hold parameters.
-- @table Event
-- @tfield string name "connect" (`address`, `seconds`), "close" (`address`, `error`),
-- "leader_change" (`leader`, `before`), "retry" (`error`, `tries`), "pool_wait" (`seconds`,
-- `served`), "query_start" (`sql`, `address`), "query_end" and "slow_query" (`sql`, `address`,
-- `seconds`, `error`), "leak" (`message`)
-- @tfield[opt] string address of the node
-- @tfield[opt] number seconds that it took
-- @tfield[opt] string sql the statement
-- @tfield[opt] any error the @{dqlite.error} that ended it; of "retry", what was raised, too
-- @tfield[opt] string leader name of the node that leads now; nil where none is known
-- @tfield[opt] string before name of the node that led
-- @tfield[opt] int tries so far
-- @tfield[opt] bool served did who waited get a connection?
-- @tfield[opt] string message about a connection that was collected in use

-- What few programs need. The C part of the node is a rock of its own.
local LATER = {
  host = "dqlite.host",
  node = "dqlite.node",
  policy = "dqlite.policy",
  session = "dqlite.session",
  wire = "dqlite.wire",
}

for _, name in ipairs(later.AT_ONCE and { "policy", "session", "wire" } or {}) do
  dqlite[name] = later.load(LATER[name])
end

return setmetatable(dqlite, {
  __index = function(_, name)
    if LATER[name] then return later.load(LATER[name]) end
  end,
})
