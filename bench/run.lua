-- make bench: every client through every workload, in turn, round after round, so
-- that what disturbs the machine disturbs all of them alike. What is compared is
-- the time of an operation with the one that the limit in C took in that round.
local argparse = require "argparse"
local client = require "bench.client"
local dqlite = require "dqlite"
local goals = require "bench.goals"
local machine = require "bench.machine"
local node = require "bench.node"
local plan = require "bench.plan"
local plot = require "bench.plot"
local report = require "bench.report"
local results = require "bench.results"
local tables = require "bench.tables"

local PLOT = "bench/ratios.svg" -- what the README shows

-- ---- options ----

local function names(list)
  local all = {}
  for i, each in ipairs(list) do all[i] = each.name or each end
  return all
end

local function chosen(list, wanted)
  if #wanted == 0 then return list end
  local some, is_wanted = {}, {}
  for _, name in ipairs(wanted) do is_wanted[name] = true end
  for _, each in ipairs(list) do
    if is_wanted[each.name or each] then some[#some + 1] = each end
  end
  return some
end

local function read_options()
  local parser = argparse("make bench BENCH=...", "Measures clients against each other.")
  parser:flag("--quick", "Short measurements, few rounds.")
  parser:option("--rounds", "How often everything is measured."):convert(tonumber)
  parser:option("--seconds", "Of one measurement."):convert(tonumber)
  parser:option("--rows", "Of a large result."):convert(tonumber)
  parser:option("--inserts", "Of a transaction."):convert(tonumber)
  parser:option("--json", "Write the results into this file.")
  parser:option("--readme", "Put the results into this file, between its marks, and the ratios"
    .. " as a picture into " .. PLOT .. ".")
  parser:option("--plot", "Draw the ratios into this file.")
  parser:option("--workload", "Only these."):count("*"):choices(names(plan.workloads))
  parser:option("--client", "Only these, and c."):count("*"):choices(names(plan.clients))
  parser:option("--regime", "Only these."):count("*"):choices(plan.regimes)
  parser:option("--build", "Where make builds."):default "build"
  return parser:parse()
end

local function settle(options)
  local sizes = {}
  for name, size in pairs(options.quick and plan.quick or plan.full) do
    sizes[name] = options[name] or size
  end
  if #options.client > 0 then options.client[#options.client + 1] = "c" end
  return {
    sizes = sizes,
    build = options.build,
    workloads = chosen(plan.workloads, options.workload),
    clients = chosen(plan.clients, options.client),
    regimes = chosen(plan.regimes, options.regime),
  }
end

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

local function main()
  local options = read_options()
  local run, all = settle(options), {}
  for _, regime in ipairs(run.regimes) do measure_regime(run, regime, all) end
  if options.json then report.write_json(options.json, all) end
  local text = report.text(all, run, machine.about(run.sizes))
  if options.readme then
    report.write_between(options.readme, ("![The ratios of the tables below](%s)\n\n"):format(PLOT)
      .. text)
  end
  local picture = options.plot or options.readme and PLOT
  if picture then machine.write(picture, plot.svg(all, run, goals)) end
  print(text .. "\n" .. report.details(all, run))
end

main()
