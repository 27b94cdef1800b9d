-- Waits, and the conditions that need them, over a scheduler that only parks and wakes.
local core = require "dqlite.core"
local new_cond = require "dqlite.loop.cond"
local scheduled = require "dqlite.loop.scheduled"

local close = rawget(coroutine, "close") -- Lua 5.4

local due, woken, lost, forgotten, answer, log

local SCHEDULER = {
  park = function()
    coroutine.yield()
    if answer then return nil, answer, "for a reason" end
    return true
  end,
  wake = function(wait) woken[#woken + 1] = wait end,
  later = function(fn, wait) due[#due + 1] = { fn, wait } end,
  forget = function(wait) forgotten[#forgotten + 1] = wait.fd end,
  is_lost = function(wait) return lost[wait] end,
}

local function begin_log()
  due, woken, lost, forgotten, answer, log = {}, {}, {}, {}, nil, {}
end

local function run_due()
  while due[1] do
    local call = table.remove(due, 1)
    call[1](call[2])
  end
end

local function go_on(thread) assert(coroutine.resume(thread)) end

describe("a wait", function()
  local waits

  before_each(function()
    begin_log()
    waits = scheduled(SCHEDULER)
  end)

  local function begin(wait)
    local thread = coroutine.create(function()
      local answers = { waits.park(wait) }
      log[#log + 1] = answers
    end)
    go_on(thread)
    return thread
  end

  it("is somebody's until he goes on, even if another comes first", function()
    local wait = waits.new()
    assert.is_false(waits.wake(wait))
    local first = begin(wait)
    assert.is_true(waits.wake(wait))
    assert.is_true(wait.woken)
    local second = begin(wait)
    go_on(first)
    assert.is_true(waits.is_parked(wait))
    assert.equal(second, wait.thread)
    go_on(second)
    assert.is_false(waits.is_parked(wait))
    assert.same({ { true }, { true } }, log)
    assert.equal(1, #woken)
  end)

  it("is nobody's once the loop has lost it", function()
    local wait = waits.new()
    begin(wait)
    lost[wait] = true
    assert.is_false(waits.wake(wait))
    assert.same({}, woken)
  end)

  it("has a descriptor, which the scheduler forgets in time", function()
    local wait = waits.new()
    waits.unwatch(wait)
    wait.fd, wait.wanted = 7, "r"
    waits.unwatch(wait)
    waits.unwatch(wait)
    assert.same({ 7 }, forgotten)
    assert.is_nil(wait.wanted)
  end)

  it("sleeps again where it ends early, and not where it is broken off", function()
    local done, kind, reason
    local thread = coroutine.create(function() done, kind, reason = waits.sleep(60) end)
    go_on(thread)
    go_on(thread)
    assert.equal("suspended", coroutine.status(thread))
    answer = "misuse"
    go_on(thread)
    assert.same({ nil, "misuse", "for a reason" }, { done, kind, reason })
    answer = nil
    local deadline = core.now() + 0.001
    thread = coroutine.create(function() done = waits.sleep(0.001) end)
    repeat go_on(thread) until done
    assert.is_true(core.now() >= deadline)
  end)
end)

describe("a condition", function()
  local cond

  before_each(function()
    begin_log()
    cond = new_cond(scheduled(SCHEDULER), function() log[#log + 1] = "closed" end)
  end)

  local function begin(name)
    local thread = coroutine.create(function()
      local done, kind, reason = cond:wait(1)
      log[#log + 1] = table.concat({ name, tostring(done), kind, reason }, " ")
    end)
    go_on(thread)
    return thread
  end

  local function signal()
    cond:signal()
    run_due()
  end

  it("wakes who has waited longest", function()
    local a, b = begin "a", begin "b"
    signal()
    assert.equal(1, #woken)
    assert.equal(a, woken[1].thread)
    go_on(a)
    signal()
    assert.equal(b, woken[2].thread)
    go_on(b)
    assert.same({ "a true", "b true" }, log)
    assert.is_false(cond:is_awaited())
  end)

  it("keeps one signal that nobody waits for", function()
    signal()
    signal()
    begin "a"
    begin "b"
    assert.same({ "a true" }, log)
  end)

  it("lets go of who comes back by himself", function()
    local a, b = begin "a", begin "b"
    go_on(a)
    assert.same({ "a false" }, log)
    signal()
    assert.equal(b, woken[1].thread)
  end)

  it("lets nobody lose a signal that was on its way", function()
    local a = begin "a"
    cond:signal()
    go_on(a)
    assert.same({ "a true" }, log)
  end)

  it("passes on a signal for who cannot wait any more", function()
    for i, before in ipairs { run_due, function() end } do
      local a, b = begin "a", begin "b"
      woken, log = {}, {}
      cond:signal()
      before() -- it is woken by then, or not yet
      answer = "misuse"
      go_on(a)
      answer = nil
      run_due()
      assert.same({ "a nil misuse for a reason" }, log)
      assert.equal(b, woken[#woken].thread)
      assert.equal(3 - i, #woken)
      go_on(b)
      assert.same("b true", log[2])
    end
  end)

  it("passes over who is dead or lost, before and after", function()
    begin "a"
    local b, c, d = begin "b", begin "c", begin "d"
    lost[cond.queue[cond.first]] = true
    cond:signal()
    local first = due[1][2]
    assert.equal(b, first.thread)
    lost[first] = true
    run_due()
    assert.equal(1, #woken)
    assert.equal(c, woken[1].thread)
    signal()
    assert.equal(d, woken[2].thread)
    assert.is_false(cond:is_awaited())
  end)

  if not close then return end

  it("tells when a coroutine is closed that waits, and forgets it", function()
    local a, b = begin "a", begin "b"
    close(a)
    assert.same({ "closed" }, log)
    signal()
    assert.equal(b, woken[1].thread)
    go_on(b)
    assert.same({ "closed", "b true" }, log)
  end)

  it("passes on a signal for who is closed before he goes on", function()
    local a, b = begin "a", begin "b"
    signal()
    assert.equal(a, woken[1].thread)
    close(a)
    run_due()
    assert.equal(b, woken[2].thread)
    go_on(b)
    assert.same({ "closed", "b true" }, log)
  end)
end)
