--- A pool of connections to the leader, from @{dqlite.create_pool} or `cluster:pool`, for
-- an application that talks to nothing else. It follows the leader: connections to one that
-- was lost are dropped, and what has certainly not been applied is run again.
--
--    local pool = assert(dqlite.create_pool({ "10.0.0.1:9001", "10.0.0.2:9001" }))
--    assert(pool:execute("INSERT INTO t (text) VALUES (?)", "hello"))
--    pool:transaction(function(conn) ... end)
--
-- @classmod dqlite.pool

local checkout = require "dqlite.checkout"
local errors = require "dqlite.error"
local events = require "dqlite.events"
local loops = require "dqlite.loops"
local metrics = require "dqlite.metrics"
local once = require "dqlite.once"
local options = require "dqlite.options"
local pool_calls = require "dqlite.pool_calls"
local process = require "dqlite.process"
local new_multiplexer = require "dqlite.multiplex".new
local nginx_source = require "dqlite.source_nginx"
local slot_source = require "dqlite.source_slots"

local Pool = {}
Pool.__index = Pool
Pool.__name = "dqlite.pool"

local pools = {}

--- Makes a pool (see dqlite.create_pool).
-- @tparam table cluster
-- @tparam table settings of its connections, from dqlite.options
-- @tparam table own settings, likewise
-- @treturn table|nil
-- @treturn dqlite.error|nil the error of the first connections
-- @local
function pools.new(cluster, settings, own)
  local meter = metrics.new()
  local self = setmetatable({
    cluster = cluster,
    process = process.current(), -- that it belongs to
    loop = nil, -- from the first use on
    settings = settings,
    own = own,
    meter = meter,
    observer = events.new(settings.on_event, settings.slow_query, meter),
    source = loops.is_nginx(settings.loop) and nginx_source or slot_source,
    slots = nil, -- of dqlite.slots, where the pool itself keeps connections
    multiplexer = nil, -- of dqlite.multiplex
    patience = own.acquire_timeout or settings.timeout, -- seconds that an acquire may take
  }, Pool)
  local failure = self.source.begin(self)
  if failure then return nil, failure end
  if own.multiplex then self.multiplexer = new_multiplexer(self) end
  return self
end

--- Binds it to a loop at its first use. Raises on another one, and where nobody can
-- wait.
-- @local
function Pool:bind()
  self.source.bind(self)
end

-- ---- connections ----

local function set_up(self, conn)
  if self.own.debug then conn.lease.trace = debug.traceback("", 4) end
  return checkout.set_up(self, conn)
end

--- Takes a connection: an idle one, a new one, or the next that comes back, first come,
-- first served. It is given back by `conn:release()`, by `<close>` in Lua 5.4, or, with a
-- report, by the collector; `conn:close()` closes it and frees its place.
-- @tparam[opt] table opts `timeout` (seconds; `acquire_timeout`): to wait and to connect
-- @treturn dqlite.connection|nil the object is a new one each time
-- @treturn dqlite.error|nil the error: "pool" when none came back in time or the pool is closed,
-- or why no connection could be made
function Pool:acquire(opts)
  local patience = options.acquire(opts).timeout or self.patience
  self:bind()
  local source, now = self.source, self.loop.now()
  source.sweep(self, now)
  local taken, err = source.take(self, now, now + patience)
  if not taken then return nil, err end
  local conn = source.lease(self, taken, false)
  if not self.own.setup and not self.own.debug then return conn end
  local ok, ready, failed = pcall(set_up, self, conn)
  if ok and ready then return conn end
  pcall(source.give, self, conn, false)
  if not ok then error(ready, 0) end
  return nil, failed
end

--- Takes a connection back: see Connection:release.
-- @tparam table conn
-- @local
function Pool:give(conn)
  self.source.give(self, conn, false)
end

local function give_back(self, conn, ok, ...)
  local back, err = pcall(self.source.give, self, conn, false)
  if not ok then error((...), 0) end
  if not back then error(err, 0) end
  return ...
end

--- Runs a function with a connection, which is given back when it ends, however it ends.
-- @tparam function fn called with the connection
-- @tparam[opt] table opts as of acquire
-- @return what `fn` returns, or nil and the error of acquire; raises what `fn` raised
function Pool:with(fn, opts)
  if type(fn) ~= "function" then errors.misuse("with runs a function, not a " .. type(fn)) end
  local conn, err = self:acquire(opts)
  if not conn then return nil, err end
  return give_back(self, conn, pcall(fn, conn))
end

--- Runs a function in a transaction, as Connection:transaction. The whole function runs
-- again when the server asks for that (BUSY_SNAPSHOT), and when the connection was lost
-- before COMMIT was sent: what it does beside its statements is done again, too. Not
-- when it is `ambiguous` whether the COMMIT was applied: see `once`.
-- @tparam function fn called with a connection
-- @tparam[opt] table opts as of Connection:transaction, and `retries` (3)
-- @return what `fn` returns, or nil and the error
function Pool:transaction(fn, opts)
  return pool_calls.transaction(self, fn, opts)
end

--- Runs a function in a transaction that is applied exactly once for a request id: when
-- the answer to its COMMIT is lost it runs again, finds the id, and answers what was
-- stored. So does the next call with the same id, from any program. The ids are kept in
-- the table `dqlite_once`, which the first call makes.
-- @tparam string id of the request, chosen by the caller: unique to what is to be done
-- @tparam function fn called with a connection; answers one value that SQL can hold, or
-- nothing. It may run several times; what it does beside its statements is done each time
-- @tparam[opt] table opts `timeout` (seconds, for all of it)
-- @treturn table|nil `value` (what `fn` answered), `repeated` (was it applied by an earlier
-- call, or a try whose answer was lost?)
-- @treturn dqlite.error|nil the error; where it is `ambiguous`, call again with the same id
function Pool:once(id, fn, opts)
  return once.run(self, id, fn, opts)
