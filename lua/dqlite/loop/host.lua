--- The loop of a program that polls itself: our own descriptors, which the program
-- watches among its own, and steps, which it takes when one is ready or something is due.
-- Only coroutines wait. A host name is looked up with a call that blocks (getaddrinfo).
-- @module dqlite.loop.host

local assemble = require "dqlite.loop.assemble"
local core = require "dqlite.core"
local sleep = require "dqlite.loop.sleep"
local steps = require "dqlite.loop.steps"
local streams = require "dqlite.loop.stream"

local Stream = streams.class()

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

--- Makes a loop, into a table.
-- @tparam table loop
-- @treturn table its waits, see dqlite.loop.steps
-- @treturn table what they watch, see dqlite.loop.watched
return function(loop)
  local waits, watched = steps.new(loop)
  loop.name, loop.background, loop.later_finalize = "host", waits.background, waits.later_finalize
  function loop.sleep(seconds) return sleep(waits, seconds) end
  assemble(loop, waits, Stream, lookup)
  return waits, watched
end
