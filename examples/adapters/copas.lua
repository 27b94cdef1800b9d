-- Copas as a loop of dqlite (README.md, beside this, tells how such a thing is written):
--
--    local conn = dqlite.connect(address, { loop = require "examples.adapters.copas" })
--
-- For the Copas of Debian 12 (lua-copas 1.2.0, which calls itself 1.1.7), in LuaJIT. That
-- one has no timers, so deadlines are kept here and `copas.step` minds them. Host names are
-- looked up by getaddrinfo, which stops everybody meanwhile: use numeric addresses. A
-- handler of copas.addserver that has waited for dqlite closes its client itself.
local adapter = require "dqlite.adapter"
local copas = require "copas"

local now = adapter.now

local scheduler = { name = "copas" }

-- ---- what a step does ----

local ends = {} -- deadlines, by wait
local due = {} -- what the next step calls, and with what

function scheduler.later(fn, arg) due[#due + 1] = { fn, arg } end

local function first_end()
  local first = math.huge
  for _, deadline in pairs(ends) do first = math.min(first, deadline) end
  return first
end

local function wake_expired()
  local time = now()
  for wait, deadline in pairs(ends) do
    if deadline <= time then scheduler.wake(wait) end
  end
end

local step = copas.step

function copas.step(timeout)
  local patience = due[1] and 0 or math.max(first_end() - now(), 0)
  if timeout then patience = math.min(patience, timeout) end
  step(patience < math.huge and patience or nil)
  wake_expired()
  local calls = due
  due = {}
  for _, call in ipairs(calls) do call[1](call[2]) end
end

-- ---- descriptors ----

-- A coroutine under Copas yields what it waits for, and a queue that takes both. This one
-- leaves it to us, who resume it by copas.addthread, for Copas to take what it yields next.
local OURS = { insert = function() end, push = function() end }

-- The sets of what is read from and written to, as Copas shows them to who has to wait.
local function set_of(method)
  local function fails() return nil, "timeout", 0 end
  local routine = coroutine.create(copas[method])
  local _, _, set = coroutine.resume(routine, { receive = fails, send = fails }, "")
  return set
end

local SETS = { r = { set_of "receive" }, w = { set_of "send" } }
SETS.rw = { SETS.r[1], SETS.w[1] }

-- What LuaSocket's select asks for.
local function getfd(wait) return wait.fd end
local function dirty() return false end

-- What Copas resumes when the descriptor is ready; were it the program's own coroutine, it
-- would close the descriptor at the end of that (copas.autoclose).
local function watcher_of(wait)
  return coroutine.create(function()
    while true do
      scheduler.wake(wait)
      coroutine.yield(wait, OURS)
    end
  end)
end

local function watch(wait)
  wait.getfd, wait.dirty, wait.watcher = getfd, dirty, wait.watcher or watcher_of(wait)
  for _, set in ipairs(SETS[wait.wanted]) do
    set:insert(wait)
    set:push(wait, wait.watcher)
  end
end

-- Before the descriptor is closed: select(2) fails for everybody else.
function scheduler.forget(wait)
  for _, set in ipairs(SETS.rw) do
    set:remove(wait)
    while set:pop(wait) do end
  end
end

-- ---- waiting ----

local function resume(thread) copas.addthread(thread, OURS) end

-- The coroutine no longer waits, though it goes on later.
local function leave(wait)
  wait.parked, ends[wait] = nil, nil
  if wait.wanted then scheduler.forget(wait) end
end

function scheduler.wake(wait)
  local thread = wait.parked
  if not thread then return end
  leave(wait)
  scheduler.later(resume, thread)
end

function scheduler.park(wait, deadline)
  local thread = coroutine.running()
  wait.parked = thread
  if deadline and deadline < math.huge then ends[wait] = deadline end
  if wait.wanted then watch(wait) end
  local _, whose = coroutine.yield(wait, OURS)
  if whose == OURS then return true end
  if wait.parked == thread then leave(wait) end
  return nil, "misuse", "a coroutine that waits for dqlite was resumed by something else"
end

local function begin(fn) copas.addthread(fn) end

function scheduler.start(fn) scheduler.later(begin, fn) end

local loop = adapter.new(scheduler)

--- Runs a function in a coroutine, and Copas until that is over.
-- @return what it returns; raises what it raises
function loop.run(fn, ...)
  local args, outcome = { n = select("#", ...), ... }, nil
  local function note(...) outcome = { n = select("#", ...), ... } end
  copas.addthread(function() note(pcall(fn, unpack(args, 1, args.n))) end)
  while not outcome do copas.step() end
  if not outcome[1] then error(outcome[2], 0) end
  return unpack(outcome, 2, outcome.n)
end

return loop
