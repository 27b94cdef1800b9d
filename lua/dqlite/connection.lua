--- A connection to one database, for one coroutine at a time: from @{dqlite.connect},
-- `cluster:connect` and `pool:acquire`.
--
-- Calls answer nil and an error for what can be expected to fail and raise misuse at
-- the caller's line. Parameters are given one by one, `conn:fetch(sql, a, b)`,
-- or as one table that the call's options (@{dqlite.CallOptions}) may follow: a list,
-- `conn:fetch(sql, {a, b, n = 2}, {timeout = 1})`, or names,
-- `conn:fetch(sql, {name = v})`. `err.index` tells which of several failed.
--
-- `conn.address` is the address of the node, `conn.database` the name of the database.
-- @classmod dqlite.connection

local caches = require "dqlite.cache"
local call = require "dqlite.call"
local errors = require "dqlite.error"
local helpers = require "dqlite.helpers"
local later = require "dqlite.later"
local loops = require "dqlite.loops"
local polling = require "dqlite.polling"
local result = require "dqlite.result"
local rows = require "dqlite.rows"
local sql = require "dqlite.sql"
local states = require "dqlite.state"

local keepalive = later.require "dqlite.keepalive" -- nginx' alone
local many = later.require "dqlite.many"
local pipeline = later.require "dqlite.pipeline"
local script = later.require "dqlite.script"
local statement = later.require "dqlite.statement"
local survey = later.require "dqlite.survey"
local transaction = later.require "dqlite.transaction"

local Connection = {}
Connection.__index = Connection
Connection.__name = "dqlite.connection"

local connection = { class = Connection }

-- Texts that are remembered, unless an option says otherwise. What nginx keeps is a socket
-- alone: nothing may be left prepared there.
local STATEMENT_CACHE = 64

-- What is known of the server and prepared there stays with the link.
local function new(link, settings, observer, cache, prepare_schema, found)
  return setmetatable({
    address = link.address,
    database = settings.database,
    settings = settings,
    link = link,
    closed = false, -- or the coroutine that has closed it; "released": to its pool
    -- false here, not nil: what is looked at in each call is not to be sought further
    observer = observer or false, -- of dqlite.events; false: nobody wants to know
    limit = false, -- no call goes on beyond that; false: by the settings
    level = false, -- the innermost transaction of dqlite.transaction
    live = false, -- rows that are being read
    working = false, -- what sends ahead, in words
    reading = false, -- the settings of the call, by which the session reads
    lease = nil, -- of the pool that it is of (dqlite.checkout)
    guard = nil, -- notices that everybody has dropped it
    statements = nil, -- ids of those that `prepare` has made, as keys
    cache = cache,
    prepare_schema = prepare_schema, -- 0 once the server has refused 1 (1.12 to 1.14)
    found = found, -- what the server can do, as far as it was asked
    state = states.new(), -- of the transaction
    savepoints = 0, -- how many of dqlite.scope are open
    columns = nil, -- names, of the last answer by name

    -- of the call under way
    begun = false,
    deadline = false,
    busy_until = false, -- no try begins later than that; false: by the settings
    sql = nil, -- for its errors
    write = false, -- would a lost answer leave it in doubt?
    one_statement = true, -- never two in one text
    preparing = nil, -- the cache's entry that PREPARE was sent for
    finalizing = 0, -- how many FINALIZE were sent
  }, Connection)
end

-- What its server can do, as far as it was asked.
local function features_of(link)
  return link.keeping and keepalive.features(link) or {}
end

--- A connection over a link whose database is open.
-- @tparam table link from dqlite.open
-- @tparam table settings from dqlite.options
-- @tparam[opt] table observer of dqlite.events
-- @treturn table
-- @local
function connection.new(link, settings, observer)
  link.observer = observer
  local size = settings.statement_cache or link.keeping and 0 or STATEMENT_CACHE
  return new(link, settings, observer, caches.new(size), 1, features_of(link))
end

--- The same connection as another object, for the next one who gets it from a pool.
-- @tparam table conn that is retired
-- @treturn table
-- @local
function connection.renew(conn)
  return new(conn.link, conn.settings, conn.observer, conn.cache, conn.prepare_schema, conn.found)
