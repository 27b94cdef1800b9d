--- A transaction, or a savepoint inside of one, that the library opens and
-- ends itself, inside of a call. A scope is "transaction" or the name of its
-- savepoint.
-- @module dqlite.scope

local exchange = require "dqlite.exchange"
local states = require "dqlite.state"

local scope = {}

local TRANSACTION = "transaction"

-- Each depth has its name: a program that releases one of its own savepoints
-- too early must not make us take an outer one of ours for the inner.
local function open_savepoint(conn)
  local name = "dqlite_" .. conn.savepoints + 1
  local made, err = exchange.control(conn, "SAVEPOINT " .. name)
  if not made then return nil, err end
  conn.savepoints = conn.savepoints + 1
  return name
end

--- Makes certain whether a transaction is open, where the flags leave it open.
-- @treturn true|nil
-- @treturn table|nil the error
function scope.settle(conn)
  local state = conn.state
  if state.surely_open or not state.maybe_open then return true end
  local opened, err = scope.open(conn, "BEGIN", "join")
  if opened then return scope.undo(conn, opened) end
  return opened == false, err
end

--- Opens a scope. Where it is not sure that a transaction is open, BEGIN tells:
-- the server refuses it inside of one.
-- @tparam table conn the connection
-- @tparam string text the BEGIN
-- @tparam string inside what happens inside of a transaction: "savepoint" opens
-- one, "join" opens nothing, "refuse" answers the server's error
-- @treturn string|boolean|nil the scope; false when nothing was opened
-- @treturn table|nil the error
function scope.open(conn, text, inside)
  if not conn.state.surely_open or inside == "refuse" then
    local began, err = exchange.control(conn, text)
    if began then
      conn.savepoints = 0
      return TRANSACTION
    end
    if inside == "refuse" or not states.says_open(err) then return nil, err end
  end
  if inside == "join" then return false end
  return open_savepoint(conn)
end

-- The savepoint stood inside of a transaction, which is open still: by itself it
-- changes nothing.
local function release(conn, name)
  conn.state.harmless = true
  local released, err = exchange.control(conn, "RELEASE " .. name)
  conn.state.harmless = false
  if not released then return nil, err end
  conn.state.surely_open = true
  conn.savepoints = conn.savepoints - 1
  return released
end

--- Keeps what was done: COMMIT or RELEASE. When that is refused the scope is
-- still open (a deferred foreign key; hazards.md, Transactions and writes).
-- @treturn table|nil
-- @treturn table|nil the error; `ambiguous` when the answer to COMMIT was lost
function scope.keep(conn, opened)
  if opened == TRANSACTION then return exchange.control(conn, "COMMIT") end
  return release(conn, opened)
end

local function close(conn)
  if conn.link.stream then
    conn.link:fail("closed", "a transaction that could not be rolled back")
  end
end

-- A savepoint that is not there. With the whole transaction gone there is nothing
-- to undo. In an open one what was done would be committed with the rest, so all
-- of it is undone: by ROLLBACK where a level around this one will notice.
local function undo_all(conn)
  local began = exchange.control(conn, "BEGIN")
  if not began and not conn.level then return close(conn) end
  if not exchange.control(conn, "ROLLBACK") then close(conn) end
end

--- Leaves it as if nothing had been done. What the server ended by itself needs
-- no ROLLBACK; a connection that cannot be rolled back is closed.
-- @treturn true|nil
-- @treturn table|nil the error
function scope.undo(conn, opened)
  if not conn.link.stream then return true end
  if opened ~= TRANSACTION then
    local back, err = exchange.control(conn, "ROLLBACK TO " .. opened)
    if back then return release(conn, opened) end
    if conn.link.stream then undo_all(conn) end
    return nil, err
  end
  local back, err = exchange.control(conn, "ROLLBACK")
  if back or states.says_none(err) then return true end
  close(conn)
  return nil, err
end

return scope
