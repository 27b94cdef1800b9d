--- The handle of a transaction that `conn:begin` has begun, for what does not fit in the
-- function of `conn:transaction`. In Lua 5.4 `local tx <close> = conn:begin()` rolls back
-- unless it was committed.
-- @classmod dqlite.transaction

-- Transactions: a function run between BEGIN and COMMIT, nested ones as savepoints, and
-- handles.
--
-- A level: `parent`, `scope` (of dqlite.scope), `scoped` (of transaction(fn)),
-- `handle` (else), `owner` (the coroutine of fn), `read_only`, `failed`
-- (the first error at this level), `gone` (the error once the server has ended
-- the transaction by itself).

local call = require "dqlite.call"
local errors = require "dqlite.error"
local helpers = require "dqlite.helpers"
local loops = require "dqlite.loops"
local options = require "dqlite.options"
local scopes = require "dqlite.scope"
local sql = require "dqlite.sql"

local transaction = {}

local BEGIN = {
  immediate = "BEGIN IMMEDIATE",
  deferred = "BEGIN",
  exclusive = "BEGIN EXCLUSIVE",
  read = "BEGIN",
}

-- A whole call that does one thing to a scope.
local function perform(conn, text, act, ...)
  local ready, refused = call.begin(conn, conn.settings, sql.examine(text))
  if not ready then return nil, refused end
  local done, err = act(conn, ...)
  call.finish(conn, err)
  return done, err
end

-- The level is made before BEGIN is sent: what runs out of memory behind that
-- must not leave a transaction that nobody knows of.
local function enter(conn, mode, handle)
  local text, parent = BEGIN[mode], conn.level
  local level = {
    parent = parent,
    scope = false,
    scoped = not handle,
    handle = handle,
    owner = loops.running(),
    read_only = mode == "read" or parent and parent.read_only or false,
    failed = nil,
    gone = nil,
  }
  local scope, err =
    perform(conn, text, scopes.open, text, handle and "refuse" or "savepoint")
  if not scope then return nil, err end
  level.scope = scope
  conn.level = level
  return level
end

-- Leaves a level as if it had never been. What is refused is refused before that.
local function roll_back(conn, level)
  if conn.link.stream then call.check(conn, conn.settings.timeout) end
  conn.level = level.parent
  if not conn.link.stream or level.gone then return true end
  return perform(conn, "ROLLBACK", scopes.undo, level.scope)
end

local function keep_harmless(conn, scope)
  conn.state.harmless = true
  local done, err = scopes.keep(conn, scope)
  conn.state.harmless = false
  return done, err
end

-- Whether an unsure transaction is still there is asked by call.begin: the level
-- goes afterwards, and stays where COMMIT is refused.
local function commit(conn, level)
  if not conn.link.stream then return nil, conn.link:ended() end
  local keep = level.read_only and keep_harmless or scopes.keep
  local done, err = perform(conn, "COMMIT", keep, level.scope)
  if done or level.gone then conn.level = level.parent end
  return done, err
end

-- ---- transaction(fn) ----

-- Is the connection still in this level, as far as it knows?
local function is_in(conn, level)
  while conn.level and conn.level ~= level do conn.level = conn.level.parent end
  if conn.closed or conn.link:is_inherited() then conn.level = false end
  return conn.level == level
end

-- The function is over, and so must its transaction be: where another coroutine
-- reads its rows, or nothing can wait, the connection has to end.
local function take_back(conn)
  if conn.closed then return end
  local link = conn.link
  local taken = link.owner and link.owner ~= loops.running()
  if taken or not loops.can_wait(link.loop) then
    link:fail("closed", "its transaction ended in the middle of another call")
  end
end

local function leave(conn, level, settings, ok, ...)
  take_back(conn)
  local inside = is_in(conn, level)
  local first, second = ...
  local failed = settings.on_error ~= "commit" and level.failed or nil
  if not ok or failed or first == nil and second ~= nil then
    if inside then roll_back(conn, level) end
    if not ok then error(first, 0) end
    if first == nil and second ~= nil then return ... end
    return nil, failed
  end
  conn.link:check_process()
  if not inside then return nil, conn.link:ended() end
  local done, err = commit(conn, level)
  if done then return ... end
  if conn.level == level then roll_back(conn, level) end
  return nil, err
