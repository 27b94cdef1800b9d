--- Coroutines that take turns while the blocking loop waits: so several nodes can
-- be asked at once where there is no event loop. They run inside of the waits of
-- whoever calls, and stand still between them.
--
-- A wait is a table: `sock` and `wanted` ("r", "w", "rw") of a socket, `deadline`
-- (nil: none), `thread` (who waits; nil: the program itself), and what came of it:
-- `ready`, `over` (it has ended; without `ready` by its deadline).
-- @module dqlite.loop.turns

local core = require "dqlite.core"
local coroutines = require "dqlite.loop.coroutines"
local errors = require "dqlite.error"

local turns = {
  alive = 0, -- how many coroutines there are
}

local running, yield, resume = coroutines.running, coroutine.yield, coroutine.resume

local threads = {} -- those coroutines, as keys
local runnable = {} -- those that can go on
local waits = {} -- what all others and the program wait for
local process = core.forks() -- in which all this is

local LONGEST = 86400 -- seconds of one wait

-- What they yield, and are resumed with.
local OURS = {}

local function report(thread, err)
  local text = debug.traceback(thread, errors.describe(err))
  pcall(function() io.stderr:write("dqlite: ", text, "\n") end)
end

--- Is it one of these coroutines that runs?
function turns.inside()
  return threads[running()] ~= nil
end

--- Forgets, in a process that was forked since, what runs in its parent only. To be
-- called before `alive` is looked at, unless a socket of this process is at hand.
function turns.renew()
  if process == core.forks() then return end
  process = core.forks()
  threads, runnable, waits, turns.alive = {}, {}, {}, 0
end

--- Begins a coroutine, at the next wait.
-- @tparam function fn
function turns.start(fn)
  turns.renew()
  local thread = coroutine.create(fn)
  threads[thread] = true
  turns.alive = turns.alive + 1
  runnable[#runnable + 1] = thread
end

-- ---- a turn ----

local function leave(thread)
  if not threads[thread] then return end -- it has forked, and this is the child
  threads[thread] = nil
  turns.alive = turns.alive - 1
end

local function run(thread)
  local ok, yielded = resume(thread, OURS)
  if ok and coroutine.status(thread) ~= "dead" and yielded == OURS then return end
  if not ok then
    report(thread, yielded)
  elseif coroutine.status(thread) ~= "dead" then
    report(thread, "on the blocking loop a function given to dqlite cannot yield")
  end
  leave(thread)
end

local function run_all()
  local list = runnable
  runnable = {}
  for _, thread in ipairs(list) do run(thread) end
end

-- Ends a wait.
local function finish(wait)
  wait.over = true
  if threads[wait.thread or false] then runnable[#runnable + 1] = wait.thread end
end

-- Those that have come to an end leave, the others stay in their order.
local function settle(now)
  local left = {}
  for _, wait in ipairs(waits) do
    if not wait.over and (wait.ready or wait.deadline and wait.deadline <= now) then
      finish(wait)
    end
    if not wait.over then left[#left + 1] = wait end
  end
  waits = left
end

-- How long nothing has to be done, unless a socket becomes ready.
local function patience(now)
  if #runnable > 0 then return 0 end
  local first = now + LONGEST
  for _, wait in ipairs(waits) do
    if wait.deadline and wait.deadline < first then first = wait.deadline end
  end
  return math.max(first - now, 0)
end

-- Sockets that wait, those that have waited longest first.
local function sockets()
  local list = {}
  for _, wait in ipairs(waits) do
    if wait.sock and #list < core.POLL_MAX then list[#list + 1] = wait end
  end
  return list
end

-- Until the program's own wait is over, which one of the coroutines may have ended.
local function turn(own)
  run_all()
  settle(core.now())
  if own.over then return end
  local list = sockets()
  core.poll(list, #list, patience(core.now()))
  settle(core.now())
end

-- ---- waiting ----

--- Ends a wait from outside.
-- @tparam table wait
function turns.wake(wait)
  if wait.over then return end
  wait.ready = true
  finish(wait)
end

--- Waits for what a wait says, and lets the coroutines run meanwhile.
-- @tparam table wait
-- @treturn boolean whether it was ready, else its deadline has passed
function turns.wait(wait)
  turns.renew()
  waits[#waits + 1] = wait
  if turns.inside() then
    wait.thread = running()
    yield(OURS)
  else
    while not wait.over do turn(wait) end
  end
  return wait.ready or false
end

return turns
