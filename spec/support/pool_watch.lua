--- Looks at a pool at every step of a virtual loop: what must hold whatever happens.
--
-- It keeps the queue of the pool by itself: who waits at a condition from the moment
-- on that the pool counts one more, and in what order they are signalled.
local pool_watch = {}

local Watch = {}
Watch.__index = Watch

local SLACK = 0.02 -- seconds that a call may last longer, since others run in between

--- Notes that something is wrong, and stops the world.
function Watch:blame(text, ...)
  if self.wrong then return end
  self.wrong = text:format(...)
  self.world:note("WRONG: " .. self.wrong)
  self.world.stopped = true
end

-- ---- who waits ----

local function place_of(self, wait)
  for i, each in ipairs(self.queue) do
    if each.wait == wait then return i end
  end
end

local function leave(self, i)
  local entry = table.remove(self.queue, i)
  self.world:note(("%s waits for a slot no more"):format(entry.name))
end

local function name_of(self, thread)
  return self.world.names[thread] or "a coroutine"
end

local function parked(self, thread, wait)
  local pool = self.pool
  if not pool then return end
  local caller = self.callers[thread]
  if pool:stats().waiting == #self.queue + 1 then
    self.queue[#self.queue + 1] = { wait = wait, thread = thread, name = name_of(self, thread) }
    self.world:note(("%s waits for a slot, as number %d"):format(
      name_of(self, thread), #self.queue))
  elseif caller and caller.behind > 0 and not self.closing then
    self:blame("%s has overtaken %d", name_of(self, thread), caller.behind)
  end
  if caller then caller.behind = 0 end
end

local function signalled(self, wait)
  local i = place_of(self, wait)
  if not i then return end
  if i > 1 and not self.closing then
    self:blame("%s is served before %s", self.queue[i].name, self.queue[1].name)
  end
  leave(self, i)
end

local function resumed(self, wait)
  local i = place_of(self, wait)
  if i then leave(self, i) end
end

--- A coroutine is about to be closed.
function Watch:forget(thread)
  for i, each in ipairs(self.queue) do
    if each.thread == thread then leave(self, i) break end
  end
  local caller = self.callers[thread]
  self.callers[thread] = nil
  if caller then self.inside, self.lost = self.inside - 1, self.lost + 1 end
end

-- ---- calls ----

--- A coroutine calls the pool.
-- @tparam thread thread
-- @tparam boolean takes does it take a slot first of all?
function Watch:enter(thread, takes)
  self.callers[thread] = { behind = takes and #self.queue or 0, began = self.world.time }
  self.inside = self.inside + 1
end

--- The call has ended.
-- @tparam thread thread
-- @tparam string what it was
-- @tparam[opt] number seconds that it may have taken
-- @tparam boolean served did it get what it wanted?
function Watch:exit(thread, what, seconds, served)
  local caller = self.callers[thread]
  self.callers[thread] = nil
  self.inside = self.inside - 1
  local took = self.world.time - caller.began
  if seconds and took > seconds + SLACK then
    self:blame("%s: %s took %.3f of %.3f s", name_of(self, thread), what, took, seconds)
  end
  if served and caller.behind > 0 and not self.closing then
    self:blame("%s has overtaken %d", name_of(self, thread), caller.behind)
  end
end

--- The pool's close has returned.
function Watch:is_over()
  self.queries = self.queries or self.server.queries
end

-- ---- steps ----

local function check_counts(self, stats)
  local server = self.server
  if server.sessions > stats.max_size then
    self:blame("%d connections of %d are open", server.sessions, stats.max_size)
  elseif server.live > stats.max_size + 2 then -- a search's and a watch's questions
    self:blame("%d streams for %d connections", server.live, stats.max_size)
  elseif stats.size > stats.max_size or stats.size < stats.idle + stats.in_use then
    self:blame("size %d of %d, idle %d, in use %d", stats.size, stats.max_size, stats.idle,
      stats.in_use)
  elseif stats.idle < 0 or stats.in_use < self.holding then
    self:blame("in use %d, but %d are held", stats.in_use, self.holding)
  elseif stats.in_use > self.holding + self.inside + self.lost + self.lanes then
    self:blame("in use %d: %d are held, %d calls go on, %d are lost", stats.in_use,
      self.holding, self.inside, self.lost)
  end
end

-- What is neither idle nor in use has somebody who is about it.
local function check_connecting(self, stats)
  local connecting = stats.size - stats.idle - stats.in_use
  local behind = self.world.behind -- each reads what is left of a result
  if connecting > self.inside + self.lanes + self.lost + behind then
    self:blame("%d slots are on their way: %d calls go on, %d work behind, %d are lost",
      connecting, self.inside, behind, self.lost)
  end
end

local function check_queue(self, stats)
  if stats.waiting ~= #self.queue then
    self:blame("%d wait, and not %d", #self.queue, stats.waiting)
  elseif stats.waiting > 0 and not self.closing
    and (stats.idle > 0 or stats.size < stats.max_size) then
    self:blame("%d wait while %d are idle and %d of %d slots are there", stats.waiting,
      stats.idle, stats.size, stats.max_size)
  end
end

local function check_closed(self, stats)
  if stats.waiting > 0 or stats.idle > 0 then
    self:blame("closed: %d wait, %d are idle", stats.waiting, stats.idle)
  elseif self.queries and self.server.queries > self.queries then
    self:blame "a connection is used after the pool's close has returned"
  end
end

local function stepped(self)
  local pool = self.pool
  if not pool or self.wrong then return end
  local stats = pool:stats()
  check_counts(self, stats)
  check_connecting(self, stats)
  check_queue(self, stats)
  if not pool:is_open() then check_closed(self, stats) end
end

--- Makes one and lets the world tell it. `pool` is to be set once there is one.
function pool_watch.new(world, server)
  local self = setmetatable({
    world = world,
    server = server,
    pool = nil,
    queue = {}, -- who waits for a slot
    callers = {}, -- thread -> its call of the pool
    inside = 0, -- how many calls
    holding = 0, -- connections that coroutines have
    lost = 0, -- coroutines that are gone and may have had one
    lanes = 0, -- connections that coroutines of the pool itself may have
    closing = false,
    queries = nil, -- that had been asked when the pool's close returned
    wrong = nil, -- the first thing that was
  }, Watch)
  world.watcher = {
    parked = function(thread, wait) parked(self, thread, wait) end,
    signalled = function(wait) signalled(self, wait) end,
    resumed = function(_, wait) resumed(self, wait) end,
    stepped = function() stepped(self) end,
  }
  return self
end

return pool_watch
