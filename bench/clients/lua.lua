-- lua lua.lua LOOP WORKLOAD ADDRESS SECONDS COUNT [timed]: this library as a
-- client of the bench, on the blocking loop or inside of luv's. Prints
-- operations, seconds, seconds of processor, peak memory in KiB, and where each
-- call is timed p50 and p99 in microseconds.
local dqlite = require "dqlite"
local now = require "dqlite.core".now

local POINTS = 10000 -- rows of the table `point`
local DEPTH, CONNECTIONS, WORKERS, BATCH = 64, 8, 64, 16
local WARM_UP = 0.1 -- seconds of the crowd, as Go's

local POINT = "SELECT id, name, score FROM point WHERE id = ?"
local INSERT = "INSERT INTO sink (n, m) VALUES (?, ?)"
local WIDE = "SELECT id, name, score, size, data, note FROM wide LIMIT ?"

local loop, workload, address, seconds, count, timed = (table.unpack or unpack)(arg)
seconds, count = tonumber(seconds), tonumber(count)

-- ---- measuring ----

local function peak_memory()
  local file = assert(io.open "/proc/self/status")
  local status = file:read "*a"
  file:close()
  return tonumber(status:match "VmHWM:%s*(%d+)")
end

local function print_result(operations, wall, cpu, samples)
  local words = { ("%d %.9f %.6f %d"):format(operations, wall, cpu, peak_memory()) }
  if samples then
    table.sort(samples)
    for i, part in ipairs { 0.50, 0.99 } do
      local sample = samples[math.floor((#samples - 1) * part) + 1]
      words[i + 1] = ("%.3f"):format(sample * 1e6)
    end
  end
  print(table.concat(words, " "))
end

local function time_each(fn, first)
  local samples, n = {}, 0
  local begin = now()
  local deadline = begin + seconds
  while begin < deadline do
    fn(first + n)
    local done = now()
    n = n + 1
    samples[n] = done - begin
    begin = done
  end
  return samples
end

-- Calls fn(i) for some time, with i from first + 1 on. Answers how often.
local function call_for(time, fn, first)
  local calls, deadline = 0, now() + time
  repeat
    for i = 1, BATCH do fn(first + calls + i) end
    calls = calls + BATCH
  until now() >= deadline
  return calls
end

-- The same as measured; each call is `each` operations.
local function measure(fn, each)
  local before = call_for(seconds / 5, fn, 0) -- to warm up
  local wall, cpu = now(), os.clock()
  local calls = call_for(seconds, fn, before)
  wall, cpu = now() - wall, os.clock() - cpu
  print_result(calls * (each or 1), wall, cpu, timed and time_each(fn, before + calls) or nil)
end

local function measure_once(fn, operations, samples)
  local wall, cpu = now(), os.clock()
  operations = fn() or operations
  print_result(operations, now() - wall, os.clock() - cpu, samples)
end

-- ---- workloads ----

local function open()
  return assert(dqlite.connect(address, { database = "bench", loop = loop }))
end

local function key(i)
  return i % POINTS + 1
end

local function expect(list, n)
  assert(#list == n)
end

local workloads = {}

function workloads.a()
  measure(function() open():close() end)
end

function workloads.b()
  local conn = open()
  measure(function() assert(conn:fetchval "SELECT 1") end)
end

function workloads.b_pipe64()
  local conn, list = open(), {}
  for i = 1, DEPTH do list[i] = { "SELECT 1" } end
  measure(function() expect(assert(conn:pipeline(list)), DEPTH) end, DEPTH)
end

function workloads.c()
  local conn = open()
  measure(function(i) assert(conn:fetchone(POINT, key(i))) end)
end

function workloads.c_prep()
  local statement = assert(open():prepare(POINT))
  measure(function(i) assert(statement:fetchone(key(i))) end)
end

function workloads.d()
  local conn = open()
  measure(function(i) assert(conn:execute(INSERT, i, i * 3)) end)
end

function workloads.e()
  local conn = open()
  local statement = assert(conn:prepare(INSERT))
  measure_once(function()
    local transaction = assert(conn:begin())
    for i = 1, count do assert(statement:execute(i, i * 3)) end
    assert(transaction:commit())
  end, count)
end

function workloads.e_many()
  local conn, sets = open(), {}
  for i = 1, count do sets[i] = { i, i * 3 } end
  measure_once(function()
    assert(assert(conn:executemany(INSERT, sets)).rows_affected == count)
  end, count)
end

local function read_rows(conn, opts, n)
  local rows = 0
  for _ in conn:rows(WIDE, { n }, opts) do rows = rows + 1 end
  assert(rows == n)
end

-- The first time is to warm up: a process pays for memory that is new to it.
local function read_large(read)
  local conn = open()
  read(conn, count)
  collectgarbage()
  measure_once(function() read(conn, count) end, count)
end

function workloads.f_rows()
  read_large(function(conn, n) read_rows(conn, { arrays = true, reuse = true }, n) end)
end

function workloads.f_rows_name()
  read_large(function(conn, n) read_rows(conn, {}, n) end)
end

function workloads.f_fetchall()
  read_large(function(conn, n) expect(assert(conn:fetchall(WIDE, n)), n) end)
end

function workloads.f_fetch()
  read_large(function(conn, n) expect(assert(conn:fetch(WIDE, n)), n) end)
end

function workloads.m()
  local conn = open()
  measure(function() expect(assert(conn:fetchall(WIDE, 100)), 100) end)
end

-- ---- 64 coroutines share 8 connections ----

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

local function work(shared, deadline, samples, worker)
  local i, begin = worker, now()
  local waiter = { cond = shared.luv.cond(), handed = nil }
  repeat
    local statement = shared:acquire(waiter)
    assert(statement:fetchone(key(i)))
    shared:release(statement)
    local done = now()
    samples[#samples + 1] = done - begin
    i, begin = i + WORKERS, done
  until begin >= deadline
end

local function work_all(shared, time, samples)
  local tasks, deadline = {}, now() + time
  for i = 1, WORKERS do tasks[i] = dqlite.spawn(work, shared, deadline, samples, i) end
  for i = 1, WORKERS do tasks[i]:wait() end
end

function workloads.g()
  local shared = setmetatable({
    luv = require "dqlite.loop.luv",
    free = {}, -- prepared statements, one for each connection
    waiting = {}, -- from `first` to `last`
    first = 1,
    last = 0,
  }, Shared)
  for i = 1, CONNECTIONS do shared.free[i] = assert(open():prepare(POINT)) end
  work_all(shared, WARM_UP, {})
  local samples = {}
  measure_once(function()
    work_all(shared, seconds, samples)
    return #samples
  end, nil, samples)
end

local run = assert(workloads[workload], "no such workload")
if loop == "luv" then
  require "luv"
  dqlite.run(run)
else
  run()
end
