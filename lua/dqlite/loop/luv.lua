--- The loop of libuv, by way of luv: our own descriptors, watched by its polls.
-- Only coroutines wait.
--
-- A poll keeps its interest in reading from answer to answer, since to start and
-- stop it costs more than an answer does; a callback that finds nobody waiting
-- stops it. Polls are never a reason for the loop to go on, coroutines that wait
-- are. (design.md, The loop contract; luv's documentation of uv_poll_t.)
-- @module dqlite.loop.luv

local core = require "dqlite.core"
local dial = require "dqlite.loop.dial"
local uv = require "luv"
local waits = require "dqlite.loop.waits"

local luv = {
  name = "luv",
  now = core.now,
  refusal = waits.refusal,
  start = waits.start,
  background = waits.background,
  later_finalize = waits.later_finalize,
  report = waits.report,
  is_running = waits.is_running,
  run = waits.run,
  stop = waits.stop,
}

local DAY = 86400 -- seconds; luv's timers know no infinity
local GREEDY = 16 -- receives in a row before others get their turn

local function slept(_, kind, reason)
  if kind == "timeout" then return true end
  return nil, kind, reason
end

--- Waits.
-- @tparam number seconds how long; 0 gives the others a turn
-- @treturn true|nil nil with "misuse" and a reason, after a foreign resume
function luv.sleep(seconds)
  local wait, deadline = waits.new(), core.now() + seconds
  if seconds == 0 then
    waits.later(function() waits.wake(wait, nil, "timeout") end)
    return slept(waits.park(wait))
  end
  local done, kind, reason
  repeat
    done, kind, reason = slept(waits.park(wait, math.min(deadline, core.now() + DAY)))
  until not done or core.now() >= deadline
  return done, kind, reason
end

-- ---- conditions ----

local Cond = {}
Cond.__index = Cond

--- A condition that coroutines wait for, first come, first served.
-- @tparam[opt] function on_close called when a coroutine is closed while it waits
function luv.cond(on_close)
  return setmetatable({
    on_close = on_close,
    queue = {}, -- of waits, from `first` to `last`
    first = 1,
    last = 0,
    signalled = false, -- while nobody waited
  }, Cond)
end

local function pop(self)
  local i = self.first
  if i > self.last then return nil end
  local wait = self.queue[i]
  self.queue[i], self.first = nil, i + 1
  return wait
end

local function leave(wait)
  local self = wait.cond
  local queue, i = self.queue, self.first
  while i <= self.last and queue[i] ~= wait do i = i + 1 end
  if i > self.last then return end
  for k = i, self.last do queue[k] = queue[k + 1] end
  self.last = self.last - 1
end

local function closed(wait)
  leave(wait)
  if wait.cond.on_close then wait.cond.on_close() end
end

local function wake_signalled(wait)
  if not waits.wake(wait, true) and wait.signalled then wait.cond:signal() end
end

--- Lets one coroutine go on, by and by; without any, the next that waits.
function Cond:signal()
  local wait = pop(self)
  while wait and not waits.is_parked(wait) do wait = pop(self) end
  if not wait then
    self.signalled = true
    return
  end
  wait.signalled = true
  waits.later(wake_signalled, wait)
end

--- Does anybody wait?
function Cond:is_awaited()
  return self.first <= self.last
end

--- Waits for a signal.
-- @tparam[opt] number deadline of now()
-- @treturn boolean|nil true; false when the deadline passed; nil with "misuse"
-- and a reason after a foreign resume
function Cond:wait(deadline)
  if self.signalled then
    self.signalled = false
    return true
  end
  local wait = waits.new(closed)
  wait.cond, wait.signalled = self, false
  self.last = self.last + 1
  self.queue[self.last] = wait
  local _, kind, reason = waits.park(wait, deadline ~= math.huge and deadline or nil)
  if not wait.signalled then leave(wait) end
  if kind == "misuse" then return nil, kind, reason end
  local signalled = wait.signalled
  wait.signalled = false
  return signalled
end

-- ---- streams ----

local Stream = {}
Stream.__index = Stream

local OVER = "the deadline has passed"

-- libuv answers any error of a socket with EBADF, and has stopped the poll then:
-- what is wrong is for the socket to say.
local function react(stream, err)
  if err then stream.problem, stream.watched = err, nil end
  if not waits.wake(stream.wait, true) and stream.watched then
    stream.poll:stop()
    stream.watched = nil
  end
end

-- The poll and what it holds: a connection that its user drops stays whole until
-- the loop has closed it.
local function new_stream(sock)
  local poll, reason = uv.new_poll(sock:fd())
  if not poll then return nil, reason end
  poll:unref()
  waits.hold()
  local stream = setmetatable({
    sock = sock,
    poll = poll,
    session = nil, -- that it carries
    watched = nil, -- what the poll is started for: "r", "w", "rw"
    problem = nil, -- that the poll had
    interrupts = 0, -- how many there were
    interruption = nil, -- the last one's reason
    wait = {}, -- of the coroutine whose call is under way
    fresh = false, -- nothing was received since the last send
    greed = 0, -- receives without a wait
    on_event = nil,
  }, Stream)
  stream.on_event = function(err)
    local ok, wrong = pcall(react, stream, err)
    if not ok then waits.report_error(wrong) end
  end
  return stream
end

-- Whatever wakes it: after an interrupt the stream is somebody else's.
local function park(self, deadline)
  local before = self.interrupts
  local woken, kind, reason = waits.park(self.wait, deadline)
  if self.interrupts ~= before then return nil, "closed", self.interruption end
  return woken, kind, reason
end

local function wait_for(self, events, deadline)
  if self.problem then return nil, "closed", self.problem end
  if waits.is_inherited() then return nil, "misuse", waits.refusal() end -- start stops, too
  if self.watched ~= events then
    local started, reason = self.poll:start(events, self.on_event)
    if not started then return nil, "closed", reason end
    self.watched = events
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
  local wait = self.wait
  self.greed = 0
  waits.later(function() waits.wake(wait, true) end)
  return park(self, deadline)
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
  local late = waited and self.poll and (ready or kind == "timeout")
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
  if self.wait.thread then waits.wake_later(self.wait, true) end
end

--- In a forked child: closes its copy of the descriptor. The poll is left alone, as
-- to stop it would end the watch of the parent's.
function Stream:close_inherited()
  self.poll, self.watched = nil, nil
  self.sock:close()
end

--- Closes; who waits here is told. Again does nothing.
function Stream:close()
  if not self.poll then return end
  if waits.is_inherited() then return self:close_inherited() end
  local poll = self.poll
  self.poll, self.watched = nil, nil
  self:interrupt "the connection was closed by another coroutine"
  waits.close(poll) -- and so the descriptor is not watched any more
  self.sock:close()
  waits.let_go()
end

--- The peer's address with a numeric host; nil unless it is TCP.
function Stream:peer()
  return self.sock:peer()
end

-- ---- connect ----

-- On one machine it is known at once what becomes of it; to wait for a refusal
-- would make luv itself write a line to standard error.
local function wait_connected(stream, deadline)
  local sock = stream.sock
  local _, known = sock:wait("w", 0)
  if not known then
    local woken, kind, reason = wait_for(stream, "w", deadline)
    if kind == "timeout" then reason = "no answer in time" end
    if not woken then return nil, kind, reason end
  end
  local done, _, reason = sock:connected()
  return done, "connect", reason
end

local function connect(sock, address, deadline, hold)
  local done, kind, reason = sock:connect(address)
  if done == nil then return nil, "connect", reason end
  local stream, why = new_stream(sock)
  if not stream then return nil, "connect", why end
  if not done then
    if hold then hold(stream) end
    stream.wait = waits.new(function() stream:close() end) -- nobody else knows it yet
    done, kind, reason = wait_connected(stream, deadline)
    stream.wait = {}
  end
  if done then return stream end
  stream:close()
  return nil, kind, reason
end

local function connect_to(address, deadline, hold)
  local sock = core.socket()
  local stream, kind, reason = connect(sock, address, deadline, hold)
  if not stream then sock:close() end
  return stream, kind, reason
end

local function numbers(answers)
  local ips = {}
  for i, each in ipairs(answers) do ips[i] = each.addr end
  return ips
end

-- A pool of threads looks names up; one that takes too long is not waited for.
local function lookup(host, deadline)
  local request, wrong
  local wait = waits.new(function() uv.cancel(request) end)
  request, wrong = uv.getaddrinfo(host, nil, { socktype = "stream" },
    waits.protect(function(err, answers)
      if not err then return waits.wake(wait, numbers(answers)) end
      waits.wake(wait, nil, "connect", ("the name was not found (%s)"):format(err))
    end))
  if not request then return nil, "connect", wrong end
  local ips, kind, reason = waits.park(wait, math.min(deadline, core.now() + DAY))
  if ips then return ips end
  if kind == "timeout" then reason = "its name was not found in time" end
  uv.cancel(request)
  return nil, kind, reason
end

--- Dials an address; of a host name every address that it has.
-- @tparam string address as in dqlite.connect
-- @tparam number deadline of now()
-- @tparam[opt] function hold called with the stream that is being connected, which
-- can be closed then
-- @return a stream, or nil with the kind of the error and its reason
function luv.connect(address, deadline, hold)
  return dial(address, deadline, lookup, function(ip, until_then)
    return connect_to(ip, until_then, hold)
  end)
end

return luv
