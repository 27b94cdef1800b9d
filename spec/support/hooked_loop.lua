--- The loop of the specs with hooks, for what has to happen while a call waits:
-- `sleep(seconds)` before each pause between two tries, `recv(n)` before the
-- n-th receive of a connection, `connect()` before each dial.
local in_loop = require "spec.support.in_loop"

-- Every method of the stream, but receives are counted.
local function hooked_stream(stream, before_recv)
  local received = 0
  local methods = {}
  function methods.recv(_, session, deadline)
    received = received + 1
    before_recv(received)
    return stream:recv(session, deadline)
  end
  return setmetatable(methods, { __index = function(_, name)
    local method = stream[name]
    return method and function(_, ...) return method(stream, ...) end
  end })
end

--- Makes a loop.
return function(hooks)
  local plain, loop = in_loop.module(), {}
  for name, value in pairs(plain) do loop[name] = value end
  if hooks.sleep then
    function loop.sleep(seconds)
      hooks.sleep(seconds)
      return plain.sleep(seconds)
    end
  end
  function loop.connect(address, deadline)
    if hooks.connect then hooks.connect() end
    local stream, kind, reason = plain.connect(address, deadline)
    if not stream or not hooks.recv then return stream, kind, reason end
    return hooked_stream(stream, hooks.recv)
  end
  return loop
end
