--- The loop of cqueues: our own descriptors, polled by the controller that runs the
-- coroutine which waits; there may be several, and a stream is of none of them. A controller
-- knows descriptors by number: it is told before one is closed, since the next one with that
-- number would not be watched else, or its removal would end a coroutine.
--
-- A home, below, is a controller as we know it. It wakes, and begins, the latest first;
-- what is begun and woken here keeps its order.
-- @module dqlite.loop.cqueues

local assemble = require "dqlite.loop.assemble"
local condition = require "cqueues.condition"
local controller = require "dqlite.loop.controller"
local core = require "dqlite.core"
local coroutines = require "dqlite.loop.coroutines"
local cqueues = require "cqueues"
local names = require "dqlite.loop.names"
local parking = require "dqlite.loop.parking"
local scheduled = require "dqlite.loop.scheduled"
local streams = require "dqlite.loop.stream"

local loop = { name = "cqueues" }

local running, poll = cqueues.running, coroutines.refusable(cqueues.poll)
local now = core.now

local DAY = 86400 -- seconds of one poll, at most

local OUTSIDE = "with cqueues only a coroutine that a controller runs can wait: put this into"
  .. " cq:wrap(fn), and run cq:loop()"
local FOREIGN = "a coroutine that waits for dqlite was resumed by something else than cqueues'"
  .. " controller, such as a generator: make generators with cqueues.auxlib.wrap, which lets"
  .. " the controller through"

-- ---- homes ----

local homes = setmetatable({}, { __mode = "k" }) -- by controller
local latest = nil -- that was used

local function home_of(cq)
  local home = homes[cq]
  if not home then
    home = {
      controller = setmetatable({ cq }, { __mode = "v" }),
      begun = {}, -- functions, from `first` to `last`, each with a coroutine that calls one
      first = 1,
      last = 0,
      due = nil, -- functions that are to be called, and beside them `given`, their waits
      given = nil,
    }
    homes[cq] = home
  end
  latest = home
  return home
end

-- The controller of a home; nil once it is closed or dropped.
local function alive(home)
  local cq = home and home.controller[1]
  return cq and cqueues.type(cq) == "controller" and cq or nil
end

-- In which coroutines wait for ever.
local function is_over(home)
  return not alive(home)
end

local function call_first(home)
  local i = home.first
  local fn = home.begun[i]
  home.begun[i], home.first = nil, i + 1
  parking.call_traced(fn)
end

-- Also from finalizers, which come in between any two steps.
local function begin(home, fn)
  local last = home.last + 1
  home.last = last
  home.begun[last] = fn
  alive(home):wrap(call_first, home)
end

-- ---- where nobody can wait ----

-- In words; nil where somebody may.
local function refusal()
  local cq = controller.current()
  if not cq then return OUTSIDE end
  if controller.is_inherited(cq) then return controller.REFUSAL end
  return parking.refusal(OUTSIDE)
end

-- ---- what finalizers leave ----

local finalizing = {} -- functions, as keys
local finalizes = nil -- the home that will call them

-- What a finalizer adds in the middle of this is in one of both tables.
local function run_finalizing()
  local functions = finalizing
  finalizing, finalizes = {}, nil
  for fn in pairs(functions) do parking.call(fn) end
end

local function begin_finalizing(home)
  finalizes = home
  begin(home, run_finalizing)
end

--- Calls a function by and by, from a controller: the one that was used last, or the next.
-- For finalizers.
function loop.later_finalize(fn)
  finalizing[fn] = true
  if alive(latest) and finalizes ~= latest then pcall(begin_finalizing, latest) end
end

-- ---- waiting ----

-- Was it the controller that has resumed, with what it was asked for? It gives nothing when
-- it is reset; to a coroutine in between that looks the same as any other's resume.
local function is_ours(cq, is_own, object, other, first)
  local after, is_own_now = running()
  if after ~= cq or is_own_now ~= is_own then return false end
  if is_own then return true end
  return first ~= nil and (first == object or first == other or type(first) == "number")
end

local function outcome(cq, is_own, object, other, first)
  if first == coroutines.REFUSED then return nil, "misuse", parking.reason_of(first) end
  if is_ours(cq, is_own, object, other, first) then return true end
  return nil, "misuse", FOREIGN
end