end

--- The same object for one who gets it next, where nobody else has seen it.
-- @tparam table conn that is retired
-- @treturn table
-- @local
function connection.revive(conn)
  conn.closed, conn.found = false, features_of(conn.link)
  return conn
end

--- Makes the object useless: what is called on it raises.
-- @tparam table conn
-- @local
function connection.retire(conn)
  conn.closed = "released"
  for id in pairs(conn.statements or {}) do conn.cache:close(id) end
  conn.statements = nil
end

local examined, run, shapes = sql.examined, helpers.run, result.shapes

-- ---- one statement ----

--- Runs a statement. One that yields rows is run and its rows are dropped.
-- @tparam string text one statement
-- @param ... parameters
-- @treturn table|nil `rows_affected` for INSERT, REPLACE, UPDATE and DELETE
-- (with RETURNING: how many rows), `last_insert_id` for INSERT and REPLACE; an
-- INSERT that updates (ON CONFLICT) or has no rowid repeats an older id
-- @treturn dqlite.error|nil the error; `ambiguous` when the statement may have been
-- applied
function Connection:execute(text, ...)
  local known = examined[text]
  return run(self, known, nil, known.yields_rows and shapes.count or shapes.execute, ...)
end

--- Fetches all rows by column name; of duplicate names the last wins.
-- @tparam string text one statement that yields rows
-- @param ... parameters
-- @treturn table|nil list of rows
-- @treturn dqlite.error|nil the error
function Connection:fetch(text, ...)
  return run(self, examined[text], nil, shapes.fetch, ...)
end

--- Fetches all rows by position.
-- @tparam string text one statement that yields rows
-- @param ... parameters
-- @treturn table|nil list of lists; NULL is dqlite.null, so none has a hole
-- @treturn dqlite.error|nil the error
function Connection:fetchall(text, ...)
  return run(self, examined[text], nil, shapes.fetchall, ...)
end

--- The same as `fetchall`.
-- @function Connection:fetch_arrays
-- @tparam string text one statement that yields rows
-- @param ... parameters
-- @treturn table|nil list of lists
-- @treturn dqlite.error|nil the error
Connection.fetch_arrays = Connection.fetchall

--- Fetches the first row by column name.
-- @tparam string text one statement that yields rows
-- @param ... parameters
-- @treturn table|nil the row; nil without an error when there is none
-- @treturn dqlite.error|nil the error
function Connection:fetchone(text, ...)
  return run(self, examined[text], nil, shapes.fetchone, ...)
end

--- Fetches the first column of the first row.
-- @tparam string text one statement that yields rows
-- @param ... parameters
-- @return the value; nil for NULL and when there is no row
-- @treturn dqlite.error|nil the error
function Connection:fetchval(text, ...)
  return run(self, examined[text], nil, shapes.fetchval, ...)
end

--- Fetches the first column of all rows.
-- @tparam string text one statement that yields rows
-- @param ... parameters
-- @treturn table|nil list of values; NULL is dqlite.null
-- @treturn dqlite.error|nil the error
function Connection:fetchcol(text, ...)
  return run(self, examined[text], nil, shapes.fetchcol, ...)
end

--- Fetches everything there is to know about a result.
-- @tparam string text one statement that yields rows
-- @param ... parameters; the option `row_types` gives the types of each row
-- @treturn table|nil the rows by position, `columns` (names), `types` (of the
-- first row: "INTEGER", "FLOAT", "TEXT", "BLOB", "NULL", "BOOLEAN", "UNIXTIME" or
-- "ISO8601"; nil without a row) and `row_types`
-- @treturn dqlite.error|nil the error
function Connection:query(text, ...)
  return run(self, examined[text], nil, shapes.query, ...)
end

--- Iterates over rows by name, in the memory of a frame. What a `break` leaves
-- is read by the next call, or by close. In a transaction that writes, fetch
-- instead: as long as rows are unread the server may hold the write lock.
-- @tparam string text one statement that yields rows
-- @param ... parameters; options: `arrays` gives rows by position, `reuse` one
-- table for all rows. `timeout` is for each frame
-- @treturn function iterator. Raises the error of a failure, the first one too;
-- a call on the connection meanwhile ends it
function Connection:rows(text, ...)
  return rows.open(self, examined[text], nil, ...)
