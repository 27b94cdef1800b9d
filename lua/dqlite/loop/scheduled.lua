--- Coroutines that wait in somebody else's scheduler, of cqueues for example, in the form
-- that conditions and streams wait in (as dqlite.loop.waits for luv). A scheduler resumes by
-- and by, and a wait belongs to nobody in particular: after an interrupt another coroutine
-- may wait there before the first has gone on.
--
-- A wait is a table: `thread` (who waits; nil: nobody), `fd` and `wanted` (nil, or what of
-- that descriptor ends the wait: "r", "w", "rw"), `woken` (was it?); what else is in it is
-- the scheduler's.
-- @module dqlite.loop.scheduled

local core = require "dqlite.core"
local parking = require "dqlite.loop.parking"

local running, status = coroutine.running, coroutine.status

-- Nobody waits there any more.
local function clear(wait)
  wait.thread, wait.wanted = nil, nil
end

local function never() return false end

local function do_nothing() end

-- To wait, and to be woken.
local function add_waiting(waits, scheduler, is_lost)
  local new_guarded, park_guarded = parking.guards(clear, function(wait)
    return true, scheduler.park(wait, wait.limit)
  end)

  --- Makes a wait.
  -- @tparam[opt] function on_close called with the wait when its coroutine is closed, where
  -- Lua can do that (5.4). With it the wait serves one coroutine at a time
  function waits.new(on_close)
    return on_close and new_guarded(on_close) or {}
  end

  --- Waits to be woken, for `fd`, or for the deadline.
  -- @tparam table wait
  -- @tparam[opt] number deadline of core.now()
  -- @treturn true|nil nil with "misuse" and a reason where nobody can wait, or after a
  -- foreign resume
  function waits.park(wait, deadline)
    local thread = running()
    wait.thread, wait.woken, wait.limit = thread, false, deadline
    if wait.guarded then return park_guarded(wait) end
    local woken, kind, reason = scheduler.park(wait, deadline)
    if wait.thread == thread then clear(wait) end
    return woken, kind, reason
  end

  --- Does a coroutine wait here that will go on?
  function waits.is_parked(wait)
    return wait.thread ~= nil and status(wait.thread) ~= "dead" and not is_lost(wait)
  end

  --- Lets it go on, by and by.
  -- @treturn boolean false where nobody waited
  function waits.wake(wait)
    if not waits.is_parked(wait) then return false end
    wait.woken = true
    scheduler.wake(wait)
    return true
  end

  waits.wake_later = waits.wake
end

--- Makes what conditions and streams need.
-- @tparam table scheduler `park(wait, deadline)` lets the coroutine that calls stand still
-- until it is woken, its descriptor is ready or the deadline has passed, and returns true; or
-- nil with "misuse" and a reason. `wake(wait)` ends that by and by. `later(fn, wait)` calls a
-- function by and by, from the loop that `wait` is in. Optional: `refusal()`, why nobody can
-- wait here; `forget(wait)`: its descriptor is about to be closed; `is_lost(wait)`: will it
-- never go on?
-- @treturn table
return function(scheduler)
  local is_lost, forget = scheduler.is_lost or never, scheduler.forget or do_nothing
  local waits = {
    later = scheduler.later,
    refusal = scheduler.refusal or do_nothing,
    is_inherited = never, -- the scheduler knows, and refuses
    is_lost = is_lost,
  }
  add_waiting(waits, scheduler, is_lost)

  --- The descriptor of a wait is about to be closed.
  function waits.unwatch(wait)
    if wait.fd then forget(wait) end
    wait.fd, wait.wanted = nil, nil
  end

  --- Waits.
  -- @tparam number seconds how long; 0 gives the others a turn
  -- @treturn true|nil nil with "misuse" and a reason
  function waits.sleep(seconds)
    local wait, deadline = {}, core.now() + seconds
    repeat
      local done, kind, reason = waits.park(wait, deadline)
      if not done then return nil, kind, reason end
    until core.now() >= deadline
    return true
  end

  return waits
end
