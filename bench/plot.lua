-- The ratios of a run as a picture: SVG without a script or a font of its own. A panel
-- for each regime, a line for each client of a workload: its median, whiskers for the
-- spread over the rounds, an upright stroke where a goal is. What lies beyond the axis
-- is an arrow at its end, with the number.
local results = require "bench.results"

local plot = {}

local LEFT, PANEL, GAP, RIGHT = 250, 290, 36, 14 -- widths
local TOP, LANE, SPACE, BOTTOM = 66, 10, 11, 58 -- heights
local LEGEND = 640 -- its width
local FROM, TO = 0.25, 4 -- of the logarithmic axis
local TICKS = { 0.25, 0.5, 1, 2, 4 }

-- Clients that are drawn, in the order of the lines; hollow is luv.
local CLIENTS = {
  { name = "go", class = "go", label = "Go" },
  { name = "lua5.4-blocking", class = "lua", label = "Lua 5.4, blocking" },
  { name = "lua5.4-luv", class = "lua hollow", label = "Lua 5.4, luv" },
  { name = "luajit-blocking", class = "jit", label = "LuaJIT, blocking" },
  { name = "luajit-luv", class = "jit hollow", label = "LuaJIT, luv" },
}

local REGIMES = {
  one_core = "client and server on one core",
  two_cores = "on two cores",
}

