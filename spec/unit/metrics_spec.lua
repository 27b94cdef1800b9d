-- The counters of a pool as text for Prometheus.
local metrics = require "dqlite.metrics"

describe("the metrics of a pool", function()
  local function stats_of(meter)
    local stats = meter:snapshot()
    stats.idle, stats.in_use, stats.connecting, stats.waiting, stats.max_size = 3, 2, 1, 4, 10
    return stats
  end

  it("put each call into its bucket and all above", function()
    local meter = metrics.new()
    for _, seconds in ipairs { 0, 0.0005, 0.00051, 0.3, 10, 11 } do meter:observe(seconds) end
    local latency = meter:snapshot().latency
    assert.equal(6, latency.count)
    assert.near(21.30101, latency.sum, 1e-9)
    local counts = {}
    for _, bucket in ipairs(latency) do counts[bucket.le] = bucket.count end
    assert.same({ 2, 3, 3, 4, 5, 6 }, { counts[0.0005], counts[0.001], counts[0.25], counts[0.5],
      counts[10], counts[math.huge] })
  end)

  it("are one line each in Prometheus' format, below HELP and TYPE", function()
    local meter = metrics.new()
    meter:observe(0.002, {})
    local text = metrics.text(stats_of(meter), { database = 'a"b\\c\nd', zone = 1 })
    local labels = [[database="a\"b\\c\nd",zone="1"]]
    for _, line in ipairs {
      ([[dqlite_pool_connections{%s,state="idle"} 3]]):format(labels),
      ([[dqlite_pool_connections{%s,state="in_use"} 2]]):format(labels),
      ([[dqlite_pool_max_connections{%s} 10]]):format(labels),
      ([[dqlite_pool_waiting{%s} 4]]):format(labels),
      ([[dqlite_pool_queries_total{%s} 1]]):format(labels),
      ([[dqlite_pool_query_errors_total{%s} 1]]):format(labels),
      ([[dqlite_pool_query_seconds_count{%s} 1]]):format(labels),
      ([[dqlite_pool_query_seconds_sum{%s} 0.002000000]]):format(labels),
    } do
      assert.is_truthy(("\n" .. text):find("\n" .. line .. "\n", 1, true), line)
    end
    assert.matches([[zone="1",le="0.0025"} 1]], text, 1, true)
    assert.matches([[zone="1",le="+Inf"} 1]], text, 1, true)
  end)

  it("hold nothing but comments and samples, each name described once", function()
    local described = {}
    for line in metrics.text(stats_of(metrics.new())):gmatch "[^\n]+" do
      local help = line:match "^# HELP ([%w_]+) .*%.$"
      local name = line:match "^([%w_]+)[{ ]" or line:match "^# TYPE ([%w_]+) %a+$"
      if help then
        assert.is_nil(described[help])
        described[help] = true
      else
        name = name:gsub("_bucket$", ""):gsub("_sum$", ""):gsub("_count$", "")
        assert.is_true(described[name], line)
      end
      assert.is_truthy(line:match "^#" or line:match " [%d.]+$", line)
    end
  end)
end)
