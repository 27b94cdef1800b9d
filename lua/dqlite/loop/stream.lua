--- What the streams of loops have in common whose coroutines wait for a descriptor
-- while others run: our own socket, watched by the loop.
--
-- The class of a loop may have `watch(events)` of its own: from now on, until a wait has
-- ended or for longer, the loop wakes `self.wait` once the socket is ready for "r", "w" or
-- "rw"; and `unwatch()`: the socket is about to be closed.
-- @module dqlite.loop.stream

local core = require "dqlite.core"
local parking = require "dqlite.loop.parking"

local streams = {}

local Stream = {}

local OVER = parking.OVER
local CLOSED = "the connection was closed by another coroutine"
local DAY = 86400 -- seconds; not every timer knows infinity
local GREEDY = 16 -- receives in a row before others get their turn

-- Whatever wakes it: after an interrupt the stream is somebody else's.
local function park(self, deadline)
  local before = self.interrupts
  local woken, kind, reason = self.waits.park(self.wait, deadline)
  if self.interrupts ~= before then return nil, "closed", self.interruption end
  return woken, kind, reason
end

local function wait_for(self, events, deadline)
  if self.problem then return nil, "closed", self.problem end
  if self.watched ~= events then
    local started, kind, reason = self:watch(events)
    if not started then return nil, kind, reason end
  end
  self.greed = 0
  if deadline < math.huge then return park(self, deadline) end
  local woken, kind, reason = park(self, core.now() + DAY)
  if woken or kind ~= "timeout" then return woken, kind, reason end
  return true
end

-- Lets others have their turn. Should something else wake it first, the next wait
-- here ends early, which does no harm: what waits here looks again.
local function pass(self, deadline)
  local waits, wait = self.waits, self.wait
  self.greed = 0
  waits.later(function() waits.wake(wait, true) end, wait)
  return park(self, deadline)
end

--- Has the next wait here end once the socket is ready.
-- @tparam string events "r", "w" or "rw"
-- @return true, or nil with the kind of the error and its reason
function Stream:watch(events)
  if self.process ~= core.forks() then return nil, "misuse", parking.INHERITED end
  local wait = self.wait
  wait.fd, wait.wanted = self.sock:fd(), events
  return true
end

--- Watches the socket no longer.
function Stream:unwatch()
  self.waits.unwatch(self.wait)
end

--- Gets at least one byte into the session. Straight after a send nothing can
-- have come; later a look costs less than a wait, and acknowledges what came
-- (protocol.md 5).
-- @param session a core session
-- @tparam number deadline of now()
-- @return true, or nil with the kind of the error and its reason
function Stream:recv(session, deadline)
  local ready, kind, reason = true, nil, nil
  local look, waited = not self.fresh, false
  self.session, self.fresh = session, false
  if self.greed >= GREEDY then ready, kind, reason = pass(self, deadline) end
  local in_time = ready and (not look or core.now() < deadline)
  while in_time do
    if look then
      self.greed = self.greed + 1
      local got, problem, cause = self.sock:recv(session)
      if got ~= false then return got, problem, cause end
    end
    look, waited = true, true
    ready, kind, reason = wait_for(self, "r", deadline)
    in_time = ready and core.now() < deadline
  end
  -- the program may have kept the loop from telling us in time
  local late = waited and self.is_open and (ready or kind == "timeout")
  if late and self.sock:recv(session) then return true end
  if ready then return nil, "timeout", OVER end
  return nil, kind, reason
end

