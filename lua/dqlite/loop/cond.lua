--- Conditions that coroutines wait for, first come, first served: for loops with waits
-- of the kind of dqlite.loop.waits, whether `wake` lets go on at once or by and by.
-- @module dqlite.loop.cond

local Cond = {}
Cond.__index = Cond

-- Who has waited longest; coroutines that are dead have left.
local function first_of(self)
  while self.first <= self.last do
    local wait = self.queue[self.first]
    if self.waits.is_parked(wait) then return wait end
    self.queue[self.first], self.first = nil, self.first + 1
  end
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
  self.waits.later(wake_signalled, wait) -- nothing has changed where that lacks memory
  self.queue[self.first], self.first = nil, self.first + 1
  wait.signalled, wait.due = true, true
end

--- Does anybody wait?
function Cond:is_awaited()
  return self.first <= self.last
end

local function new_wait(self)
  local wait = self.waits.new(closed)
  wait.cond, wait.signalled, wait.due = self, false, false
  return wait
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
  local wait = self.spare or new_wait(self)
  self.spare = false
  self.last = self.last + 1
  self.queue[self.last] = wait
  local _, kind, reason = self.waits.park(wait, deadline ~= math.huge and deadline or nil)
  if not wait.signalled then leave(wait) end
  if kind == "misuse" then
    pass_on(wait)
    return nil, kind, reason
  end
  local signalled = wait.signalled
  wait.signalled = false
  if not wait.due then self.spare = wait end
  return signalled
end

--- Makes a condition.
-- @tparam table waits `new`, `park`, `wake`, `is_parked`; `later(fn, wait)` calls a function
-- by and by, from the loop that the wait is in
-- @tparam[opt] function on_close called when a coroutine is closed while it waits
-- @treturn table
return function(waits, on_close)
  return setmetatable({
    waits = waits,
    on_close = on_close,
    queue = {}, -- of waits, from `first` to `last`
    first = 1,
    last = 0,
    signalled = false, -- while nobody waited
    spare = false, -- a wait that is over, for the next one
  }, Cond)
end
