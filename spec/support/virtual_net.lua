--- Streams on a virtual loop, to a server in the same process.
--
--    virtual_net.install(world, server)   -- gives world.loop its connect
--
-- The server says what becomes of a dial, `server:dialled(stream)`: "accept",
-- "refuse" or "hang"; `server:accept(stream)` answers a stream of scripted.lua, which
-- knows the answers; `server:closed(stream)` is told. Everything takes a time that
-- is drawn, `server.latency` seconds at most. `stream:cut()` is the server's close.
local virtual_net = {}

local Stream = {}
Stream.__index = Stream

local OVER = "the deadline has passed"
local CUT = "the server closed the connection"
local SLOW_SENDS = 0.05 -- how many of all

local function latency(self)
  return self.world.random:number() * self.server.latency
end

-- Whatever wakes it: after an interrupt the stream is somebody else's.
local function park(self, deadline)
  local before = self.interrupts
  local woken, kind, reason = self.world:park(self.wait, deadline)
  if self.interrupts ~= before then return nil, "closed", self.interruption end
  return woken, kind, reason
end

-- ---- receiving ----

-- Answers come in the order of their requests.
local function deliver(self)
  self.due = self.due + 1
  self.world:wake(self.wait, true)
end

local function expect(self, count)
  for _ = 1, count do
    self.last_due = math.max(self.last_due, self.world.time + latency(self))
    self.world:after(self.last_due - self.world.time, function() deliver(self) end)
  end
end

--- Gets the next frame into the session.
function Stream:recv(session, deadline)
  while not self.is_closed do
    if self.due > 0 then
      self.due = self.due - 1
      return self.inner:recv(session, math.huge)
    end
    if self.is_cut then return nil, "closed", CUT end
    if self.world.time >= deadline then return nil, "timeout", OVER end
    local woken, kind, reason = park(self, deadline)
    if not woken and kind ~= "timeout" then return nil, kind, reason end
  end
  return nil, "closed", self.interruption
end

-- ---- sending ----

--- Sends what is pending; now and then after a wait.
function Stream:send(session, deadline)
  if self.world.random:chance(SLOW_SENDS) then
    local later = self.world.time + latency(self)
    local woken, kind, reason = park(self, math.min(later, deadline))
    if not woken and kind ~= "timeout" then return nil, kind, reason end
  end
  if self.is_closed then return nil, "closed", self.interruption end
  if self.is_cut then return nil, "closed", CUT end
  if self.world.time >= deadline then return nil, "timeout", OVER end
  local before = #self.inner.incoming
  self.inner:send(session)
  expect(self, #self.inner.incoming - before)
  return true
end

-- ---- the rest ----

function Stream:alive()
  return not self.is_closed and not self.is_cut and self.due == 0
end

function Stream:peer()
  return self.address
end

--- Ends the wait of the coroutine that waits here, by and by.
function Stream:interrupt(reason)
  self.interrupts, self.interruption = self.interrupts + 1, reason
  self.world:detach(self.wait, true)
end

function Stream:close()
  if self.is_closed then return end
  self.is_closed = true
  if self.inner then self.inner:close() end
  self.server:closed(self)
  self:interrupt "the connection was closed by another coroutine"
end

--- The server closes.
function Stream:cut()
  if self.is_cut or self.is_closed then return end
  self.is_cut = true
  self.world:wake(self.wait, true)
end

-- ---- connect ----

local function new_stream(world, server, address)
  local stream = setmetatable({
    world = world,
    server = server,
    address = address,
    inner = nil, -- that knows the answers, once it is accepted
    wait = world:wait(),
    due = 0, -- frames that have arrived
    last_due = 0, -- when the last one of those on their way does
    interrupts = 0,
    interruption = nil,
    is_cut = false,
    is_closed = false,
  }, Stream)
  return stream
end

local function connect(world, server, address, deadline, hold)
  local stream = new_stream(world, server, address)
  local verdict = server:dialled(stream)
  if hold then hold(stream) end
  stream.wait = world:wait(function() stream:close() end)
  local at = verdict == "hang" and deadline or math.min(deadline, world.time + latency(stream))
  local _, kind, reason = park(stream, at)
  stream.wait = world:wait()
  if kind == "timeout" and verdict == "accept" and world.time < deadline then
    stream.inner = server:accept(stream)
    return stream
  end
  stream:close()
  if kind ~= "timeout" then return nil, kind, reason end
  if verdict == "refuse" then return nil, "connect", "connection refused" end
  return nil, "timeout", "no answer in time"
end

--- Gives a world's loop its connect.
function virtual_net.install(world, server)
  function world.loop.connect(address, deadline, hold)
    return connect(world, server, address, deadline, hold)
  end
end

return virtual_net