end

--- Prepares SELECT, VALUES, WITH, INSERT, REPLACE, UPDATE or DELETE.
-- @tparam string text one statement
-- @treturn dqlite.statement|nil the calls above without the text, `nparams` and `close`
-- @treturn dqlite.error|nil the error
function Connection:prepare(text)
  return statement.prepare(self, examined[text])
end

-- ---- many statements ----

--- Runs an INSERT, REPLACE, UPDATE or DELETE for each set of parameters, all or
-- nothing: in a transaction of its own or a savepoint of the open one.
-- @tparam string text one statement
-- @tparam table|function list sets (tables), or an iterator that answers them
-- @tparam[opt] table opts options, `timeout` of all of it
-- @treturn table|nil `rows_affected`, of all of them
-- @treturn dqlite.error|nil the error; `index` tells the set
function Connection:executemany(text, list, opts)
  return many.execute(self, examined[text], nil, list, opts)
end

--- Sends statements without waiting for each other's answers. They are not a
-- transaction; inside of one, writes that could end it go one by one, up to the
-- first failure. BUSY is not waited for.
-- @tparam table list entries `{ sql, params... }`; `n` counts trailing nils
-- @tparam[opt] table opts options; `arrays` gives rows by position
-- @treturn table|nil for each entry what fetch or execute would answer, or
-- `{ error = err }`
-- @treturn dqlite.error|nil the error when nothing was sent; `index` tells the entry
function Connection:pipeline(list, opts)
  return pipeline.run(self, list, opts)
end

--- Runs a text of several statements, up to the first failure. A transaction
-- that it has opened by then is rolled back.
-- @tparam string text statements
-- @tparam[opt] table opts options; `timeout` is for the whole script
-- @treturn number|nil how many statements there were
-- @treturn dqlite.error|nil the error; `index` and `sql` tell the statement
function Connection:script(text, opts)
  return script.run(self, text, opts)
end

-- ---- transactions ----

--- Runs a function in a transaction; nested, in a savepoint.
-- @tparam function fn called with the connection. It rolls back when it raises
-- (raised again), when it returns nil and an error (returned), and when a call
-- at its level failed (that error is returned)
-- @tparam[opt] table opts `mode`: "immediate", "deferred", "exclusive", "read";
-- `on_error` = "commit" keeps what did not fail
-- @return what `fn` returns, or nil and the error
function Connection:transaction(fn, opts)
  return transaction.run(self, fn, opts)
end

--- Begins a transaction. Unlike `transaction`, its handle commits what did not
-- fail, unless a failure has ended the transaction as a whole.
-- @tparam[opt] string mode as for transaction
-- @treturn dqlite.transaction|nil a handle: `commit`, `rollback`
-- @treturn dqlite.error|nil the error
function Connection:begin(mode)
  return transaction.begin(self, mode)
end

--- Commits what `begin`, or BEGIN as text, has begun.
-- @treturn true|nil
-- @treturn dqlite.error|nil the error; `ambiguous` when the answer was lost
function Connection:commit()
  return transaction.commit(self)
end

--- Rolls back what `begin`, or BEGIN as text, has begun.
-- @treturn true|nil
-- @treturn dqlite.error|nil the error
function Connection:rollback()
  return transaction.rollback(self)
end

--- May a transaction be open? One that a RELEASE or a failure has ended counts
-- as open until COMMIT or ROLLBACK.
-- @treturn boolean
function Connection:in_transaction()
  return self.state.maybe_open
end

-- ---- the connection ----

local PING = sql.examine "SELECT 1"

--- Asks the node for a sign of life, through the open database.
-- @treturn true|nil
-- @treturn dqlite.error|nil the error
function Connection:ping()
  local list, err = run(self, PING, nil, shapes.fetchall)
  if not list then return nil, err end
  return true
end

--- Asks the server what it can do; what was asked once is remembered.
-- @treturn table|nil `params_32bit` (more than 255 parameters),
-- `statement_tail`, `returning` (outside of a transaction), `typed_null` (NULL
-- in BOOLEAN and date columns arrives as NULL; absent while another connection
-- holds the lock that finding out needs)
-- @treturn dqlite.error|nil the error
function Connection:features()
  return survey(self)
