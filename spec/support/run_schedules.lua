--- Runs schedules of a pool and prints what became of them: the seed and the end of
-- the trace of each that fails, three at most, then the numbers. To see one
-- again:
--
--    lua5.4 -e 'require "spec.support.run_schedules" (8653, 1)'
local pool_schedule = require "spec.support.pool_schedule"

local EVENTS = 60 -- of a trace
local FAILURES = 3 -- that are shown
local GARBAGE = 50 -- schedules between two visits of the collector

local function show(seed, wrong)
  local again, trace = pool_schedule.run(seed, true)
  print(("schedule %d: %s"):format(seed, wrong))
  if again ~= wrong then print("run again: " .. tostring(again)) end
  for i = math.max(1, #trace - EVENTS), #trace do print(trace[i]) end
end

--- Runs `count` of them from the seed `first` on. Reports of leaked connections are
-- not shown: the schedules mean to leak.
return function(first, count)
  local stderr = io.stderr
  io.stderr = { write = function() end } -- luacheck: ignore 122
  local ran, steps, failed = 0, 0, 0
  while ran < count and failed < FAILURES do
    local seed = first + ran
    local wrong, _, taken = pool_schedule.run(seed)
    ran, steps = ran + 1, steps + taken
    if wrong then
      failed = failed + 1
      show(seed, wrong)
    end
    if ran % GARBAGE == 0 then collectgarbage() end
  end
  io.stderr = stderr -- luacheck: ignore 122
  print(("%d schedules, %d steps"):format(ran, steps))
  print(("%d passed, %d failed"):format(ran - failed, failed))
end
