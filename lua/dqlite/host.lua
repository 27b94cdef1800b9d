--- A loop for programs that have one of their own: a C host that calls poll(2), a
-- scheduler in Lua. Such a program asks what there is to watch and until when, waits in
-- its own way, and then takes a step:
--
--    local host = require("dqlite.host").new()
--    host:spawn(function()
--      local conn = assert(dqlite.connect("127.0.0.1:9001", { loop = host }))
--      print(conn:fetchval("SELECT 1 + ?", 41))
--    end)
--    repeat
--      -- poll host:pollfds() among others, host:timeout() seconds at most
--    until not host:step()
--
-- Everything else of dqlite works on it as under luv, in the coroutines of `spawn` (and
-- in others, which the loop then resumes): there the option `loop` may be left out.
-- There can be several of them. In Lua 5.1 nothing can wait so, but in LuaJIT.
--
-- A host name is looked up with a call that blocks. Numeric addresses are not, and the
-- option `dial` can do it differently.
-- @module dqlite.host
-- @alias hosts

local errors = require "dqlite.error"
local make_loop = require "dqlite.loop.host"
local tasks = require "dqlite.task"

local hosts = {}

local Host = {}
Host.__index = Host
Host.__name = "dqlite.host"

--- Makes a loop, to be given as the option `loop`.
-- @treturn Host
function hosts.new()
  local host = setmetatable({}, Host)
  host.waits, host.watched = make_loop(host)
  return host
end

--- A loop, made by @{new}.
-- @type Host

--- Runs a function in a coroutine of its own, begun by the next step. An error that it
-- raises is written to standard error, unless somebody waits for the task by then.
-- @tparam function fn
-- @param ... its arguments
-- @treturn dqlite.task
function Host:spawn(fn, ...)
  return tasks.start(self, fn, ...)
end

--- The descriptors to be watched. Both tables are of use until the next step.
-- @treturn table a list of tables: `fd`, and `events`, which is "r", "w" or "rw"
function Host:pollfds()
  return self.watched:entries()
end

--- The same at the least cost.
-- @treturn table list of descriptors
-- @treturn table beside each what to watch it for: POLLIN, POLLOUT or both, as a number
-- @treturn number how many there are
function Host:descriptors()
  local watched = self.watched
  return watched.fds, watched.events, watched.n
end

--- When is the next step due, should no descriptor become ready before?
-- @treturn number|nil in how many seconds, 0: at once; to be rounded up. nil: never
function Host:timeout()
  return self.waits.timeout()
end

--- Lets every coroutine go on that can. Does not wait, and raises nothing that a
-- coroutine raises.
-- @tparam[opt] table ready a list of descriptors that are ready, or may be: who waits for
-- them looks. Left out: asks the system for all
-- @tparam[opt] number n how many entries of it count
-- @treturn boolean is there anything left to wait for? Who waits for another coroutine,
-- without a deadline, does not count
function Host:step(ready, n)
  if ready ~= nil and type(ready) ~= "table" then
    errors.misuse("step takes a list of descriptors, not a " .. type(ready))
  end
  return self.waits.step(ready, n)
end

--- Is there nothing left to wait for, as in `step`?
-- @treturn boolean
function Host:is_idle()
  return self.waits.is_idle()
end

--- Waits itself until a step is due: for a program that has nothing else to watch.
-- `while host:step(host:wait()) do end` runs all that there is.
-- @tparam[opt] number limit seconds at most
-- @treturn table the descriptors that are ready, for `step`
-- @treturn number how many
function Host:wait(limit)
  if limit ~= nil and (type(limit) ~= "number" or not (limit >= 0)) then
    errors.misuse("wait takes a number of seconds")
  end
  return self.waits.wait(limit)
end

function Host:__tostring()
  return ("dqlite host loop (%s)"):format(self:is_idle() and "idle" or "busy")
end

return hosts
