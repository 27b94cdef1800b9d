--- Asks one node one thing, on a raw session of its own.
local session = require "dqlite.session"

local TIMEOUT = 0.5 -- seconds; for what takes a node milliseconds

--- @tparam string address
-- @tparam string name of the request
-- @tparam[opt] table fields
-- @tparam[opt] number timeout in seconds
-- @treturn table|nil the answer
-- @treturn table|nil the error
return function(address, name, fields, timeout)
  local raw, err = session.connect(address, { timeout = timeout or TIMEOUT })
  if not raw then return nil, err end
  local answer, failed = raw:request(name, fields)
  raw:close()
  return answer, failed
end