end

--- See Connection:transaction.
-- @local
function transaction.run(conn, fn, opts)
  helpers.check_usable(conn)
  if type(fn) ~= "function" then
    errors.misuse("a transaction runs a function, not a " .. type(fn))
  end
  local settings = options.transaction(opts)
  local level, err = enter(conn, settings.mode)
  if not level then return helpers.failed(conn, err) end
  return leave(conn, level, settings, pcall(fn, conn))
end

-- ---- handles ----

local Transaction = {}
Transaction.__index = Transaction
Transaction.__name = "dqlite.transaction"

local function check_handle(self, what)
  if self.done then errors.misuse(what .. ": the transaction has ended") end
  local conn = self.conn
  helpers.check_usable(conn)
  if conn.level == self.level or self.level.gone then return end
  if call.check(conn, conn.settings.timeout) then
    errors.misuse(what .. " with another transaction inside")
  end
end

local function check_no_level(conn, what)
  helpers.check_usable(conn)
  if not call.check(conn, conn.settings.timeout) then return nil end
  local level = conn.level
  if level and level.scoped then
    errors.misuse(what .. " inside transaction(): return, or raise")
  end
  return level
end

--- See Connection:begin.
-- @local
function transaction.begin(conn, mode)
  if check_no_level(conn, "begin") then
    errors.misuse("begin: a transaction is open already")
  end
  local settings = options.transaction { mode = mode }
  if conn.state.surely_open and conn.link.stream then
    errors.misuse("begin: a transaction is open already")
  end
  local tx = setmetatable({
    conn = conn,
    level = false, -- until it has begun
    done = false, -- committed or rolled back
    doubtful = false, -- the answer to its COMMIT was lost
  }, Transaction)
  local level, err = enter(conn, settings.mode, tx)
  if not level then return nil, err end
  tx.level = level
  return tx
end

--- Commits. A COMMIT that is refused leaves the transaction open, to be rolled
-- back.
-- @treturn true|nil
-- @treturn dqlite.error|nil the error; `ambiguous` when the answer was lost
function Transaction:commit()
  check_handle(self, "commit")
  local done, err = commit(self.conn, self.level)
  self.done, self.doubtful = done ~= nil, err and err.ambiguous or false
  if not done then return nil, err end
  return true
end

--- Rolls back.
-- @treturn true|nil
-- @treturn dqlite.error|nil the error; the connection is gone then, and with it the
-- transaction, unless its COMMIT was `ambiguous` before
function Transaction:rollback()
  check_handle(self, "rollback")
  if self.doubtful then
    self.done = true
    return nil, self.conn.link:ended()
  end
  local back, err = roll_back(self.conn, self.level)
  self.done = true
  if not back then return nil, err end
  return true
end

function Transaction:__close()
  local conn = self.conn
  if self.done or conn.closed or conn.link:is_inherited() then return end
  if conn.level == self.level then
    if loops.can_wait(conn.link.loop) then
      roll_back(conn, self.level)
    else
      conn.link:fail("closed", "a transaction was broken off where nothing can wait")
    end
  end
  self.done = true
end

function Transaction:__tostring()
  return ("dqlite transaction (%s)"):format(self.done and "ended" or "open")
end

--- See Connection:commit.
-- @local
function transaction.commit(conn)
  local level = check_no_level(conn, "commit")
  if level then return level.handle:commit() end
  local done, err = call.perform(conn, conn.settings, sql.examine "COMMIT")
  if not done then return nil, err end
  return true
end

--- See Connection:rollback.
-- @local
function transaction.rollback(conn)
  local level = check_no_level(conn, "rollback")
  if level then return level.handle:rollback() end
  local back, err = call.perform(conn, conn.settings, sql.examine "ROLLBACK")
  if not back then return nil, err end
  return true
end

return transaction
