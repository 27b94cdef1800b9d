-- Results as people and programs read them: Markdown for the terminal and the
-- README, JSON.
local cjson = require "cjson"
local gaps = require "bench.gaps"
local goals = require "bench.goals"
local machine = require "bench.machine"
local markdown = require "bench.markdown"
local results = require "bench.results"
local scales = require "bench.scales"

local report = {}

local BEGIN, END = "<!-- make bench begins -->\n", "<!-- make bench ends -->\n"

local FIELDS = { "workload", "regime", "client", "ratio", "ratio_min", "ratio_max", "ops_s",
  "cpu_ratio", "p50_us", "p99_us", "rss_mb", "small_us", "large_us", "factor", "factor_min",
  "factor_max", "cpu_factor", "idle_kb", "after_ms", "after_min", "after_max", "gap_ms", "gap_min",
  "gap_max" }

local REGIMES = { one_core = "one core", two_cores = "two cores", three_nodes = "three nodes" }

-- ---- Markdown ----

local row, header = markdown.row, markdown.header
local number, thousands = markdown.number, markdown.thousands

local function ratio(result)
  if not result then return "-" end
  if result.ratio < 0.01 then return ("%.3f"):format(result.ratio) end
  return ("%s (%s-%s)"):format(number(result.ratio), number(result.ratio_min),
    number(result.ratio_max))
end

-- A table of results: a row for each workload that `has`, a column for each
-- client, cells from `cell`.
local function grid(all, run, regime, title, first, cell, has)
  local cells = { title, first }
  for _, who in ipairs(run.clients) do
    if who.name ~= "c" then cells[#cells + 1] = who.name end
  end
  local lines = { header(cells) }
  for _, workload in ipairs(run.workloads) do
    local limit = results.find(all, workload.name, regime, "c")
    if limit and (not has or workload[has]) then
      cells = { workload.name, cell(limit, true) }
      for _, who in ipairs(run.clients) do
        if who.name ~= "c" then
          cells[#cells + 1] = cell(results.find(all, workload.name, regime, who.name), false)
        end
      end
      lines[#lines + 1] = row(cells)
    end
  end
  return #lines > 1 and table.concat(lines, "\n") .. "\n" or nil
end

local function cell_of_ratio(result, is_limit)
  return is_limit and thousands(result.ops_s) or ratio(result)
end

local function cell_of_latency(result)
  if not result or not result.p50_us then return "-" end
  return ("%.0f, %.0f"):format(result.p50_us, result.p99_us)
end

local function cell_of_cpu(result, is_limit)
  if is_limit then return "1" end
  return result and number(result.cpu_ratio) or "-"
end

local function cell_of_memory(result)
  return result and ("%.1f"):format(result.rss_mb) or "-"
end

local function ratios_of(all, run, regime)
  return grid(all, run, regime, "time to C's, " .. REGIMES[regime], "C, operations/s",
    cell_of_ratio)
end

local function details_of(all, run, regime)
  local name, parts = REGIMES[regime], {}
  for _, each in ipairs {
    { "p50, p99 in us, ", cell_of_latency, "timed" },
    { "client's processor time to C's, ", cell_of_cpu, "timed" },
    { "peak memory in MB, ", cell_of_memory, "memory" },
  } do
    parts[#parts + 1] = grid(all, run, regime, each[1] .. name, "C", each[2], each[3])
  end
  return table.concat(parts, "\n")
end

local NAMES = {
  ratio = "time to C's",
  cpu_ratio = "processor time to C's",
  go_ratio = "times what Go does of (b)",
  rss_mb = "MB",
  p99_us = "us, p99",
  factor = "times the cost",
  idle_kb = "KB an idle connection",
  after_ms = "ms once the new leader is known",
}

local UNKNOWN = "**why is not known**"

-- The number of a note; the same text is one note.
local function note_of(notes, text)
  for i, note in ipairs(notes) do
    if note == text then return i end
  end
  notes[#notes + 1] = text
  return #notes
end

local function goal_row(goal, judged, notes)
  local cells = {}
  local all_met = true
  for i, each in ipairs(judged) do
    cells[i] = ("%s %s"):format(each.client, number(each.value))
    if not each.met then
      all_met, cells[i] = false, "**" .. cells[i] .. "**"
    end
  end
  local wanted = ("%s %s %s"):format(goal.most and "at most" or "at least",
    tostring(goal.most or goal.least), NAMES[goal.field or "ratio"])
  return row { goal.workload, REGIMES[goal.regime], wanted, table.concat(cells, ", "),
    all_met and "met" or "missed: " .. (goal.reason and note_of(notes, goal.reason) or UNKNOWN) }
end

local function table_of_goals(all, run)
  local clients = {}
  for i, who in ipairs(run.clients) do clients[i] = who.name end
  local lines, notes = { header { "workload", "on", "goal", "what was reached", "" } }, {}
  for _, goal in ipairs(goals) do
    local judged = results.judge(all, goal, clients)
    if #judged > 0 then lines[#lines + 1] = goal_row(goal, judged, notes) end
  end
  if #lines == 1 then return "" end
  lines[#lines + 1] = #notes > 0 and "\nWhy the goals in bold were missed:\n" or nil
  for i, note in ipairs(notes) do lines[#lines + 1] = ("%d. %s"):format(i, note) end
  return table.concat(lines, "\n") .. "\n"
end

local function list_of_workloads(run)
  local lines = {}
  for i, workload in ipairs(run.workloads) do
    lines[i] = ("* `%s`: %s"):format(workload.name, workload.what)
  end
  return table.concat(lines, "\n") .. "\n"
end

-- Nothing where no workload was measured.
local function all_ratios_of(all, run)
  local parts = {}
  for _, regime in ipairs(run.regimes) do parts[#parts + 1] = ratios_of(all, run, regime) end
  if #parts > 0 then parts[#parts + 1] = list_of_workloads(run) end
  return table.concat(parts, "\n")
end

local function not_empty(texts)
  local list = {}
  for _, text in ipairs(texts) do
    if text ~= "" then list[#list + 1] = text end
  end
  return list
end

--- Goals, ratios and all that is beside them, as Markdown.
-- @tparam table all results
-- @tparam table run what was run: workloads, clients, regimes, sizes
-- @tparam string about says when and on what
function report.text(all, run, about)
  return table.concat(not_empty { about .. "\n", table_of_goals(all, run), all_ratios_of(all, run),
    scales.text(all, run), gaps.text(all, run) }, "\n")
end

--- What else was measured: latencies, processor time, memory.
function report.details(all, run)
  local parts = {}
  for _, regime in ipairs(run.regimes) do parts[#parts + 1] = details_of(all, run, regime) end
  return table.concat(parts, "\n")
end

-- ---- files ----

--- Writes the results as one JSON array; what does not apply is null.
function report.write_json(path, all)
  local list = {}
  for i, result in ipairs(all) do
    list[i] = {}
    for _, field in ipairs(FIELDS) do
      list[i][field] = result[field] == nil and cjson.null or result[field]
    end
  end
  machine.write(path, cjson.encode(list) .. "\n")
end

--- Puts a text between the marks of a file.
function report.write_between(path, text)
  local file = assert(io.open(path))
  local whole = file:read "*a"
  file:close()
  local _, from = whole:find(BEGIN, 1, true)
  local to = whole:find(END, 1, true)
  assert(from and to and from < to, path .. " has no marks for the results")
  machine.write(path, whole:sub(1, from) .. text .. whole:sub(to))
end

return report
