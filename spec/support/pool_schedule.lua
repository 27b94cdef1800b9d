--- One random schedule of a pool: some coroutines, a server that fails, and what must
-- hold all the while and in the end. All of it follows from a seed.
local core = require "dqlite.core"
local dqlite = require "dqlite"
local new_actor = require "spec.support.pool_actor".new
local virtual_loop = require "spec.support.virtual_loop"
local virtual_net = require "spec.support.virtual_net"
local virtual_server = require "spec.support.virtual_server"
local watches = require "spec.support.pool_watch"

local pool_schedule = {}

local Schedule = {}
Schedule.__index = Schedule

local LONG = 1 -- seconds; more than any call of the end takes
local REST = 0.01 -- seconds after which a connection is looked at before it is used
local LANES = 2 -- connections that reads share, at most
local STEPS = 20000 -- that a schedule may have
local INJECTED = "an error of the program"

-- ---- what the seed draws ----

local function draw_rates(random, faults)
  local rates = {}
  if random:chance(0.2) then return rates end
  for _, fault in ipairs(faults) do
    if random:chance(0.35) then rates[fault] = random:pick { 0.05, 0.2, 0.6 } end
  end
  return rates
end

local function hook(self)
  local random = self.world.random
  local way = random:upto(8)
  if way > 3 then return nil end
  return function(conn)
    if way == 1 then return end
    if way == 2 then return conn:fetchval "SELECT 1" end
    if random:chance(self.server.healed and 0 or 0.3) then error(INJECTED, 0) end
    if random:chance(self.server.healed and 0 or 0.3) then return nil, INJECTED end
  end
end

local function draw_options(self)
  local random = self.world.random
  local most = random:upto(4)
  return {
    loop = self.world.loop,
    max_size = most,
    min_size = random:chance(0.5) and 0 or random:upto(most),
    timeout = random:pick { 0.03, 0.1, 0.3 },
    connect_timeout = random:pick { 0.01, 0.03, 0.1 },
    acquire_timeout = random:pick { 0.01, 0.05, 0.2 },
    idle_timeout = random:pick { 0.005, 300 },
    max_lifetime = random:pick { 0.03, 3600 },
    retries = random:pick { 0, 3 },
    multiplex = random:chance(0.2),
    debug = random:chance(0.1),
    init = hook(self),
    setup = hook(self),
  }
end

-- ---- what comes from outside ----

local function collect()
  collectgarbage()
  collectgarbage() -- what has a finalizer goes with the second one
end

--- Lets the collector look, by and by.
function Schedule:collect_soon()
  self.has_garbage = true
  if not self.world.random:chance(0.5) then return end
  self.world:after(self.world.random:number() * 0.02, function()
    self.world:note "the collector comes"
    collect()
  end)
end

local function victim(self)
  local actor = self.world.random:pick(self.actors)
  if actor.has_begun and not actor.done then return actor end
end

local function disturb(self)
  local actor = victim(self)
  if not actor then return end
  if coroutine.close and self.world.random:chance(0.5) then -- luacheck: ignore 143
    actor:vanished "is to be closed"
    self.world:close(actor.thread)
  else
    actor.is_meddled = true
    self.world:meddle(actor.thread)
  end
end

local function begin(self)
  local random = self.world.random
  for i = 1, random:upto(random:pick { 3, 3, 8 }) do
    self.actors[i] = new_actor(self, "actor " .. i)
  end
  if random:chance(0.2) then
    for _ = 1, random:upto(2) do
      self.world:after(random:number() * 0.04, function() disturb(self) end)
    end
  end
end

-- ---- the end ----

local function check_ended(self)
  for _, actor in ipairs(self.actors) do
    if not actor.done then return self.watch:blame("%s has not ended", actor.name) end
  end
  if self.world.errors[1] then self.watch:blame("raised: %s", self.world.errors[1]) end
end

-- Runs until nothing is left to do.
local function settle(self, what)
  if not self.world:run(STEPS) and not self.watch.wrong then
    self.watch:blame("%s does not come to an end", what)
  end
end

