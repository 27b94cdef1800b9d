--- A loop without real time: its clock moves when nothing can run, to the next
-- deadline, and a little with each step. Of all that can run (coroutines that were
-- woken or whose deadline has passed, work that is due) one that the seed draws runs
-- next. The same seed gives the same run.
--
--    local world = virtual_loop.new(seed)
--    world.loop.connect = ...          -- the loop as in DEVELOPMENT.md; see virtual_net
--    local thread = world:spawn(function() ... end, "name")
--    world:run()
--
-- It waits as `dqlite.loop.luv` does: a foreign resume is "misuse", a coroutine that
-- is closed leaves its wait, and one that yields to somebody else is forgotten.
-- `world.watcher` is told: `parked(thread, wait)`, `signalled(wait)`,
-- `resumed(thread, wait)`, `stepped()`.
local new_random = require "spec.support.random"

local virtual_loop = {}

local World = {}
World.__index = World

local running, yield = coroutine.running, coroutine.yield
local is_yieldable = rawget(coroutine, "isyieldable")

-- What a coroutine that waits yields, and is resumed with.
local WAITING, OURS = {}, {}

local OVER = "the deadline has passed"
local FOREIGN = "the coroutine was resumed by something else than its loop"
local STEP = 0.0001 -- seconds that a step takes at most

-- ---- what can run ----

