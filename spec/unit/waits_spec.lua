-- What coroutines wait with under luv: parking, conditions, reports.
local core = require "dqlite.core"
local dqlite = require "dqlite"
local handles = require "spec.support.handles"
local luv = require "dqlite.loop.luv"
local odd_errors = require "spec.support.odd_errors"
local stderr = require "spec.support.stderr"
local uv = require "luv"
local waits = require "dqlite.loop.waits"

local close = rawget(coroutine, "close") -- Lua 5.4

local verify = handles.verify

-- A coroutine of the user's own, begun at once.
local function begin(fn, ...)
  local thread = coroutine.create(fn)
  assert(coroutine.resume(thread, ...))
  return thread
end

-- Waits for a condition in a coroutine of its own; `log` gets what came of it.
local function waiter(cond, log, name, deadline)
  return begin(function()
    local woken, kind = cond:wait(deadline)
    log[#log + 1] = name .. ":" .. tostring(woken) .. (kind and ":" .. kind or "")
  end)
end

local function waiting(cond)
  return cond.last - cond.first + 1
end

describe("the timer", function()
  after_each(verify)

  it("is one for all deadlines, and gone with the last of them", function()
    dqlite.run(function()
      for i = 1, 50 do begin(dqlite.sleep, i / 10000) end
      assert.equal(1, handles.count "timer")
      assert.is_true(#handles.list() <= 2) -- and what calls the queue
      dqlite.sleep(0.006)
    end)
    handles.settle()
    assert.same({}, handles.list())
  end)

  it("keeps the loop running as long as somebody waits for a moment", function()
    local awake = false
    begin(function()
      luv.sleep(0.003)
      awake = true
    end)
    uv.run()
    assert.is_true(awake)
  end)

  it("does not keep it running for who waits for a signal alone", function()
    local cond, log = luv.cond(), {}
    waiter(cond, log, "a")
    assert.is_false(uv.loop_alive())
    cond:signal()
    uv.run()
    assert.same({ "a:true" }, log)
  end)

  it("follows when an earlier deadline comes in later", function()
    local order = {}
    local function sleeper(seconds)
      begin(function()
        luv.sleep(seconds)
        order[#order + 1] = seconds
      end)
    end
    local started = uv.hrtime()
    sleeper(0.02)
    sleeper(0.001)
    sleeper(0.01)
    uv.run()
    assert.same({ 0.001, 0.01, 0.02 }, order)
    assert.is_true((uv.hrtime() - started) / 1e9 < 1)
  end)
end)

describe("a condition", function()
  after_each(verify)

  it("wakes one coroutine for each signal, first come, first served", function()
    local cond, log = luv.cond(), {}
    for _, name in ipairs { "a", "b", "c", "d" } do waiter(cond, log, name) end
    cond:signal()
    cond:signal()
    assert.same({}, log) -- by and by
    uv.run()
    assert.same({ "a:true", "b:true" }, log)
    cond:signal()
    cond:signal()
    uv.run()
    assert.same({ "a:true", "b:true", "c:true", "d:true" }, log)
    assert.equal(0, waiting(cond))
  end)

  it("remembers one signal that nobody waits for", function()
    local cond, log = luv.cond(), {}
    cond:signal()
    cond:signal()
    waiter(cond, log, "a")
    assert.same({ "a:true" }, log)
    waiter(cond, log, "b", core.now() + 0.001)
    uv.run()
    assert.same({ "a:true", "b:false" }, log)
    assert.equal(0, waiting(cond))
  end)

  it("tells when the deadline has passed, and forgets who waited", function()
    local cond, log = luv.cond(), {}
    waiter(cond, log, "late", core.now() + 0.002)
    waiter(cond, log, "past", core.now() - 1)
    waiter(cond, log, "ever", math.huge)
    uv.run()
    table.sort(log)
    assert.same({ "late:false", "past:false" }, log)
    assert.equal(1, waiting(cond))
    cond:signal()
    uv.run()
    assert.equal("ever:true", log[3])
  end)

  it("does not lose a signal to a deadline of the same moment", function()
    for _, ahead in ipairs { 0, 0.0002, 0.001 } do
      local cond, log = luv.cond(), {}
      waiter(cond, log, "first", core.now() + ahead)
      waiter(cond, log, "second")
      cond:signal()
      core.sleep(ahead + 0.0005) -- both are due now
      uv.run()
      local woken = 0
      for _, each in ipairs(log) do woken = woken + (each:find "true" and 1 or 0) end
      assert.equal(1, woken, table.concat(log, " "))
      cond:signal()
      uv.run()
      assert.equal(0, waiting(cond))
    end
  end)

  it("does not lose a signal to a coroutine that something else resumes", function()
    local cond, log = luv.cond(), {}
    local first = waiter(cond, log, "first")
    waiter(cond, log, "second")
    cond:signal() -- is on its way to the first one
    coroutine.resume(first)
    assert.same({ "first:nil:misuse" }, log)
    uv.run()
    assert.same({ "first:nil:misuse", "second:true" }, log)
    assert.equal(0, waiting(cond))
  end)

  it("passes over a coroutine that something else has resumed", function()
    local cond, log = luv.cond(), {}
    local first = waiter(cond, log, "first")
    waiter(cond, log, "second")
    coroutine.resume(first)
    assert.equal(1, waiting(cond))
    cond:signal()
    uv.run()
    assert.same({ "first:nil:misuse", "second:true" }, log)
  end)

  if close then
    it("does not lose a signal to a coroutine that is closed", function()
      for _, late in ipairs { false, true } do
        local cond, log = luv.cond(), {}
        local first = waiter(cond, log, "first")
        waiter(cond, log, "second")
        if late then cond:signal() end
        assert(close(first))
        if not late then cond:signal() end
        uv.run()
        assert.same({ "second:true" }, log)
        assert.equal(0, waiting(cond))
      end
    end)

    it("keeps the signal when the only one that waits is closed", function()
      local cond, log = luv.cond(), {}
      local first = waiter(cond, log, "first")
      cond:signal()
      assert(close(first))
      uv.run()
      waiter(cond, log, "second")
      assert.same({ "second:true" }, log)
    end)
  end

  it("keeps the signal when the only one that waits is broken off", function()
    local cond, log = luv.cond(), {}
    local first = waiter(cond, log, "first")
    cond:signal()
    coroutine.resume(first)
    uv.run()
    waiter(cond, log, "second")
    assert.same({ "first:nil:misuse", "second:true" }, log)
  end)

  it("wakes who waits again behind the others", function()
    local cond, order = luv.cond(), {}
    for _, name in ipairs { "a", "b" } do
      begin(function()
        for _ = 1, 2 do
          cond:wait()
          order[#order + 1] = name
        end
      end)
    end
    for _ = 1, 4 do
      cond:signal()
      uv.run()
    end
    assert.same({ "a", "b", "a", "b" }, order)
    assert.equal(0, waiting(cond))
  end)

  -- In a rough round coroutines that wait are resumed by something else as well:
  -- then two signals may come back and be remembered as one.
  local function round(rough)
    local cond, threads = luv.cond(), {}
    local begun, ended, woken, signals = 0, 0, 0, 0
    local steps = {
      function()
        begun = begun + 1
        local deadline = math.random(2) == 1 and core.now() + math.random() / 2000 or nil
        threads[#threads + 1] = begin(function()
          local got = cond:wait(deadline)
          ended = ended + 1
          if got then woken = woken + 1 end
        end)
      end,
      function()
        if cond.signalled then return end
        signals = signals + 1
        cond:signal()
      end,
      function() core.sleep(0.0001) end,
      function() uv.run "nowait" end,
      function()
        local thread = rough and table.remove(threads, math.random(#threads + 1))
        if thread and coroutine.status(thread) == "suspended" then coroutine.resume(thread) end
      end,
    }
    for _ = 1, 60 do steps[math.random(#steps)]() end
    uv.run() -- till every deadline has passed
    local kept = cond.signalled and 1 or 0
    assert.is_false(cond.signalled and waiting(cond) > 0)
    if rough then
      assert.is_true(woken + kept <= signals)
    else
      assert.equal(signals, woken + kept)
    end
    assert.equal(begun - ended, waiting(cond))
    for _ = 1, waiting(cond) do cond:signal() end
    uv.run()
    assert.equal(begun, ended)
    assert.equal(0, waiting(cond))
  end

  it("loses nothing and nobody, whatever happens to those that wait", function()
    math.randomseed(11)
    for _ = 1, 20 do
      round(false)
      round(true)
    end
  end)

  it("serves the same coroutines again and again", function()
    local cond, woken = luv.cond(), 0
    for _ = 1, 3 do
      begin(function()
        for _ = 1, 4 do
          assert.is_true(cond:wait())
          woken = woken + 1
        end
      end)
    end
    for _ = 1, 12 do
      cond:signal()
      uv.run()
    end
    assert.equal(12, woken)
    assert.equal(0, waiting(cond))
  end)

  it("keeps its deadlines when the loop has had nothing to do in between", function()
    local cond, log = luv.cond(), {}
    waiter(cond, log, "a", core.now() + 0.002)
    cond:signal()
    uv.run()
    assert.same({}, handles.list())
    waiter(cond, log, "b", core.now() + 0.004)
    uv.run()
    assert.same({ "a:true", "b:false" }, log)
  end)

  it("takes nobody for one that has had a wait before", function()
    local cond, log = luv.cond(), {}
    local first = waiter(cond, log, "first")
    cond:signal()
    uv.run()
    local second = waiter(cond, log, "second")
    cond:signal() -- is on its way to the second one
    coroutine.resume(second)
    waiter(cond, log, "third")
    waiter(cond, log, "fourth")
    uv.run()
    assert.equal("dead", coroutine.status(first))
    assert.same({ "first:true", "second:nil:misuse", "third:true" }, log)
    cond:signal()
    uv.run()
    assert.equal("fourth:true", log[4])
  end)

  if close then
    it("does not grow with those that are closed, and are awaited by nobody", function()
      local cond, log = luv.cond(), {}
      for _ = 1, 1000 do assert(close(waiter(cond, log, "closed"))) end
      assert.is_true(waiting(cond) < 200, waiting(cond))
      assert.is_false(cond:is_awaited())
      waiter(cond, log, "alive")
      assert.is_true(cond:is_awaited())
      cond:signal()
      uv.run()
      assert.same({ "alive:true" }, log)
      assert.equal(0, waiting(cond))
    end)
  end

  it("outside of a coroutine says where to wait", function()
    local cond = luv.cond()
    local woken, kind, reason = cond:wait()
    assert.is_nil(woken)
    assert.equal("misuse", kind)
    assert.matches("dqlite.run", reason)
    assert.equal(0, waiting(cond))
  end)
end)

describe("a coroutine that waits", function()
  after_each(verify)

  it("and is resumed by something else learns it; the rest goes on", function()
    local thread, raised, other
    dqlite.run(function()
      thread = begin(function()
        raised = select(2, pcall(dqlite.sleep, 5))
        dqlite.sleep(0.001) -- it can wait again
        other = true
      end)
      assert.is_true(coroutine.resume(thread, "foreign", 1))
      assert.matches("waits_spec.lua:%d+: a coroutine that waits for dqlite was resumed by", raised)
      assert.matches("dqlite.spawn", raised)
      dqlite.sleep(0.003)
    end)
    assert.is_true(other)
    assert.equal("dead", coroutine.status(thread))
  end)

  it("cannot be deceived by what a foreign resume brings", function()
    local result
    local thread = begin(function() result = { luv.sleep(5) } end)
    coroutine.resume(thread, true, nil, "timeout")
    assert.equal("misuse", result[2])
  end)

  it("gives a generator's caller nothing to take for a value", function()
    local USES = {
      function(value) return value.name end,
      function(value) return value() end,
      function(value) return value + 1 end,
      function(value) return "text" .. value end,
      function(value) value.name = 1 end,
      function(value) return -value end,
    }
    for i, use in ipairs(USES) do
      local generator = coroutine.wrap(function() dqlite.sleep(0.001) end)
      dqlite.run(function()
        local value = generator()
        local ok, message = pcall(use, value)
        assert.is_false(ok)
        assert.matches("generator", message, nil, nil, i)
        assert.matches("dqlite.spawn", message)
        dqlite.sleep(0.003)
      end)
    end
  end)

  it("in a generator that is asked again raises in it", function()
    local text = stderr.of(dqlite.run, function()
      local generator = coroutine.wrap(function() dqlite.sleep(5) end)
      generator()
      local ok, message = pcall(generator)
      assert.is_false(ok)
      assert.matches("generator", message)
    end)
    assert.equal("", text)
  end)
end)

describe("what is to be called", function()
  after_each(verify)

  -- In the callback of a poll, in a coroutine of its own; `check` behind it, in
  -- the same turn.
  local function in_reaction(fn, check)
    local wait = waits.plain()
    begin(function()
      waits.park(wait)
      fn()
    end)
    local timer = uv.new_timer()
    timer:start(0, 0, function()
      timer:close()
      waits.react(wait)
      if check then check() end
    end)
    uv.run()
  end

  local function logger(log, name)
    return function() log[#log + 1] = name end
  end

  it("soon is called behind the callback of a poll, and what is later in the next turn", function()
    local log = {}
    in_reaction(function()
      waits.later(logger(log, "first"), nil, true)
      waits.later(function()
        log[#log + 1] = "second"
        waits.later(logger(log, "fourth"), nil, true)
      end, nil, true)
      assert.equal(0, #log)
      begin(function()
        luv.sleep(0)
        log[#log + 1] = "third"
      end)
    end)
    assert.same({ "first", "second", "third", "fourth" }, log)
  end)

  it("soon needs no turn of the loop", function()
    local cond, log, first, left = luv.cond(), {}, nil, nil
    waiter(cond, log, "a")
    in_reaction(function()
      cond:signal()
      assert.same({}, log)
    end, function() first, left = log[1], handles.list() end)
    assert.equal("a:true", first)
    assert.same({}, left)
  end)

  it("is called whatever another raises", function()
    local log = {}
    local text = stderr.of(in_reaction, function()
      for i = 1, 3 do
        waits.later(function()
          log[#log + 1] = i
          error("no. " .. i, 0)
        end, nil, true)
      end
    end)
    assert.same({ 1, 2, 3 }, log)
    assert.equal("dqlite: no. 1\ndqlite: no. 2\ndqlite: no. 3\n", text)
  end)
end)

describe("a wait", function()
  after_each(verify)

  -- Nobody waits for a deadline any more.
  local function check_ended()
    for _ = 1, 2 do uv.run "nowait" end
    assert.is_false(uv.loop_alive())
  end

  it("of a coroutine that is dead wakes nobody, in silence", function()
    local wait, first = waits.plain(), nil
    local thread = begin(function() first = waits.park(wait, core.now() + 60) end)
    local real = wait.thread
    wait.thread = coroutine.create(function() end)
    coroutine.resume(wait.thread)
    assert.equal("", stderr.of(function() assert.is_false(waits.wake(wait, 1)) end))
    assert.is_false(waits.wake(wait, 2))
    assert.is_nil(first)
    assert.equal(thread, real)
    coroutine.resume(thread) -- which ends it
    check_ended()
  end)

  it("whose coroutine fails is reported, once", function()
    local wait = waits.plain()
    begin(function()
      waits.park(wait, core.now() + 60)
      error "at last"
    end)
    local text = stderr.of(function() assert.is_true(waits.wake(wait)) end)
    assert.equal(1, stderr.count(text, "at last"))
    assert.is_false(waits.wake(wait))
    check_ended()
  end)

  it("is a reason for the loop while it goes from one deadline to the next", function()
    local wait, woken = waits.plain(), 0
    begin(function()
      for i = 1, 3 do
        waits.park(wait, core.now() + 60 * i)
        woken = woken + 1
      end
    end)
    for _ = 1, 3 do
      for _ = 1, 2 do uv.run "nowait" end
      assert.is_true(uv.loop_alive())
      waits.wake(wait)
    end
    assert.equal(3, woken)
    check_ended()
  end)

  it("is no reason any more once it is begun without a deadline", function()
    local wait, woken = waits.plain(), 0
    begin(function()
      waits.park(wait, core.now() + 60)
      waits.park(wait)
      woken = 1
    end)
    waits.wake(wait)
    check_ended()
    waits.wake(wait)
    assert.equal(1, woken)
  end)
end)

describe("an error that nobody is there to get", function()
  after_each(verify)

  for name, odd in pairs(odd_errors) do
    it("is reported, and the loop goes on: " .. name, function()
      local places = {
        ["a coroutine"] = function()
          begin(function()
            dqlite.sleep(0.0005)
            error(odd.value, 0)
          end)
        end,
        ["a function of the queue"] = function()
          waits.later(function() error(odd.value, 0) end)
        end,
        ["a coroutine of the queue"] = function()
          waits.start(function() error(odd.value, 0) end)
        end,
        ["a callback"] = function()
          local timer = uv.new_timer()
          timer:start(0, 0, waits.protect(function()
            timer:close()
            error(odd.value, 0)
          end))
        end,
      }
      for where, place in pairs(places) do
        local behind, later = false, false
        local text, result = stderr.of(dqlite.run, function()
          place()
          waits.later(function() behind = true end)
          begin(function()
            dqlite.sleep(0.0005)
            later = true
          end)
          dqlite.sleep(0.003)
          return "on"
        end)
        assert.same({ "on", true, true }, { result, behind, later }, where)
        assert.equal(1, stderr.count(text, "dqlite: "), where)
        if odd.value == "broken" then assert.matches("broken", text) end
      end
    end)
  end

  it("comes with the traceback of its coroutine", function()
    local text = stderr.of(dqlite.run, function()
      begin(function()
        local function deep()
          dqlite.sleep(0.0005)
          error "in the depth"
        end
        deep()
      end)
      dqlite.sleep(0.002)
    end)
    assert.matches("waits_spec.lua:%d+: in the depth", text)
    assert.matches("stack traceback:.*waits_spec.lua", text)
  end)

  it("does no harm where standard error is closed", function()
    local real = io.stderr
    io.stderr = setmetatable({}, { __index = function() error "closed" end }) -- luacheck: ignore
    local ok, result = pcall(dqlite.run, function()
      dqlite.spawn(function() error "x" end)
      dqlite.sleep(0.001)
      return "on"
    end)
    io.stderr = real -- luacheck: ignore
    assert.is_true(ok)
    assert.equal("on", result)
  end)
end)
