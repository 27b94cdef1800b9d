-- What ten times the work costs, or five times the nodes: what is done at two sizes, and
-- what is made of it.
local markdown = require "bench.markdown"
local results = require "bench.results"
local statistics = require "bench.statistics"

local scales = {}

-- `times` more work, up to the size of the run that `size` names; `workload` of
-- bench/clients/lua.lua, on loops that have `loop` in their name, with `limit` of C's,
-- too. For `nodes` the size is that of a cluster whose leader the client knows.
scales.list = {
  { name = "rows_x10", what = "fetchall of 10,000 rows and of 100,000", workload = "fetchall",
    times = 10, size = "rows" },
  { name = "streamed_x10", what = "rows by position, one table for all, likewise",
    workload = "rows", times = 10, size = "rows" },
  { name = "pipeline_x10", what = "SELECT 1, 64 pipelined and 640", workload = "pipeline",
    times = 10, size = "depth" },
  { name = "opening_x10", what = "opening and closing 100 connections and 1,000",
    workload = "idle", times = 10, size = "connections", loop = "luv", limit = true },
  { name = "connections_x10", what = "SELECT 1 on all of 100 connections and of 1,000 at once",
    workload = "selects", times = 10, size = "connections", loop = "luv", limit = true },
  { name = "connect_x5", what = "connect and close, given 1 node and 5", workload = "a", times = 5,
    nodes = true },
  { name = "call_x5", what = "SELECT 1, in a cluster of 1 node and of 5", workload = "b",
    times = 5, nodes = true },
}

--- Is it measured for a client?
-- @tparam table entry of the list
-- @tparam table who of plan.clients
function scales.is_for(entry, who)
  if who.name == "c" then return entry.limit or false end
  return who.lua ~= nil and who.loop:find(entry.loop or "", 1, true) ~= nil
end

--- In which regime; clusters have no processor of their own.
function scales.regime(entry)
  return entry.nodes and "two_cores" or "one_core"
end

--- What the work costs at both sizes.
-- @tparam table small sample of bench.client
-- @tparam number few operations that are its work
-- @tparam table large
-- @tparam number many
-- @treturn table microseconds, and factors; `idle_kb` is memory for each operation
function scales.compare(small, few, large, many)
  return {
    small_us = small.each * few * 1e6,
    large_us = large.each * many * 1e6,
    factor = large.each * many / (small.each * few),
    cpu_factor = large.cpu * many / (small.cpu * few),
    idle_kb = large.memory * 1024 / many,
  }
end

--- Several rounds as one result.
-- @tparam table entry of the list
-- @tparam table who of plan.clients
-- @tparam table list as `compare` answers
function scales.summary(entry, who, list)
  local factors = statistics.column(list, "factor")
  local least, most = statistics.spread(factors)
  return {
    workload = entry.name,
    regime = scales.regime(entry),
    client = who.name,
    small_us = statistics.median_of(list, "small_us"),
    large_us = statistics.median_of(list, "large_us"),
    factor = statistics.median(factors),
    factor_min = least,
    factor_max = most,
    cpu_factor = statistics.median_of(list, "cpu_factor"),
    idle_kb = entry.workload == "idle" and who.lua and statistics.median_of(list, "idle_kb") or nil,
  }
end

-- ---- Markdown ----

local HEAD = { "ten times the work, five times the nodes", "client", "us", "us, of the larger",
  "factor", "processor time", "KB a connection" }

local function line(result)
  local number, thousands = markdown.number, markdown.thousands
  return markdown.row { result.workload, result.client, thousands(result.small_us),
    thousands(result.large_us), ("%s (%s-%s)"):format(number(result.factor),
    number(result.factor_min), number(result.factor_max)), number(result.cpu_factor),
    result.idle_kb and number(result.idle_kb) or "-" }
end

--- The table, "" where nothing was measured.
-- @tparam table all results
-- @tparam table run
-- @treturn string
function scales.text(all, run)
  local lines, notes = { markdown.header(HEAD) }, {}
  for _, entry in ipairs(scales.list) do
    for _, who in ipairs(run.clients) do
      local result = results.find(all, entry.name, scales.regime(entry), who.name)
      if result then lines[#lines + 1] = line(result) end
    end
    notes[#notes + 1] = ("* `%s`: %s"):format(entry.name, entry.what)
  end
  if #lines == 1 then return "" end
  return table.concat(lines, "\n") .. "\n\n" .. table.concat(notes, "\n") .. "\n"
end

return scales