local function run_last(self, fn)
  local thread
  thread = self.world:spawn(function()
    self.world.loop.sleep(REST)
    self.watch:enter(thread, false)
    local ok, err = pcall(fn, self)
    self.watch:exit(thread, "the end")
    if not ok then self.watch:blame("in the end: %s", tostring(err)) end
  end, "the end")
  settle(self, "the end")
end

local function acquire_all(self)
  local held = {}
  for i = 1, self.opts.max_size do
    local conn, err = self.pool:acquire { timeout = LONG }
    if not conn then return self.watch:blame("no slot %d: %s", i, tostring(err)) end
    held[i] = conn
    self.watch.holding = i
  end
  local more, err = self.pool:acquire { timeout = 0.001 }
  if more or err.kind ~= "pool" then self.watch:blame "one slot too many" end
  for _, conn in ipairs(held) do
    self.watch.holding = self.watch.holding - 1
    conn:release()
  end
end

local function check_closed(self)
  local more, err = self.pool:acquire { timeout = LONG }
  if more or err.kind ~= "pool" then self.watch:blame "closed, and gives connections" end
end

local function close(self)
  self.watch.closing = true
  self.pool:close(0.01)
end

local function check_empty(self)
  local stats = self.pool:stats()
  if stats.size > 0 or stats.in_use > 0 or stats.waiting > 0 then
    self.watch:blame("in the end %d slots, %d in use, %d wait", stats.size, stats.in_use,
      stats.waiting)
  elseif self.server.open > 0 then
    self.watch:blame("in the end %d streams are open", self.server.open)
  end
end

-- Nobody is there any more; slots that were dropped come back by the collector.
local function check_rest(self)
  local watch = self.watch
  check_ended(self)
  self.actors = {}
  if self.has_garbage then
    collect()
    settle(self, "what the collector has begun")
  end
  watch.lost = 0
  watch.world.watcher.stepped()
end

local function finish(self)
  check_rest(self)
  self.server:heal()
  for _, fn in ipairs { self.watch.closing and check_closed or acquire_all, close } do
    if not self.watch.wrong then run_last(self, fn) end
  end
  if not self.watch.wrong then check_empty(self) end
end

-- ---- the whole ----

local function create(self)
  local pool, err = dqlite.create_pool(self.server.ADDRESS, self.opts)
  if not pool then
    self.world:note("no pool: " .. tostring(err))
    return
  end
  self.pool, self.watch.pool = pool, pool
  begin(self)
end

local function is_injected(err)
  return tostring(err):find(INJECTED, 1, true) ~= nil
end

local function run(self)
  self.world:spawn(function()
    local ok, err = pcall(create, self)
    if not ok and not is_injected(err) then self.watch:blame("raised: %s", tostring(err)) end
  end, "the maker")
  settle(self, "it")
  if self.watch.wrong then return end
  if self.pool then return finish(self) end
  check_ended(self)
  if self.server.open > 0 then self.watch:blame "streams of a pool that was not made" end
end

local function new(seed, tracing)
  local world = virtual_loop.new(seed, tracing)
  local random = world.random
  local server = virtual_server.new(world, draw_rates(random, virtual_server.FAULTS))
  server.names_itself = random:chance(0.5)
  virtual_net.install(world, server)
  local self = setmetatable({
    world = world,
    server = server,
    watch = watches.new(world, server),
    rates = { raise = 0.1, vanish = random:chance(0.1) and 0.3 or 0, close = 0.2 },
    opts = nil,
    pool = nil,
    actors = {},
    has_garbage = false, -- was anything left to the collector?
  }, Schedule)
  self.opts = draw_options(self)
  if self.opts.multiplex then self.watch.lanes = LANES end
  return self
end

--- Runs one. The collector stands still but where the schedule wants it.
-- @tparam number seed
-- @tparam[opt] boolean tracing keep a trace?
-- @treturn string|nil what was wrong
-- @treturn table the trace
-- @treturn number steps
function pool_schedule.run(seed, tracing)
  local self = new(seed, tracing)
  local real = core.random
  core.random = function() return self.world.random:number() end
  collectgarbage "stop"
  local ok, err = pcall(run, self)
  collectgarbage "restart"
  core.random = real
  return not ok and tostring(err) or self.watch.wrong, self.world.trace, self.world.steps
end

return pool_schedule
