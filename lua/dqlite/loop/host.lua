--- The loop of a program that polls itself: our own descriptors, which the program
-- watches among its own, and steps, which it takes when one is ready or something is due.
-- Only coroutines wait. A host name is looked up with a call that blocks (getaddrinfo).
-- @module dqlite.loop.host

local core = require "dqlite.core"
local dial = require "dqlite.loop.dial"
local new_cond = require "dqlite.loop.cond"
local parking = require "dqlite.loop.parking"
local sleep = require "dqlite.loop.sleep"
local steps = require "dqlite.loop.steps"
local streams = require "dqlite.loop.stream"

local Stream = streams.class()

--- Has the next wait here end once the socket is ready.
-- @tparam string events "r", "w" or "rw"
-- @treturn true
function Stream:watch(events)
  local wait = self.wait
  wait.fd, wait.wanted = self.sock:fd(), events
  return true
end

--- Watches the socket no longer.
function Stream:unwatch()
  self.waits.unwatch(self.wait)
end

--- What the host has to watch the socket for, see dqlite.polling.
function Stream:events()
  return self.is_open and self.waits.is_parked(self.wait) and self.wait.wanted or nil
end

--- Takes a step without a look at other sockets.
function Stream:step()
  local events, fds, n = self:events(), { self.sock:fd() }, 0
  if events then
    local readable, writable = self.sock:wait(events, 0)
    if readable ~= false or writable then n = 1 end
  end
  return self.waits.step(fds, n)
end

local function lookup(host)
  local ips, reason = core.lookup(host)
  return ips, "connect", reason
end

-- What DEVELOPMENT.md has of a loop.
local function fill(loop, waits)
  local function new_stream(sock)
    return streams.new(Stream, waits, sock, waits.new())
  end
  local function connect_by(hold)
    return function(ip, deadline) return streams.connect(ip, deadline, hold, new_stream) end
  end
  loop.name, loop.now, loop.report = "host", core.now, parking.report
  loop.refusal, loop.start, loop.background = waits.refusal, waits.start, waits.background
  loop.later_finalize = waits.later_finalize
  function loop.sleep(seconds) return sleep(waits, seconds) end
  function loop.cond(on_close) return new_cond(waits, on_close) end
  function loop.connect(address, deadline, hold)
    return dial(address, deadline, lookup, connect_by(hold))
  end
end

--- Makes a loop, into a table.
-- @tparam table loop
-- @treturn table its waits, see dqlite.loop.steps
-- @treturn table what they watch, see dqlite.loop.watched
return function(loop)
  local waits, watched = steps.new(loop)
  fill(loop, waits)
  return waits, watched
end
