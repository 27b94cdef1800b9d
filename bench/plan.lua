-- What the bench measures: workloads, clients, regimes, and the numbers to reach.
local plan = {}

-- Each in order of the table. `timed`: p50 and p99; `once`: one large call;
-- `memory`: its peak counts; `writes`: on the node whose data may grow.
plan.workloads = {
  { name = "a", what = "connect, handshake, open, close" },
  { name = "b", what = "SELECT 1, one after the other", timed = true },
  { name = "b_pipe64", what = "SELECT 1, 64 pipelined" },
  { name = "c", what = "SELECT by key, the same text each time" },
  { name = "c_prep", what = "SELECT by key, prepared", timed = true },
  { name = "d", what = "INSERT outside of a transaction", timed = true, writes = true },
  { name = "e", what = "INSERTs in a transaction, one by one", once = true, writes = true },
  { name = "e_many", what = "the same by executemany", once = true, writes = true },
  { name = "f_rows", what = "rows by position, one table for all", once = true, memory = true },
  { name = "f_rows_name", what = "rows by name", once = true, memory = true },
  { name = "f_fetchall", what = "fetchall", once = true, memory = true },
  { name = "f_fetch", what = "fetch, rows by name", once = true, memory = true },
  { name = "m", what = "SELECT of 100 rows in three frames" },
  { name = "g", what = "64 coroutines on 8 connections, prepared", timed = true },
  { name = "g_pool", what = "64 coroutines call a pool of 8 connections", timed = true },
  { name = "g_multiplex", what = "the same, with multiplex: 2 connections", timed = true },
}

-- What each client does not do. C sends e_many one by one: nothing less is the
-- limit of a client that waits for each answer. For C and Go g_pool and g_multiplex
-- are g again.
local BULK = { f_rows_name = true, f_fetchall = true, f_fetch = true }
local CROWD = { g = true, g_pool = true, g_multiplex = true }
local function also(names, more)
  local set = {}
  for name in pairs(names) do set[name] = true end
  for name in more:gmatch "%S+" do set[name] = true end
  return set
end

plan.clients = {
  { name = "c", lacks = {} },
  { name = "go", lacks = also(BULK, "b_pipe64 e_many") },
  { name = "sqlite", lacks = also(BULK, "b_pipe64 e_many g g_pool g_multiplex") },
  { name = "lua5.4-blocking", lua = "lua5.4", loop = "blocking", lacks = CROWD },
  { name = "lua5.4-luv", lua = "lua5.4", loop = "luv", lacks = {} },
  { name = "luajit-blocking", lua = "luajit", loop = "blocking", lacks = CROWD },
  { name = "luajit-luv", lua = "luajit", loop = "luv", lacks = {} },
}

plan.regimes = { "one_core", "two_cores" }

-- How long and how often: seconds of one measurement, rounds, kills of a leader; rows of
-- a transaction, rows of a large result, connections of one process, statements of a
-- pipeline.
plan.full = { seconds = 0.25, rounds = 7, scaling_rounds = 3, failovers = 5, inserts = 10000,
  rows = 100000, connections = 1000, depth = 640 }
plan.quick = { seconds = 0.04, rounds = 3, scaling_rounds = 1, failovers = 2, inserts = 2000,
  rows = 100000, connections = 1000, depth = 640 }

function plan.count(workload, sizes)
  if workload.count then return workload.count end
  if not workload.once then return 0 end
  return workload.writes and sizes.inserts or sizes.rows
end

return plan
