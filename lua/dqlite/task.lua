--- What runs beside the one that has begun it, by @{dqlite.spawn}.
--
-- `task.traceback` says, once it has failed, where its error was raised, and which.
-- @classmod dqlite.task

local errors = require "dqlite.error"
local loops = require "dqlite.loops"

local tasks = {}

local Task = {}
Task.__index = Task
Task.__name = "dqlite.task"

local unpack = table.unpack or rawget(_G, "unpack")

local function pack(...)
  return { n = select("#", ...), ... }
end

-- Tells who waits; an error that nobody waits for is said aloud.
local function finish(task, ok, ...)
  task.ok, task.results = ok, pack(...)
  if not ok and not task.runs_loop and not task.ended:is_awaited() then
    task.loop.report("a task failed: " .. (task.traceback or errors.describe((...))))
  end
  task.ended:signal()
  if task.runs_loop then task.loop.stop() end
end

--- Runs a function in a coroutine of its own, begun by a loop, see `spawn`.
-- @tparam table loop with `start`, and conditions that tell `is_awaited`
-- @tparam function fn
-- @param ... its arguments
-- @treturn table a task
-- @local
function tasks.start(loop, fn, ...)
  if type(fn) ~= "function" then
    errors.misuse("a task runs a function, not a " .. type(fn))
  end
  local args = pack(...)
  local task = setmetatable({
    loop = loop,
    ended = loop.cond(),
    runs_loop = false, -- the loop runs for it alone
    thread = nil, -- once it has begun
    ok = nil, -- did it return? nil until it has ended
    results = nil, -- or its error, in front
    traceback = nil, -- of where that was raised, with its text
  }, Task)
  local function note(err)
    task.traceback = debug.traceback(errors.describe(err), 2)
    return err
  end
  loop.start(function()
    task.thread = coroutine.running()
    finish(task, xpcall(function() return fn(unpack(args, 1, args.n)) end, note))
  end)
  return task
end

local function outcome(task)
  local results = task.results
  if task.ok then return unpack(results, 1, results.n) end
  error(results[1], 0)
end

--- See dqlite.spawn.
-- @local
function tasks.spawn(fn, ...)
  return tasks.start(loops.beside(), fn, ...)
end

--- Waits for the end of the task; for one that has ended, does not wait.
-- @return what its function returned; raises what that raised
function Task:wait()
  if self.ok ~= nil then return outcome(self) end
  if self.thread and self.thread == loops.running() then
    errors.misuse("a task that waits for itself would wait for ever")
  end
  loops.check_wait(self.loop)
  local ended, _, broken = self.ended:wait()
  if not ended then errors.misuse(broken) end
  self.ended:signal() -- for the next that waits
  return outcome(self)
end

function Task:__tostring()
  local state = self.ok == nil and "running" or self.ok and "ended" or "failed"
  return ("dqlite task (%s)"):format(state)
end

local RUNNING = { cqueues = "controller of cqueues", host = "loop of a host" }

--- See dqlite.run.
-- @local
function tasks.run(fn, ...)
  local loop = loops.beside()
  if loop.name ~= "luv" then
    errors.misuse(("dqlite.run starts luv's loop, which would freeze the %s that is running: use"
      .. " dqlite.spawn"):format(RUNNING[loop.name]))
  end
  if loop.is_running() then
    errors.misuse("dqlite.run starts luv's loop, which is running: use dqlite.spawn")
  end
  local task = tasks.start(loop, fn, ...)
  task.runs_loop = true
  loop.run(function() return task.ok ~= nil end)
  task.runs_loop = false
  if task.ok == nil then
    errors.misuse("the function given to dqlite.run waits, and nothing is left to wait for")
  end
  return outcome(task)
end

--- See dqlite.sleep.
-- @local
function tasks.sleep(seconds)
  if type(seconds) ~= "number" or not (seconds >= 0) then
    errors.misuse("sleep takes a number of seconds")
  end
  local loop = loops.select()
  loops.check_wait(loop)
  local broken = loops.pause(loop, seconds)
  if broken then errors.misuse(broken) end
end

return tasks
