-- check.lua FILE [WRITES]: checks the history of a run of chaos. Prints counts and what
-- is wrong; the last line is `N passed, N failed`, of checks. WRITES must have been
-- acknowledged, 1,000 in 60 seconds if it is left out.
local checker = require "spec.chaos.checker"
local history = require "spec.chaos.history"

local DEMANDED = 1000 / 60 -- acknowledged writes a second
local SHOWN = 20 -- problems of a check

local path = assert(arg[1], "usage: check.lua FILE [WRITES]")

local function sorted_keys(map)
  local keys = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

-- "a 1, b 2" of how often each name is in a list.
local function tally(list, name_of)
  local counts, words = {}, {}
  for _, each in ipairs(list) do
    local name = name_of(each)
    counts[name] = (counts[name] or 0) + 1
  end
  for i, name in ipairs(sorted_keys(counts)) do words[i] = name .. " " .. counts[name] end
  return table.concat(words, ", ")
end

local function print_counts(all)
  for _, kind in ipairs { "insert", "once", "transfer", "read" } do
    local list = {}
    for _, op in ipairs(all.op) do
      if op.kind == kind then list[#list + 1] = op end
    end
    print(("%-10s %5d: %s"):format(kind, #list, tally(list, function(op) return op.outcome end)))
  end
  print("nemesis    " .. tally(all.nemesis, function(each)
    return each.action:match "^[^:]+"
  end))
  print(("%d writes acknowledged; the longest time without one: %.2f s"):format(
    checker.acknowledged(all), checker.longest_pause(all)))
end

local function print_problems(result)
  print(("FAIL  %s: %d"):format(result.title, #result.problems))
  for i = 1, math.min(#result.problems, SHOWN) do print("  " .. result.problems[i]) end
end

local all = history.read(io.lines(path))
local setup = all.setup[1]
local demanded = tonumber(arg[2]) or DEMANDED * (setup and setup.seconds or 0)
local passed, failed = 0, 0
print_counts(all)
for _, result in ipairs(checker.check(all, demanded)) do
  if #result.problems == 0 then
    passed = passed + 1
  else
    failed = failed + 1
    print_problems(result)
  end
end
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
