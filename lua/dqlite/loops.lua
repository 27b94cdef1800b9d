--- The event loops: which one a connection uses, and whether one can wait here.
-- @module dqlite.loops

local controller = require "dqlite.loop.controller"
local core = require "dqlite.core"
local coroutines = require "dqlite.loop.coroutines"
local current = require "dqlite.loop.current"
local errors = require "dqlite.error"
local inherited = require "dqlite.loop.inherited"
local phases = require "dqlite.loop.phases"

local loops = {}

local running = coroutines.running
local status = rawget(coroutine, "_status") or coroutine.status -- in nginx: of any request

local in_nginx = phases.current() ~= nil

--- The coroutine that runs; "main" where Lua has no name for it outside of any.
function loops.running()
  return running() or "main"
end

local function is_main()
  local thread, main = running()
  return main or not thread
end

--- Will this coroutine never run again?
function loops.is_dead(thread)
  return thread ~= "main" and status(thread) == "dead"
end

local luv_loop = nil -- once it was found to be of use

-- luv keeps the coroutine that loads it as its own (before 1.50): callbacks would
-- run on top of it, or after its death.
local function load_luv()
  if in_nginx then
    errors.misuse("luv's loop cannot run inside of nginx: use ngx.thread.spawn and ngx.timer.at")
  end
  if inherited.is_loop() then errors.misuse(inherited.REFUSAL) end
  if not coroutines.yields_in_pcall then
    errors.misuse("the luv loop needs LuaJIT, or Lua 5.2 or later: in Lua 5.1 no coroutine can wait"
      .. " inside of pcall")
  end
  if not package.loaded.luv then
    if not is_main() then
      errors.misuse("require 'luv' in the main chunk first, outside of any coroutine")
    end
    local found, reason = pcall(require, "luv")
    if not found then errors.misuse("the luv loop needs the module luv: " .. reason) end
  end
  luv_loop = require "dqlite.loop.luv"
  return luv_loop
end

local function is_luv_running()
  local uv = package.loaded.luv
  if not uv or inherited.is_loop() then return false end
  return uv.loop_mode and uv.loop_mode() ~= nil or false
end

local function load_cqueues()
  if in_nginx then
    errors.misuse("cqueues cannot run inside of nginx: use ngx.thread.spawn and ngx.timer.at")
  end
  if not coroutines.yields_in_pcall then
    errors.misuse("the cqueues loop needs LuaJIT, or Lua 5.2 or later: in Lua 5.1 no coroutine can"
      .. " wait inside of pcall")
  end
  local found, reason = pcall(require, "cqueues")
  if not found then errors.misuse("the cqueues loop needs the module cqueues: " .. reason) end
  return require "dqlite.loop.cqueues"
end

-- Does a controller run this coroutine, or one that has begun it? And is it the first?
local function is_in_controller()
  if not package.loaded.cqueues then return false end
  local cq, is_own = controller.current()
  if not cq or controller.is_inherited(cq) then return false end
  return true, is_own
end

-- The loop that runs this coroutine; where one runs inside of another the inner one, as far
-- as they tell.
local function running_loop(is_luv)
  local is_in, is_own = is_in_controller()
  if is_own then return "cqueues" end
  local host = current.get()
  if host then return host end
  if is_luv then return "luv" end
  return is_in and "cqueues" or nil
end

-- In the init phase of nginx, before the workers start, only a call that blocks can wait.
local function fitting(is_luv)
  if in_nginx and phases.current() ~= "init" then return "nginx" end
  if is_main() then return "blocking" end
  return running_loop(is_luv) or "blocking"
end

local function load_nginx()
  if not in_nginx then errors.misuse(phases.refusal()) end
  return require "dqlite.loop.nginx"
end

--- The loop that an option names, or that fits the place of the call.
-- @tparam[opt] string|table name as in api.md: "blocking", "luv", "cqueues", "nginx" or a
-- table of one's own. Left out: nginx in its workers; in a coroutine the loop of the host
-- that takes a step, cqueues where a controller of it runs, luv while its loop runs; else
-- blocking
-- @treturn table the loop
function loops.select(name)
  local is_luv = is_luv_running() -- and so luv is seen before a fork
  name = name or fitting(is_luv)
  if type(name) == "table" then return name end
  if name == "luv" then return is_luv and luv_loop or load_luv() end
  if name == "blocking" then return require "dqlite.loop.blocking" end
  if name == "cqueues" then return load_cqueues() end
  return load_nginx()
end

--- The loop in which something can run beside the caller: the one that runs here, else
-- luv's.
-- @treturn table
function loops.beside()
  return loops.select(running_loop(is_luv_running()) or current.loop or "luv")
end

--- Does an option, or its absence, stand for nginx?
-- @tparam[opt] string|table name
-- @treturn boolean
function loops.is_nginx(name)
  return in_nginx and (name == nil or name == "nginx")
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

--- Can functions of the program run beside the caller, and wait there? In Lua 5.1
-- they could not inside of their own pcall.
-- @tparam table loop
-- @treturn boolean
function loops.runs_any(loop)
  return loop.start ~= nil and coroutines.yields_in_pcall
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
