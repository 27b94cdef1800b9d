--- The loop that waits in system calls: for plain scripts, without any
-- dependency. Two calls an operation: send, recv. Where several nodes are asked at
-- once, coroutines of its own take turns in these waits (dqlite.loop.turns).
-- @module dqlite.loop.blocking

local controller = require "dqlite.loop.controller"
local core = require "dqlite.core"
local current = require "dqlite.loop.current"
local dial = require "dqlite.loop.dial"
local inherited = require "dqlite.loop.inherited"
local phases = require "dqlite.loop.phases"
local turns = require "dqlite.loop.turns"

local blocking = { name = "blocking" }

local in_nginx = phases.current() ~= nil
local loaded = package.loaded

--- Seconds of a clock that never goes back.
blocking.now = core.now

--- Why nobody may wait here, in words: a call that blocks would freeze a loop of luv or
-- cqueues that runs, the loop of a host, and a worker of nginx. nil where it may.
function blocking.refusal()
  if in_nginx and phases.is_serving() then
    return "a blocking call would stall the worker of nginx: leave out the option 'loop'"
  end
  local uv = loaded.luv
  if uv and uv.loop_mode and uv.loop_mode() and not inherited.is_loop() then
    return "a blocking call would freeze the luv loop that is running: connect and call inside"
      .. " of dqlite.spawn(fn), or with loop = \"luv\""
  end
  if current.loop and current.get() then
    return "a blocking call would freeze the program whose loop takes a step: leave out the option"
      .. " 'loop', or give it the loop of dqlite.host"
  end
  local running = loaded.cqueues and controller.current()
  if running and not controller.is_inherited(running) then
    return "a blocking call would freeze the controller of cqueues that is running: connect"
      .. " inside of it, without the option 'loop' or with loop = \"cqueues\""
  end
end

--- Runs a function in a coroutine of its own, inside of the waits to come.
blocking.start = turns.start

--- Does nobody run but who calls?
-- @treturn boolean
function blocking.is_alone()
  turns.renew()
  return turns.alive == 0
end

--- Waits.
-- @tparam number seconds how long
function blocking.sleep(seconds)
  local deadline = core.now() + seconds
  turns.renew()
  if turns.alive > 0 then
    turns.wait { deadline = deadline }
    return
  end
  while seconds > 0 do
    core.sleep(seconds)
    seconds = deadline - core.now()
  end
end

local Cond = {}
Cond.__index = Cond

--- A condition to wait on, first come, first served.
function blocking.cond()
  turns.renew()
  return setmetatable({
    signalled = false, -- while nobody waited
    queue = {}, -- of waits
  }, Cond)
end

--- Lets one that waits go on; without any, the next that waits.
function Cond:signal()
  local wait = table.remove(self.queue, 1)
  if wait then return turns.wake(wait) end
  self.signalled = true
end

local function leave(queue, wait)
  for i, each in ipairs(queue) do
    if each == wait then return table.remove(queue, i) end
  end
end

