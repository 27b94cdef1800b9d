--- The loop that waits in system calls: for plain scripts, without any
-- dependency. Two calls an operation: send, recv.
-- @module dqlite.loop.blocking

local core = require "dqlite.core"
local dial = require "dqlite.loop.dial"

local blocking = { name = "blocking" }

--- Seconds of a clock that never goes back.
blocking.now = core.now

--- Why nobody may wait here, in words: a call that blocks would freeze a luv
-- loop that runs. nil where it may.
function blocking.refusal()
  local uv = package.loaded.luv
  if uv and uv.loop_mode and uv.loop_mode() then
    return "a blocking call would freeze the luv loop that is running: connect and call inside"
      .. " of dqlite.spawn(fn), or with loop = \"luv\""
  end
end

--- Waits.
-- @tparam number seconds how long
function blocking.sleep(seconds)
  local deadline = core.now() + seconds
  while seconds > 0 do
    core.sleep(seconds)
    seconds = deadline - core.now()
  end
end

local Cond = {}
Cond.__index = Cond

--- A condition to wait on.
function blocking.cond()
  return setmetatable({ signalled = false }, Cond)
end

function Cond:signal()
  self.signalled = true
end

--- Nobody else can run while this loop waits, so there is nothing to wait
-- for: true when the signal was given before, else false at once.
function Cond:wait()
  local signalled = self.signalled
  self.signalled = false
  return signalled
end

-- ---- streams ----

local Stream = {}
Stream.__index = Stream

local OVER = "the deadline has passed"

--- Gets at least one byte into the session.
-- @param session a core session
-- @tparam number deadline of now()
-- @return true, or nil with the kind of the error and its reason
function Stream:recv(session, deadline)
  while true do
    local left = deadline - core.now()
    if left <= 0 then return nil, "timeout", OVER end
    local got, kind, reason = self.sock:recv_wait(session, left)
    if got ~= false then return got, kind, reason end
  end
end

--- Sends what is pending, all of it or until an answer comes in: a server
-- reads nothing while it answers, and the session has to look at what came
-- before more is taken.
-- @param session a core session
-- @tparam number deadline of now()
-- @return true, or nil with the kind of the error and its reason
function Stream:send(session, deadline)
  while true do
    local done, kind, reason = self.sock:send(session)
    if done ~= false then return done, kind, reason end
    local left = deadline - core.now()
    if left <= 0 then return nil, "timeout", OVER end
    local readable, _, why = self.sock:wait("rw", left)
    if readable == nil then return nil, "closed", why end
    if readable then
      local got, problem, cause = self.sock:recv(session)
      if got ~= false then return got, problem, cause end
    end
  end
end

--- Is the peer there, with nothing unasked to say? Without a round trip.
function Stream:alive()
  return self.sock:alive()
end

function Stream:close()
  self.sock:close()
end

--- The peer's address with a numeric host; nil unless it is TCP.
function Stream:peer()
  return self.sock:peer()
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

-- One numeric address. What the socket's own wait leaves over, after a signal for
-- example, is waited for here.
local function connect_to(address, deadline)
  local left, sock = deadline - core.now(), core.socket()
  if left <= 0 then return nil, "timeout", "no answer in time" end
  local done, kind, reason = sock:connect(address, left)
  kind = done == nil and "connect" or kind
  if done == false then done, kind, reason = wait_connected(sock, deadline) end
  if not done then
    sock:close()
    return nil, kind, reason
  end
  return setmetatable({ sock = sock }, Stream)
end

local function lookup(host)
  local ips, reason = core.lookup(host)
  return ips, "connect", reason
end

--- Dials an address. A host name is looked up without a deadline (getaddrinfo
-- has none) and every address it has is tried.
-- @tparam string address as in dqlite.connect
-- @tparam number deadline of now()
-- @return a stream, or nil with the kind of the error and its reason
function blocking.connect(address, deadline)
  return dial(address, deadline, lookup, connect_to)
end

return blocking
