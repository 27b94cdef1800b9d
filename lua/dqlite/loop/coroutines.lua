--- What coroutines can do in the Lua that runs. Lua 5.1, unlike LuaJIT, cannot yield
-- inside of pcall, of an iterator and of a metamethod; Lua 5.2 can, and does not tell
-- where it cannot (there is no coroutine.isyieldable).
-- @module dqlite.loop.coroutines

local core = require "dqlite.core"

local coroutines = {}

local create, resume, status = coroutine.create, coroutine.resume, coroutine.status
local running, yield = coroutine.running, coroutine.yield
local knows_yieldable = rawget(coroutine, "isyieldable")

--- Can a coroutine yield inside of pcall? Not tried, since nginx has functions of its
-- own in place of Lua's, and they cannot while a module is loaded.
coroutines.yields_in_pcall = rawget(_G, "jit") ~= nil or _VERSION ~= "Lua 5.1"

--- What `yield` answers where nothing can yield, if Lua raises that only then.
coroutines.REFUSED = {}

-- ---- can it yield here? ----

-- Functions in C that let those yield which they call.
local OPEN = { [pcall] = true, [xpcall] = true, [dofile] = true }

--- Can the caller yield? In Lua 5.2 a finalizer, and a handler of xpcall, are taken for
-- places where it can: see `refusable`.
-- @function is_yieldable
-- @treturn boolean
coroutines.is_yieldable = knows_yieldable or function()
  local thread, is_main = running()
  return thread ~= nil and not is_main and core.runs_only(OPEN)
end

--- The coroutine that runs, where it can yield.
-- @function place
-- @tparam number forks what core.forks() was where the loop was made
-- @treturn thread|nil nil also in a process that was forked since
coroutines.place = core.place or function(forks)
  return forks == core.forks() and coroutines.is_yieldable() and running() or nil
end

local function unless_refused(ok, ...)
  if ok then return ... end
  return coroutines.REFUSED
end

--- Makes of a function that yields one that answers `REFUSED` in place of raising that
-- nothing can yield.
-- @tparam function fn which raises nothing else
-- @treturn function
function coroutines.refusable(fn)
  if knows_yieldable then return fn end
  return function(...) return unless_refused(pcall(fn, ...)) end
end

--- As coroutine.yield, but answers `REFUSED` as above.
-- @function yield
coroutines.yield = coroutines.refusable(yield)

-- ---- pcall ----

local callers = setmetatable({}, { __mode = "k" }) -- of coroutines that stand for a pcall

local function pass(thread, ok, ...)
  if ok and status(thread) ~= "dead" then return pass(thread, resume(thread, yield(...))) end
  return ok, ...
end

-- In a coroutine of its own, whose yields are the caller's.
local function call_apart(fn, ...)
  local caller = running()
  if not caller then return pcall(fn, ...) end
  local thread = create(function(...) return fn(...) end) -- which may be no function of Lua
  callers[thread] = callers[caller] or caller
  return pass(thread, resume(thread, ...))
end

--- As pcall, for what may wait: on Lua 5.1, too.
-- @function pcall
coroutines.pcall = coroutines.yields_in_pcall and pcall or call_apart

--- As coroutine.running; inside of `pcall` above it is whoever called that.
-- @function running
coroutines.running = coroutines.yields_in_pcall and running or function()
  local thread = running()
  return callers[thread] or thread
end

return coroutines
