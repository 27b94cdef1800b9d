-- The results of a run: what is written as JSON, and how a goal fares in it.
local statistics = require "bench.statistics"

local results = {}

--- One result.
-- @tparam table list samples of bench.client, with `ratio` and `cpu_ratio`
function results.summary(regime, workload, who, list)
  local ratios = statistics.column(list, "ratio")
  local least, most = statistics.spread(ratios)
  return {
    workload = workload.name,
    regime = regime,
    client = who.name,
    ratio = statistics.median(ratios),
    ratio_min = least,
    ratio_max = most,
    ops_s = 1 / statistics.median_of(list, "each"),
    cpu_ratio = statistics.median_of(list, "cpu_ratio"),
    p50_us = statistics.median_of(list, "p50"),
    p99_us = statistics.median_of(list, "p99"),
    rss_mb = statistics.median_of(list, "memory"),
  }
end

--- The result of a client; nil without one.
function results.find(all, workload, regime, client)
  for _, each in ipairs(all) do
    if each.workload == workload and each.regime == regime and each.client == client then
      return each
    end
  end
end

-- Operations for each one of Go's that waits for its answers.
local function go_ratio(all, result)
  local go = results.find(all, "b", result.regime, "go")
  return go and result.ops_s / go.ops_s
end

-- Nil where it was not measured.
local function value_of(all, goal, result)
  if not result then return nil end
  if goal.field == "go_ratio" then return go_ratio(all, result) end
  return result[goal.field or "ratio"]
end

--- Is a goal about a client?
function results.is_about(goal, client)
  return (client:find "^lua" and client:find(goal.who or "", 1, true)) ~= nil
end

--- How a goal fares.
-- @tparam table all results
-- @tparam table goal of bench.goals
-- @tparam table clients names, in their order
-- @treturn table for each client that it is about `client`, `value`, `met`
function results.judge(all, goal, clients)
  local list = {}
  for _, client in ipairs(clients) do
    local result = results.find(all, goal.workload, goal.regime, client)
    local value = value_of(all, goal, result)
    if value and results.is_about(goal, client) then
      local met = goal.most and value <= goal.most or goal.least and value >= goal.least
      list[#list + 1] = { client = client, value = value, met = met or false }
    end
  end
  return list
end

return results
