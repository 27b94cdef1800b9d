--- Coroutines that wait while luv's loop runs: parked here, woken by a callback,
-- by another coroutine or by their deadline. One timer serves all deadlines, and
-- keeps the loop alive as long as somebody waits; one idle handle calls what is to
-- be called by and by, once in each turn of the loop, so that sockets get theirs.
-- Both go away when they have nothing to do.
--
-- A wait is a table with `thread` (who waits; nil: nobody), for one coroutine at a
-- time: a plain one, for what notices by itself when a coroutine is closed while
-- it waits, or one of `new`.
-- @module dqlite.loop.waits

local core = require "dqlite.core"
local coroutines = require "dqlite.loop.coroutines"
local inherited = require "dqlite.loop.inherited"
local new_deadlines = require "dqlite.loop.deadlines"
local parking = require "dqlite.loop.parking"
local uv = require "luv"

local waits = {
  report = parking.report,
  report_error = parking.report_error,
  protect = parking.protect,
}

local running, yield = coroutine.running, coroutines.yield
local is_yieldable = coroutines.is_yieldable

local LONGEST = 86400 * 1000 -- ms that the timer is set for, at most

local OURS, WAITING, OVER = parking.OURS, parking.WAITING, parking.OVER
local resume, call = parking.resume, parking.call

local IN_MAIN = "with luv only a coroutine can wait: put this into dqlite.run(fn), or into"
  .. " dqlite.spawn(fn) where the loop runs"

local deadlines = new_deadlines()
local queue, given, queued = {}, {}, 0 -- functions to be called by the loop, and with what
local spare_queue, spare_given = {}, {} -- what those change places with at each turn
local finalizing = {} -- those that come from finalizers, as keys
local timer, armed = nil, math.huge -- for when the timer is set
local turn, turning = nil, false -- the idle handle; is it started?
local inside = nil -- the handle of these whose callback runs
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
  timer, armed, turn, deadlines = nil, math.huge, nil, new_deadlines()
  old_timer:close()
  old_turn:close()
end

local function let_end()
  reasons = reasons - 1
  if reasons == 0 then
    timer:unref()
    close_idle_handles()
  end
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

-- Nobody waits here any more. Answers whether the loop is to be told.
local function empty(wait)
  local counted = wait.deadline or wait.expired
  wait.thread, wait.deadline, wait.expired = nil, nil, nil
  return counted
end

local function clear(wait)
  if empty(wait) then let_end() end
end

local new, yield_guarded = parking.guards(clear)

--- Makes a wait that ends with its coroutine.
-- @function new
-- @tparam[opt] function on_close called with the wait when that happens
-- @treturn table
waits.new = new

--- Waits, in a coroutine, to be woken.
-- @tparam table wait where nobody waits
-- @tparam[opt] number deadline of core.now(); without one it does not keep the
-- loop alive
-- @return what `wake` was given; or nil, "timeout" and a reason; or nil, "misuse"
-- and a reason, when something else than the loop resumed the coroutine
function waits.park(wait, deadline)
  local refused = process ~= core.forks() or not is_yieldable()
  if refused then return nil, "misuse", waits.refusal() end
  if wait.thread then clear(wait) end -- one that is dead
  wait.thread = running()
  if deadline then
    keep_alive()
    deadlines:watch(wait, deadline)
    arm(deadline)
  end
  local whose, first, second, third
  if wait.guarded then
    whose, first, second, third = yield_guarded(wait)
  else
    whose, first, second, third = yield(WAITING)
  end
  if whose == OURS then return first, second, third end
  clear(wait)
  return nil, "misuse", parking.reason_of(whose)
end

--- Does a coroutine wait here? One that is dead does not.
function waits.is_parked(wait)
  if not wait.thread then return false end
  if coroutine.status(wait.thread) ~= "dead" then return true end
  clear(wait)
  return false
end

--- Lets it go on at once, inside of a callback of luv's. The loop is told that the
-- wait is over when it may have begun the next one: one after the other costs
-- nothing there.
-- @return false where nobody waited
function waits.wake(wait, ...)
  if not waits.is_parked(wait) then return false end
  local thread = wait.thread
  local counted = empty(wait)
  resume(thread, OURS, ...)
  if counted then let_end() end
  return true
end

--- Calls a function by and by, from the loop.
-- @tparam function fn
-- @param arg for it, so that it need not be made for this one call
function waits.later(fn, arg)
  open_handles()
  queued = queued + 1
  queue[queued], given[queued] = fn, arg
  start_turns()
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
    call(fn, arg)
  end
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
    wait.expired = true
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
  if process ~= core.forks() then return inherited.REFUSAL end
  return parking.refusal(IN_MAIN)
end

return waits
