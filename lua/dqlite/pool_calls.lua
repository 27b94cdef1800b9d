--- The calls of a pool: those of a connection, on one that is taken for the call. What
-- has certainly not been applied runs again on another connection, until the deadline.
-- @module dqlite.pool_calls

local checkout = require "dqlite.checkout"
local connection = require "dqlite.connection"
local errors = require "dqlite.error"
local helpers = require "dqlite.helpers"
local run_shared = require "dqlite.multiplex".run
local options = require "dqlite.options"
local result = require "dqlite.result"
local retry = require "dqlite.retry"
local sql = require "dqlite.sql"

local pool_calls = { shortcuts = {} }

local Connection = connection.class
local examined, shapes = sql.examined, result.shapes

-- ---- one call ----

-- What `setup` has seen is not used again as the same object.
local function finish(pool, conn, ok, ...)
  local is_own = not pool.own.setup
  if not ok then
    pcall(pool.source.give, pool, conn, is_own)
    error((...), 0)
  end
  pool.source.give(pool, conn, is_own)
  return true, ...
end

local function set_up(pool, conn, method, ...)
  local done, err = checkout.set_up(pool, conn)
  if not done then return nil, err end
  return method(conn, ...)
end

-- Answers first whether there was a connection.
local function attempt(pool, now, deadline, method, ...)
  local source = pool.source
  local taken, err = source.take(pool, now, deadline)
  if not taken then return false, nil, err end
  local conn = source.lease(pool, taken, true)
  conn.limit = deadline
  if pool.own.setup then return finish(pool, conn, pcall(set_up, pool, conn, method, ...)) end
  return finish(pool, conn, pcall(method, conn, ...))
end

-- Runs it, in a pool that is bound, until it succeeds, fails for good, or the time is over.
-- That no connection can be made is the answer, unless one was lost in the middle of the
-- call.
local function run(pool, seconds, may_repeat, try, ...)
  local now = pool.loop.now()
  local deadline, tries, was_lost = now + seconds, 0, false
  pool.source.sweep(pool, now)
  while true do
    tries = tries + 1
    local had_one, answer, err = try(pool, now, deadline, ...)
    if answer ~= nil or err == nil then return answer end
    was_lost = was_lost or had_one
    local again = was_lost and may_repeat and retry.is_lost(err)
    if not again or not retry.pause(pool.loop, tries, deadline) then return nil, err end
    pool.observer:retried(err, tries)
    now = pool.loop.now()
  end
end

-- Seconds that a call may take, by its own options; nonsense is for the call to raise.
local function seconds_of(pool, opts)
  local given = type(opts) == "table" and opts.timeout
  if type(given) == "number" and given > 0 then return given end
  return pool.settings.timeout
end

-- ---- shortcuts ----

-- What is done to a transaction would be undone when the connection goes back.
local function refuse_control(known)
  errors.misuse(known.verb .. " through a pool: the next statement gets another connection,"
    .. " use pool:transaction")
end

-- The settings of a call that goes by way of a connection from which others read as well;
-- nil for one that does not.
local function shared_settings(pool, known, ...)
  local settings = pool.settings
  if type((...)) == "table" then
    settings = helpers.settings(pool, "fetch", select("#", ...), ...)
  end
  return pool.multiplexer:takes(known, settings) and settings or nil
end

-- On a connection that nobody else uses meanwhile.
local function run_alone(pool, known, shape, ...)
  local first, opts = ...
  local seconds = type(first) == "table" and seconds_of(pool, opts) or pool.settings.timeout
  return run(pool, seconds, true, attempt, helpers.run, known, nil, shape, ...)
end

function pool_calls.shortcuts.execute(self, text, ...)
  local known = examined[text]
  if known.control then refuse_control(known) end
  self.source.bind(self)
  return run_alone(self, known, known.yields_rows and shapes.count or shapes.execute, ...)
end

for _, name in ipairs { "fetch", "fetchall", "fetchone", "fetchval", "fetchcol", "query" } do
  local shape = shapes[name]
  pool_calls.shortcuts[name] = function(self, text, ...)
    local known = examined[text]
    if known.control then refuse_control(known) end
    self.source.bind(self)
    local shared = self.multiplexer and shared_settings(self, known, ...)
    if not shared then return run_alone(self, known, shape, ...) end
    return run(self, shared.timeout, true, run_shared, shape, known, shared, ...)
  end
end
pool_calls.shortcuts.fetch_arrays = pool_calls.shortcuts.fetchall

function pool_calls.shortcuts.executemany(self, text, list, opts)
  self.source.bind(self)
  local may_repeat = type(list) ~= "function" -- an iterator does not begin again
  local seconds = seconds_of(self, opts)
  return run(self, seconds, may_repeat, attempt, Connection.executemany, text, list, opts)
end

function pool_calls.shortcuts.pipeline(self, list, opts)
  self.source.bind(self)
  return run(self, seconds_of(self, opts), true, attempt, Connection.pipeline, list, opts)
end

-- Part of a script may have been applied when it fails.
function pool_calls.shortcuts.script(self, text, opts)
  self.source.bind(self)
  return run(self, seconds_of(self, opts), false, attempt, Connection.script, text, opts)
end

function pool_calls.shortcuts.ping(self)
  self.source.bind(self)
  return run(self, self.settings.timeout, true, attempt, Connection.ping)
end

-- ---- transactions ----

--- See Pool:transaction.
function pool_calls.transaction(pool, fn, opts)
  if type(fn) ~= "function" then
    errors.misuse("a transaction runs a function, not a " .. type(fn))
  end
  local its_own, retries = options.pool_transaction(opts, pool.own.retries)
  local had_one = false
  local function run_in(conn)
    had_one = true
    return conn:transaction(fn, its_own)
  end
  local function attempt_all()
    return pool:with(run_in)
  end
  local function is_due(problem) return had_one and retry.is_undone(problem) end
  pool.source.bind(pool)
  return retry.loop(pool.loop, attempt_all, { retries = retries }, is_due, pool.observer)
end

return pool_calls
