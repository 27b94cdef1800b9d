-- run.lua SECONDS FILE SEED: works on a database on a cluster of real nodes, which are
-- killed, frozen, cut off and exchanged meanwhile, and writes the history of that to FILE,
-- for check.lua. Exit status 1 where the cluster could not be healed.
local cluster = require "spec.support.cluster"
local core = require "dqlite.core"
local dqlite = require "dqlite"
local histories = require "spec.chaos.history"
local nemesis = require "spec.chaos.nemesis"
local proxy = require "spec.support.proxy"
local workload = require "spec.chaos.workload"

local NODES = { "voter", "voter", "voter", "standby", "spare" }
local DATABASE = "chaos"

local seconds, path, seed = tonumber(arg[1]), arg[2], tonumber(arg[3])
assert(seconds and path and seed, "usage: run.lua SECONDS FILE SEED")

local function connect(nodes)
  return assert(dqlite.connect(nodes:addresses(), { database = DATABASE }))
end

local function with_connection(nodes, use, ...)
  local conn = connect(nodes)
  use(conn, ...)
  conn:close()
end

local function run(history)
  local nodes = cluster.start { nodes = #NODES, roles = NODES, proxied = true }
  with_connection(nodes, workload.prepare)
  local epoch = core.now()
  local opts = { database = DATABASE, translate = nodes:translate() }
  local work = workload.start(nodes:addresses(), opts, history, epoch)
  nemesis.new(nodes, history, epoch):run(epoch + seconds)
  work:stop()
  with_connection(nodes, workload.record, history)
end

local function main()
  math.randomseed(seed)
  local history = histories.create(path)
  history:add("setup", {
    seed = seed, seconds = seconds, interpreter = rawget(_G, "jit") and "luajit" or _VERSION,
    accounts = workload.ACCOUNTS, balance = workload.BALANCE,
  })
  print(("seed %d, the history is %s"):format(seed, path))
  local ok, err = xpcall(dqlite.run, debug.traceback, run, history)
  history:close()
  cluster.stop_all()
  proxy.stop_all()
  assert(ok, err)
end

main()
