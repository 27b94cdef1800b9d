--- May the writes of a transaction be sent before the ones before them are
-- answered? Not where one may end the transaction, so that those behind it
-- would be applied one by one (hazards.md, Transactions and writes).
-- @module dqlite.ahead

local exchange = require "dqlite.exchange"

local ahead = {}

-- Tables as well as triggers: ON CONFLICT ROLLBACK is in a table's text. Not by
-- LIKE, which PRAGMA case_sensitive_like changes.
local ROLLS_BACK = [[
SELECT 1 FROM sqlite_schema WHERE instr(lower(sql), 'rollback') > 0
UNION ALL SELECT 1 FROM sqlite_temp_schema WHERE instr(lower(sql), 'rollback') > 0
LIMIT 1]]

--- Asks, inside a call and a transaction that is surely open.
-- @tparam table conn the connection
-- @treturn boolean|nil
-- @treturn table|nil the error
function ahead.is_safe(conn)
  local found, err = exchange.lookup(conn, ROLLS_BACK)
  if not found then return nil, err end
  return found[1] == nil
end

return ahead
