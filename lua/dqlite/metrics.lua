--- The counters of a pool, and their text for Prometheus.
-- @module dqlite.metrics

local metrics = {}

local Meter = {}
Meter.__index = Meter

-- Upper bounds of the histogram's buckets, in seconds.
local BOUNDS = { 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
  math.huge }

-- In the order of the text.
local COUNTERS = {
  { "acquires", "Connections that were taken out of the pool." },
  { "waits", "Times that somebody waited for one and got it." },
  { "timeouts", "Times that somebody waited for one in vain." },
  { "connects", "Connections that were made." },
  { "connect_failures", "Connections that could not be made." },
  { "closes", "Connections that were closed or lost." },
  { "leaks", "Connections that were collected in use." },
  { "leader_changes", "Times that another node led, or none that was known." },
  { "retries", "Calls and transactions that were run again." },
  { "queries", "Calls that were sent to the server." },
  { "query_errors", "Of them, those that failed." },
}

--- Makes counters, all of them 0.
function metrics.new()
  local meter = { seconds = 0, buckets = {} }
  for _, counter in ipairs(COUNTERS) do meter[counter[1]] = 0 end
  for i = 1, #BOUNDS do meter.buckets[i] = 0 end
  return setmetatable(meter, Meter)
end

--- A call has ended.
-- @tparam number seconds that it took
-- @tparam[opt] table err
function Meter:observe(seconds, err)
  self.queries = self.queries + 1
  if err then self.query_errors = self.query_errors + 1 end
  self.seconds = self.seconds + seconds
  local i = 1 -- where most calls belong
  while seconds > BOUNDS[i] do i = i + 1 end
  self.buckets[i] = self.buckets[i] + 1
end

--- A copy of the counters, and of the histogram.
-- @treturn table the counters, and `latency`: `count`, `sum` (seconds) and a list of
-- buckets with `le` (upper bound in seconds) and `count` (of all calls up to it)
function Meter:snapshot()
  local copy = { latency = { count = self.queries, sum = self.seconds } }
  for _, counter in ipairs(COUNTERS) do copy[counter[1]] = self[counter[1]] end
  local up_to_here = 0
  for i = 1, #BOUNDS do
    up_to_here = up_to_here + self.buckets[i]
    copy.latency[i] = { le = BOUNDS[i], count = up_to_here }
  end
  return copy
end

-- ---- the text ----

local function escape(value)
  return (tostring(value):gsub("[\\\"\n]", { ["\\"] = "\\\\", ['"'] = '\\"', ["\n"] = "\\n" }))
end

-- `{a="1",b="2"}` of the labels, sorted, and one more.
local function label_text(labels, name, value)
  local parts = {}
  for key, each in pairs(labels) do parts[#parts + 1] = ('%s="%s"'):format(key, escape(each)) end
  table.sort(parts)
  if name then parts[#parts + 1] = ('%s="%s"'):format(name, value) end
  return parts[1] and "{" .. table.concat(parts, ",") .. "}" or ""
end

local function head(lines, name, kind, help)
  lines[#lines + 1] = ("# HELP %s %s"):format(name, help)
  lines[#lines + 1] = ("# TYPE %s %s"):format(name, kind)
end

-- nginx does not tell how many connections it keeps.
local function add_connections(lines, stats, labels)
  if stats.idle then
    head(lines, "dqlite_pool_connections", "gauge", "Slots of the pool by what they are in.")
    for _, state in ipairs { "idle", "in_use", "connecting" } do
      lines[#lines + 1] = ("dqlite_pool_connections%s %d"):format(
        label_text(labels, "state", state), stats[state])
    end
  end
  head(lines, "dqlite_pool_max_connections", "gauge", "Slots that there may be.")
  lines[#lines + 1] = ("dqlite_pool_max_connections%s %d"):format(
    label_text(labels), stats.max_size)
  if not stats.waiting then return end
  head(lines, "dqlite_pool_waiting", "gauge", "Coroutines that wait for a connection.")
  lines[#lines + 1] = ("dqlite_pool_waiting%s %d"):format(label_text(labels), stats.waiting)
end

local function add_latency(lines, latency, labels)
  local name = "dqlite_pool_query_seconds"
  head(lines, name, "histogram", "Time of a call, from its begin to its last answer.")
  for _, bucket in ipairs(latency) do
    local le = bucket.le == math.huge and "+Inf" or ("%.14g"):format(bucket.le)
    lines[#lines + 1] = ("%s_bucket%s %d"):format(name, label_text(labels, "le", le),
      bucket.count)
  end
  lines[#lines + 1] = ("%s_sum%s %.9f"):format(name, label_text(labels), latency.sum)
  lines[#lines + 1] = ("%s_count%s %d"):format(name, label_text(labels), latency.count)
end

--- What a pool's stats() says, in Prometheus' text format.
-- @tparam table stats
-- @tparam[opt] table labels names and values that each line gets
-- @treturn string
function metrics.text(stats, labels)
  local lines = {}
  labels = labels or {}
  add_connections(lines, stats, labels)
  for _, counter in ipairs(COUNTERS) do
    local name = ("dqlite_pool_%s_total"):format(counter[1])
    head(lines, name, "counter", counter[2])
    lines[#lines + 1] = ("%s%s %d"):format(name, label_text(labels), stats[counter[1]])
  end
  add_latency(lines, stats.latency, labels)
  lines[#lines + 1] = ""
  return table.concat(lines, "\n")
end

return metrics
