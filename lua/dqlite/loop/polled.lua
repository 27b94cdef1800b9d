--- Streams over descriptors of our own, for loops whose coroutines can wait for one: all of
-- it but the wait. Nothing here blocks.
-- @module dqlite.loop.polled

local core = require "dqlite.core"
local parking = require "dqlite.loop.parking"

local forks, now = core.forks, core.now

local Stream = {}

local OVER = parking.OVER
local GREEDY = 16 -- receives in a row before others get their turn

-- What a stream begins with.
local function new(class, sock)
  return setmetatable({
    sock = sock,
    process = forks(), -- that it belongs to
    session = nil, -- that it carries: it stays whole as long as the stream does
    fresh = false, -- nothing was received since the last send
    greed = 0, -- receives without a wait
    closed = false,
    waiter = nil, -- the coroutine that waits
    interrupts = 0, -- how many there were
    interruption = nil, -- the last one's reason
  }, class)
end

-- Whatever wakes it: after an interrupt the stream is somebody else's.
local function wait(self, events, deadline)
  if self.closed then return nil, "closed", self.interruption end
  if self.process ~= forks() then return nil, "misuse", parking.INHERITED end
  local before, thread = self.interrupts, coroutine.running()
  self.greed, self.waiter = 0, thread
  local woken, kind, reason = self:wait(events, deadline)
  if self.waiter == thread then self.waiter = nil end -- else it was interrupted
  if self.interrupts ~= before then return nil, "closed", self.interruption end
  return woken, kind, reason
end

local function look(self, session)
  self.greed = self.greed + 1
  return self.sock:recv(session)
end

-- The program may have kept the loop from telling us in time.
local function look_late(self, session)
  if not self.closed and self.sock:recv(session) then return true end
  return nil, "timeout", OVER
end

--- Gets at least one byte into the session. Straight after a send nothing can have come;
-- later a look costs less than a wait.
-- @param session a core session
-- @tparam number deadline of now()
-- @return true, or nil with the kind of the error and its reason
function Stream:recv(session, deadline)
  local looks, waited = not self.fresh, false
  self.session, self.fresh = session, false
  local woken, kind, reason = true, nil, nil
  if self.greed >= GREEDY then woken, kind, reason = wait(self, nil, deadline) end
  while woken do
    if now() >= deadline then
      if waited then return look_late(self, session) end
      return nil, "timeout", OVER
    end
    if looks then
      local got, problem, cause = look(self, session)
      if got ~= false then return got, problem, cause end
    end
    woken, kind, reason = wait(self, "r", deadline)
    looks, waited = true, true
  end
  return nil, kind, reason
end

--- Sends what is pending, all of it or until an answer comes in: a server reads nothing
-- while it answers.
-- @param session a core session
-- @tparam number deadline of now()
-- @return true, or nil with the kind of the error and its reason
function Stream:send(session, deadline)
  self.session, self.fresh = session, true
  while now() < deadline do
    local done, kind, reason = self.sock:send(session)
    if done ~= false then return done, kind, reason end
    local woken, problem, cause = wait(self, "rw", deadline)
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

--- The peer's address with a numeric host; nil unless it is TCP.
function Stream:peer()
  return self.sock:peer()
end

--- Ends the wait of the coroutine that waits here, by and by.
-- @tparam string reason in words; its call fails with "closed"
function Stream:interrupt(reason)
  self.interrupts, self.interruption = self.interrupts + 1, reason
  self:wake()
end

--- Closes; who waits here is told. Again does nothing.
function Stream:close()
  if self.closed then return end
  self.closed = true
  self:interrupt "the connection was closed by another coroutine"
  self:forget()
  self.sock:close()
end

--- In a forked child: closes its copy of the descriptor, and leaves alone what the loop of
-- the parent knows of it.
function Stream:close_inherited()
  self.closed = true
  self.sock:close()
end

-- ---- connect ----

local function wait_connected(stream, deadline)
  while true do
    local _, known = stream.sock:wait("w", 0)
    if known then
      local done, _, reason = stream.sock:connected()
      return done, "connect", reason
    end
    if now() >= deadline then return nil, "timeout", "no answer in time" end
    local woken, kind, reason = wait(stream, "w", deadline)
    if not woken then return nil, kind, reason end
  end
end

local polled = {}

--- Makes a kind of streams.
-- @tparam table methods `wait(self, events, deadline)` waits until the descriptor
-- `self.sock:fd()` is readable ("r"), writable ("w") or either ("rw"), until `wake` is called
-- or the deadline passes, any of which may be math.huge, and returns true; sooner does no
-- harm. With nil for the events it gives others their turn. nil, "misuse" and a reason where
-- nobody can wait. `wake(self)` ends that wait; `forget(self)` is called before the
-- descriptor is closed.
-- @treturn table
function polled.class(methods)
  local class = {}
  for name, method in pairs(Stream) do class[name] = method end
  for name, method in pairs(methods) do class[name] = method end
  class.__index = class
  return class
end

--- Dials a numeric address.
-- @tparam table class of the stream
-- @tparam string address
-- @tparam number deadline of now()
-- @tparam[opt] function hold called with the stream that is being connected, which can be
-- closed then
-- @return a stream, or nil with the kind of the error and its reason
function polled.connect(class, address, deadline, hold)
  local sock = core.socket()
  local done, kind, reason = sock:connect(address)
  if done == nil then
    sock:close()
    return nil, "connect", reason
  end
  local stream = new(class, sock)
  if not done then
    if hold then hold(stream) end
    done, kind, reason = wait_connected(stream, deadline)
  end
  if done then return stream end
  stream:close()
  return nil, kind, reason
end

return polled
