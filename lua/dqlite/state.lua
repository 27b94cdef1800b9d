--- What is known about the transaction of a connection. Two flags, since the
-- server does not tell (hazards.md, Transactions and writes): `maybe_open`
-- decides whether a ROLLBACK is owed, `surely_open` what is ambiguous and
-- whether a write may be sent that relies on the transaction.
-- @module dqlite.state

local State = {}
State.__index = State

local state = {}

--- The state of a new connection: no transaction.
function state.new()
  return setmetatable({
    maybe_open = false, -- begun, and not ended by COMMIT, END or ROLLBACK
    surely_open = false, -- and nothing since can have ended it
    harmless = false, -- what is under way changes nothing, whatever it looks like
  }, State)
end

local function set(self, maybe, surely)
  self.maybe_open, self.surely_open = maybe, surely
end

--- A statement succeeded.
-- @tparam table known from dqlite.sql
function State:succeeded(known)
  local kind = known.kind
  if not known.control then return end
  if kind == "commit" or kind == "rollback" then
    set(self, false, false)
  elseif kind == "release" then
    self.surely_open = false -- the outermost one commits
  else
    -- BEGIN and SAVEPOINT open one; ROLLBACK TO finds its savepoint in one
    set(self, true, true)
  end
end

-- SQLite's own words, as answers to the statements that can get them: other
-- texts may hold anything, names of tables for example.
local OPEN = "cannot start a transaction within a transaction"
local NONE = {
  commit = "cannot commit - no transaction is active",
  rollback = "cannot rollback - no transaction is active",
}

--- Does the error of a BEGIN say that a transaction is open already?
function state.says_open(err)
  return err.code == 1 and err.message == OPEN
end

--- Does the error of a ROLLBACK say that none is open?
function state.says_none(err)
  return err.code == 1 and err.message == NONE.rollback
end

--- A statement failed. BUSY leaves a transaction as it was; other failures may
-- have ended it (INSERT OR ROLLBACK, RAISE(ROLLBACK) in a trigger).
-- @tparam table known from dqlite.sql
-- @tparam table err
function State:failed(known, err)
  if known.kind == "begin" and state.says_open(err) then
    set(self, true, true)
  elseif err.code == 1 and err.message == NONE[known.kind] then
    set(self, false, false)
  elseif err.kind ~= "busy" then
    self.surely_open = false
  end
end

--- Would it be unknown whether a statement was applied, if its answer was
-- lost? A write inside an open transaction dies with the session.
-- @tparam table known from dqlite.sql
function State:in_doubt(known)
  if self.harmless then return false end
  if known.kind == "commit" or known.kind == "release" then return known.writes end
  return known.writes and not self.surely_open
end

return state
