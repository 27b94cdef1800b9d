--- Which loop of a host (dqlite.host) takes a step at this moment.
-- @module dqlite.loop.current

local core = require "dqlite.core"

local current = {
  loop = nil, -- nil between steps
}

local process -- where that began

--- Begins a step, or ends one.
-- @tparam[opt] table loop
-- @treturn table|nil the one before
function current.set(loop)
  local before = current.loop
  current.loop, process = loop, core.forks()
  return before
end

--- Is it this process where that happens, or one that was forked in the middle?
-- @treturn table|nil the loop, if it is of use here
function current.get()
  local loop = current.loop
  return loop and process == core.forks() and loop or nil
end

return current
