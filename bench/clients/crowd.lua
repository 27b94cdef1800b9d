-- 64 coroutines that read by a key, each as soon as it has its answer: what is
-- measured of each read includes its wait for a connection.
local dqlite = require "dqlite"
local now = require "dqlite.core".now

local crowd = {}

local WORKERS, CONNECTIONS = 64, 8
local WARM_UP = 0.4 -- of the time that is measured, as Go's

local POINTS = 10000 -- rows of the table `point`
local POINT = "SELECT id, name, score FROM point WHERE id = ?"

-- `new_reader` makes for each coroutine the function that reads the row of a key.
local function work(new_reader, deadline, samples, worker)
  local i, begin, read = worker, now(), new_reader()
  repeat
    assert(read(i % POINTS + 1))
    local done = now()
    samples[#samples + 1] = done - begin
    i, begin = i + WORKERS, done
  until begin >= deadline
end

local function work_all(new_reader, seconds, samples)
  local tasks, deadline = {}, now() + seconds
  for i = 1, WORKERS do tasks[i] = dqlite.spawn(work, new_reader, deadline, samples, i) end
  for i = 1, WORKERS do tasks[i]:wait() end
end

local function measure(task, new_reader)
  work_all(new_reader, WARM_UP * task.seconds, {})
  local samples = {}
  task:measure_once(function()
    work_all(new_reader, task.seconds, samples)
    return #samples
  end, nil, samples)
end

-- ---- connections that the program shares by itself ----

-- First come, first served: who waits is handed the statement itself.
local Shared = {}
Shared.__index = Shared

function Shared:acquire(waiter)
  local free = table.remove(self.free)
  if free then return free end
  self.last = self.last + 1
  self.waiting[self.last] = waiter
  assert(waiter.cond:wait())
  return waiter.handed
end

function Shared:release(statement)
  local waiter = self.waiting[self.first]
  if not waiter then
    self.free[#self.free + 1] = statement
    return
  end
  self.waiting[self.first] = nil
  self.first = self.first + 1
  waiter.handed = statement
  waiter.cond:signal()
end

function Shared:reader()
  local waiter = { cond = self.luv.cond(), handed = nil }
  return function(key)
    local statement = self:acquire(waiter)
    local row = statement:fetchone(key)
    self:release(statement)
    return row
  end
end

--- With prepared statements on 8 connections.
-- @tparam table task of bench.clients.measuring
-- @tparam function open makes a connection
function crowd.on_connections(task, open)
  local shared = setmetatable({
    luv = require "dqlite.loop.luv",
    free = {}, -- prepared statements, one for each connection
    waiting = {}, -- from `first` to `last`
    first = 1,
    last = 0,
  }, Shared)
  for i = 1, CONNECTIONS do shared.free[i] = assert(open():prepare(POINT)) end
  measure(task, function() return shared:reader() end)
end

-- ---- a pool ----

--- By calls of a pool with at most 8 connections.
-- @tparam table task
-- @param where the nodes
-- @tparam table opts of the pool
-- @tparam[opt="fetchone"] string name of the call
-- @tparam[opt] string text of the statement that reads by a key
function crowd.on_pool(task, where, opts, name, text)
  opts.database, opts.max_size = "bench", CONNECTIONS
  name, text = name or "fetchone", text or POINT
  local pool = assert(dqlite.create_pool(where, opts))
  local function read(key) return pool[name](pool, text, key) end
  measure(task, function() return read end)
  pool:close()
end

return crowd
