--- The event loops: which one a connection uses, and whether one can wait here.
-- @module dqlite.loops

local core = require "dqlite.core"
local errors = require "dqlite.error"
local inherited = require "dqlite.loop.inherited"

local loops = {}

local running = coroutine.running

--- The coroutine that runs; "main" outside of any.
function loops.running()
  local thread, is_main = running()
  return not is_main and thread or "main"
end

--- Will this coroutine never run again?
function loops.is_dead(thread)
  return thread ~= "main" and coroutine.status(thread) == "dead"
end

-- luv keeps the coroutine that loads it as its own (before 1.50): callbacks would
-- run on top of it, or after its death.
local function load_luv()
  if inherited.is_loop() then errors.misuse(inherited.REFUSAL) end
  if not rawget(coroutine, "isyieldable") then
    errors.misuse("the luv loop needs LuaJIT, or Lua 5.3 or later")
  end
  if not package.loaded.luv then
    if loops.running() ~= "main" then
      errors.misuse("require 'luv' in the main chunk first, outside of any coroutine")
    end
    local found, reason = pcall(require, "luv")
    if not found then errors.misuse("the luv loop needs the module luv: " .. reason) end
  end
  return require "dqlite.loop.luv"
end

local function is_luv_running()
  local uv = package.loaded.luv
  if inherited.is_loop() then return false end
  return uv and uv.loop_mode and uv.loop_mode() ~= nil or false
end

--- The loop that an option names, or that fits the place of the call.
-- @tparam[opt] string|table name as in api.md: "blocking", "luv" or a table of
-- one's own. Left out: luv in a coroutine while luv's loop runs, else blocking
-- @treturn table the loop
function loops.select(name)
  if type(name) == "table" then return name end
  local is_running = is_luv_running() -- and so luv is seen before a fork
  if not name then
    name = is_running and loops.running() ~= "main" and "luv" or "blocking"
  end
  if name == "luv" then return load_luv() end
  if name == "blocking" then return require "dqlite.loop.blocking" end
  errors.misuse(("option 'loop': \"%s\" is unsupported yet"):format(name))
end

--- Can a call wait here? A loop of one's own need not know.
-- @tparam table loop
-- @treturn boolean
function loops.can_wait(loop)
  return not loop.refusal or not loop.refusal()
end

--- Raises where a call cannot wait, before anything of it is sent.
-- @tparam table loop
function loops.check_wait(loop)
  local refused = loop.refusal and loop.refusal()
  if refused then errors.misuse(refused) end
end

-- ---- what a loop of one's own may lack ----

-- Where nothing runs beside the caller.
local Cond = {}
Cond.__index = Cond

function Cond:signal()
  self.signalled = true
end

function Cond:wait()
  local signalled = self.signalled
  self.signalled = false
  return signalled
end

--- A condition to wait on, with `signal()` and `wait(deadline)`. Where nothing runs
-- beside the caller it answers at once.
-- @tparam table loop
-- @tparam[opt] function on_close called when a coroutine is closed while it waits
-- @treturn table
function loops.cond(loop, on_close)
  if loop.start then return loop.cond(on_close) end
  return setmetatable({ signalled = false }, Cond)
end

--- A time that differs from one program to the next.
-- @tparam number seconds
-- @treturn number between three and five quarters of it
function loops.jitter(seconds)
  return seconds * (0.75 + core.random() / 2)
end

--- Waits.
-- @tparam table loop
-- @tparam number seconds how long
-- @treturn string|nil why the wait was broken off: by a foreign resume
function loops.pause(loop, seconds)
  local _, _, reason = loop.sleep(seconds)
  return reason
end

return loops
