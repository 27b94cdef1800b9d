-- Conditions over a loop that only parks and wakes.
local conds = require "dqlite.loop.conds"

local close = rawget(coroutine, "close") -- Lua 5.4

describe("a condition", function()
  local woken, lost, answer, cond, log

  before_each(function()
    woken, lost, answer, log = {}, {}, nil, {}
    cond = conds.of {
      park = function()
        coroutine.yield()
        if answer then return nil, answer, "for a reason" end
      end,
      wake = function(wait) woken[#woken + 1] = wait end,
      is_lost = function(wait) return lost[wait] end,
    } (function() log[#log + 1] = "closed" end)
  end)

  local function begin(name)
    local thread = coroutine.create(function()
      local done, kind, reason = cond:wait(1)
      log[#log + 1] = table.concat({ name, tostring(done), kind, reason }, " ")
    end)
    assert(coroutine.resume(thread))
    return thread
  end

  local function go_on(thread) assert(coroutine.resume(thread)) end

  it("wakes who has waited longest", function()
    local a, b = begin "a", begin "b"
    cond:signal()
    assert.equal(1, #woken)
    assert.equal(a, woken[1].thread)
    go_on(a)
    cond:signal()
    assert.equal(b, woken[2].thread)
    go_on(b)
    assert.same({ "a true", "b true" }, log)
    assert.is_false(cond:is_awaited())
  end)

  it("keeps one signal that nobody waits for", function()
    cond:signal()
    cond:signal()
    begin "a"
    begin "b"
    assert.same({ "a true" }, log)
  end)

  it("lets go of who comes back by himself", function()
    local a, b = begin "a", begin "b"
    go_on(a)
    assert.same({ "a false" }, log)
    cond:signal()
    assert.equal(b, woken[1].thread)
  end)

  it("lets nobody lose a signal that was on its way", function()
    local a = begin "a"
    cond:signal()
    go_on(a)
    assert.same({ "a true" }, log)
  end)

  it("passes on a signal for who cannot wait any more", function()
    local a, b = begin "a", begin "b"
    cond:signal()
    answer = "misuse"
    go_on(a)
    answer = nil
    assert.same({ "a nil misuse for a reason" }, log)
    assert.equal(b, woken[2].thread)
  end)

  it("passes over who is dead or lost, before and after", function()
    begin "a"
    local b, c, d = begin "b", begin "c", begin "d"
    lost[cond.queue[cond.first]] = true
    cond:signal()
    assert.equal(b, woken[1].thread)
    lost[woken[1]] = true
    conds.pass_on(woken[1])
    assert.equal(c, woken[2].thread)
    conds.pass_on(woken[2])
    assert.equal(2, #woken)
    cond:signal()
    assert.equal(d, woken[3].thread)
    assert.is_false(cond:is_awaited())
  end)

  if not close then return end

  it("tells when a coroutine is closed that waits, and forgets it", function()
    local a, b = begin "a", begin "b"
    close(a)
    assert.same({ "closed" }, log)
    cond:signal()
    assert.equal(b, woken[1].thread)
    go_on(b)
    assert.same({ "closed", "b true" }, log)
  end)
end)
