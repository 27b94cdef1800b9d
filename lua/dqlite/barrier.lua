--- What goes ahead of a linearizable read: a write that changes nothing and goes
-- through the log of the cluster. A leader that was replaced, and does not know it yet,
-- cannot commit it; so what is read behind it on the same connection holds every write
-- that was acknowledged before. BEGIN IMMEDIATE and COMMIT alone, or a DELETE of no row,
-- do not reach the log (hazards.md, Leaders).
-- @module dqlite.barrier

local errors = require "dqlite.error"
local exchange = require "dqlite.exchange"
local scopes = require "dqlite.scope"

local barrier = {}

local function refusal(conn)
  return errors.new {
    kind = "value",
    message = "a linearizable read in a transaction: its barrier is a transaction of its own",
    address = conn.address,
    sql = conn.sql,
  }
end

local function touch(conn)
  local rows, err = exchange.lookup(conn, "PRAGMA user_version")
  if not rows then return nil, err end
  local version = tonumber(rows[1][1])
  local set, failed = exchange.control(conn, ("PRAGMA user_version = %d"):format(version))
  if not set then return nil, failed end
  return scopes.keep(conn, "transaction")
end

--- Writes it, inside of a call. It takes the write lock: BUSY is waited for as that of
-- any statement is.
-- @tparam table conn the connection
-- @treturn true|nil
-- @treturn table|nil the error; never ambiguous, since nothing is changed
function barrier.pass(conn)
  if conn.state.maybe_open then return nil, refusal(conn) end
  local scope, refused = scopes.open(conn, "BEGIN IMMEDIATE", "refuse")
  if not scope then return nil, refused end
  conn.state.harmless = true
  local done, err = touch(conn)
  if not done then scopes.undo(conn, scope) end
  conn.state.harmless = false
  if not done then return nil, err end
  return true
end

return barrier
