-- What the bench makes of its measurements.
local cjson = require "cjson"
local client = require "bench.client"
local plan = require "bench.plan"
local report = require "bench.report"
local results = require "bench.results"
local statistics = require "bench.statistics"

describe("bench", function()
  it("takes the middle of odd and even counts, whatever their order", function()
    assert.equal(2, statistics.median { 3, 1, 2 })
    assert.equal(2.5, statistics.median { 4, 1, 2, 3 })
    assert.equal(7, statistics.median { 7 })
  end)

  it("leaves the list as it was", function()
    local list = { 3, 1, 2 }
    statistics.median(list)
    assert.same({ 3, 1, 2 }, list)
  end)

  it("has no median of what nothing has", function()
    assert.is_nil(statistics.median_of({ { a = 1 } }, "b"))
    assert.equal(1, statistics.median_of({ { a = 1 }, {} }, "a"))
  end)

  it("sums samples up as medians and the spread of the ratios", function()
    local workload, who = { name = "b" }, { name = "go" }
    local list = {
      { each = 2e-6, ratio = 2, cpu_ratio = 3, memory = 5, p50 = 1, p99 = 9 },
      { each = 4e-6, ratio = 1.5, cpu_ratio = 2, memory = 6, p50 = 2, p99 = 8 },
      { each = 8e-6, ratio = 4, cpu_ratio = 4, memory = 4, p50 = 3, p99 = 7 },
    }
    assert.same({
      workload = "b", regime = "one_core", client = "go", ratio = 2, ratio_min = 1.5,
      ratio_max = 4, ops_s = 1 / 4e-6, cpu_ratio = 3, rss_mb = 5, p50_us = 2, p99_us = 8,
    }, results.summary("one_core", workload, who, list))
  end)

  describe("judges a goal", function()
    local all = {
      { workload = "b", regime = "two_cores", client = "go", ratio = 2, ops_s = 10 },
      { workload = "b", regime = "two_cores", client = "lua5.4-luv", ratio = 1.2, ops_s = 20 },
      { workload = "b", regime = "two_cores", client = "luajit-blocking", ratio = 1.3, ops_s = 15 },
      { workload = "b_pipe64", regime = "two_cores", client = "lua5.4-luv", ratio = 1, ops_s = 75 },
    }
    local clients = { "c", "go", "lua5.4-luv", "luajit-blocking" }

    it("for our clients alone, at its limit too", function()
      assert.same({
        { client = "lua5.4-luv", value = 1.2, met = true },
        { client = "luajit-blocking", value = 1.3, met = false },
      }, results.judge(all, { workload = "b", regime = "two_cores", most = 1.2 }, clients))
    end)

    it("for those that it is about", function()
      local goal = { workload = "b", regime = "two_cores", who = "blocking", most = 1.3 }
      assert.same({ { client = "luajit-blocking", value = 1.3, met = true } },
        results.judge(all, goal, clients))
    end)

    it("against what Go does of (b)", function()
      local goal = { workload = "b_pipe64", regime = "two_cores", field = "go_ratio", least = 8 }
      assert.same({ { client = "lua5.4-luv", value = 7.5, met = false } },
        results.judge(all, goal, clients))
    end)

    it("that was not measured with nothing", function()
      local goal = { workload = "b", regime = "one_core", most = 9 }
      assert.same({}, results.judge(all, goal, clients))
    end)
  end)

  it("has a goal for every workload with one, and every goal is about a workload", function()
    local known = {}
    for _, workload in ipairs(plan.workloads) do known[workload.name] = true end
    for _, entry in ipairs(require "bench.scales".list) do known[entry.name] = true end
    known.h = true
    for _, goal in ipairs(require "bench.goals") do
      assert.is_true(known[goal.workload])
      assert.is_true(goal.most ~= nil or goal.least ~= nil)
    end
  end)

  describe("reports", function()
    local path

    local function read()
      local file = assert(io.open(path))
      local text = file:read "*a"
      file:close()
      return text
    end

    local function write(text)
      local file = assert(io.open(path, "w"))
      file:write(text)
      file:close()
    end

    before_each(function() path = os.tmpname() end)
    after_each(function() os.remove(path) end)

    it("as JSON, what does not apply being null", function()
      report.write_json(path, { { workload = "m", regime = "one_core", client = "c", ratio = 1,
        ratio_min = 1, ratio_max = 1, ops_s = 10, cpu_ratio = 1, rss_mb = 2 } })
      local list = cjson.decode(read())
      for field, value in pairs { workload = "m", regime = "one_core", client = "c", ratio = 1,
        ratio_min = 1, ratio_max = 1, ops_s = 10, cpu_ratio = 1, rss_mb = 2, p50_us = cjson.null,
        p99_us = cjson.null, factor = cjson.null, after_ms = cjson.null } do
        assert.equal(value, list[1][field])
      end
      assert.is_nil(list[2])
    end)

    it("between the marks of a file, and nowhere else", function()
      write "before\n<!-- make bench begins -->\nold\n<!-- make bench ends -->\nbehind\n"
      report.write_between(path, "new\n")
      assert.equal("before\n<!-- make bench begins -->\nnew\n<!-- make bench ends -->\nbehind\n",
        read())
      write "no marks\n"
      assert.has_error(function() report.write_between(path, "new\n") end)
      assert.equal("no marks\n", read())
    end)

    it("a goal that was missed with its reason, once for all that share it", function()
      local goals = require "bench.goals"
      local run = { clients = { { name = "c" }, { name = "lua5.4-luv" } }, regimes = { "one_core" },
        workloads = { { name = "b", what = "x" }, { name = "c_prep", what = "y" } } }
      local all = {}
      for _, name in ipairs { "b", "c_prep" } do
        all[#all + 1] = { workload = name, regime = "one_core", client = "c", ratio = 1,
          ratio_min = 1, ratio_max = 1, ops_s = 34567, cpu_ratio = 1 }
        all[#all + 1] = { workload = name, regime = "one_core", client = "lua5.4-luv", ratio = 9,
          ratio_min = 8, ratio_max = 10, ops_s = 1000, cpu_ratio = 1 }
      end
      local text = report.text(all, run, "when and where")
      assert.matches("| b | one core | at most 1.25 time to C's | **lua5.4-luv 9.00** |"
        .. " missed: 1 |", text, 1, true)
      assert.matches("| c_prep | one core | at most 1.25 time to C's | **lua5.4-luv 9.00** |"
        .. " missed: 1 |", text, 1, true)
      assert.matches("at most 1.5 processor time to C's | lua5.4-luv 1.00 | met |", text, 1, true)
      local reason
      for _, goal in ipairs(goals) do
        if goal.workload == "b" and goal.who == "luv" then reason = goal.reason end
      end
      assert.matches("\n1. " .. reason .. "\n", text, 1, true)
      assert.matches("| b | 34,567 | 9.00 (8.00-10.00) |", text, 1, true)
    end)
  end)

  it("shows a goal that was missed without a reason as such", function()
    local run = { clients = { { name = "lua5.4-luv" } }, regimes = {}, workloads = {} }
    local all = { { workload = "h", regime = "three_nodes", client = "lua5.4-luv", after_ms = 12,
      after_min = 1, after_max = 20, gap_ms = 900, gap_min = 800, gap_max = 1000 } }
    local goal
    for _, each in ipairs(require "bench.goals") do
      if each.workload == "h" then goal = each end
    end
    local reason = goal.reason
    goal.reason = nil
    local text = report.text(all, run, "when and where")
    goal.reason = reason
    assert.matches("| **lua5.4-luv 12.00** | missed: **why is not known** |", text, 1, true)
  end)

  it("says which client gave no result", function()
    local run = { build = "/nowhere", sizes = plan.quick }
    assert.has_error(function()
      client.run(run, { name = "c" }, plan.workloads[1], "127.0.0.1:1", "2>/dev/null")
    end, "no result of: exec 2>/dev/null /nowhere/bench/c a 127.0.0.1:1 0.04 0")
  end)
end)
