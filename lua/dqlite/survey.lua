--- All that a connection can find out about its server, in one call.
-- @module dqlite.survey

local call = require "dqlite.call"
local exchange = require "dqlite.exchange"
local features = require "dqlite.features"
local helpers = require "dqlite.helpers"
local sql = require "dqlite.sql"

local ANY = sql.examine "SELECT 1" -- what such a call begins with

-- Each of them; nil and the error of the first that fails.
local function ask(conn)
  local params, err = features.params_32bit(conn)
  local tail, typed
  if not err then tail, err = features.statement_tail(conn) end
  if not err then
    conn.state.harmless = true -- its table is temporary
    typed, err = features.typed_null(conn, exchange.control, exchange.lookup)
    conn.state.harmless = false
  end
  if err and err.kind ~= "busy" then return nil, err end
  return { params_32bit = params, statement_tail = tail, returning = tail, typed_null = typed }
end

--- See Connection:features.
return function(conn)
  helpers.check_usable(conn)
  local ready, refused = call.begin(conn, conn.settings, ANY)
  if not ready then return helpers.failed(conn, refused) end
  conn.busy_until = -math.huge -- no wait for a lock
  local found, err = ask(conn)
  conn.busy_until = false
  call.finish(conn, err)
  if not found then return helpers.failed(conn, err) end
  return found
end
