--- Conditions that coroutines wait for, first come, first served: for loops with waits
-- of the kind of dqlite.loop.waits, whether `wake` lets go on at once or by and by.
-- @module dqlite.loop.cond

local Cond = {}
Cond.__index = Cond

local HUGE = math.huge
local FEW = 64 -- waits that are not worth a look

-- Who has waited longest; coroutines that are dead have left.
local function first_of(self)
  local first = self.first
  local wait = self.queue[first]
  if not wait or self.waits.is_parked(wait) then return wait end
  self.queue[first], self.first = nil, first + 1
  return first_of(self)
end

-- They are many who were closed and have had nobody to tell it.
local function forget_dead(self)
  local queue, n = {}, 0
  for i = self.first, self.last do
    local wait = self.queue[i]
    if self.waits.is_parked(wait) then
      n = n + 1
      queue[n] = wait
    end
  end
  self.queue, self.first, self.last = queue, 1, n
  self.many = math.max(FEW, 2 * n)
end

local function leave(wait)
  local self = wait.cond
  local queue, i = self.queue, self.first
  while i <= self.last and queue[i] ~= wait do i = i + 1 end
  if i > self.last then return end
  for k = i, self.last do queue[k] = queue[k + 1] end
  self.last = self.last - 1
end

-- It was to go on, and will not: so the next one does.
local function pass_on(wait)
  if not wait.signalled then return end
  wait.signalled = false
  wait.cond:signal()
end

local function closed(wait)
  leave(wait)
  pass_on(wait)
  if wait.cond.on_close then wait.cond.on_close() end
end

local function wake_signalled(wait)
  wait.due = false
  if not wait.cond.waits.wake(wait, true) then pass_on(wait) end
end

--- Lets one coroutine go on, by and by; without any, the next that waits.
function Cond:signal()
  local wait = first_of(self)
  if not wait then
    self.signalled = true
    return
  end
  self.waits.later(wake_signalled, wait, true) -- nothing has changed where that lacks memory
  self.queue[self.first], self.first = nil, self.first + 1
  wait.signalled, wait.due = true, true
end

--- Does anybody wait?
function Cond:is_awaited()
  return first_of(self) ~= nil
end

-- Without a deadline nothing has to be done when a coroutine is closed, unless somebody asks
-- to be told: `wake` and `is_parked` notice.
local function wait_of(self, deadline)
  local waits, wait = self.waits, self.spare
  local is_plain = waits.plain and not deadline and not self.on_close
  if wait and (is_plain or not wait.is_plain) then
    self.spare = false
    return wait
  end
  wait = is_plain and waits.plain() or waits.new(closed)
  wait.cond, wait.signalled, wait.due, wait.is_plain = self, false, false, is_plain
  return wait
end

local function enqueue(self, wait)
  if self.last - self.first >= self.many then forget_dead(self) end
  local last = self.last + 1
  self.queue[last] = wait
  self.last = last
end

--- Waits for a signal.
-- @tparam[opt] number deadline of now()
-- @treturn boolean|nil true; false when the deadline passed; nil with "misuse"
-- and a reason after a foreign resume
function Cond:wait(deadline)
  if self.signalled then
    self.signalled = false
    return true
  end
  if deadline == HUGE then deadline = nil end
  local wait = wait_of(self, deadline)
  enqueue(self, wait)
  local _, kind, reason = self.waits.park(wait, deadline)
  local signalled = wait.signalled
  if not signalled then leave(wait) end
  if kind == "misuse" then
    pass_on(wait)
    return nil, kind, reason
  end
  wait.signalled = false
  if self.waits.wakes_at_once and not wait.due then self.spare = wait end
  return signalled
end

--- Makes a condition.
-- @tparam table waits `new`, `park`, `wake`, `is_parked`; `later(fn, wait, soon)` calls a
-- function by and by, from the loop that the wait is in; optional `wakes_at_once` (else a wait
-- is for one time, since a wake-up may be on its way) and `plain`, see dqlite.loop.waits
-- @tparam[opt] function on_close called when a coroutine is closed while it waits
-- @treturn table
return function(waits, on_close)
  return setmetatable({
    waits = waits,
    on_close = on_close,
    queue = {}, -- of waits, from `first` to `last`
    first = 1,
    last = 0,
    many = FEW, -- waits, of which some may be dead
    signalled = false, -- while nobody waited
    spare = false, -- a wait that is over, for the next one
  }, Cond)
end
