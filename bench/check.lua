-- make bench-check: that the bench works, with each client that needs no Go: very
-- short measurements, whose numbers nobody looks at. Every client runs on two cores;
-- one of them does a little on one core, and all that is beside the workloads.
local cjson = require "cjson"
local machine = require "bench.machine"
local plan = require "bench.plan"
local results = require "bench.results"
local scales = require "bench.scales"
local tags = require "spec.support.tags"

local BUILD = arg[1]
local CHOSEN = "luajit-luv"

local COMMAND = "lua5.4 bench/run.lua --build " .. BUILD .. " --quick --rounds 1 --seconds 0.002"
  .. " --rows 2000 --inserts 200 --connections 20 --failovers 1"

local passed, failed = 0, 0

local function check(what, fine)
  if fine then
    passed = passed + 1
  else
    failed = failed + 1
    print("FAIL " .. what)
  end
end

local function is_positive(value)
  return type(value) == "number" and value > 0 and value < math.huge
end

local function check_fields(all, name, regime, client, fields)
  local what = ("%s, %s, %s"):format(name, regime, client)
  local result = results.find(all, name, regime, client)
  check(what .. ": no result", result)
  for _, field in ipairs(result and fields or {}) do
    check(("%s: %s is %s"):format(what, field, result[field]), is_positive(result[field]))
  end
  return result, what
end

-- Fields that are there for every workload, and p50, p99 for those that are timed.
local function check_workload(all, workload, regime, client)
  local result, what = check_fields(all, workload.name, regime, client,
    { "ratio", "ratio_min", "ratio_max", "ops_s", "rss_mb" })
  if not result then return end
  check(what .. ": spread", result.ratio_min <= result.ratio and result.ratio <= result.ratio_max)
  for _, field in ipairs { "p50_us", "p99_us" } do
    check(what .. ": " .. field, workload.timed and is_positive(result[field])
      or not workload.timed and result[field] == cjson.null)
  end
end

local function take(path)
  local file = assert(io.open(path))
  local text = file:read "*a"
  file:close()
  os.remove(path)
  return text
end

-- Answers what was printed, the results, the picture.
local function run(options, clients)
  local path, picture = os.tmpname(), os.tmpname()
  local words = { COMMAND, options, "--json", path, "--plot", picture }
  for _, who in ipairs(clients) do words[#words + 1] = "--client " .. who.name end
  local text = machine.output_of(table.concat(words, " "))
  return text, cjson.decode(take(path)), take(picture)
end

local function clients_but(name)
  local list = {}
  for _, who in ipairs(plan.clients) do
    if who.name ~= name then list[#list + 1] = who end
  end
  return list
end

local function check_all_clients()
  local clients = clients_but "go"
  local text, all, picture = run("--regime two_cores --part workloads", clients)
  local fault = tags.fault(picture)
  check(("the picture: %s"):format(fault), not fault)
  for _, workload in ipairs(plan.workloads) do
    local name = workload.name
    check(name .. " is in the table", text:find("| " .. name .. " |", 1, true))
    check(name .. " is in the picture", picture:find(">" .. name .. "<", 1, true))
    for _, who in ipairs(clients) do
      if not who.lacks[name] then check_workload(all, workload, "two_cores", who.name) end
    end
  end
end

-- A write may be there before this process has heard of the leader, so that nothing is
-- known of `after_ms`.
local function check_all_parts()
  local text, all = run("--regime one_core --part workloads --workload c --part scaling"
    .. " --part failover", { { name = CHOSEN } })
  check_fields(all, "c", "one_core", CHOSEN, { "ratio" })
  for _, entry in ipairs(scales.list) do
    check(entry.name .. " is in the table", text:find("| " .. entry.name .. " |", 1, true))
    check_fields(all, entry.name, scales.regime(entry), CHOSEN,
      { "factor", "small_us", "large_us", "cpu_factor" })
  end
  check_fields(all, "h", "three_nodes", CHOSEN, { "gap_ms" })
end

check_all_clients()
check_all_parts()
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
