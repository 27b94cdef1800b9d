-- Measures the workloads of the plan: every client in turn, round after round. What is
-- compared is the time of an operation with the one that the limit in C took in that
-- round.
local client = require "bench.client"
local dqlite = require "dqlite"
local machine = require "bench.machine"
local node = require "bench.node"
local results = require "bench.results"
local tables = require "bench.tables"

local workloads = {}

-- ---- what it runs on ----

-- Two nodes, so that the one that is written to does not write the large table
-- again with each snapshot. Whatever was started can be stopped.
local function start(place, run)
  for _, name in ipairs { "reading", "writing" } do
    place[name] = node.start(place.dir .. "/" .. name, place.prefix)
  end
  tables.make(place.reading.address, run.sizes.rows)
  tables.make(place.writing.address, 1)
  tables.make_file(client.program(run.build, { name = "sqlite" }), place.dir, run.sizes.rows)
  place.conn = assert(dqlite.connect(place.writing.address, { database = "bench" }))
end

local function stop(place)
  if place.conn then place.conn:close() end
  if place.reading then place.reading:stop() end
  if place.writing then place.writing:stop() end
  machine.remove_dir(place.dir)
end

-- ---- measuring ----

local function measure(run, place, who, workload)
  local target = workload.writes and place.writing.address or place.reading.address
  if who.name == "sqlite" then target = place.dir end
  if workload.writes then tables.empty(place.conn) end
  return client.run(run, who, workload, target, place.prefix)
end

local function add(samples, who, workload, sample, limit)
  sample.ratio = sample.each / limit.each
  sample.cpu_ratio = sample.cpu / limit.cpu
  samples[workload.name] = samples[workload.name] or {}
  local list = samples[workload.name][who.name] or {}
  list[#list + 1] = sample
  samples[workload.name][who.name] = list
end

-- One round: the limit first, then the others right behind it.
local function measure_round(run, place, samples)
  for _, workload in ipairs(run.workloads) do
    local limit
    for _, who in ipairs(run.clients) do
      if not who.lacks[workload.name] then
        local sample = measure(run, place, who, workload)
        limit = limit or sample
        add(samples, who, workload, sample, limit)
      end
    end
  end
end

local function measure_all(run, place, regime)
  local samples = {}
  start(place, run)
  for round = 1, run.sizes.rounds do
    io.stderr:write(("%s, round %d of %d\n"):format(regime, round, run.sizes.rounds))
    measure_round(run, place, samples)
  end
  return samples
end

local function measure_regime(run, regime, all)
  local place = { dir = machine.new_dir(), prefix = machine.prefix_of(regime) }
  local ok, samples = xpcall(measure_all, debug.traceback, run, place, regime)
  stop(place)
  if not ok then error(samples, 0) end
  for _, workload in ipairs(run.workloads) do
    for _, who in ipairs(run.clients) do
      local list = samples[workload.name][who.name]
      if list then all[#all + 1] = results.summary(regime, workload, who, list) end
    end
  end
end

--- Measures all of them in each regime.
-- @tparam table run
-- @tparam table all results, to which its own are added
function workloads.measure(run, all)
  for _, regime in ipairs(run.regimes) do measure_regime(run, regime, all) end
end

return workloads
