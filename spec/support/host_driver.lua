--- A program with a poll loop of its own around a loop of dqlite.host.
local core = require "dqlite.core"

local driver = {}

local LONGEST = 1 -- seconds of one wait

local unpack = table.unpack or unpack

local function pack(...)
  return { n = select("#", ...), ... }
end

local function poll(host, ready)
  local fds, events, n = host:descriptors()
  local seconds = math.min(host:timeout() or LONGEST, LONGEST)
  return assert(core.poll_fds(fds, events, n, seconds, ready))
end

--- Takes steps until something is over, or nothing is left to wait for, or the time is over.
-- @param host
-- @tparam function is_over
-- @tparam[opt] number seconds
function driver.drive(host, is_over, seconds)
  local ready, deadline, more = {}, core.now() + (seconds or math.huge), true
  while more and not is_over() and core.now() < deadline do
    more = host:step(ready, poll(host, ready))
  end
end

--- Makes a loop whose background work `run` waits for, as dqlite.run does under luv.
-- @return host
function driver.new()
  local host = require "dqlite.host".new()
  local background = host.background
  host.behind = 0 -- kept there: every file of specs has its own copy of this module
  function host.background(fn)
    host.behind = host.behind + 1
    background(function()
      local ok, err = pcall(fn)
      host.behind = host.behind - 1
      if not ok then error(err, 0) end
    end)
  end
  return host
end

--- Runs a function in a coroutine of the loop.
-- @param host
-- @tparam function fn
-- @return what it returns; raises what it raises
function driver.run(host, fn, ...)
  local results
  host:spawn(function(...) results = pack(pcall(fn, ...)) end, ...)
  driver.drive(host, function() return results and (host.behind or 0) == 0 end)
  if not results then error("it waits, and nothing is left to wait for", 0) end
  if not results[1] then error(results[2], 0) end
  return unpack(results, 2, results.n)
end

return driver
