-- What the bench makes of two sizes of the same work.
local scales = require "bench.scales"

describe("the bench's factors", function()
  local ENTRY = { name = "rows_x10", workload = "fetchall", times = 10, size = "rows" }

  it("are between the costs of the whole work, not of an operation", function()
    local small = { each = 2e-6, cpu = 1e-6, memory = 1 }
    local large = { each = 3e-6, cpu = 1e-6, memory = 10 }
    local compared = scales.compare(small, 100, large, 1000)
    assert.near(200, compared.small_us, 1e-9)
    assert.near(3000, compared.large_us, 1e-9)
    assert.near(15, compared.factor, 1e-9)
    assert.near(10, compared.cpu_factor, 1e-9)
    assert.near(10.24, compared.idle_kb, 1e-9)
  end)

  it("are medians with their spread", function()
    local list = {}
    for i, factor in ipairs { 12, 9, 10 } do
      list[i] = { small_us = i, large_us = 10 * i, factor = factor, cpu_factor = i, idle_kb = i }
    end
    local result = scales.summary(ENTRY, { name = "luajit-luv", lua = "luajit" }, list)
    assert.same({ workload = "rows_x10", regime = "one_core", client = "luajit-luv", small_us = 2,
      large_us = 20, factor = 10, factor_min = 9, factor_max = 12, cpu_factor = 2 }, result)
  end)

  it("are for the clients that can do it, of C's where that is a limit", function()
    local c, go = { name = "c" }, { name = "go" }
    local luv = { name = "x", lua = "luajit", loop = "luv" }
    local blocking = { name = "y", lua = "luajit", loop = "blocking" }
    local many = { loop = "luv", limit = true }
    assert.is_true(scales.is_for(many, c) and scales.is_for(many, luv))
    assert.is_false(scales.is_for(many, blocking) or scales.is_for(many, go))
    assert.is_true(scales.is_for(ENTRY, blocking))
    assert.is_false(scales.is_for(ENTRY, c))
  end)

  it("are a table, and none without measurements", function()
    local run = { clients = { { name = "luajit-luv" } } }
    local all = { { workload = "opening_x10", regime = "one_core", client = "luajit-luv",
      small_us = 51234, large_us = 499999, factor = 9.76, factor_min = 9, factor_max = 10.5,
      cpu_factor = 8, idle_kb = 12.34 } }
    assert.matches("| opening_x10 | luajit-luv | 51,234 | 499,999 | 9.76 (9.00-10.50) | 8.00"
      .. " | 12.34 |", scales.text(all, run), 1, true)
    assert.equal("", scales.text({}, run))
  end)
end)
