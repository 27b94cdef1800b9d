-- Random schedules of a pool, with failures at every step: see
-- spec/support/pool_schedule.lua for what happens in one, and spec/support/pool_watch.lua
-- for what must hold. Some of those that `make test-schedules` runs: SCHEDULES=n runs
-- more or fewer, SEED=n others.
local pool_schedule = require "spec.support.pool_schedule"
local stderr = require "spec.support.stderr"
local subprocess = require "spec.support.subprocess"

local COUNT = tonumber(os.getenv "SCHEDULES" or 300)
local FIRST = tonumber(os.getenv "SEED" or 1)

-- A process of its own: the collector has little to look at there.
local function run(first, count)
  return subprocess.run(('require "spec.support.run_schedules" (%d, %d)'):format(first, count))
end

describe("a pool in random schedules", function()
  it("keeps to its size, loses no slot, forgets nobody, and serves in order", function()
    local output = run(FIRST, COUNT)
    local ran, steps = output:match "(%d+) schedules, (%d+) steps\n%d+ passed, 0 failed\n$"
    if tonumber(ran) ~= COUNT then error(output, 0) end
    assert.is_true(tonumber(steps) > 10 * COUNT)
  end)
end)

describe("a schedule of a pool", function()
  -- A pool that is closed cuts its connections in no certain order.
  local function closes(trace)
    return table.concat(trace, "\n"):find("close the pool", 1, true)
  end

  it("has the same trace each time", function()
    local compared, texts = 0, {}
    stderr.of(function()
      for seed = 1, 60 do
        local _, trace = pool_schedule.run(seed, true)
        if not closes(trace) then
          local _, again = pool_schedule.run(seed, true)
          assert.same(trace, again)
          compared, texts[table.concat(trace)] = compared + 1, true
        end
      end
    end)
    local different = 0
    for _ in pairs(texts) do different = different + 1 end
    assert.is_true(compared > 30, compared)
    assert.equal(compared, different)
  end)
end)
