--- Who waits for a connection of a pool whose connections nginx keeps: first come, first
-- served. A request may end in the middle of its wait, and nobody is told of that: who
-- waits shows from time to time that he does, and one who does not is left out.
-- @module dqlite.queue

local queue = {}

local Queue = {}
Queue.__index = Queue

local TICK = 0.1 -- seconds after which one who waits looks whether it is his turn
local SILENCE = 5 * TICK -- without a look, after which he is gone

--- Makes a queue in which nobody waits.
-- @tparam table loop
-- @tparam number most how many may wait
-- @treturn table
function queue.new(loop, most)
  return setmetatable({
    loop = loop,
    most = most,
    waiters = {}, -- from the one who has waited longest
    joined = 0, -- how many have ever begun to wait
  }, Queue)
end

-- Leaves out those who are gone.
local function clear(self)
  local waiters, since, kept = self.waiters, self.loop.now() - SILENCE, 0
  for i = 1, #waiters do
    local waiter = waiters[i]
    waiters[i] = nil
    if waiter.seen > since then
      kept = kept + 1
      waiters[kept] = waiter
    end
  end
end

--- Does anybody wait?
-- @treturn boolean
function Queue:is_empty()
  if self.waiters[1] then clear(self) end
  return self.waiters[1] == nil
end

--- Begins to wait.
-- @treturn table|nil a waiter; nil where too many wait already
function Queue:join()
  clear(self)
  if #self.waiters >= self.most then return nil end
  self.joined = self.joined + 1
  local waiter = { cond = self.loop.cond(), seen = self.loop.now(), number = self.joined }
  self.waiters[#self.waiters + 1] = waiter
  return waiter
end

-- Who was busy for too long was taken for gone: he has his place again.
local function keep_place(self, waiter)
  local waiters, i = self.waiters, 1
  while waiters[i] and waiters[i].number < waiter.number do i = i + 1 end
  if waiters[i] ~= waiter then table.insert(waiters, i, waiter) end
end

--- Waits until it may be his turn.
-- @tparam table waiter
-- @tparam number deadline of the loop's now()
-- @treturn boolean is he the first?
function Queue:wait(waiter, deadline)
  local now = self.loop.now()
  waiter.cond:wait(math.min(deadline, now + TICK))
  waiter.seen = self.loop.now()
  if self.waiters[1] ~= waiter then
    keep_place(self, waiter)
    clear(self)
  end
  return self.waiters[1] == waiter
end

--- A connection came back, or its place is free: the first one's turn.
function Queue:signal()
  local first = self.waiters[1]
  if first then first.cond:signal() end
end

--- Ends a wait, with or without success: the next may have a place as well.
-- @tparam table waiter
function Queue:leave(waiter)
  for i, each in ipairs(self.waiters) do
    if each == waiter then
      table.remove(self.waiters, i)
      break
    end
  end
  self:signal()
end

return queue
