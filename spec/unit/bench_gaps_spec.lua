-- What the bench makes of a leader that was killed.
local gaps = require "bench.gaps"

-- The first write, a pause of the machine, two kills: after 20 s and after 30 s.
local OUTPUT = "wrote 0.000000 10.000000\nwrote 12.000000 12.200000\n"
  .. "wrote 20.010000 21.500000\nwrote 29.999000 31.000000\n"

describe("the bench's gaps", function()
  it("are those around each kill", function()
    local fare = gaps.fare(OUTPUT, 20, { 21.25 })
    assert.near(0.25, fare.after, 1e-9)
    assert.near(1.49, fare.gap, 1e-9)
    assert.near(1.001, gaps.fare(OUTPUT, 30, { 30.9 }).gap, 1e-9)
  end)

  it("are not there before the next write, nor in half a line", function()
    assert.is_nil(gaps.fare(OUTPUT, 40, { 41 }))
    assert.is_nil(gaps.fare("wrote 19.990000 21.5", 20, { 21 }))
  end)

  it("may end before this process has heard of the leader", function()
    assert.near(-0.001, gaps.fare(OUTPUT, 20, { 21.501 }).after, 1e-9)
  end)

  it("count from the last election before the write", function()
    assert.near(0.1, gaps.fare(OUTPUT, 20, { 20.9, 21.4, 22 }).after, 1e-9)
  end)

  it("are medians with their spread, and a table", function()
    local rounds = { { after = 0.004, gap = 1 }, { after = 0.002, gap = 3 },
      { after = 0.009, gap = 2 } }
    local result = gaps.summary({ name = "go" }, rounds)
    assert.near(4, result.after_ms, 1e-9)
    assert.near(2, result.after_min, 1e-9)
    assert.near(9, result.after_max, 1e-9)
    assert.near(2000, result.gap_ms, 1e-9)
    local text = gaps.text({ result }, { clients = { { name = "go" } } })
    assert.matches("| 4.00 (2.00-9.00) |", text, 1, true)
    assert.matches("| 2000 (1000-3000) |", text, 1, true)
    assert.equal("", gaps.text({}, { clients = { { name = "go" } } }))
  end)
end)
