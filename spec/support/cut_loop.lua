--- The loop of a scripted server, one wait of which ends badly.
--
--    local loop, cut = cut_loop(server)
--    cut.at, cut.how = 3, "timeout"      -- the third wait from now on
--    ... cut.count                       -- how many there were
--
-- "timeout": the deadline has passed (in a pause: it passes meanwhile); "closed":
-- the server is gone. Of what was to be sent then nothing is.
local ENDS = {
  timeout = "the deadline has passed",
  closed = "the server closed the connection",
}

local Stream = {}
Stream.__index = Stream

local function is_cut(cut)
  cut.count = cut.count + 1
  return cut.count == cut.at
end

local function broken(cut, deadline)
  local server = cut.server
  if cut.how == "timeout" then server.time = math.max(server.time, deadline) end
  return nil, cut.how, ENDS[cut.how]
end

function Stream:send(session, deadline)
  local cut = self.cut
  if is_cut(cut) then return broken(cut, deadline) end
  if cut.server.time >= deadline then return nil, "timeout", ENDS.timeout end
  return self.stream:send(session)
end

function Stream:recv(session, deadline)
  if is_cut(self.cut) then return broken(self.cut, deadline) end
  return self.stream:recv(session, deadline)
end

function Stream:alive() return self.stream:alive() end

function Stream:close() return self.stream:close() end

return function(server)
  local cut = { server = server, count = 0, at = nil, how = nil }
  local loop = {}
  for name, value in pairs(server.loop) do loop[name] = value end
  function loop.sleep(seconds)
    if is_cut(cut) and cut.how == "timeout" then server.time = server.time + 1000 end
    return server.loop.sleep(seconds)
  end
  function loop.connect(address, deadline)
    if is_cut(cut) then
      broken(cut, deadline)
      return nil, cut.how == "timeout" and "timeout" or "connect", ENDS[cut.how]
    end
    local stream = server.loop.connect(address, deadline)
    return setmetatable({ stream = stream, cut = cut }, Stream)
  end
  return loop, cut
end
