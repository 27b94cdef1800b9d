--- How a coroutine waits for a loop, whichever that is: what it yields, who may resume
-- it, and where an error goes that nobody is there to get.
-- @module dqlite.loop.parking

local coroutines = require "dqlite.loop.coroutines"
local errors = require "dqlite.error"

local parking = {}

local yield, resume = coroutines.yield, coroutine.resume

parking.OVER = "the deadline has passed"

--- Why a wait was broken off, in words.
parking.FOREIGN = "a coroutine that waits for dqlite was resumed by something else than the loop, "
  .. "such as a generator or another scheduler: run it with dqlite.spawn"

local NO_VALUE = "a coroutine waits for dqlite and yields to the loop, which has not resumed it: "
  .. "do not call from a generator, or run it with dqlite.spawn"

--- Goes with each resume that is ours.
parking.OURS = {}

--- What a foreign resumer gets from a coroutine that waits: nothing to take for
-- a value of its own.
parking.WAITING = setmetatable({}, { __tostring = function() return NO_VALUE end })
for name in ("index newindex call concat len unm add sub mul div mod pow lt le pairs")
  :gmatch "%a+" do
  getmetatable(parking.WAITING)["__" .. name] = function() error(NO_VALUE, 2) end
end

local OURS, WAITING = parking.OURS, parking.WAITING

-- ---- errors that nobody is there to get ----

--- Says on standard error what would be lost else.
-- @tparam string text one or more lines
function parking.report(text)
  pcall(function() io.stderr:write("dqlite: ", text, "\n") end)
end

--- The same with an error value, of any type.
function parking.report_error(err)
  parking.report(errors.describe(err))
end

--- Makes a function that reports its error in place of raising it.
function parking.protect(fn)
  return function(...)
    local ok, err = pcall(fn, ...)
    if not ok then parking.report_error(err) end
  end
end

--- Calls a function; its error is reported.
function parking.call(fn, arg)
  local ok, err = pcall(fn, arg)
  if not ok then parking.report_error(err) end
end

local function traced(err)
  return debug.traceback(errors.describe(err), 2)
end

--- The same, with a traceback: for what a coroutine does from its begin.
function parking.call_traced(fn)
  local ok, text = xpcall(fn, traced)
  if not ok then parking.report(text) end
end

local function report_of(thread, err)
  parking.report(debug.traceback(thread, errors.describe(err)))
end

--- Reports the error that has ended a coroutine.
function parking.report_end(thread, err)
  pcall(report_of, thread, err)
end

--- Lets a coroutine go on; its error is reported.
function parking.resume(thread, ...)
  local ok, err = resume(thread, ...)
  if not ok then pcall(report_of, thread, err) end
end

-- ---- where nobody can wait ----

--- Why nobody waits with a connection after a fork; as its socket itself says.
parking.INHERITED = "the connection belongs to the process that has forked this one: connect anew"
  .. " here"

local UNDER_C = "nothing can wait here: a function that C code calls (of table.sort or"
  .. " string.gsub, a module while require loads it, a finalizer); do it before, or after"

--- Why nobody can wait here, in words; nil where it is possible.
-- @tparam string in_main what to do in place of a wait outside of any coroutine
function parking.refusal(in_main)
  if coroutines.is_yieldable() then return nil end
  local thread, is_main = coroutine.running()
  if not thread or is_main then return in_main end
  return UNDER_C
end

--- Why a wait was broken off, in words.
-- @param whose what the coroutine was resumed with, which is not ours
function parking.reason_of(whose)
  return whose == coroutines.REFUSED and UNDER_C or parking.FOREIGN
end

-- ---- waits that end with their coroutine ----

local function yield_once()
  return true, yield(WAITING)
end

local can_close = rawget(coroutine, "close") ~= nil -- Lua 5.4

--- Makes what such waits need, for one loop. Where no coroutine can be closed these are like
-- others, without `guarded`.
-- @tparam function clear `(wait)`: nobody waits there any more
-- @tparam[opt] function once `(wait)`: waits; answers true, and then what the second function
-- is to answer. Left out: yields
-- @treturn function `(on_close) -> wait`: with `thread` (who waits; nil: nobody);
-- on_close is called with the wait when its coroutine is closed, where Lua can do
-- that (5.4)
-- @treturn function `(wait)`: waits; answers what the coroutine is resumed with
function parking.guards(clear, once)
  local Wait = {}

  function Wait.__close(wait)
    if not wait.thread then return end
    clear(wait)
    if wait.on_close then wait.on_close(wait) end
  end

  local function new(on_close)
    local wait = { thread = nil, on_close = on_close, guarded = can_close }
    return can_close and setmetatable(wait, Wait) or wait
  end

  once = once or yield_once
  if not can_close then
    return new, function(wait)
      local _, whose, first, second, third = once(wait)
      if whose ~= OURS then clear(wait) end
      return whose, first, second, third
    end
  end

  -- The loop is there for its fourth value, which Lua 5.4 closes on every exit.
  local function wait_guarded(wait)
    for _, whose, first, second, third in once, wait, nil, wait do -- luacheck: ignore 512
      if whose ~= OURS then clear(wait) end
      return whose, first, second, third
    end
  end

  return new, wait_guarded
end

return parking
