--- A connection of dqlite.luasql: one of dqlite, for one coroutine at a time, on which
-- LuaSQL's calls are made. It is lost with the leader that it is to: `err.fatal`, the third
-- value that a call answers, tells, and `env:connect` finds the next one.
-- @classmod dqlite.luasql.connection

local cursors = require "dqlite.luasql.cursor"
local errors = require "dqlite.error"
local object = require "dqlite.luasql.object"
local sql = require "dqlite.sql"

local connection = {}

local Connection = object.class "connection"

local WEAK = { __mode = "k" } -- a cursor that was dropped is not open

--- Makes one.
-- @tparam table handle a connection of dqlite
-- @treturn table
-- @local
function connection.new(handle)
  return object.new(Connection, {
    handle = handle,
    cursors = setmetatable({}, WEAK), -- those that are open, as keys
    autocommit = true,
    owed = false, -- is one to begin where none is open?
    last_id = 0, -- nil: the server knows
  })
end

-- ---- statements ----

-- Would LuaSQL have begun a transaction, that has not begun here? It begins as soon as
-- `setautocommit(false)`, `commit` and `rollback` are called. An idle program would keep the
-- others from writing, or itself from seeing newer rows: here the first statement begins.
local function is_owed(self)
  return self.owed and not self.handle:in_transaction()
end

-- A write begins for writing: later on it may be too late (BUSY_SNAPSHOT).
local function begin_owed(self, known)
  if is_owed(self) then
    local writes = known.writes and known.kind ~= "unknown"
    local begun, err = self.handle:begin(writes and "immediate" or "deferred")
    if not begun then return nil, err end
  end
  self.owed = false
  return true
end

local function open_cursor(self, text, ...)
  local result, err = self.handle:query(text, ...)
  if not result then return object.failed(err) end
  return cursors.new(result, self.cursors, self)
end

local function change(self, text, ...)
  local answer, err = self.handle:execute(text, ...)
  if not answer then return object.failed(err) end
  self.last_id = answer.last_insert_id or self.last_id
  return answer.rows_affected or 0
end

local function run(self, known, text, ...)
  if known.kind == "change" then self.last_id = nil end
  return (known.yields_rows and open_cursor or change)(self, text, ...)
end

--- Runs a statement.
-- @tparam string text one statement: where LuaSQL forgets what follows the first one, this is
-- an error
-- @param ... parameters, which LuaSQL has not, as of the calls of dqlite: one by one, or one
-- table that options may follow. For a statement without any, as programs for LuaSQL have
-- them, what is given is ignored, unless it is a table
-- @treturn table|number|nil a cursor where the statement has columns: SELECT, also without
-- a row, RETURNING, EXPLAIN, a PRAGMA that is asked. Of others how many rows were changed,
-- 0 where it changes none. On 5.3 and 5.4 that is an integer, a float of LuaSQL's
-- @treturn string|nil "LuaSQL: " and what is wrong
-- @treturn dqlite.error|nil the error; `ambiguous` when the statement may have been applied
function Connection:execute(text, ...)
  object.check(Connection, self, "execute")
  text = object.text(text, 1, "execute")
  local known = sql.examine(text)
  if self.owed and not known.problem then
    local begun, err = begin_owed(self, known)
    if not begun then return object.failed(err) end
  end
  -- `execute(text:gsub(...))` has a number behind the text
  if known.params == 0 and type((...)) ~= "table" then return run(self, known, text) end
  return run(self, known, text, ...)
end

--- Doubles the quotes in a text, for a literal between quotes. It may be closed.
-- @tparam string text
-- @treturn string. A NUL, which cannot travel, stays, and `execute` refuses it; LuaSQL cuts
-- the text there
function Connection:escape(text)
  object.check_kind(Connection, self, "escape")
  return (object.text(text, 1, "escape"):gsub("'", "''"))
end

--- The rowid of the row that this connection has inserted last.
-- @treturn number|string|nil 0 where it has inserted none; a string where LuaJIT, 5.1 and 5.2
-- have no such number
-- @treturn string|nil "LuaSQL: " and what is wrong: what has no INSERT or REPLACE of one's
-- own as the last change is asked for
-- @treturn dqlite.error|nil the error
function Connection:getlastautoid()
  object.check(Connection, self, "getlastautoid")
  if self.last_id then return self.last_id end
  local id, err = self.handle:fetchval "SELECT last_insert_rowid()"
  if not id then return object.failed(err) end
  self.last_id = id
  return id
end

-- ---- transactions ----

-- Whatever becomes of it, the next transaction is owed where none is open any more.
local function finish(self, how)
  if is_owed(self) then return true end
  self.owed = not self.autocommit
  local handle = self.handle
  local done, err = handle[how](handle)
  if not done then return object.failed(err) end
  return true
end

--- Commits, also what BEGIN as text has begun. With autocommit off another transaction
-- begins, with the next statement.
-- @treturn boolean|nil true
-- @treturn string|nil "LuaSQL: " and what is wrong: no transaction is open; or the server has
-- ended it by itself (INSERT OR ROLLBACK), in which case nothing else has been run behind
-- that, unlike with SQLite, which runs it outside of the transaction
-- @treturn dqlite.error|nil the error; `ambiguous` when the answer was lost
function Connection:commit()
  object.check(Connection, self, "commit")
  return finish(self, "commit")
end

--- Rolls back, as `commit` commits.
-- @return as commit
function Connection:rollback()
  object.check(Connection, self, "rollback")
  return finish(self, "rollback")
end

--- Turns autocommit on, as it is at first, or off. A transaction that is open when it is
-- turned on is rolled back, as LuaSQL does.
-- @tparam boolean on
-- @treturn boolean|nil true; where autocommit is off already as well, which LuaSQL raises for
-- @treturn string|nil "LuaSQL: " and what is wrong
-- @treturn dqlite.error|nil the error
function Connection:setautocommit(on)
  object.check(Connection, self, "setautocommit")
  on = on and true or false
  self.autocommit, self.owed = on, not on
  if on and self.handle:in_transaction() then return finish(self, "rollback") end
  return true
end

-- ---- its end ----

--- Closes; a transaction that is open is rolled back. Raises where cursors are open, as
-- LuaSQL does.
-- @treturn boolean false where it was closed
function Connection:close()
  object.check_kind(Connection, self, "close")
  if self.closed then return false end
  if next(self.cursors) then errors.misuse "LuaSQL: there are open cursors" end
  self.handle:close()
  self.closed = true
  return true
end

-- An error on its way out is not to be replaced by one about cursors.
function Connection:__close()
  if self.closed then return end
  self.handle:close()
  self.closed = true
end

return connection
