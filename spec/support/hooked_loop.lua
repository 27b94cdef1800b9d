--- The blocking loop with hooks, for what has to happen while a call waits:
-- `sleep(seconds)` before each pause between two tries, `recv(n)` before the
-- n-th receive of a connection, `connect()` before each dial.
local blocking = require "dqlite.loop.blocking"

local function hooked_stream(stream, before_recv)
  local received = 0
  return {
    recv = function(_, session, deadline)
      received = received + 1
      before_recv(received)
      return stream:recv(session, deadline)
    end,
    send = function(_, session, deadline) return stream:send(session, deadline) end,
    alive = function() return stream:alive() end,
    close = function() return stream:close() end,
    peer = function() return stream:peer() end,
  }
end

--- Makes a loop.
return function(hooks)
  local loop = {}
  for name, value in pairs(blocking) do loop[name] = value end
  if hooks.sleep then
    function loop.sleep(seconds)
      hooks.sleep(seconds)
      return blocking.sleep(seconds)
    end
  end
  function loop.connect(address, deadline)
    if hooks.connect then hooks.connect() end
    local stream, kind, reason = blocking.connect(address, deadline)
    if not stream or not hooks.recv then return stream, kind, reason end
    return hooked_stream(stream, hooks.recv)
  end
  return loop
end
