-- lua lua.lua LOOP WORKLOAD ADDRESS SECONDS COUNT [timed]: this library as a
-- client of the bench, on the blocking loop or inside of luv's. ADDRESS may be several
-- with commas between. Prints operations, seconds, seconds of processor, peak memory in
-- KiB, and where each call is timed p50 and p99 in microseconds.
local dqlite = require "dqlite"
local measuring = require "bench.clients.measuring"

local POINTS = 10000 -- rows of the table `point`

local POINT = "SELECT id, name, score FROM point WHERE id = ?"
local INSERT = "INSERT INTO sink (n, m) VALUES (?, ?)"
local WIDE = "SELECT id, name, score, size, data, note FROM wide LIMIT ?"

local loop, workload, address, seconds, count, timed = (table.unpack or unpack)(arg)
count = tonumber(count)

local task = measuring.new(tonumber(seconds), timed ~= nil)

local where = {}
for each in address:gmatch "[^,]+" do where[#where + 1] = each end
if not where[2] then where = address end

local function open()
  return assert(dqlite.connect(where, { database = "bench", loop = loop }))
end

local function key(i)
  return i % POINTS + 1
end

local function expect(list, n)
  assert(#list == n)
end

-- ---- workloads ----

local workloads = {}

function workloads.a()
  task:measure(function() open():close() end)
end

function workloads.b()
  local conn = open()
  task:measure(function() assert(conn:fetchval "SELECT 1") end)
end

local function measure_pipeline(depth)
  local conn, list = open(), {}
  for i = 1, depth do list[i] = { "SELECT 1" } end
  task:measure(function() expect(assert(conn:pipeline(list)), depth) end, depth)
end

function workloads.b_pipe64()
  measure_pipeline(64)
end

function workloads.c()
  local conn = open()
  task:measure(function(i) assert(conn:fetchone(POINT, key(i))) end)
end

function workloads.c_prep()
  local statement = assert(open():prepare(POINT))
  task:measure(function(i) assert(statement:fetchone(key(i))) end)
end

function workloads.d()
  local conn = open()
  task:measure(function(i) assert(conn:execute(INSERT, i, i * 3)) end)
end

function workloads.e()
  local conn = open()
  local statement = assert(conn:prepare(INSERT))
  task:measure_once(function()
    local transaction = assert(conn:begin())
    for i = 1, count do assert(statement:execute(i, i * 3)) end
    assert(transaction:commit())
  end, count)
end

function workloads.e_many()
  local conn, sets = open(), {}
  for i = 1, count do sets[i] = { i, i * 3 } end
  task:measure_once(function()
    assert(assert(conn:executemany(INSERT, sets)).rows_affected == count)
  end, count)
end

local function read_rows(conn, opts, n)
  local rows = 0
  for _ in conn:rows(WIDE, { n }, opts) do rows = rows + 1 end
  assert(rows == n)
end

local function read_reusing(conn, n)
  read_rows(conn, { arrays = true, reuse = true }, n)
end

local function read_whole(conn, n)
  expect(assert(conn:fetchall(WIDE, n)), n)
end

-- The first time is to warm up: a process pays for memory that is new to it.
local function read_large(read)
  local conn = open()
  read(conn, count)
  collectgarbage()
  task:measure_once(function() read(conn, count) end, count)
end

function workloads.f_rows()
  read_large(read_reusing)
end

function workloads.f_rows_name()
  read_large(function(conn, n) read_rows(conn, {}, n) end)
end

function workloads.f_fetchall()
  read_large(read_whole)
end

function workloads.f_fetch()
  read_large(function(conn, n) expect(assert(conn:fetch(WIDE, n)), n) end)
end

function workloads.m()
  local conn = open()
  task:measure(function() expect(assert(conn:fetchall(WIDE, 100)), 100) end)
end

-- ---- of some size, as often as there is time ----

local function read_often(read)
  local conn = open()
  task.batch = 1
  task:measure(function() read(conn, count) end, count)
end

function workloads.rows()
  read_often(read_reusing)
end

function workloads.fetchall()
  read_often(read_whole)
end

function workloads.pipeline()
  measure_pipeline(count)
end

-- ---- many at once ----

-- What make bench-nginx asks.
function workloads.value()
  require "bench.clients.crowd".on_pool(task, where, {}, "fetchval",
    "SELECT name FROM point WHERE id = ?")
end

function workloads.idle()
  require "bench.clients.many".idle(task, open, count)
end

function workloads.selects()
  require "bench.clients.many".selects(task, open, count)
end

function workloads.g()
  require "bench.clients.crowd".on_connections(task, open)
end

function workloads.g_pool()
  require "bench.clients.crowd".on_pool(task, where, {})
end

function workloads.g_multiplex()
  require "bench.clients.crowd".on_pool(task, where, { multiplex = true })
end

-- ---- what happens to the leader meanwhile ----

function workloads.failover()
  require "bench.clients.failover"(where)
end

local run = assert(workloads[workload], "no such workload")
if loop == "luv" then
  require "luv"
  dqlite.run(run)
else
  run()
end
