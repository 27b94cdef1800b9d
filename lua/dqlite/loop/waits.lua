--- Coroutines that wait while luv's loop runs: parked here, woken by a callback,
-- by another coroutine or by their deadline. One timer serves all deadlines, and
-- keeps the loop alive as long as somebody waits; one idle handle calls what is to
-- be called by and by, once in each turn of the loop, so that sockets get theirs.
-- Both go away when they have nothing to do.
--
-- A wait is a table with `thread` (who waits; false: nobody), for one coroutine at a
-- time: one of `plain`, for what notices by itself when a coroutine is closed while
-- it waits, or one of `new`.
-- @module dqlite.loop.waits

local core = require "dqlite.core"
local coroutines = require "dqlite.loop.coroutines"
local inherited = require "dqlite.loop.inherited"
local new_deadlines = require "dqlite.loop.deadlines"
local parking = require "dqlite.loop.parking"
local uv = require "luv"

local waits = {
  wakes_at_once = true,
  report = parking.report,
  report_error = parking.report_error,
  protect = parking.protect,
}

local yield, place = coroutines.yield, coroutines.place
local go_on, status = coroutine.resume, coroutine.status

local LONGEST = 86400 * 1000 -- ms that the timer is set for, at most

local OURS, WAITING, OVER = parking.OURS, parking.WAITING, parking.OVER
local resume, call, report_end = parking.resume, parking.call, parking.report_end

local IN_MAIN = "with luv only a coroutine can wait: put this into dqlite.run(fn), or into"
  .. " dqlite.spawn(fn) where the loop runs"

local deadlines = new_deadlines()
local queue, given, queued = {}, {}, 0 -- functions to be called by the loop, and with what
local spare_queue, spare_given = {}, {} -- what those change places with at each turn
local finalizing = {} -- those that come from finalizers, as keys
local timer, armed = nil, math.huge -- for when the timer is set
local turn, turning = nil, false -- the idle handle; is it started?
local inside = nil -- the handle of these whose callback runs
local reacting = false -- does the callback of a poll run, which will look at the queue?
local arrivals = 0 -- how often a coroutine has gone on
local reasons = 0 -- for the timer to keep the loop alive: waits with a deadline
local behind, is_run = 0, false -- background work; does `run` wait for it?
local process = core.forks() -- whose loop it is
local users = 0 -- that hold the handles though nobody waits: open streams

-- ---- the handles ----

local on_timer, on_turn