local STYLE = [[
text{font:11px system-ui,sans-serif;fill:#1f2328}
.card{fill:#fff}.faint{fill:#59636e}.name{font-weight:600}.end{text-anchor:end}
.mid{text-anchor:middle}
.grid{stroke:#d1d9e0}.one{stroke:#59636e}
.goal{stroke:#1a7f37;stroke-width:2}
.go{stroke:#6e7781;fill:#6e7781}
.lua{stroke:#0969da;fill:#0969da}
.jit{stroke:#bc4c00;fill:#bc4c00}
circle{stroke-width:1.6}.hollow circle{fill:#fff}
@media(prefers-color-scheme:dark){
text{fill:#e6edf3}.card,.hollow circle{fill:#0d1117}.faint{fill:#9198a1}
.grid{stroke:#30363d}.one{stroke:#9198a1}.goal{stroke:#3fb950}
.go{stroke:#9198a1;fill:#9198a1}
.lua{stroke:#58a6ff;fill:#58a6ff}
.jit{stroke:#f0883e;fill:#f0883e}}]]

local ENTITIES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }

--- A text as XML has it.
function plot.escape(text)
  return (text:gsub('[&<>"]', ENTITIES))
end

-- A length with a digit behind the point, where it has one.
local function short(length)
  return (("%.1f"):format(length):gsub("%.0$", ""))
end

--- Where a ratio is on an axis, from 0 to 1; beyond it below 0 or above 1.
function plot.place(ratio)
  return math.log(ratio / FROM) / math.log(TO / FROM)
end

-- ---- elements ----

local Picture = {}
Picture.__index = Picture

function Picture:add(format, ...)
  self[#self + 1] = format:format(...)
end

function Picture:text(x, y, class, text)
  self:add('<text x="%s" y="%s" class="%s">%s</text>', short(x), short(y), class, plot.escape(text))
end

-- Lines from (x, y) to (x, y), all of one class.
function Picture:lines(class, list)
  local words = {}
  for i, line in ipairs(list) do
    words[i] = ("M%s %sL%s %s"):format(short(line[1]), short(line[2]), short(line[3]),
      short(line[4]))
  end
  self:add('<path class="%s" d="%s"/>', class, table.concat(words))
end

local function left_of(panel)
  return LEFT + (panel - 1) * (PANEL + GAP)
end

local function x_of(panel, ratio)
  return left_of(panel) + PANEL * math.max(0, math.min(1, plot.place(ratio)))
end

-- ---- what is drawn where ----

local function lanes_of(all, run, workload)
  local lanes = {}
  for _, who in ipairs(CLIENTS) do
    for _, regime in ipairs(run.regimes) do
      if results.find(all, workload.name, regime, who.name) then
        lanes[#lanes + 1] = who
        break
      end
    end
  end
  return lanes
end

-- Groups of lines from the top to the bottom, and where the last one ends.
local function groups_of(all, run)
  local groups, y = {}, TOP
  for _, workload in ipairs(run.workloads) do
    local lanes = lanes_of(all, run, workload)
    if #lanes > 0 then
      groups[#groups + 1] = { workload = workload, lanes = lanes, y = y + SPACE / 2 }
      y = y + SPACE + math.max(2.6, #lanes) * LANE
    end
  end
  return groups, y
end

-- ---- drawing ----

local function draw_mark(self, panel, who, y, result)
  self:add('<g class="%s">', who.class)
  local from, to = x_of(panel, result.ratio_min), x_of(panel, result.ratio_max)
  if to - from >= 0.1 then
    self:add('<path d="M%s %sH%s"/>', short(from), short(y), short(to))
  end
  local x, place = x_of(panel, result.ratio), plot.place(result.ratio)
  if place >= 0 and place <= 1 then
    self:add('<circle cx="%s" cy="%s" r="3"/></g>', short(x), short(y))
    return
  end
  local way = place < 0 and 1 or -1
  self:add('<path d="M%s %sl%d -3v6z"/></g>', short(x), short(y), 6 * way)
  self:text(x + 9 * way, y + 4, way < 0 and "faint end" or "faint",
    ("%.3g"):format(result.ratio))
end

local function draw_goals(self, panel, regime, group, goals)
  local lines = {}
  for _, goal in ipairs(goals) do
    if goal.workload == group.workload.name and goal.regime == regime and goal.most
      and not goal.field then
      for i, who in ipairs(group.lanes) do
        if results.is_about(goal, who.name) then
          local x, y = x_of(panel, goal.most), group.y + (i - 1) * LANE
          lines[#lines + 1] = { x, y, x, y + LANE }
        end
      end
    end
  end
  if #lines > 0 then self:lines("goal", lines) end
end

local function draw_group(self, all, run, group, goals)
  self:text(8, group.y + 9, "name", group.workload.name)
  self:text(8, group.y + 22, "faint", group.workload.what)
  for panel, regime in ipairs(run.regimes) do
    draw_goals(self, panel, regime, group, goals)
    for i, who in ipairs(group.lanes) do
      local result = results.find(all, group.workload.name, regime, who.name)
      if result then draw_mark(self, panel, who, group.y + (i - 0.5) * LANE, result) end
    end
  end
end

local function draw_axis(self, panel, title, bottom)
  local faint = {}
  for _, tick in ipairs(TICKS) do
    local x = x_of(panel, tick)
    if tick == 1 then
      self:lines("one", { { x, TOP, x, bottom } })
    else
      faint[#faint + 1] = { x, TOP, x, bottom }
    end
    self:text(x, bottom + 14, "mid", ("%g"):format(tick))
  end
  self:lines("grid", faint)
  self:text(left_of(panel) + PANEL / 2, TOP - 10, "mid name", title)
end

local function draw_legend(self)
  local x = 12
  for _, who in ipairs(CLIENTS) do
    self:add('<g class="%s"><path d="M%s 20h16"/><circle cx="%s" cy="20" r="3"/></g>', who.class,
      short(x), short(x + 8))
    self:text(x + 21, 24, "", who.label)
    x = x + 46 + 6 * #who.label
  end
  self:lines("goal", { { x + 4, 14, x + 4, 26 } })
  self:text(x + 12, 24, "", "goal")
end

local TITLE = "time of an operation, C's with a blocking socket is 1; logarithmic, left is faster"
local MARKS = "a dot is the median, its line the spread of the rounds"

--- Draws them.
-- @tparam table all results
-- @tparam table run workloads and regimes, in their order
-- @tparam table goals of bench.goals
-- @treturn string SVG
function plot.svg(all, run, goals)
  local self = setmetatable({}, Picture)
  local groups, bottom = groups_of(all, run)
  local width = math.max(LEGEND, left_of(#run.regimes) + PANEL + RIGHT)
  local height = math.ceil(bottom) + BOTTOM
  self:add('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d"'
    .. ' role="img"><title>%s</title>', width, height, width, height, plot.escape(TITLE))
  self:add("<style>%s</style>", STYLE)
  self:add('<rect class="card" width="%d" height="%d" rx="6"/>', width, height)
  draw_legend(self)
  for panel, regime in ipairs(run.regimes) do draw_axis(self, panel, REGIMES[regime], bottom) end
  for _, group in ipairs(groups) do draw_group(self, all, run, group, goals) end
  self:text(8, bottom + 34, "faint", TITLE)
  self:text(8, bottom + 48, "faint", MARKS)
  self:add "</svg>\n"
  return table.concat(self, "\n")
end

return plot
