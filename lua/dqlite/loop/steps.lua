--- Coroutines that wait until the loop of a host takes steps: parked here, woken by a
-- ready descriptor, by another coroutine or by their deadline. What dqlite.loop.waits is
-- for luv, but as many as there are hosts.
--
-- A wait is made by `new`, and serves one coroutine at a time. `fd` and `wanted` of it
-- say which descriptor wakes it.
-- @module dqlite.loop.steps

local core = require "dqlite.core"
local coroutines = require "dqlite.loop.coroutines"
local current = require "dqlite.loop.current"
local errors = require "dqlite.error"
local new_deadlines = require "dqlite.loop.deadlines"
local new_watched = require "dqlite.loop.watched"
local parking = require "dqlite.loop.parking"

local steps = {}

local running = coroutine.running
local OURS, OVER = parking.OURS, parking.OVER
local resume, call = parking.resume, parking.call

local IN_MAIN = "on the loop of a host only a coroutine can wait: put this into host:spawn(fn)"
local INHERITED = "the loop of a host belongs to the process that has forked this one, and cannot"
  .. " be used here: make one in this process, after the fork"

local Steps = {}

function Steps.is_inherited(self)
  return self.process ~= core.forks()
end

--- Why nobody may wait here, in words; nil where it may.
function Steps.refusal(self)
  if self.process ~= core.forks() then return INHERITED end
  return parking.refusal(IN_MAIN)
end

local function check_process(self)
  if self.process ~= core.forks() then errors.misuse(INHERITED) end
end

-- ---- waiting ----

local function clear(self, wait)
  wait.thread, wait.deadline, wait.wanted = false, false, false
  self.watched:remove(wait)
  if not wait.counted then return end
  wait.counted = false
  self.reasons = self.reasons - 1
end

--- Makes a wait that ends with its coroutine.
-- @tparam[opt] function on_close called with the wait when that happens
-- @treturn table
function Steps.new(self, on_close)
  local wait = self.new_guarded(on_close)
  -- all fields now: to give them values is then not to need memory
  wait.thread, wait.fd, wait.wanted, wait.place = false, false, false, false
  wait.deadline, wait.key, wait.counted = false, false, false
  return wait
end

-- What needs memory comes before anything that would have to be undone.
local function begin(self, wait, deadline)
  if deadline then self.deadlines:watch(wait, deadline) end
  if wait.wanted then self.watched:add(wait) end
  wait.thread = running()
  if not deadline then return end
  wait.counted = true
  self.reasons = self.reasons + 1
end

--- Waits, in a coroutine, to be woken.
-- @tparam table wait where nobody waits
-- @tparam[opt] number deadline of core.now(); without one the host is not told that
-- anybody waits
-- @return what `wake` was given; or nil, "timeout" and a reason; or nil, "misuse"
-- and a reason, when something else than the loop resumed the coroutine
function Steps.park(self, wait, deadline)
  local refused = self:refusal()
  if refused then return nil, "misuse", refused end
  if wait.thread then clear(self, wait) end -- one that is dead
  begin(self, wait, deadline)
  local whose, first, second, third = self.yield_guarded(wait)
  if whose == OURS then return first, second, third end
  return nil, "misuse", parking.reason_of(whose)
end

--- Does a coroutine wait here? One that is dead does not.
function Steps.is_parked(self, wait)
  if not wait.thread then return false end
  if coroutine.status(wait.thread) ~= "dead" then return true end
  clear(self, wait)
  return false
end

--- Lets it go on at once, in a step.
-- @return false where nobody waited
function Steps.wake(self, wait, ...)
  if not self:is_parked(wait) then return false end
  local thread = wait.thread
  clear(self, wait)
  resume(thread, OURS, ...)
  return true
end

--- Calls a function by and by, in the next step.
-- @tparam function fn
-- @param arg for it, so that it need not be made for this one call
function Steps.later(self, fn, arg)
  local n = self.queued + 1
  self.queue[n], self.given[n] = fn, arg
  self.queued = n
end

--- The same for finalizers, which come in between any two steps of this file.
function Steps.later_finalize(self, fn)
  self.finalizing[fn] = true
end

--- Lets it go on by and by. Something else may wake it first.
-- @tparam table wait
-- @param value what park then returns
function Steps.wake_later(self, wait, value)
  local thread = wait.thread
  self:later(function()
    if wait.thread == thread then self:wake(wait, value) end
  end)
end