end

local ROLLBACK = sql.examine "ROLLBACK"

--- Has nothing been left on it: no transaction, no rows?
-- @treturn boolean
-- @local
function Connection:is_clean()
  return not self.state.maybe_open and not self.live and self.link.core:outstanding() == 0
end

--- Rolls back and reads what was left.
-- @treturn boolean is it clean?
-- @local
function Connection:reset()
  local done, err = call.perform(self, self.settings, ROLLBACK)
  return done ~= nil or states.says_none(err)
end

--- Gives the connection back to its pool: a transaction that is open is rolled back,
-- and statements are closed. The object cannot be used any more. Again does nothing.
-- @treturn true
function Connection:release()
  local lease, level = self.lease, self.level
  if not lease then errors.misuse("release: the connection is not of a pool, close it") end
  if level and level.scoped and level.owner == loops.running() and self.link:is_open() then
    errors.misuse("release inside transaction(): return, or raise")
  end
  lease.pool:give(self)
  return true
end

--- Closes, once what is left of abandoned rows is read. A transaction that is
-- open is rolled back by the server. Again does nothing.
-- @treturn true
function Connection:close()
  if self.closed == "released" then return true end
  self.closed, self.live = self.closed or loops.running(), false
  self.link:quit()
  if self.lease then self.lease.pool:give(self) end
  return true
end

--- Under nginx: gives the socket to nginx, for who connects next to the same node and
-- database in this worker; the object cannot be used any more. Not where a transaction, a
-- prepared statement or a result is left on it, nor after an error that has ended it: it
-- is closed then.
-- @tparam[opt] number idle seconds that it is kept without use; 0: for ever. Left out:
-- lua_socket_keepalive_timeout of nginx.conf
-- @tparam[opt] number size how many connections are kept, for who does it first; left
-- out: lua_socket_pool_size
-- @treturn true|nil
-- @treturn dqlite.error|nil the error
function Connection:set_keepalive(idle, size)
  keepalive.check(self, idle, size)
  helpers.check_usable(self)
  local kept, err = keepalive.give(self, idle, size)
  self.link.core:close()
  connection.retire(self)
  return kept, err
end

--- Under nginx: how often the socket was kept for somebody, 0 for a new one.
-- @treturn number|nil
-- @treturn dqlite.error|nil the error of a connection that has ended
function Connection:get_reused_times()
  keepalive.check(self)
  helpers.check_usable(self)
  if not self.link:is_open() then return nil, self.link:ended() end
  return self.link.stream:times_reused()
end

-- ---- in a program that polls itself ----

--- The descriptor of the connection, to be watched.
-- @function Connection:pollfd
-- @treturn number|nil nil once it has ended; raises where there is none, as under nginx
Connection.pollfd = polling.pollfd

--- On the loop of a host (dqlite.host): what the descriptor is to be watched for.
-- @function Connection:events
-- @treturn string|nil "r", "w" or "rw"; nil where nobody waits for it
Connection.events = polling.events

--- On the loop of a host: when the next step is due, should the descriptor not become ready
-- before.
-- @function Connection:timeout
-- @treturn number|nil in how many seconds, 0: at once; to be rounded up. nil: never
Connection.timeout = polling.timeout

--- On the loop of a host: takes a step in which no other connection is looked at. So a
-- program with one connection needs nothing else once that is open. What goes on beside
-- calls, as the search for another leader when one does not answer, needs steps of the host.
-- @function Connection:step
-- @treturn boolean is there anything left to wait for?
Connection.step = polling.step

function Connection:__close()
  if self.lease then self.lease.pool:give(self) else self:close() end
end

--- Can statements be sent?
-- @treturn boolean
function Connection:is_open()
  return not self.closed and self.link:is_open()
end

function Connection:__tostring()
  local state = self.closed == "released" and "released" or self.closed and "closed"
    or self:is_open() and "open" or "lost"
  return ("dqlite connection to %s (%s)"):format(errors.visible(self.address), state)
end

return connection
