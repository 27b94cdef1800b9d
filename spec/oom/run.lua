-- run.lua [NAME...]: opens dqlite.core and runs the scenarios of all files, or
-- those of spec/oom/NAME.lua alone. Answers how many checks passed and failed.
local harness = require "spec.oom.harness"
local oom = require "oom"

local FILES = { "cluster", "connection", "pool", "rows", "statement", "many", "transaction",
  "values", "session", "socket", "host", "store", "wire", "core", "luasql" }

local SHOWN = 20 -- problems of a file

-- With it LuaJIT 2.1-20230119 crashes in its own code when it raises "not
-- enough memory".
local jit = rawget(_G, "jit")
if jit then jit.off() end

local passed, failed = 0, 0

local function run_file(name)
  local requests, problems, scenarios = 0, 0, require("spec.oom." .. name)
  for _, scenario in ipairs(scenarios) do
    requests = requests + harness.run(scenario, function(wrong, text)
      if not wrong then
        passed = passed + 1
        return
      end
      failed, problems = failed + 1, problems + 1
      if problems <= SHOWN then print("FAIL  " .. name .. ": " .. text) end
    end)
  end
  print(("%-12s %3d scenarios, %5d requests failed"):format(name, #scenarios, requests))
end

if select("#", ...) == 0 then passed, failed = oom.opening() end
for _, name in ipairs(select("#", ...) > 0 and { ... } or FILES) do run_file(name) end
return passed, failed
