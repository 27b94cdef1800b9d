--- A coroutine that does what the seed draws with a pool: takes connections and gives
-- them back, or does not, runs statements, and breaks off.
local pool_actor = {}

local Actor = {}
Actor.__index = Actor

local unpack = table.unpack or unpack

local INJECTED = "an error of the program"

local function sleep(self)
  self.world.loop.sleep(self.random:number() * 0.01)
end

-- ---- with a connection ----

local uses = {
  function(_, conn) conn:fetchval "SELECT 1" end,
  function(_, conn) conn:execute "UPDATE t SET a = 1" end,
  function(_, conn) conn:execute "BEGIN" end, -- and leaves it
  function(_, conn)
    local tx = not conn:in_transaction() and conn:begin()
    if tx then tx:rollback() end
  end,
  function(_, conn)
    conn:transaction(function() return conn:execute "UPDATE t SET a = 1" end)
  end,
  function(_, conn)
    conn:rows "SELECT 1"() -- the rest is left; raises when the server does not answer
  end,
  function(self) sleep(self) end,
}

-- What the server knows of the connection, which its client may have lost by now.
local function is_in_transaction(conn)
  local stream = conn.link.stream
  return stream and stream.source.in_transaction
end

local function use(self, conn)
  if conn:in_transaction() or is_in_transaction(conn) then
    self.watch:blame("%s got a transaction", self.name)
  end
  for _ = 1, self.random:upto(3) - 1 do self.random:pick(uses)(self, conn) end
end

-- Nobody will resume it, and nobody has it any more.
local function vanish(self)
  self:vanished "vanishes"
  coroutine.yield "to nobody"
end

local function use_and_break_off(self, conn)
  use(self, conn)
  if self.random:chance(self.rates.raise) then error(INJECTED, 0) end
  if self.random:chance(self.rates.vanish) then vanish(self) end
  if self.random:chance(self.rates.raise) then return nil, INJECTED end
  return true
end

-- ---- calls of the pool ----

-- What takes a slot first of all; reads do where they share no connections.
local TAKES = { acquire = true, with = true, transaction = true, execute = true,
  executemany = true, pipeline = true, ping = true }
local READS = { fetchval = true, fetch = true }

-- A call, of which it is known how long it may take; what it raises is raised.
local function call(self, what, seconds, fn, ...)
  self.watch:enter(self.thread, TAKES[what] or READS[what] and not self.shares)
  self.world:note(("%s: %s"):format(self.name, what))
  local ok, first, second = pcall(fn, ...)
  self.watch:exit(self.thread, what, seconds, ok and first)
  if self.world.tracing then
    self.world:note(("%s: %s: %s"):format(self.name, what,
      not ok and "raises " .. tostring(first) or first and "done" or tostring(second)))
  end
  if not ok then error(first, 0) end
  return first, second
end

local function release(self, conn)
  self.watch.holding = self.watch.holding - 1
  self.conn = nil
  local method = self.random:chance(0.1) and "close" or "release"
  call(self, method, self.timeout, conn[method], conn)
  if self.random:chance(0.2) then conn:release() end
  if self.random:chance(0.1) and pcall(conn.fetchval, conn, "SELECT 1") then
    self.watch:blame("%s has used what it gave back", self.name)
  end
end

local function acquire(self)
  local seconds = self.random:pick { 0.001, 0.01, self.timeout }
  local limit = seconds + (self.sets_up and self.timeout or 0)
  local conn = call(self, "acquire", limit, self.pool.acquire, self.pool,
    { timeout = seconds })
  if not conn then return end
  self.watch.holding, self.conn = self.watch.holding + 1, conn
  return conn
end

-- Raises what was raised in the middle, as a program would that looks after itself.
local function acquire_and_release(self)
  local conn = acquire(self)
  if not conn then return end
  local ok, err = pcall(use, self, conn)
  if self.random:chance(self.rates.vanish) then vanish(self) end
  release(self, conn)
  if not ok then error(err, 0) end
end

local function leak(self)
  if not self.random:chance(self.rates.vanish) then return acquire_and_release(self) end
  if not acquire(self) then return end
  self.watch.holding, self.watch.lost = self.watch.holding - 1, self.watch.lost + 1
  self.conn = nil
  self.world:note(self.name .. ": drops its connection")
  self.schedule:collect_soon()
end

local function with(self)
  call(self, "with", nil, self.pool.with, self.pool,
    function(conn) return use_and_break_off(self, conn) end)
end

local function transaction(self)
  call(self, "transaction", nil, self.pool.transaction, self.pool, function(conn)
    conn:execute "UPDATE t SET a = 1"
    if self.random:chance(self.rates.raise) then error(INJECTED, 0) end
    if self.random:chance(self.rates.vanish) then vanish(self) end
    return true
  end)
end

local SHORTCUTS = {
  { "fetchval", "SELECT 1" },
  { "fetch", "SELECT 1" },
  { "execute", "UPDATE t SET a = 1" },
  { "executemany", "UPDATE t SET a = ?", { { 1 }, { 2 } } },
  { "pipeline", { { "SELECT 1" }, { "UPDATE t SET a = 1" } } },
  { "ping" },
}

local function shortcut(self)
  local way = self.random:pick(SHORTCUTS)
  local name = way[1]
  call(self, name, 2 * self.timeout, self.pool[name], self.pool, unpack(way, 2))
end

local function close(self)
  if not self.random:chance(self.rates.close) then return shortcut(self) end
  local seconds = self.random:pick { 0, 0.01, 0.1 }
  self.watch.closing = true
  local closed = call(self, "close the pool", seconds, self.pool.close, self.pool, seconds)
  if closed then self.watch:is_over() end
end

local acts = { acquire_and_release, acquire_and_release, with, transaction, shortcut, shortcut,
  leak, close }

-- ---- the whole ----

--- It is gone, and what it had is for the collector.
function Actor:vanished(how)
  if self.done then return end
  self.done = true
  self.world:note(("%s %s"):format(self.name, how))
  self.watch:forget(self.thread)
  if self.conn then
    self.watch.holding, self.watch.lost = self.watch.holding - 1, self.watch.lost + 1
  end
  self.conn = nil
  self.schedule:collect_soon()
end

local function is_expected(self, err)
  return self.is_meddled or tostring(err):find(INJECTED, 1, true)
    or type(err) == "table" and err.kind ~= nil
end

local function act(self)
  local ok, err = pcall(self.random:pick(acts), self)
  if ok or is_expected(self, err) then return end
  self.watch:blame("%s raised: %s", self.name, tostring(err))
end

local function live(self)
  self.has_begun = true
  for _ = 1, self.random:upto(3) do
    if self.random:chance(0.5) then sleep(self) end
    act(self)
    if self.conn then release(self, self.conn) end -- after a foreign resume
  end
  self.done = true
end

--- Begins one.
-- @tparam table schedule
-- @tparam string name
-- @treturn table `thread`, `has_begun`, `done`
function pool_actor.new(schedule, name)
  local self = setmetatable({
    schedule = schedule,
    world = schedule.world,
    random = schedule.world.random,
    watch = schedule.watch,
    pool = schedule.pool,
    rates = schedule.rates,
    timeout = schedule.opts.timeout,
    shares = schedule.opts.multiplex,
    sets_up = schedule.opts.setup ~= nil,
    name = name,
    thread = nil,
    conn = nil, -- that it has
    has_begun = false,
    is_meddled = false,
    done = false,
  }, Actor)
  self.thread = self.world:spawn(function() live(self) end, name)
  return self
end

return pool_actor