end

--- Forgets request ids: a call with one of them would be applied anew.
-- @tparam number seconds since they were stored, at least
-- @treturn number|nil how many
-- @treturn dqlite.error|nil the error
function Pool:forget_requests(seconds)
  return once.forget(self, seconds)
end

-- ---- calls ----

--- Runs a statement. See `conn:execute`.
-- @function Pool:execute
-- @tparam string text one statement
-- @param ... parameters
-- @treturn table|nil `rows_affected`, `last_insert_id`
-- @treturn dqlite.error|nil the error

--- Fetches all rows by column name. See `conn:fetch`.
-- @function Pool:fetch
-- @tparam string text one statement
-- @param ... parameters
-- @treturn table|nil list of rows
-- @treturn dqlite.error|nil the error

--- Fetches all rows by position. See `conn:fetchall`.
-- @function Pool:fetchall
-- @tparam string text one statement
-- @param ... parameters
-- @treturn table|nil list of lists
-- @treturn dqlite.error|nil the error

--- The same as `fetchall`.
-- @function Pool:fetch_arrays
-- @tparam string text one statement
-- @param ... parameters
-- @treturn table|nil list of lists
-- @treturn dqlite.error|nil the error

--- Fetches the first row by column name. See `conn:fetchone`.
-- @function Pool:fetchone
-- @tparam string text one statement
-- @param ... parameters
-- @treturn table|nil the row; nil without an error when there is none
-- @treturn dqlite.error|nil the error

--- Fetches the first column of the first row. See `conn:fetchval`.
-- @function Pool:fetchval
-- @tparam string text one statement
-- @param ... parameters
-- @return the value; nil for NULL and when there is no row
-- @treturn dqlite.error|nil the error

--- Fetches the first column of all rows. See `conn:fetchcol`.
-- @function Pool:fetchcol
-- @tparam string text one statement
-- @param ... parameters
-- @treturn table|nil list of values
-- @treturn dqlite.error|nil the error

--- Fetches everything there is to know about a result. See `conn:query`.
-- @function Pool:query
-- @tparam string text one statement
-- @param ... parameters
-- @treturn table|nil rows by position, `columns`, `types`
-- @treturn dqlite.error|nil the error

--- Runs a statement for each set of parameters, all or nothing. See `conn:executemany`.
-- Given an iterator it does not run again, as that does not begin anew.
-- @function Pool:executemany
-- @tparam string text one statement
-- @tparam table|function list sets (tables), or an iterator that answers them
-- @tparam[opt] table opts options
-- @treturn table|nil `rows_affected`, of all of them
-- @treturn dqlite.error|nil the error

--- Sends statements without waiting for each other's answers. See `conn:pipeline`.
-- @function Pool:pipeline
-- @tparam table list entries `{ sql, params... }`
-- @tparam[opt] table opts options
-- @treturn table|nil for each entry what fetch or execute would answer, or
-- `{ error = err }`
-- @treturn dqlite.error|nil the error

--- Runs a text of several statements, up to the first failure. See `conn:script`. Never
-- runs again: part of it may have been applied when it fails.
-- @function Pool:script
-- @tparam string text statements
-- @tparam[opt] table opts options
-- @treturn number|nil how many statements there were
-- @treturn dqlite.error|nil the error

--- Asks the leader for a sign of life.
-- @function Pool:ping
-- @treturn true|nil
-- @treturn dqlite.error|nil the error

for name, shortcut in pairs(pool_calls.shortcuts) do Pool[name] = shortcut end

-- ---- the pool ----

--- How the pool is.
-- @treturn table `size` (slots), of them `idle`, `in_use` and `connecting` (on the way
-- to one of these); `waiting` (coroutines); `max_size`, `min_size`; counters since it
-- was made: `acquires`, `waits`, `timeouts`, `connects`, `connect_failures`, `closes`,
-- `leaks`, `leader_changes`, `retries`, `queries`, `query_errors`; `latency` of the
-- calls, a histogram: `count`, `sum` (seconds), and buckets with `le` and `count`
function Pool:stats()
  local stats = self.meter:snapshot()
  self.source.add_stats(self, stats)
  return stats
end

--- The same as text, in Prometheus' format.
-- @tparam[opt] table labels names and values that each line gets
-- @treturn string lines that a scraper reads
function Pool:metrics(labels)
  return metrics.text(self:stats(), labels)
end

--- Closes. Who waits for a connection gets an error; connections in use are waited for,
-- and closed when the time is over, or where nothing can wait. Again waits, too.
-- @tparam[opt] number timeout seconds (`timeout` of the connections)
-- @treturn true
function Pool:close(timeout)
  if timeout ~= nil and (type(timeout) ~= "number" or not (timeout >= 0)) then
    errors.misuse("close takes a number of seconds")
  end
  self.source.close(self, timeout or self.settings.timeout)
  return true
end

function Pool:__close()
  self:close()
end

--- Is it open?
-- @treturn boolean
function Pool:is_open()
  return not self.source.is_closed(self)
end

function Pool:__tostring()
  return ("dqlite pool (%s, %s)"):format(self:is_open() and "open" or "closed",
    self.source.describe(self))
end

return pools