local function push(world, entry)
  world.ready[#world.ready + 1] = entry
end

local function draw(world)
  local ready = world.ready
  local n = #ready
  local i = n > 1 and world.random:upto(n) or 1
  local entry = ready[i]
  ready[i] = ready[n]
  ready[n] = nil
  return entry
end

-- Moves what is due to what can run; answers when the next is.
local function look_at_clock(world)
  local timed, now, first, kept = world.timed, world.time, math.huge, 0
  for i = 1, #timed do
    local entry = timed[i]
    timed[i] = nil
    if entry.at <= now then
      if not entry.over then push(world, entry) end -- else it was woken
    elseif not entry.over then
      kept = kept + 1
      timed[kept] = entry
      if entry.at < first then first = entry.at end
    end
  end
  world.first = first
  return first
end

local function watch(world, entry)
  world.timed[#world.timed + 1] = entry
  if entry.at < world.first then world.first = entry.at end
end

-- ---- waits ----

local function new_wait(on_close)
  return { thread = nil, entry = nil, turn = 0, on_close = on_close }
end

-- Nobody waits here any more.
local function clear(wait)
  wait.thread = nil
  if wait.entry then wait.entry.over = true end
  wait.entry = nil
end

-- One coroutine's stay at a wait: Lua 5.4 closes it with the coroutine.
local Stay = {}

function Stay.__close(stay)
  local wait = stay.wait
  if wait.thread ~= stay.thread then return end
  clear(wait)
  if wait.on_close then wait.on_close(wait) end
end

local function yield_once(value)
  return true, yield(value)
end

local function yield_guarded(wait)
  local stay = setmetatable({ wait = wait, thread = wait.thread }, Stay)
  for _, whose, first, second, third in yield_once, WAITING, nil, stay do -- luacheck: ignore 512
    if wait.thread == stay.thread then clear(wait) end
    return whose, first, second, third
  end
end

--- Waits to be woken.
-- @tparam table wait from world:wait
-- @tparam number deadline
-- @return what `wake` was given; nil, "timeout" or "misuse", and a reason
function World:park(wait, deadline)
  local refused = virtual_loop.refusal()
  if refused then return nil, "misuse", refused end
  wait.thread, wait.turn = running(), wait.turn + 1
  if deadline and deadline < math.huge then
    wait.entry = { at = deadline, wait = wait, turn = wait.turn, nil, "timeout", OVER }
    watch(self, wait.entry)
  end
  self.watcher.parked(wait.thread, wait)
  local whose, first, second, third = yield_guarded(wait)
  self.watcher.resumed(running(), wait)
  if whose == OURS then return first, second, third end
  return nil, "misuse", FOREIGN
end

--- A place to wait at.
-- @tparam[opt] function on_close called when a coroutine is closed there
function World.wait(_, on_close)
  return new_wait(on_close)
end

--- Lets who waits there go on, by and by.
function World:wake(wait, ...)
  if wait.thread then push(self, { wait = wait, turn = wait.turn, ... }) end
end

--- Takes who waits there away from it at once, to go on by and by: somebody else can
-- wait there before that.
function World:detach(wait, ...)
  local thread = wait.thread
  if not thread then return end
  clear(wait)
  push(self, { thread = thread, OURS, ... })
end

--- Why nobody can wait here, in words.
function virtual_loop.refusal()
  local thread, is_main = running()
  if not thread or is_main then return "only a coroutine can wait here" end
  if is_yieldable and not is_yieldable() then return "nothing can wait here" end
end

-- ---- conditions ----

local Cond = {}
Cond.__index = Cond

local function new_cond(world, on_close)
  return setmetatable({ world = world, on_close = on_close, queue = {}, signalled = false },
    Cond)
end

local function leave(cond, wait)
  for i, each in ipairs(cond.queue) do
    if each == wait then return table.remove(cond.queue, i) end
  end
end

function Cond:signal()
  local wait = table.remove(self.queue, 1)
  if not wait then
    self.signalled = true
    return
  end
  wait.signalled = true
  self.world.watcher.signalled(wait)
  push(self.world, { wait = wait, turn = wait.turn, cond = self, true })
end

function Cond:wait(deadline)
  if self.signalled then
    self.signalled = false
    return true
  end
  local wait
  wait = self.world:wait(function()
    leave(self, wait)
    if self.on_close then self.on_close() end
  end)
  self.queue[#self.queue + 1] = wait
  wait.signalled = false
  local _, kind, reason = self.world:park(wait, deadline)
  if not wait.signalled then leave(self, wait) end
  if kind == "misuse" then return nil, kind, reason end
  local signalled = wait.signalled
  wait.signalled = false
  return signalled
end

-- ---- steps ----

local function ended(world, thread, ok, err)
  local name = world.names[thread]
  world.names[thread] = nil
  if name then world:note(name .. " has ended") end
  if not ok then
    world.errors[#world.errors + 1] = debug.traceback(thread, tostring(err))
  end
end

local function resume(world, thread, ...)
  local ok, yielded = coroutine.resume(thread, ...)
  if coroutine.status(thread) == "dead" then
    ended(world, thread, ok, yielded)
  elseif yielded ~= WAITING then
    ended(world, thread, true) -- nobody here will resume it
  end
end

local function run_job(world, job)
  local ok, err = pcall(job)
  if not ok then world.errors[#world.errors + 1] = tostring(err) end
end

local function run_wait(world, entry)
  local wait = entry.wait
  local thread = wait.thread
  if thread and wait.turn == entry.turn and coroutine.status(thread) ~= "dead" then
    resume(world, thread, OURS, entry[1], entry[2], entry[3])
  elseif entry.cond and wait.signalled then
    entry.cond:signal() -- for the next one: who was signalled is gone
  end
end

--- Runs one thing that can run.
-- @treturn boolean was there any?
function World:step()
  if #self.ready == 0 or self.first <= self.time then
    local first = look_at_clock(self)
    if #self.ready == 0 then
      if first == math.huge then return false end
      self.time = first
      look_at_clock(self)
    end
  end
  local entry = draw(self)
  self.steps = self.steps + 1
  self.time = self.time + self.random:number() * STEP
  if entry.wait then
    run_wait(self, entry)
  elseif entry.thread then
    if coroutine.status(entry.thread) ~= "dead" then
      resume(self, entry.thread, entry[1], entry[2], entry[3], entry[4])
    end
  else
    run_job(self, entry.job)
  end
  self.watcher.stepped()
  return true
end

--- Runs until nothing can run any more, or `world.stopped`.
-- @tparam[opt] number limit of steps
-- @treturn boolean did it come to an end by itself?
function World:run(limit)
  local last = self.steps + (limit or 100000)
  repeat
    if self.stopped or self.steps >= last then return false end
  until not self:step()
  return true
end

--- Begins a coroutine, by and by.
-- @treturn thread
function World:spawn(fn, name)
  local thread = coroutine.create(fn)
  self.names[thread] = name
  push(self, { thread = thread })
  return thread
end

--- Calls a function later, outside of any coroutine.
function World:after(seconds, fn)
  local entry = { at = self.time + seconds, job = fn }
  watch(self, entry)
  return entry
end

--- Closes a coroutine that waits (Lua 5.4).
function World:close(thread)
  self:note(("%s is closed"):format(self.names[thread] or "a coroutine"))
  ended(self, thread, true)
  assert(coroutine.close(thread)) -- luacheck: ignore 143
end

--- Resumes a coroutine that waits, as a stranger would.
function World:meddle(thread)
  self:note(("%s is resumed by a stranger"):format(self.names[thread] or "a coroutine"))
  resume(self, thread, "a stranger")
end

--- Notes an event, when `tracing`.
function World:note(text)
  if not self.tracing then return end
  self.trace[#self.trace + 1] = ("%9.6f %s"):format(self.time, text)
end

-- ---- the loop ----

local function sleep(world, seconds)
  local done, kind, reason = world:park(world:wait(), world.time + seconds)
  if kind == "timeout" then return true end
  return done, kind, reason
end

local function run_behind(world, fn)
  world.behind = world.behind + 1
  world:spawn(function()
    local ok, err = pcall(fn)
    world.behind = world.behind - 1
    if not ok then error(err, 0) end
  end)
end

local function make_loop(world)
  return {
    name = "virtual",
    now = function() return world.time end,
    sleep = function(seconds) return sleep(world, seconds) end,
    refusal = virtual_loop.refusal,
    start = function(fn) world:spawn(fn) end,
    cond = function(on_close) return new_cond(world, on_close) end,
    background = function(fn) run_behind(world, fn) end,
    later_finalize = function(fn) push(world, { job = fn }) end,
  }
end

local function nothing() end

--- Makes a world. `tracing` keeps what happens in `trace`; `errors` are what
-- escaped from coroutines, as texts.
-- @tparam number seed
-- @tparam[opt] boolean tracing
function virtual_loop.new(seed, tracing)
  local world = setmetatable({
    seed = seed,
    random = new_random(seed),
    time = 100,
    steps = 0,
    behind = 0, -- coroutines that do background work
    names = setmetatable({}, { __mode = "k" }), -- of them
    ready = {}, -- what can run
    timed = {}, -- what can once its time has come
    first = math.huge, -- when that is, or earlier
    stopped = false,
    tracing = tracing or false,
    trace = {},
    errors = {},
    watcher = { parked = nothing, signalled = nothing, resumed = nothing, stepped = nothing },
    loop = nil,
  }, World)
  world.loop = make_loop(world)
  return world
end

return virtual_loop