--- Waits for a signal. Where nobody else runs there is nothing to wait for.
-- @tparam[opt] number deadline of now()
-- @treturn boolean true; false when the deadline passed, or nobody could signal
function Cond:wait(deadline)
  if not self.signalled and turns.alive > 0 then
    local wait = { deadline = deadline }
    self.queue[#self.queue + 1] = wait
    if turns.wait(wait) then return true end
    leave(self.queue, wait)
  end
  local signalled = self.signalled
  self.signalled = false
  return signalled
end

-- ---- streams ----

local Stream = {}
Stream.__index = Stream

local ask = core.socket_methods.ask -- quicker than to look it up in each call

local OVER = "the deadline has passed"

local function new_stream(sock)
  return setmetatable({
    sock = sock,
    fresh = false, -- nothing was received since the last send
    wait = nil, -- that is under way, in turns
    interruption = nil, -- why somebody else has ended it
  }, Stream)
end

-- Lets coroutines run meanwhile that there are beside the call. Answers true even
-- when the time is over, since a last look does no harm, and whether it is ready.
local function wait_in_turns(self, wanted, deadline)
  local left = deadline - core.now()
  if self.interruption then return nil, "closed", self.interruption end
  if left <= 0 then return nil, "timeout", OVER end
  if turns.alive == 0 then
    local readable, writable, why = self.sock:wait(wanted, left)
    if readable == nil then return nil, "closed", why end
    return true, readable or writable
  end
  local wait = { sock = self.sock, wanted = wanted, deadline = deadline }
  self.wait = wait
  local ready = turns.wait(wait)
  self.wait = nil
  if self.interruption then return nil, "closed", self.interruption end
  return true, ready
end

-- Straight after a send nothing can have come.
local function recv_in_turns(self, session, deadline)
  local look = not self.fresh
  self.fresh = false
  while true do
    if look then
      local got, kind, reason = self.sock:recv(session)
      if got ~= false then return got, kind, reason end
    end
    local waited, kind, reason = wait_in_turns(self, "r", deadline)
    if not waited then return nil, kind, reason end
    look = true
  end
end

--- Gets at least one byte into the session.
-- @param session a core session
-- @tparam number deadline of now()
-- @return true, or nil with the kind of the error and its reason
function Stream:recv(session, deadline)
  if turns.alive > 0 then return recv_in_turns(self, session, deadline) end
  while true do
    local left = deadline - core.now()
    if left <= 0 then return nil, "timeout", OVER end
    local got, kind, reason = self.sock:recv_wait(session, left)
    if got ~= false then return got, kind, reason end
  end
end

--- Sends what is pending and takes the reply to it, where nobody else runs meanwhile.
-- @param session a core session
-- @tparam number deadline of now()
-- @return as session:next(); or nothing: what is left is for send and recv; or nil with
-- the kind of the error and its reason
function Stream:ask(session, deadline)
  if turns.alive > 0 then return end
  return ask(self.sock, session, deadline)
end

--- Sends what is pending, all of it or until an answer comes in: a server
-- reads nothing while it answers, and the session has to look at what came
-- before more is taken.
-- @param session a core session
-- @tparam number deadline of now()
-- @return true, or nil with the kind of the error and its reason
function Stream:send(session, deadline)
  self.fresh = true
  while true do
    local done, kind, reason = self.sock:send(session)
    if done ~= false then return done, kind, reason end
    local waited, problem, cause = wait_in_turns(self, "rw", deadline)
    if not waited then return nil, problem, cause end
    done, kind, reason = self.sock:recv(session)
    if done ~= false then return done, kind, reason end
  end
end

--- Is the peer there, with nothing unasked to say? Without a round trip.
function Stream:alive()
  return self.sock:alive()
end

--- Ends the wait of whoever waits here; the call fails with "closed".
-- @tparam string reason in words
function Stream:interrupt(reason)
  self.interruption = reason
  if self.wait then turns.wake(self.wait) end
end

--- Closes; who waits here is told.
function Stream:close()
  if self.wait then self:interrupt "the connection was closed meanwhile" end
  self.sock:close()
end

--- In a forked child: closes its copy of the descriptor, and does nothing else.
function Stream:close_inherited()
  self.sock:close()
end

--- The peer's address with a numeric host; nil unless it is TCP.
function Stream:peer()
  return self.sock:peer()
end

--- The descriptor; nil once it is closed.
function Stream:pollfd()
  local fd = self.sock:fd()
  return fd >= 0 and fd or nil
end

-- ---- connect ----

local function wait_connected(sock, deadline)
  while true do
    local left = deadline - core.now()
    if left <= 0 then return nil, "timeout", "no answer in time" end
    local readable, writable, why = sock:wait("w", left)
    if readable == nil then return nil, "connect", why end
    if writable then
      local done, _, reason = sock:connected()
      return done, "connect", reason
    end
  end
end

local function connected_in_turns(stream, deadline)
  local waited, ready, why
  repeat
    waited, ready, why = wait_in_turns(stream, "w", deadline)
    if not waited then return nil, ready, why end
  until ready
  return stream.sock:connected()
end

-- One numeric address, while others take their turns.
local function connect_in_turns(address, deadline, hold)
  local sock = core.socket()
  local stream = new_stream(sock)
  if hold then hold(stream) end
  local done, kind, reason = sock:connect(address)
  if done == false then done, kind, reason = connected_in_turns(stream, deadline) end
  if done then done, kind, reason = sock:block() end
  if done then return stream end
  sock:close()
  if kind == "timeout" then return nil, kind, "no answer in time" end
  return nil, stream.interruption and kind or "connect", reason
end

-- One numeric address. What the socket's own wait leaves over, after a signal for
-- example, is waited for here.
local function connect_to(address, deadline, hold)
  if turns.alive > 0 then return connect_in_turns(address, deadline, hold) end
  local left, sock = deadline - core.now(), core.socket()
  if left <= 0 then return nil, "timeout", "no answer in time" end
  local done, kind, reason = sock:connect(address, left)
  kind = done == nil and "connect" or kind
  if done == false then done, kind, reason = wait_connected(sock, deadline) end
  if not done then
    sock:close()
    return nil, kind, reason
  end
  return new_stream(sock)
end

local function lookup(host)
  local ips, reason = core.lookup(host)
  return ips, "connect", reason
end

--- Dials an address. A host name is looked up without a deadline (getaddrinfo
-- has none) and every address it has is tried.
-- @tparam string address as in dqlite.connect
-- @tparam number deadline of now()
-- @tparam[opt] function hold called with the stream that is being connected, which
-- can be closed then
-- @return a stream, or nil with the kind of the error and its reason
function blocking.connect(address, deadline, hold)
  turns.renew()
  return dial(address, deadline, lookup, function(ip, until_then)
    return connect_to(ip, until_then, hold)
  end)
end

return blocking
