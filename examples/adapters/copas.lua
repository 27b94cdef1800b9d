-- Copas as a loop of dqlite (README.md, beside this, tells how such a thing is written):
--
--    local conn = dqlite.connect(address, { loop = require "examples.adapters.copas" })
--
-- For the Copas of Debian 12 (lua-copas 1.2.0, which calls itself 1.1.7), in LuaJIT. That
-- one has no timers, so deadlines are kept here and `copas.step` minds them. Host names are
-- looked up by getaddrinfo, which stops everybody meanwhile: use numeric addresses. A
-- handler of copas.addserver that has waited for dqlite closes its client itself.
local conds = require "dqlite.loop.conds"
local copas = require "copas"
local core = require "dqlite.core"
local dial = require "dqlite.loop.dial"
local new_deadlines = require "dqlite.loop.deadlines"
local parking = require "dqlite.loop.parking"
local polled = require "dqlite.loop.polled"

local loop = { name = "copas", now = core.now }

-- ---- Copas ----

local deadlines, due = new_deadlines(), {} -- of waits; functions that a step calls

local function later(fn) due[#due + 1] = fn end

-- A coroutine under Copas yields what it waits for, and a queue that takes both. This one
-- leaves it to us, who resume it by copas.addthread, for Copas to take what it yields next.
local OURS = { insert = function() end, push = function() end }

local function wake(wait)
  local thread = wait.parked
  if not thread then return end
  wait.parked, wait.deadline = nil, nil
  later(function() copas.addthread(thread, OURS) end)
end

local function park(wait, deadline)
  wait.parked = coroutine.running()
  if deadline and deadline < math.huge then deadlines:watch(wait, deadline) end
  local _, whose = coroutine.yield(wait, OURS)
  if whose == OURS then return true end
  wait.parked, wait.deadline = nil, nil
  return nil, "misuse", "a coroutine that waits for dqlite was resumed by something else"
end

local step = copas.step

function copas.step(timeout)
  local patience = due[1] and 0 or math.max(deadlines:first() - core.now(), 0)
  if timeout then patience = math.min(patience, timeout) end
  step(patience < math.huge and patience or nil)
  local expired = deadlines:expired(core.now())
  while expired do
    wake(expired)
    expired = deadlines:expired(core.now())
  end
  local functions = due
  due = {}
  for _, fn in ipairs(functions) do fn() end
end

-- The sets of what is read from and written to, as Copas shows them to who has to wait.
local function set_of(method)
  local function fails() return nil, "timeout", 0 end
  local routine = coroutine.create(copas[method])
  local _, _, set = coroutine.resume(routine, { receive = fails, send = fails }, "")
  return set
end

local SETS = { r = { set_of "receive" }, w = { set_of "send" } }
SETS.rw = { SETS.r[1], SETS.w[1] }

-- ---- the loop ----

--- Why nobody can wait here.
function loop.refusal()
  local thread, is_main = coroutine.running()
  if thread and not is_main and rawget(coroutine, "isyieldable")() then return nil end
  return "with Copas only a coroutine can wait: put this into copas.addthread"
end

function loop.sleep(seconds)
  return park({}, core.now() + seconds)
end

function loop.start(fn)
  later(function() copas.addthread(function() parking.call_traced(fn) end) end)
end

loop.cond = conds.of { park = park, wake = wake }

-- ---- streams ----

local methods = {}

-- What Copas resumes when the descriptor is ready; were it the program's own coroutine, it
-- would close the stream at the end of that (copas.autoclose).
local function watcher_of(stream)
  return coroutine.create(function()
    while true do
      wake(stream.turn)
      coroutine.yield(stream, OURS)
    end
  end)
end

function methods.wait(self, events, deadline)
  self.turn = self.turn or {}
  self.watcher = self.watcher or watcher_of(self)
  if not events then later(function() wake(self.turn) end) end
  for _, set in ipairs(SETS[events] or {}) do
    set:insert(self)
    set:push(self, self.watcher)
  end
  local woken, kind, reason = park(self.turn, deadline)
  methods.forget(self)
  return woken, kind, reason
end

function methods.wake(self)
  if self.turn then wake(self.turn) end
end

-- Before the descriptor is closed: select(2) fails for everybody else.
function methods.forget(self)
  for _, set in ipairs(SETS.rw) do
    set:remove(self)
    while set:pop(self) do end
  end
end

-- What LuaSocket's select asks for.
function methods.getfd(self) return self.sock:fd() end
function methods.dirty() return false end

local Stream = polled.class(methods)

local function lookup(host)
  local ips, reason = core.lookup(host)
  return ips, "connect", reason
end

function loop.connect(address, deadline, hold)
  return dial(address, deadline, lookup, function(ip, until_then)
    return polled.connect(Stream, ip, until_then, hold)
  end)
end

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
