--- Makes the scheduler of a program, or of a framework that it uses, a loop of dqlite's:
--
--    local adapter = require "dqlite.adapter"
--    local loop = adapter.new { name = "mine", park = ..., wake = ..., later = ..., start = ... }
--    local conn = dqlite.connect("127.0.0.1:9001", { loop = loop })
--
-- examples/adapters/README.md tells how that is done, and tried. A program that polls by
-- itself, or has no coroutines, does better with @{dqlite.host}.
-- @module dqlite.adapter

local assemble = require "dqlite.loop.assemble"
local core = require "dqlite.core"
local coroutines = require "dqlite.loop.coroutines"
local errors = require "dqlite.error"
local parking = require "dqlite.loop.parking"
local scheduled = require "dqlite.loop.scheduled"
local streams = require "dqlite.loop.stream"

local adapter = {}

local NEEDED = { "park", "wake", "later", "start" }

local Stream = streams.class()

--- Seconds of the clock that deadlines are of. It never goes back.
-- @function now
-- @treturn number
adapter.now = core.now

--- A place where a coroutine waits, made here. What else is in the table is yours.
-- @table Wait
-- @tfield[opt] int fd a descriptor
-- @tfield[opt] string wanted "r", "w" or "rw": the wait ends, too, when the descriptor is
-- readable, writable or either. nil: it is not to be looked at

--- What a scheduler does.
-- @table Scheduler
-- @tfield[opt="a loop of one's own"] string name
-- @tfield function park `(wait, deadline)`: lets the coroutine that calls stand still until
-- `wake` is called with the wait, its descriptor is ready, or the deadline (of `now`; nil:
-- none) has passed, and answers true; or nil, "misuse" and a reason in words, where something
-- else has resumed the coroutine
-- @tfield function wake `(wait)`: lets the coroutine go on that waits there, by and by. Until
-- it does, another one may begin to wait there
-- @tfield function later `(fn, arg)`: calls the function with that by and by
-- @tfield function start `(fn)`: runs a function in a coroutine, by and by; it raises nothing
-- @tfield[opt] function forget `(wait)`: its descriptor is about to be closed
-- @tfield[opt] function refusal why nobody can wait where this is called, in words, or nil.
-- Left out: outside of coroutines, and where Lua cannot yield
-- @tfield[opt] function lookup `(host, deadline)`: a list of numeric addresses, or nil, "connect"
-- or "timeout", and a reason. Left out: by a call that blocks

local function check(scheduler)
  if type(scheduler) ~= "table" then errors.misuse "an adapter is made of a table of functions" end
  for _, name in ipairs(NEEDED) do
    if type(scheduler[name]) ~= "function" then
      errors.misuse(("an adapter needs the function '%s'"):format(name))
    end
  end
  if not coroutines.yields_in_pcall then
    errors.misuse("an adapter needs LuaJIT, or Lua 5.2 or later")
  end
end

local function look_up(host)
  local ips, reason = core.lookup(host)
  return ips, "connect", reason
end

local function refuse_in_main(name)
  local in_main = ("with %s only a coroutine can wait"):format(name)
  return function() return parking.refusal(in_main) end
end

--- Makes a loop, to be given as the option `loop`.
-- @tparam Scheduler scheduler
-- @treturn table of functions
function adapter.new(scheduler)
  check(scheduler)
  local loop = { name = scheduler.name or "a loop of one's own" }
  local refusal = scheduler.refusal or refuse_in_main(loop.name)
  local waits = scheduled {
    refusal = refusal,
    park = function(wait, deadline)
      local refused = refusal()
      if refused then return nil, "misuse", refused end
      return scheduler.park(wait, deadline)
    end,
    wake = scheduler.wake,
    later = function(fn, wait) scheduler.later(function() parking.call(fn, wait) end) end,
    forget = scheduler.forget,
  }
  loop.sleep = waits.sleep
  function loop.start(fn)
    scheduler.start(function() parking.call_traced(fn) end)
  end
  assemble(loop, waits, Stream, scheduler.lookup or look_up)
  return loop
end

return adapter
