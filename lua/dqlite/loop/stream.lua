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

-- Quicker than to look them up in each call.
local send, recv, reply = core.socket_methods.send, core.socket_methods.recv,
  core.socket_methods.reply

local OVER = parking.OVER
local CLOSED = "the connection was closed by another coroutine"
local DAY = 86400 -- seconds; not every timer knows infinity
local HUGE = math.huge
local GREEDY = 16 -- receives in a row before others get their turn

-- Waits until the socket is ready; without events, to be woken. Whatever wakes it: after
-- an interrupt the stream is somebody else's.
local function wait_for(self, events, deadline)
  if events and self.watched ~= events then
    if self.problem then return nil, "closed", self.problem end
    local started, kind, reason = self:watch(events)
    if not started then return nil, kind, reason end
  end
  local before, limit = self.interrupts, deadline
  if deadline == HUGE then limit = core.now() + DAY end
  self.greed = 0
  local woken, kind, reason = self.waits.park(self.wait, limit)
  if self.interrupts ~= before then return nil, "closed", self.interruption end
  if limit < deadline and kind == "timeout" then return true end
  return woken, kind, reason
end

-- Lets others have their turn. Should something else wake it first, the next wait
-- here ends early, which does no harm: what waits here looks again.
local function pass(self, deadline)
  local waits, wait = self.waits, self.wait
  waits.later(function() waits.wake(wait, true) end, wait)
  return wait_for(self, nil, deadline)
end

-- Waits, and receives by a method of the socket: "recv", or "reply". Once more when the time
-- is over: the program may have kept the loop from telling us in time.
local function receive(self, method, session, deadline)
  local ready, kind, reason = wait_for(self, "r", deadline)
  if not ready and (kind ~= "timeout" or not self.is_open) then return nil, kind, reason end
  local got, second, third = method(self.sock, session)
  if got then return got, second, third end
  if got == nil and not second then return end -- a part of a reply
  if not ready or core.now() >= deadline then return nil, "timeout", OVER end
  if got == nil then return nil, second, third end
  return receive(self, method, session, deadline) -- no loop: most often it comes at once
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
  local is_fresh = self.fresh
  self.session, self.fresh = session, false
  if self.greed >= GREEDY then
    local passed, kind, reason = pass(self, deadline)
    if not passed then return nil, kind, reason end
  end
  if not is_fresh then
    if core.now() >= deadline then return nil, "timeout", OVER end
    self.greed = self.greed + 1
    local got, kind, reason = self.sock:recv(session)
    if got ~= false then return got, kind, reason end
  end
  return receive(self, recv, session, deadline)
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

--- Sends what is pending, and takes the first reply to it.
-- @param session a core session with one request, and nothing on its way
-- @tparam number deadline of now()
-- @return as session:next(); or nothing: what is left is for send and recv; or nil with the
-- kind of the error and its reason
function Stream:ask(session, deadline)
  self.session, self.fresh = session, false
  local sent, kind, reason = send(self.sock, session)
  if sent then return receive(self, reply, session, deadline) end
  return nil, kind, reason
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