-- Waits for seconds (nil: no end), and for one or two objects.
local function poll_in(home, is_own, seconds, object, other)
  if finalizes ~= home and next(finalizing) then begin_finalizing(home) end
  local cq = home.controller[1]
  return outcome(cq, is_own, object, other, poll(seconds, object, other))
end

-- Where the coroutine that runs can wait: a home, and is nobody in between?
local function enter()
  local refused = refusal()
  if refused then return nil, refused end
  local cq, is_own = running()
  return home_of(cq), is_own
end

local function patience(deadline)
  return math.min(math.max(deadline - now(), 0), DAY)
end

-- A wait is what the controller polls, if it is for a descriptor; else it has a condition.
local function object_of(wait)
  if not wait.wanted then
    wait.bell = wait.bell or condition.new()
    return wait.bell
  end
  wait.pollfd, wait.events = wait.fd, wait.wanted
  return wait
end

local scheduler = { refusal = refusal }

function scheduler.park(wait, deadline)
  local home, is_own = enter()
  if not home then return nil, "misuse", is_own end
  local wanted, object = wait.wanted, object_of(wait)
  wait.home = home
  repeat
    local seconds = deadline and patience(deadline) or nil
    local done, kind, reason = poll_in(home, is_own, seconds, object)
    if not done then return nil, kind, reason end
  until wanted or wait.woken or deadline and now() >= deadline
  return true
end

-- Every controller forgets the descriptor, and lets those go on that wait for it.
function scheduler.forget(wait)
  cqueues.cancel(wait.fd)
end

function scheduler.wake(wait)
  if wait.fd and wait.wanted then return scheduler.forget(wait) end
  wait.bell:signal()
end

function scheduler.is_lost(wait)
  return wait.home and is_over(wait.home)
end

-- ---- beside the caller ----

local function call_due(home)
  local due, given = home.due, home.given
  home.due, home.given = nil, nil
  for i = #due, 1, -1 do parking.call(due[i], given[i]) end
end

local function current_home()
  local cq = controller.current()
  return cq and not controller.is_inherited(cq) and home_of(cq) or alive(latest) and latest
end

function scheduler.later(fn, wait)
  local home = wait.thread and wait.home or current_home()
  if not home.due then
    home.due, home.given = {}, {}
    begin(home, function() call_due(home) end)
  end
  local n = #home.due + 1
  home.due[n], home.given[n] = fn, wait
end

--- Runs a function in a coroutine of its own, of the controller that runs here, or ran last.
-- Where there is none any more it fails at its first wait.
function loop.start(fn)
  local home = current_home()
  if home then return begin(home, fn) end
  parking.call_traced(fn)
end

--- The same for what is done behind the program's back: cq:loop() waits for its end.
loop.background = loop.start

-- ---- streams ----

-- Sockets from connect to close, and the sessions that they carry: a connection that its user
-- drops stays whole until it is closed. Streams know who waits there, and so are not held.
local open = {} -- luacheck: ignore 241

local Stream = streams.class()
local watch, unwatch, close_inherited = Stream.watch, Stream.unwatch, Stream.close_inherited

function Stream:watch(events)
  open[self.sock] = self.session or true
  return watch(self, events)
end

function Stream:unwatch()
  open[self.sock] = nil
  return unwatch(self)
end

function Stream:close_inherited()
  open[self.sock] = nil
  return close_inherited(self)
end

--- Will this coroutine, which waits here, wait for ever? Its controller may be closed.
function Stream:was_killed(thread)
  return self.wait.thread == thread and scheduler.is_lost(self.wait)
end

-- ---- the loop ----

local function lookup(host, deadline)
  return names.look_up(host, deadline, function(seconds, ...)
    local home, is_own = enter()
    if not home then return nil, "misuse", is_own end
    return poll_in(home, is_own, seconds, ...)
  end)
end

local waits = scheduled(scheduler)

--- Waits.
-- @function sleep
-- @tparam number seconds how long; 0 gives the others a turn
-- @treturn true|nil nil with "misuse" and a reason, where nobody can wait or after a foreign
-- resume
loop.sleep = waits.sleep

assemble(loop, waits, Stream, lookup)

local connect = loop.connect

function loop.connect(...)
  local stream, kind, reason = connect(...)
  if stream then open[stream.sock] = true end
  return stream, kind, reason
end

return loop
