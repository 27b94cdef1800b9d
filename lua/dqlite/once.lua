--- Transactions that are applied exactly once, whatever becomes of their answers: each
-- has an id that the caller chooses, which is written in the same transaction. When it
-- is in doubt whether a COMMIT was applied, the id tells.
--
-- The table `dqlite_once` holds the ids, what was answered, and when (unix time).
-- @module dqlite.once

local errors = require "dqlite.error"
local options = require "dqlite.options"
local retry = require "dqlite.retry"

local once = {}

local CREATE = [[
CREATE TABLE IF NOT EXISTS dqlite_once (
  id TEXT PRIMARY KEY NOT NULL,
  value,
  is_boolean INTEGER NOT NULL,
  at INTEGER NOT NULL
)]]
local FIND = "SELECT value, is_boolean FROM dqlite_once WHERE id = ?"
local KEEP = [[
INSERT INTO dqlite_once (id, value, is_boolean, at)
VALUES (?, ?, ?, CAST(strftime('%s', 'now') AS INTEGER))]]
local FORGET = "DELETE FROM dqlite_once WHERE at <= CAST(strftime('%s', 'now') AS INTEGER) - ?"

local SHORTEST = 0.001 -- seconds that a try may take, at least

-- What is stored for a value, and whether that is a boolean.
local function stored(value)
  local kind = type(value)
  if kind == "boolean" then return value and 1 or 0, 1 end
  if kind == "table" or kind == "function" or kind == "thread" then
    errors.misuse("what the function given to once answers is stored: one value, not a " .. kind)
  end
  return value, 0
end

-- In the transaction: what was stored, or what the function answers, and its storing.
local function apply(conn, id, fn)
  local row, err = conn:fetchone(FIND, id)
  if err then return nil, err end
  if row then
    local value = row.value
    if row.is_boolean == 1 then value = value == 1 end
    return { value = value, repeated = true }
  end
  local value, failed = fn(conn)
  if value == nil and failed ~= nil then return nil, failed end
  local kept, refused = conn:execute(KEEP, id, stored(value))
  if not kept then return nil, refused end
  return { value = value, repeated = false }
end

-- The table is made by the first who misses it.
local function is_missing(err)
  return err.code == 1 and err.message == "no such table: dqlite_once"
end

local Run = {}
Run.__index = Run

local function is_doubtful(self, problem)
  return self.applied and errors.is_error(problem) and problem.ambiguous
end

-- The same error with another outcome: "retryable" or "ambiguous".
local function with_outcome(err, outcome)
  local same = errors.new(err)
  same.retryable, same.ambiguous = outcome == "retryable", outcome == "ambiguous"
  return same
end

local function time_left(self)
  return math.max(self.deadline - self.pool.loop.now(), SHORTEST)
end

-- Whether the table is there by then or not, the request has not been applied.
local function make_table(self, missing)
  local made, err = self.pool:execute(CREATE, {}, { timeout = time_left(self) })
  if made then return with_outcome(missing, "retryable") end
  return err.ambiguous and with_outcome(err, "retryable") or err
end

-- One try. What is in doubt afterwards is its own COMMIT only if `apply` was through.
function Run:attempt()
  self.applied = false
  local done, failed = self.pool:with(function(conn)
    conn.limit = self.deadline
    return conn:transaction(function()
      local answer, err = apply(conn, self.id, self.fn)
      self.applied = answer ~= nil
      return answer, err
    end)
  end, { timeout = time_left(self) })
  if not errors.is_error(failed) then return done, failed end
  self.doubtful = self.doubtful or is_doubtful(self, failed)
  if is_missing(failed) then failed = make_table(self, failed) end
  return nil, failed
end

function Run:is_due(problem)
  if not errors.is_error(problem) then return false end
  return problem.retryable or is_doubtful(self, problem)
end

--- See Pool:once.
function once.run(pool, id, fn, opts)
  if type(id) ~= "string" then
    errors.misuse("the id of a request is a string, not a " .. type(id))
  end
  if type(fn) ~= "function" then errors.misuse("once runs a function, not a " .. type(fn)) end
  local settings = options.once(opts, pool.settings.timeout)
  pool:bind()
  local self = setmetatable({
    pool = pool,
    id = id,
    fn = fn,
    deadline = pool.loop.now() + settings.timeout,
    applied = false, -- by the last try, but for the COMMIT?
    doubtful = false, -- was the answer to the COMMIT of a try lost?
  }, Run)
  local answer, err = retry.loop(pool.loop, function() return self:attempt() end, settings,
    function(problem) return self:is_due(problem) end, pool.observer)
  -- what an earlier try has left in doubt stays so, whatever the last one failed of
  if self.doubtful and errors.is_error(err) then return nil, with_outcome(err, "ambiguous") end
  return answer, err
end

--- See Pool:forget_requests.
function once.forget(pool, seconds)
  if type(seconds) ~= "number" or not (seconds >= 0) then
    errors.misuse("forget_requests takes a number of seconds")
  end
  local done, err = pool:execute(FORGET, math.floor(seconds))
  if done then return done.rows_affected end
  if is_missing(err) then return 0 end
  return nil, err
end

return once
