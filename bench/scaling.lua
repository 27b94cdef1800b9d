-- Measures what bench.scales lists: both sizes right behind each other, round after
-- round.
local client = require "bench.client"
local cluster = require "spec.support.cluster"
local machine = require "bench.machine"
local node = require "bench.node"
local scales = require "bench.scales"
local tables = require "bench.tables"

local scaling = {}

-- ---- what it runs on ----

-- The addresses of a new cluster, with commas between.
local function form(nodes)
  local formed = cluster.start { nodes = nodes }
  tables.make(formed:leader().address, 1)
  return table.concat(formed:addresses(), ",")
end

local function start(place, run)
  place.dir = machine.new_dir()
  place.prefix = machine.prefix_of "one_core"
  place.node = node.start(place.dir .. "/node", place.prefix)
  tables.make(place.node.address, run.sizes.rows)
  for _, nodes in ipairs { 1, 5 } do place.clusters[nodes] = form(nodes) end
end

local function stop(place)
  cluster.stop_all()
  if place.node then place.node:stop() end
  if place.dir then machine.remove_dir(place.dir) end
end

-- ---- measuring ----

-- Answers the sample, and how many operations are the work.
local function measure(run, place, who, entry, size)
  local workload = { name = entry.workload, count = size }
  if entry.nodes then return client.run(run, who, workload, place.clusters[size], ""), 1 end
  return client.run(run, who, workload, place.node.address, place.prefix), size
end

local function measure_one(run, place, who, entry)
  local size = entry.nodes and entry.times or run.sizes[entry.size]
  local small, few = measure(run, place, who, entry, size / entry.times)
  local large, many = measure(run, place, who, entry, size)
  return scales.compare(small, few, large, many)
end

local function each_pair(run, fn)
  for _, entry in ipairs(scales.list) do
    for _, who in ipairs(run.clients) do
      if scales.is_for(entry, who) then fn(entry, who, entry.name .. " " .. who.name) end
    end
  end
end

local function measure_all(run, place, samples)
  start(place, run)
  for round = 1, run.sizes.scaling_rounds do
    io.stderr:write(("scaling, round %d of %d\n"):format(round, run.sizes.scaling_rounds))
    each_pair(run, function(entry, who, key)
      samples[key] = samples[key] or {}
      table.insert(samples[key], measure_one(run, place, who, entry))
    end)
  end
end

--- Measures all of it.
-- @tparam table run
-- @tparam table all results, to which its own are added
function scaling.measure(run, all)
  local place, samples = { clusters = {} }, {}
  local ok, err = xpcall(measure_all, debug.traceback, run, place, samples)
  stop(place)
  if not ok then error(err, 0) end
  each_pair(run, function(entry, who, key)
    all[#all + 1] = scales.summary(entry, who, samples[key])
  end)
end

return scaling
