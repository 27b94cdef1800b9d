-- make bench-check: that the bench works, with each client that needs no Go: very
-- short measurements, whose numbers nobody looks at.
local cjson = require "cjson"
local machine = require "bench.machine"
local plan = require "bench.plan"
local results = require "bench.results"
local tags = require "spec.support.tags"

local BUILD = arg[1]

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

-- Fields that are there for every workload, and p50, p99 for those that are timed.
local function check_result(all, workload, regime, client)
  local what = ("%s, %s, %s"):format(workload.name, regime, client)
  local result = results.find(all, workload.name, regime, client)
  check(what .. ": no result", result)
  if not result then return end
  for _, field in ipairs { "ratio", "ratio_min", "ratio_max", "ops_s", "rss_mb" } do
    check(("%s: %s is %s"):format(what, field, result[field]), is_positive(result[field]))
  end
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

local function main()
  local path, picture = os.tmpname(), os.tmpname()
  local command = "lua5.4 bench/run.lua --build " .. BUILD .. " --json " .. path
    .. " --plot " .. picture .. " --rounds 1 --seconds 0.002 --rows 2000 --inserts 200"
  for _, who in ipairs(plan.clients) do
    if who.name ~= "go" then command = command .. " --client " .. who.name end
  end
  local text = machine.output_of(command)
  local all = cjson.decode(take(path))
  picture = take(picture)
  local fault = tags.fault(picture)
  check(("the picture: %s"):format(fault), not fault)
  for _, regime in ipairs(plan.regimes) do
    for _, workload in ipairs(plan.workloads) do
      local name = workload.name
      check(name .. " is in the table", text:find("| " .. name .. " |", 1, true))
      check(name .. " is in the picture", picture:find(">" .. name .. "<", 1, true))
      for _, who in ipairs(plan.clients) do
        if who.name ~= "go" and not who.lacks[workload.name] then
          check_result(all, workload, regime, who.name)
        end
      end
    end
  end
  print(("%d passed, %d failed"):format(passed, failed))
  os.exit(failed == 0)
end

main()