--- Sends what is pending, all of it or until an answer comes in (as the blocking
-- loop's).
-- @param session a core session
-- @tparam number deadline of now()
-- @return true, or nil with the kind of the error and its reason
function Stream:send(session, deadline)
  self.session, self.fresh = session, true
  while core.now() < deadline do
    local done, kind, reason = self.sock:send(session)
    if done ~= false then return done, kind, reason end
    local woken, problem, cause = wait_for(self, "rw", deadline)
    if not woken then return nil, problem, cause end
    done, kind, reason = self.sock:recv(session)
    if done ~= false then return done, kind, reason end
  end
  return nil, "timeout", OVER
end

--- Is the peer there, with nothing unasked to say? Without a round trip.
function Stream:alive()
  return self.sock:alive()
end

--- Ends the wait of the coroutine that waits here, by and by.
-- @tparam string reason in words; its call fails with "closed"
function Stream:interrupt(reason)
  self.interrupts, self.interruption = self.interrupts + 1, reason
  if self.wait.thread then self.waits.wake_later(self.wait, true) end
end

--- In a forked child: closes its copy of the descriptor. What the loop watches is left
-- alone, as to stop it would end the watch of the parent's.
function Stream:close_inherited()
  self.is_open, self.watched = false, nil
  self.sock:close()
end

--- Closes; who waits here is told. Again does nothing.
function Stream:close()
  if not self.is_open then return end
  if self.waits.is_inherited() then return self:close_inherited() end
  self.is_open, self.watched, self.problem = false, nil, CLOSED
  self:interrupt(CLOSED)
  self:unwatch()
  self.sock:close()
end

--- The peer's address with a numeric host; nil unless it is TCP.
function Stream:peer()
  return self.sock:peer()
end

--- The descriptor; nil once it is closed.
function Stream:pollfd()
  return self.is_open and self.sock:fd() or nil
end

-- ---- for loops ----

--- Makes a class of streams.
-- @tparam[opt] table methods of its own
-- @treturn table
function streams.class(methods)
  local class = {}
  for name, method in pairs(Stream) do class[name] = method end
  for name, method in pairs(methods or {}) do class[name] = method end
  class.__index = class
  return class
end

--- Makes a stream.
-- @tparam table class
-- @tparam table waits of the loop: as dqlite.loop.waits
-- @param sock a core socket
-- @tparam table wait of those waits, for one coroutine after the other
function streams.new(class, waits, sock, wait)
  return setmetatable({
    waits = waits,
    sock = sock,
    process = core.forks(), -- that it belongs to
    is_open = true,
    session = nil, -- that it carries
    watched = nil, -- what the loop watches it for
    problem = nil, -- that the loop had with it
    interrupts = 0, -- how many there were
    interruption = nil, -- the last one's reason
    wait = wait, -- of the coroutine whose call is under way
    fresh = false, -- nothing was received since the last send
    greed = 0, -- receives without a wait
  }, class)
end

-- On one machine it is known at once what becomes of it; to wait for a refusal would make
-- luv itself write a line to standard error.
local function wait_connected(stream, deadline)
  local sock = stream.sock
  while true do
    local _, known = sock:wait("w", 0)
    if known then
      local done, _, reason = sock:connected()
      return done, "connect", reason
    end
    if core.now() >= deadline then return nil, "timeout", "no answer in time" end
    local woken, kind, reason = wait_for(stream, "w", deadline)
    if not woken and kind ~= "timeout" then return nil, kind, reason end
  end
end

local function connect(sock, address, deadline, hold, new_stream)
  local done, kind, reason = sock:connect(address)
  if done == nil then return nil, "connect", reason end
  local stream, why = new_stream(sock)
  if not stream then return nil, "connect", why end
  if not done then
    if hold then hold(stream) end
    local wait, first = stream.wait, stream.waits.new(function() stream:close() end)
    stream.wait = first -- nobody else knows the stream yet
    done, kind, reason = wait_connected(stream, deadline)
    stream.wait, wait.fd = wait, first.fd -- which `unwatch` needs, if nobody waits any more
  end
  if done then return stream end
  stream:close()
  return nil, kind, reason
end

--- Connects to a numeric address.
-- @tparam string address
-- @tparam number deadline of now()
-- @tparam function|nil hold of the loop's connect
-- @tparam function new_stream `(sock)`: a stream, or nil and a reason
-- @return a stream, or nil with the kind of the error and its reason
function streams.connect(address, deadline, hold, new_stream)
  local sock = core.socket()
  local stream, kind, reason = connect(sock, address, deadline, hold, new_stream)
  if not stream then sock:close() end
  return stream, kind, reason
end

return streams
