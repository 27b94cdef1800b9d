-- dqlite.loop.deadlines against a list that is searched from end to end.
local new_deadlines = require "dqlite.loop.deadlines"

local function earliest(list)
  local first = math.huge
  for wait, deadline in pairs(list) do
    assert(wait.deadline == deadline)
    if deadline < first then first = deadline end
  end
  return first
end

local function count(list)
  local n = 0
  for _ in pairs(list) do n = n + 1 end
  return n
end

-- Everything that is due by now comes out, once, and nothing else.
local function expire(deadlines, model, now)
  local due = {}
  for wait, deadline in pairs(model) do
    if deadline <= now then due[wait] = true end
  end
  for wait in function() return deadlines:expired(now) end do
    assert.is_true(due[wait])
    assert.is_nil(wait.deadline)
    due[wait], model[wait] = nil, nil
  end
  assert.is_nil(next(due))
end

local function is_heap(deadlines)
  local keys, waits = deadlines.keys, deadlines.waits
  for i = 2, deadlines.n do
    if keys[(i - i % 2) / 2] > keys[i] then return false end
  end
  return #keys == deadlines.n and #waits == deadlines.n
end

describe("deadlines", function()
  it("of nobody are never", function()
    local deadlines = new_deadlines()
    assert.equal(math.huge, deadlines:first())
    assert.is_nil(deadlines:expired(math.huge))
  end)

  it("pass in order, those of one moment as well", function()
    local deadlines, order = new_deadlines(), {}
    for _, at in ipairs { 5, 1, 4, 1, 3, 2, 1 } do deadlines:watch({ at = at }, at) end
    for wait in function() return deadlines:expired(4) end do order[#order + 1] = wait.at end
    assert.same({ 1, 1, 1, 2, 3, 4 }, order)
    assert.equal(5, deadlines:first())
  end)

  it("pass at their time, not before", function()
    local deadlines, wait = new_deadlines(), {}
    deadlines:watch(wait, 1)
    assert.is_nil(deadlines:expired(0.999))
    assert.equal(wait, deadlines:expired(1))
    assert.is_nil(deadlines:expired(2))
    assert.equal(math.huge, deadlines:first())
  end)

  it("that have ended do not pass", function()
    local deadlines, wait = new_deadlines(), {}
    deadlines:watch(wait, 1)
    wait.deadline = nil
    assert.is_true(deadlines:first() <= 1)
    assert.is_nil(deadlines:expired(1))
    assert.equal(math.huge, deadlines:first())
  end)

  it("of waits that have ended can be forgotten", function()
    local deadlines, wait = new_deadlines(), {}
    for at = 1, 5 do deadlines:watch({}, at) end
    deadlines:watch(wait, 6)
    wait.deadline = nil
    deadlines:clear()
    assert.equal(math.huge, deadlines:first())
    deadlines:watch(wait, 7)
    assert.equal(7, deadlines:first())
    assert.equal(wait, deadlines:expired(7))
  end)

  it("follow late when they move back, at once when they move forward", function()
    local deadlines, wait = new_deadlines(), {}
    deadlines:watch(wait, 1)
    for at = 2, 1000 do deadlines:watch(wait, at) end
    assert.equal(1, deadlines.n)
    assert.is_nil(deadlines:expired(999))
    assert.equal(1000, deadlines:first())
    deadlines:watch(wait, 500)
    assert.equal(500, deadlines:first())
    assert.equal(wait, deadlines:expired(500))
    assert.is_nil(deadlines:expired(2000))
  end)

  it("of a wait that begins anew are the new one's", function()
    local deadlines, wait = new_deadlines(), {}
    for round = 1, 10 do
      deadlines:watch(wait, round * 10)
      wait.deadline = nil
      deadlines:watch(wait, round * 10 + 5)
      assert.is_nil(deadlines:expired(round * 10 + 4))
      assert.equal(wait, deadlines:expired(round * 10 + 5))
    end
    assert.equal(0, deadlines.n)
  end)

  it("behave as a plain list does, whatever is done to them", function()
    math.randomseed(4)
    for _ = 1, 30 do
      local deadlines, model, now, all = new_deadlines(), {}, 0, {}
      for _ = 1, 400 do
        local what = math.random(10)
        local wait = all[math.random(#all + 1)] or {}
        if what <= 6 then
          all[#all + 1] = wait
          local at = now + math.random(0, 60)
          deadlines:watch(wait, at)
          model[wait] = at
        elseif what <= 8 then
          wait.deadline, model[wait] = nil, nil
        else
          now = now + math.random(0, 20)
          expire(deadlines, model, now)
        end
        assert.is_true(deadlines:first() <= earliest(model))
        assert.is_true(is_heap(deadlines))
      end
      expire(deadlines, model, math.huge)
      assert.equal(0, deadlines.n)
      assert.equal(0, count(model))
    end
  end)

  it("of infinity are kept", function()
    local deadlines, wait = new_deadlines(), {}
    deadlines:watch(wait, math.huge)
    assert.is_nil(deadlines:expired(1e300))
    assert.equal(wait, deadlines:expired(math.huge))
  end)
end)

describe("the memory of deadlines", function()
  it("is that of the waits that go on, though millions end", function()
    local deadlines, most = new_deadlines(), 0
    local open = {}
    for i = 1, 100 do
      open[i] = {}
      deadlines:watch(open[i], 1e6 + i)
    end
    for i = 1, 20000 do
      local wait = {}
      deadlines:watch(wait, 1000 + i % 50)
      wait.deadline = nil
      most = math.max(most, deadlines.n)
    end
    assert.is_true(most <= 2 * 101 + 1, most)
    assert.is_true(deadlines:expired(1e6) == nil)
    assert.equal(1e6 + 1, deadlines:first())
    assert.equal(100, deadlines.n)
  end)

  it("lets go of what has ended", function()
    local deadlines, ended = new_deadlines(), setmetatable({}, { __mode = "k" })
    for i = 1, 1000 do
      local wait = {}
      ended[wait] = true
      deadlines:watch(wait, i)
      wait.deadline = nil
    end
    collectgarbage()
    collectgarbage()
    assert.is_true(count(ended) <= 64, count(ended))
  end)

  it("is that of the waits that go on, though their deadlines move to and fro", function()
    local deadlines, waits = new_deadlines(), {}
    for i = 1, 100 do waits[i] = {} end
    for i = 1, 20000 do
      deadlines:watch(waits[i % 100 + 1], 1e6 - i) -- ever earlier: an entry each
    end
    assert.is_true(deadlines.n <= 2 * 100 + 1, deadlines.n)
    local seen = 0
    for _ in function() return deadlines:expired(2e6) end do seen = seen + 1 end
    assert.equal(100, seen)
  end)
end)