-- A timer of 0 ms that its own callback sets would be called again before anything
-- else is (libuv's uv__run_timers).
local function start(at)
  local ms = math.ceil(math.min((at - core.now()) * 1000, LONGEST))
  timer:start(math.max(ms, inside == timer and 1 or 0), 0, on_timer)
end

-- Finalizers come in anywhere and may want the handles, too: what one of them has
-- done meanwhile is left as it is, here and below.
local function arm(at)
  if at >= armed then return end
  armed = at
  start(at)
  if armed < at then start(armed) end
end

local function start_turns()
  if turning or queued == 0 and not next(finalizing) then return end
  turning = true
  turn:start(on_turn)
end

local function stop_turns()
  if queued > 0 or next(finalizing) then return end
  turning = false
  turn:stop()
  start_turns()
end

local function open_handles()
  if timer then return end
  local new_timer, new_turn = uv.new_timer(), uv.new_idle()
  if reasons == 0 then new_timer:unref() end
  if timer then
    waits.close(new_timer)
    return waits.close(new_turn)
  end
  timer, armed, turn, turning = new_timer, math.huge, new_turn, false
end

local function is_inside()
  return inside or uv.loop_mode and uv.loop_mode() ~= nil
end

local function keep_alive()
  reasons = reasons + 1
  if reasons == 1 then
    open_handles()
    timer:ref()
  end
end

local function do_nothing() end

local function close_idle_handles()
  if not timer or turning or reasons > 0 or users > 0 then return end
  if not is_inside() then return waits.later(do_nothing) end
  local old_timer, old_turn = timer, turn
  timer, armed, turn = nil, math.huge, nil
  deadlines:clear()
  old_timer:close()
  old_turn:close()
end

local function let_end()
  reasons = reasons - 1
  if reasons > 0 then return end
  timer:unref()
  close_idle_handles()
end

--- Stops a handle and closes it, that from inside of the loop: when a program ends
-- and the loop has had no turn since a close, luv crashes (seen with 1.44.2).
-- @param handle of luv's
function waits.close(handle)
  if is_inside() then return handle:close() end -- which stops it
  handle:stop()
  waits.later(handle.close, handle)
end

--- Keeps the handles for somebody who will wait again and again.
function waits.hold()
  users = users + 1
  open_handles()
end

--- Ends a hold.
function waits.let_go()
  users = users - 1
  close_idle_handles()
end

-- ---- waiting ----

-- Of the fields, all there from the begin, so that to set one needs no memory: `deadline`
-- (false: none) and `key` are for dqlite.loop.deadlines as well, `counted` says whether the
-- wait is one of the reasons.
local function fields(wait)
  wait.thread, wait.deadline, wait.key, wait.counted = false, false, false, false
  return wait
end

local function discount(wait)
  wait.counted = false
  let_end()
end

-- Nobody waits here any more.
local function clear(wait)
  wait.thread, wait.deadline = false, false
  if wait.counted then discount(wait) end
end

local new_guarded, yield_guarded = parking.guards(clear)

--- Makes a wait.
function waits.plain()
  return fields {}
end

--- Makes a wait that ends with its coroutine.
-- @tparam[opt] function on_close called with the wait when that happens
-- @treturn table
function waits.new(on_close)
  return fields(new_guarded(on_close))
end

-- A deadline keeps the loop alive.
local function keep_until(wait, deadline)
  if not wait.counted then
    keep_alive()
    wait.counted = true
  end
  deadlines:watch(wait, deadline)
  arm(deadline)
end

--- Waits, in a coroutine, to be woken.
-- @tparam table wait where nobody waits
-- @tparam[opt] number deadline of core.now(); without one it does not keep the
-- loop alive
-- @return what `wake` was given; or nil, "timeout" and a reason; or nil, "misuse"
-- and a reason, when something else than the loop resumed the coroutine
function waits.park(wait, deadline)
  local thread = place(process)
  if not thread then return nil, "misuse", waits.refusal() end
  if wait.thread then clear(wait) end -- one that is dead
  wait.thread = thread
  if deadline then
    local key = wait.key
    if wait.counted and key and key <= deadline then
      wait.deadline = deadline -- it begins anew as it was counted, and is looked at in time
    else
      keep_until(wait, deadline)
    end
  end
  local whose, first, second, third
  if wait.guarded then
    whose, first, second, third = yield_guarded(wait)
  else
    whose, first, second, third = yield(WAITING)
  end
  arrivals = arrivals + 1
  if whose == OURS then return first, second, third end
  clear(wait)
  return nil, "misuse", parking.reason_of(whose)
end

--- Does a coroutine wait here? One that is dead does not.
function waits.is_parked(wait)
  if not wait.thread then return false end
  if status(wait.thread) ~= "dead" then return true end
  clear(wait)
  return false
end

-- Was it dead before, when it could not be let go on? Else its error is reported.
local function was_dead(thread, before, err)
  if arrivals == before and status(thread) == "dead" then return true end
  report_end(thread, err)
  return false
end

-- The loop is to be told that the wait is over when it may have begun the next one, which
-- is most often here: one after the other costs nothing.
local function let_go_on(wait, first, second, third)
  local thread, before = wait.thread, arrivals
  if not thread then return false end
  wait.thread, wait.deadline = false, false
  local ok, err = go_on(thread, OURS, first, second, third)
  return ok or not was_dead(thread, before, err)
end

--- Lets it go on at once, inside of a callback of luv's.
-- @return false where nobody waited
function waits.wake(wait, first, second, third)
  local was_parked = let_go_on(wait, first, second, third)
  if wait.counted and not wait.deadline then discount(wait) end
  return was_parked
end

--- Calls a function by and by, from the loop.
-- @tparam function fn
-- @param arg for it, so that it need not be made for this one call
-- @tparam[opt] boolean soon sockets need not get their turn first: where nothing else is to be
-- called, behind the callback of a poll that runs
function waits.later(fn, arg, soon)
  if not timer then open_handles() end
  local n = queued + 1
  queue[n], given[n] = fn, arg
  queued = n
  if not (turning or soon and reacting) then start_turns() end
end

--- The same for finalizers, which come in between any two steps of this file.
function waits.later_finalize(fn)
  finalizing[fn] = true
  open_handles()
  turning = true
  turn:start(on_turn)
end

--- Lets it go on by and by. Something else may wake it first.
-- @tparam table wait
-- @param value what park then returns
function waits.wake_later(wait, value)
  local thread = wait.thread
  waits.later(function()
    if wait.thread == thread then waits.wake(wait, value) end
  end)
end

--- Runs a function in a coroutine of its own, begun by the loop.
function waits.start(fn)
  local thread = coroutine.create(fn)
  waits.later(resume, thread)
end

--- The same for work that a program has left behind: `run` waits for its end.
function waits.background(fn)
  behind = behind + 1
  waits.start(function()
    waits.protect(fn)()
    behind = behind - 1
    if behind == 0 and is_run then uv.stop() end
  end)
end

local function run_queue()
  local functions, args, n = queue, given, queued
  queue, given, spare_queue, spare_given, queued = spare_queue, spare_given, queue, given, 0
  for i = 1, n do
    local fn, arg = functions[i], args[i]
    functions[i], args[i] = nil, nil
    local ok, err = pcall(fn, arg)
    if not ok then parking.report_error(err) end
  end
end

--- Lets a coroutine go on, in the callback of a poll, and then who it has woken: that one
-- may wait here next.
-- @tparam table wait
-- @return false where nobody waited
function waits.react(wait)
  reacting = true
  local was_parked = let_go_on(wait, true)
  reacting = false
  if queued > 0 and not turning then
    run_queue()
    start_turns()
    if users == 0 then close_idle_handles() end
  end
  if wait.counted and not wait.deadline then discount(wait) end
  return was_parked
end

-- What a finalizer adds in the middle of this is in one of both tables.
local function run_finalizing()
  local fresh, functions = {}, finalizing
  finalizing = fresh
  for fn in pairs(functions) do call(fn) end
end

on_turn = waits.protect(function()
  inside = turn
  run_queue()
  if next(finalizing) then run_finalizing() end
  stop_turns()
  close_idle_handles()
  inside = nil
end)

local function run_deadlines(now)
  local wait = deadlines:expired(now)
  while wait do
    waits.wake(wait, nil, "timeout", OVER)
    wait = deadlines:expired(now)
  end
end

on_timer = waits.protect(function()
  local before = inside
  armed, inside = math.huge, timer
  keep_alive() -- the timer has to outlive what runs now
  local ok, err = pcall(run_deadlines, core.now())
  arm(deadlines:first())
  let_end()
  inside = before
  if not ok then error(err, 0) end
end)

--- Ends every wait whose deadline has passed by core.now(): for whoever changes
-- that clock, since the timer goes by libuv's.
waits.expire = on_timer

-- ---- the loop ----

--- Is luv's loop running? luv before 1.40 does not tell.
function waits.is_running()
  return uv.loop_mode and uv.loop_mode() ~= nil or false
end

--- Runs the loop until something is over and no background work is left, or until
-- nothing is left to wait for.
-- @tparam function is_over
function waits.run(is_over)
  is_run = true
  repeat
    local more = uv.run()
  until is_over() and behind == 0 or not more
  is_run = false
end

--- Lets `run` look whether it is over.
waits.stop = uv.stop

--- Does the loop belong to a process that has forked this one?
function waits.is_inherited()
  return process ~= core.forks()
end

--- Why nobody may wait here, in words; nil where it may.
function waits.refusal()
  if place(process) then return nil end
  if process ~= core.forks() then return inherited.REFUSAL end
  return parking.refusal(IN_MAIN)
end

return waits
