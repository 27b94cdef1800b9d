-- make bench: every client in turn, round after round, so that what disturbs the
-- machine disturbs all of them alike.
local argparse = require "argparse"
local goals = require "bench.goals"
local machine = require "bench.machine"
local plan = require "bench.plan"
local plot = require "bench.plot"
local report = require "bench.report"

local PLOT = "bench/ratios.svg" -- what the README shows

-- What a run is made of, in this order.
local PARTS = {
  { name = "workloads", measure = require "bench.workloads".measure },
  { name = "scaling", measure = require "bench.scaling".measure },
  { name = "failover", measure = require "bench.failover".measure },
}

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
  parser:option("--connections", "Of one process."):convert(tonumber)
  parser:option("--failovers", "How often a leader is killed."):convert(tonumber)
  parser:option("--part", "Only these; without it all, or the workloads that are named.")
    :count("*"):choices(names(PARTS))
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
  if #options.workload > 0 and #options.part == 0 then options.part = { "workloads" } end
  if #options.client > 0 then options.client[#options.client + 1] = "c" end
  return {
    sizes = sizes,
    build = options.build,
    workloads = chosen(plan.workloads, options.workload),
    clients = chosen(plan.clients, options.client),
    regimes = chosen(plan.regimes, options.regime),
    parts = chosen(PARTS, options.part),
  }
end

local function main()
  local options = read_options()
  local run, all = settle(options), {}
  for _, part in ipairs(run.parts) do part.measure(run, all) end
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
