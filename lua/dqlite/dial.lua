--- From an address to a connected stream: by the loop, or by the user's own
-- function.
-- @module dqlite.dial

local coroutines = require "dqlite.loop.coroutines"
local errors = require "dqlite.error"

local NEEDED = { "recv", "send", "alive", "close" }

local function check_stream(stream)
  local kind = type(stream)
  for _, name in ipairs(NEEDED) do
    if kind ~= "table" and kind ~= "userdata" or not stream[name] then
      return nil, "value", "the dial function answered no stream: it lacks " .. name
    end
  end
  return stream
end

-- It answers a stream, or nil with a kind and a reason, or with a reason alone.
local function dial_by(dialler, address, deadline)
  local ok, stream, kind, reason = coroutines.pcall(dialler, address, deadline)
  if not ok then
    return nil, "connect", "the dial function raised: " .. errors.describe(stream)
  end
  if stream then return check_stream(stream) end
  if kind == "misuse" or errors.is_kind(kind) then return nil, kind, tostring(reason) end
  return nil, "connect", errors.describe(kind)
end

--- Dials.
-- @tparam table link `loop`, `address`, `dialler` (the option `dial`), `keeping`, `tls`
-- @tparam number deadline of the loop's now()
-- @tparam function hold called with a stream that is being connected, which can be
-- closed then
-- @return a stream, or nil with the kind of the error and its reason
return function(link, deadline, hold)
  if not link.dialler then
    return link.loop.connect(link.address, deadline, hold, link.keeping, link.tls)
  end
  local stream, kind, reason = dial_by(link.dialler, link.address, deadline)
  if stream or kind == "misuse" then return stream, kind, reason end
  return nil, kind, errors.visible(reason)
end
