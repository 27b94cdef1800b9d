--- Sleep, for loops with waits of the kind of dqlite.loop.waits.
-- @module dqlite.loop.sleep

local core = require "dqlite.core"

local DAY = 86400 -- seconds; not every timer knows infinity

local function slept(_, kind, reason)
  if kind == "timeout" then return true end
  return nil, kind, reason
end

--- Waits.
-- @tparam table waits `new`, `park`, `wake`, `later`
-- @tparam number seconds how long; 0 gives the others a turn
-- @treturn true|nil nil with "misuse" and a reason, after a foreign resume
return function(waits, seconds)
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
