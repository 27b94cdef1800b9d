--- Notices the waits of one coroutine under luv, and does something at one of
-- them, just before it yields: `act(thread)`.
--
--    parks.watch(coroutine.running())
--    parks.at, parks.act = 3, parks.expire
--
-- The clock of the library can be put on, so that deadlines pass; pauses between
-- two tries of a BUSY statement are the shortest meanwhile.
local core = require "dqlite.core"
local luv = require "dqlite.loop.luv"
local waits = require "dqlite.loop.waits"

local parks = {
  thread = nil, -- that is watched
  count = 0, -- its waits so far
  parked = false, -- is it in one now?
  at = nil, -- the one to do something at
  act = nil,
}

local real_park, real_now, real_random = waits.park, core.now, math.random
local offset = 0

local function now()
  return real_now() + offset
end

--- Puts the specs' hooks in; `uninstall` takes them out.
function parks.install()
  offset = 0
  core.now, luv.now = now, now
  math.random = function() return 0 end -- luacheck: ignore 122
  function waits.park(wait, deadline)
    if coroutine.running() ~= parks.thread then return real_park(wait, deadline) end
    parks.count = parks.count + 1
    if parks.count == parks.at then parks.act(parks.thread) end
    parks.parked = true
    local first, second, third = real_park(wait, deadline)
    parks.parked = false
    return first, second, third
  end
end

function parks.uninstall()
  core.now, luv.now, waits.park = real_now, real_now, real_park
  math.random = real_random -- luacheck: ignore 122
  parks.thread, parks.at, parks.act = nil, nil, nil
end

--- Counts the waits of a coroutine from here on.
function parks.watch(thread)
  parks.thread, parks.count = thread, 0
end

--- Lets every deadline of now pass, and the loop look once what was sent by then
-- has arrived: at its second turn.
function parks.expire()
  offset = offset + 1000
  waits.later(function() waits.later(waits.expire) end)
end

return parks