--- Runs a function in a coroutine of its own, begun by the next step.
function Steps.start(self, fn)
  check_process(self)
  self:later(resume, coroutine.create(fn))
end

--- The same for work that a program has left behind.
function Steps.background(self, fn)
  self:start(parking.protect(fn))
end

--- Watches the descriptor of a wait no longer, though the wait goes on.
function Steps.unwatch(self, wait)
  self.watched:remove(wait)
  wait.wanted = false
end

-- ---- steps ----
-- A coroutine may fork: in the child nothing else goes on then.

local function run_queue(self)
  local functions, args, n = self.queue, self.given, self.queued
  self.queue, self.given, self.spare_queue, self.spare_given, self.queued =
    self.spare_queue, self.spare_given, functions, args, 0
  for i = 1, n do
    local fn, arg = functions[i], args[i]
    functions[i], args[i] = nil, nil
    if self:is_inherited() then return end
    call(fn, arg)
  end
end

local function run_ready(self, fds, n)
  for i = 1, n do
    if self:is_inherited() then return end
    local wait = self.watched:find(fds[i])
    if wait then self:wake(wait, true) end
  end
end

local function run_deadlines(self, now)
  local wait = self.deadlines:expired(now)
  while wait and not self:is_inherited() do
    self:wake(wait, nil, "timeout", OVER)
    wait = self.deadlines:expired(now)
  end
end

-- What a finalizer adds in the middle of this is in one of both tables.
local function run_finalizing(self)
  local fresh, functions = {}, self.finalizing
  self.finalizing = fresh
  for fn in pairs(functions) do call(fn) end
end

local function advance(self, fds, n)
  if not fds then fds, n = self.watched:poll(0) end
  run_queue(self)
  run_ready(self, fds, n or #fds)
  run_deadlines(self, core.now())
  if next(self.finalizing) and not self:is_inherited() then run_finalizing(self) end
end

--- Lets everybody go on who can. Does not wait.
-- @tparam[opt] table fds descriptors that may be ready; left out: looks itself
-- @tparam[opt] number n how many entries of it count
-- @treturn boolean is there anything left to wait for?
function Steps.step(self, fds, n)
  check_process(self)
  if self.stepping then errors.misuse("a step inside of a step: the host takes it") end
  self.stepping = true
  local before = current.set(self.loop)
  local ok, err = pcall(advance, self, fds, n)
  self.stepping = false
  current.set(before)
  if not ok then error(err, 0) end
  return not self:is_idle()
end

--- Does nobody wait, and is there nothing to be done? Who waits without a deadline for
-- another coroutine does not count.
function Steps.is_idle(self)
  return self.reasons == 0 and self.queued == 0 and not next(self.finalizing)
end

--- When is the next step due, unless a descriptor becomes ready?
-- @treturn number|nil in how many seconds; not later than anything has to be done
function Steps.timeout(self)
  if self.queued > 0 or next(self.finalizing) then return 0 end
  if self.reasons == 0 then return nil end
  return math.max(0, self.deadlines:first() - core.now())
end

--- Waits until a step is due, or a descriptor is ready.
-- @tparam[opt] number limit seconds at most; left out: not at all where nothing is due
-- @treturn table the descriptors that are ready
-- @treturn number how many entries of it count
function Steps.wait(self, limit)
  check_process(self)
  local due = self:timeout() or limit or 0
  return self.watched:poll(math.min(due, limit or due))
end

-- ---- making them ----

--- Makes what a loop needs.
-- @tparam table loop the loop that is current while it takes a step
-- @treturn table the functions above, for this one
function steps.new(loop)
  if not coroutines.yields_in_pcall then
    errors.misuse("the loop of a host needs LuaJIT, or Lua 5.2 or later")
  end
  local self, bound = setmetatable({
    loop = loop,
    process = core.forks(), -- whose loop it is
    deadlines = new_deadlines(),
    watched = new_watched(),
    queue = {}, given = {}, queued = 0, -- functions to be called, and with what
    spare_queue = {}, spare_given = {}, -- what those change places with at each step
    finalizing = {}, -- those that come from finalizers, as keys
    reasons = 0, -- waits with a deadline
    stepping = false,
    new_guarded = nil,
    yield_guarded = nil,
  }, { __index = Steps }), {}
  self.new_guarded, self.yield_guarded = parking.guards(function(wait) clear(self, wait) end)
  for name, method in pairs(Steps) do
    bound[name] = function(...) return method(self, ...) end
  end
  bound.wakes_at_once = true
  return bound, self.watched
end

return steps
