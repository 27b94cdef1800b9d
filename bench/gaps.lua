-- How long nobody could write when a leader was killed: what is made of it.
local markdown = require "bench.markdown"
local results = require "bench.results"
local statistics = require "bench.statistics"

local gaps = {}

local REGIME = "three_nodes"
local SOON = 0.1 -- seconds after a kill in which nobody is elected yet

-- The last one until then. A leader may lose its followers at once, so that there is
-- another election.
local function election_before(elections, done)
  local last = elections[1]
  for _, known in ipairs(elections) do
    if known <= done then last = known end
  end
  return last
end

--- How a client fared.
-- @tparam string output what it has printed, as bench/clients/failover.lua says
-- @tparam number killed when the leader was
-- @tparam table elections when another one was known; if that one was lost, when the
-- next one was, and so on
-- @treturn table|nil `after`: seconds from then to its first write, `gap`: seconds
-- without a write; nil while there was none
function gaps.fare(output, killed, elections)
  for last, done in output:gmatch "wrote (%S+) (%S+)\n" do
    last, done = tonumber(last), tonumber(done)
    if last < killed + SOON and done > killed + SOON then
      return { after = done - election_before(elections, done), gap = done - last }
    end
  end
end

local function milliseconds(rounds, field)
  local list = statistics.column(rounds, field)
  for i, seconds in ipairs(list) do list[i] = seconds * 1000 end
  return statistics.median(list), statistics.spread(list)
end

--- Several rounds of a client as one result.
-- @tparam table who `name`
-- @tparam table rounds as `fare` answers
function gaps.summary(who, rounds)
  local result = { workload = "h", regime = REGIME, client = who.name }
  result.after_ms, result.after_min, result.after_max = milliseconds(rounds, "after")
  result.gap_ms, result.gap_min, result.gap_max = milliseconds(rounds, "gap")
  return result
end

local function spread(middle, least, most)
  local number = markdown.number
  return ("%s (%s-%s)"):format(number(middle), number(least), number(most))
end

--- The table, "" where nothing was measured.
-- @tparam table all results
-- @tparam table run
-- @treturn string
function gaps.text(all, run)
  local head, after, gap = { "kill -9 of the leader (`h`)" },
    { "ms to the first write once a new one is known" }, { "ms without a write" }
  for _, who in ipairs(run.clients) do
    local result = results.find(all, "h", REGIME, who.name)
    if result then
      head[#head + 1] = who.name
      after[#after + 1] = spread(result.after_ms, result.after_min, result.after_max)
      gap[#gap + 1] = spread(result.gap_ms, result.gap_min, result.gap_max)
    end
  end
  if #head == 1 then return "" end
  return ("%s\n%s\n%s\n"):format(markdown.header(head), markdown.row(after), markdown.row(gap))
end

return gaps
