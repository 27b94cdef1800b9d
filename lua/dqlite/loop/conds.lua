--- Conditions for loops where coroutines wait: first come, first served. They need two
-- functions of the loop, that park a coroutine and let it go on.
--
-- A wait is a table: `thread` (who waits; nil: nobody any more), `signalled` (it is over),
-- `cond`; everything else in it is the loop's.
-- @module dqlite.loop.conds

local status = coroutine.status

local Cond = {}
Cond.__index = Cond

-- ---- the queue ----

local function push(self, wait)
  self.last = self.last + 1
  self.queue[self.last] = wait
end

local function pop(self)
  local i = self.first
  if i > self.last then return nil end
  local wait = self.queue[i]
  self.queue[i], self.first = nil, i + 1
  return wait
end

local function leave(self, wait)
  local queue, i = self.queue, self.first
  while i <= self.last and queue[i] ~= wait do i = i + 1 end
  if i > self.last then return end
  for k = i, self.last do queue[k] = queue[k + 1] end
  self.last = self.last - 1
end

-- ---- waits ----

local Wait = {}

-- Closed with its coroutine, where Lua can do that (5.4).
function Wait.__close(wait)
  if not wait.thread then return end
  wait.thread = nil
  leave(wait.cond, wait)
  if wait.cond.on_close then wait.cond.on_close() end
end

-- The loop is there for its fourth value, which Lua 5.4 closes on every exit.
local function park(wait, deadline)
  local function once() return true, wait.cond.loop.park(wait, deadline) end
  for _, woken, kind, reason in once, nil, nil, wait do -- luacheck: ignore 512
    wait.thread = nil
    return woken, kind, reason
  end
end

local function is_lost(wait)
  local loop = wait.cond.loop
  return not wait.thread or status(wait.thread) == "dead"
    or loop.is_lost ~= nil and loop.is_lost(wait)
end

--- Waits for a signal.
-- @tparam[opt] number deadline of the loop's now()
-- @treturn boolean|nil true; false when the deadline passed; nil with "misuse" and a reason
-- where nobody can wait, or after a foreign resume
function Cond:wait(deadline)
  if self.signalled then
    self.signalled = false
    return true
  end
  local wait = setmetatable({
    cond = self,
    thread = coroutine.running(),
    signalled = false,
  }, Wait)
  push(self, wait)
  local _, kind, reason = park(wait, deadline ~= math.huge and deadline or nil)
  if not wait.signalled then leave(self, wait) end
  if kind ~= "misuse" then return wait.signalled end
  if wait.signalled then self:signal() end
  return nil, kind, reason
end

--- Lets one coroutine go on, by and by; without any, the next that waits.
function Cond:signal()
  local wait = pop(self)
  while wait and is_lost(wait) do wait = pop(self) end
  if not wait then
    self.signalled = true
    return
  end
  wait.signalled = true
  self.loop.wake(wait)
end

--- Does anybody wait?
function Cond:is_awaited()
  return self.first <= self.last
end

local conds = {}

--- For a loop that wakes by and by: the one that was to be woken will not go on any more,
-- so the next one does.
-- @tparam table wait
function conds.pass_on(wait)
  if wait.signalled and is_lost(wait) then wait.cond:signal() end
end

--- Makes the `cond` of a loop.
-- @tparam table loop `park(wait, deadline)` returns once `wait.signalled` is set and `wake`
-- called, or at the deadline: anything, or nil with "misuse" and a reason; `wake(wait)` lets
-- it go on by and by; optional `is_lost(wait)`: will it never go on?
-- @treturn function `(on_close)` as in the contract of loops
function conds.of(loop)
  return function(on_close)
    return setmetatable({
      loop = loop,
      on_close = on_close,
      queue = {}, -- of waits, from `first` to `last`
      first = 1,
      last = 0,
      signalled = false, -- while nobody waited
    }, Cond)
  end
end

return conds
