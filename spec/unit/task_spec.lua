-- dqlite.run, spawn, wait and sleep, as api.md says.
local dqlite = require "dqlite"
local handles = require "spec.support.handles"
local odd_errors = require "spec.support.odd_errors"
local raises = require "spec.support.raises"
local stderr = require "spec.support.stderr"
local till = require "spec.support.till"
local uv = require "luv"

local close = rawget(coroutine, "close") -- Lua 5.4

local verify = handles.verify

local function values(...)
  return { n = select("#", ...), ... }
end

describe("run", function()
  after_each(verify)

  it("gives the function its arguments, and returns what it returns", function()
    local got
    local back = values(dqlite.run(function(...)
      got = values(...)
      return nil, 2, nil
    end, nil, "b", nil))
    assert.same({ n = 3, nil, "b", nil }, got)
    assert.same({ n = 3, nil, 2, nil }, back)
    assert.same({ n = 0 }, values(dqlite.run(function() end)))
  end)

  it("returns what was found out after a wait", function()
    assert.same({ n = 3, 1, nil, nil }, values(dqlite.run(function(...)
      dqlite.sleep(0.001)
      return ...
    end, 1, nil, nil)))
  end)

  for name, odd in pairs(odd_errors) do
    it("raises what was raised, unchanged: " .. name, function()
      for _, wait in ipairs { false, true } do
        local text, ok, raised = stderr.of(pcall, dqlite.run, function()
          if wait then dqlite.sleep(0.0005) end
          error(odd.value)
        end)
        assert.is_false(ok)
        if type(odd.value) == "string" then
          assert.matches("task_spec.lua:%d+: broken$", raised)
        else
          assert.is_true(rawequal(odd.value, raised))
        end
        assert.equal("", text)
      end
    end)
  end

  it("runs in a coroutine that can wait, in which luv's loop runs", function()
    dqlite.run(function()
      local thread, is_main = coroutine.running()
      assert.is_truthy(thread)
      assert.is_falsy(is_main)
      assert.is_truthy(uv.loop_mode())
    end)
    assert.is_nil(uv.loop_mode())
  end)

  it("is refused inside of another, which goes on", function()
    assert.equal("fine", dqlite.run(function()
      raises("use dqlite.spawn", function() dqlite.run(print) end)
      dqlite.sleep(0.001)
      raises("use dqlite.spawn", function() dqlite.run(print) end)
      return "fine"
    end))
  end)

  it("is refused in a callback of luv's, which goes on", function()
    local ok, message
    local timer = uv.new_timer()
    dqlite.run(function()
      timer:start(1, 0, function()
        timer:close()
        ok, message = pcall(dqlite.run, print)
      end)
      till(function() return ok ~= nil end)
    end)
    assert.is_false(ok)
    assert.matches("task_spec.lua:%d+: ", message)
    assert.matches("use dqlite.spawn", message)
  end)

  it("works in a coroutine while no loop runs", function()
    local result = coroutine.wrap(function()
      return dqlite.run(function()
        dqlite.sleep(0.001)
        return "inside"
      end)
    end)()
    assert.equal("inside", result)
  end)

  it("takes a function and nothing else", function()
    raises("a task runs a function, not a nil", function() dqlite.run() end)
    raises("a task runs a function, not a table", function() dqlite.run {} end)
  end)

  it("that waits for what nobody can do raises", function()
    local cond = require "dqlite.loop.luv".cond()
    raises("nothing is left to wait for", function() dqlite.run(function() cond:wait() end) end)
    assert.equal(1, dqlite.run(function() return 1 end))
    cond:signal() -- lets the first one end
    dqlite.run(function() dqlite.sleep(0.001) end)
  end)

  it("that has yielded by itself raises", function()
    raises("nothing is left to wait for",
      function() dqlite.run(function() coroutine.yield() end) end)
  end)

  it("ends when its function does; what was spawned goes on in the next", function()
    local steps = 0
    dqlite.run(function()
      dqlite.spawn(function()
        for _ = 1, 3 do
          dqlite.sleep(0.02)
          steps = steps + 1
        end
      end)
      dqlite.sleep(0.001)
    end)
    assert.equal(0, steps)
    uv.run()
    assert.equal(3, steps)
  end)

  it("goes on when somebody stops luv's loop", function()
    assert.equal("whole", dqlite.run(function()
      uv.stop()
      dqlite.sleep(0.002)
      uv.stop()
      dqlite.sleep(0.002)
      return "whole"
    end))
  end)

  it("is used a thousand times over, and leaves nothing", function()
    for i = 1, 1000 do assert.equal(i, dqlite.run(function() return i end)) end
  end)
end)

describe("spawn", function()
  after_each(verify)

  it("begins its function when the loop runs, not before", function()
    local begun, got = false, nil
    dqlite.run(function()
      local task = dqlite.spawn(function(...)
        begun, got = true, values(...)
      end, nil, 2, nil)
      assert.is_false(begun)
      task:wait()
    end)
    assert.same({ n = 3, nil, 2, nil }, got)
  end)

  it("is possible before the loop runs", function()
    local task = dqlite.spawn(function() return "early" end)
    assert.matches("running", tostring(task))
    assert.equal("early", dqlite.run(function() return task:wait() end))
    assert.matches("ended", tostring(task))
  end)

  it("is possible where luv's own uv.run runs it", function()
    local slept
    dqlite.spawn(function()
      dqlite.sleep(0.001)
      slept = true
    end)
    uv.run()
    assert.is_true(slept)
  end)

  it("is possible in a callback of luv's", function()
    local slept
    local timer = uv.new_timer()
    timer:start(1, 0, function()
      timer:close()
      dqlite.spawn(function()
        dqlite.sleep(0.001)
        slept = true
      end)
    end)
    uv.run()
    assert.is_true(slept)
  end)

  it("begins them in their order", function()
    local order = {}
    dqlite.run(function()
      for i = 1, 5 do dqlite.spawn(function() order[#order + 1] = i end) end
      dqlite.sleep(0)
    end)
    assert.same({ 1, 2, 3, 4, 5 }, order)
  end)

  it("takes a function and nothing else", function()
    raises("a task runs a function, not a nil", function() dqlite.spawn() end)
  end)

  for name, odd in pairs(odd_errors) do
    it("reports an error that nobody waits for, once: " .. name, function()
      local text, result = stderr.of(dqlite.run, function()
        local task = dqlite.spawn(function() error(odd.value) end)
        till(function() return task.ok ~= nil end)
        assert.matches("failed", tostring(task))
        return "it goes on"
      end)
      assert.equal("it goes on", result)
      assert.equal(1, stderr.count(text, "dqlite: a task failed"))
      if odd.value == "broken" then
        assert.matches("task_spec.lua:%d+: broken", text)
        assert.matches("traceback", text)
      end
    end)
  end

  it("reports nothing of what is waited for", function()
    local text = stderr.of(dqlite.run, function()
      local task = dqlite.spawn(function() error "broken" end)
      assert.is_false(pcall(task.wait, task))
      assert.is_false(pcall(task.wait, task))
    end)
    assert.equal("", text)
  end)
end)

describe("wait", function()
  after_each(verify)

  it("returns what the task returned, nils included", function()
    dqlite.run(function()
      local task = dqlite.spawn(function()
        dqlite.sleep(0.001)
        return nil, 2, nil
      end)
      assert.same({ n = 3, nil, 2, nil }, values(task:wait()))
      assert.same({ n = 3, nil, 2, nil }, values(task:wait())) -- after the end
    end)
  end)

  it("raises what the task raised, the same table", function()
    local raised = {}
    dqlite.run(function()
      local task = dqlite.spawn(function()
        dqlite.sleep(0.001)
        error(raised)
      end)
      for _ = 1, 2 do
        local ok, got = pcall(task.wait, task)
        assert.is_false(ok)
        assert.equal(raised, got)
      end
    end)
  end)

  it("after the end needs no coroutine and no loop", function()
    local good = dqlite.spawn(function() return 1, nil end)
    local bad = dqlite.spawn(function() error("bad", 0) end)
    stderr.of(uv.run)
    assert.same({ n = 2, 1, nil }, values(good:wait()))
    assert.same({ n = 2, false, "bad" }, values(pcall(bad.wait, bad)))
  end)

  it("is for as many as want to", function()
    local got = {}
    dqlite.run(function()
      local task = dqlite.spawn(function()
        dqlite.sleep(0.002)
        return "result"
      end)
      local waiters = {}
      for i = 1, 10 do
        waiters[i] = dqlite.spawn(function()
          local result = task:wait()
          got[#got + 1] = result .. i
        end)
      end
      for i = 1, 10 do waiters[i]:wait() end
    end)
    assert.equal(10, #got)
    assert.equal("result1", got[1])
    assert.equal("result10", got[10])
  end)

  it("for itself raises", function()
    local text = stderr.of(dqlite.run, function()
      local task
      task = dqlite.spawn(function()
        raises("would wait for ever", function() task:wait() end)
      end)
      task:wait()
    end)
    assert.equal("", text)
  end)

  it("outside of a coroutine raises, and says what to do", function()
    local task = dqlite.spawn(function() return 1 end)
    raises("dqlite.run", function() task:wait() end)
    assert.equal(1, dqlite.run(function() return task:wait() end))
  end)

  it("in a ring raises where the loop runs empty", function()
    local a, b
    raises("nothing is left to wait for", function() dqlite.run(function()
      a = dqlite.spawn(function() b:wait() end)
      b = dqlite.spawn(function() a:wait() end)
      a:wait()
    end) end)
  end)

  it("that is broken off does not swallow the error", function()
    local text = stderr.of(dqlite.run, function()
      local task = dqlite.spawn(function()
        dqlite.sleep(0.03)
        error "nobody hears"
      end)
      local waiter = coroutine.create(function() task:wait() end)
      assert(coroutine.resume(waiter))
      dqlite.sleep(0.001)
      local ok, message = coroutine.resume(waiter)
      assert.is_false(ok)
      assert.matches("resumed by something else", message)
      dqlite.sleep(0.06)
    end)
    assert.equal(1, stderr.count(text, "nobody hears"))
  end)

  it("goes on for the others when one is broken off", function()
    dqlite.run(function()
      local task = dqlite.spawn(function()
        dqlite.sleep(0.03)
        return "result"
      end)
      local waiter = coroutine.create(function() task:wait() end)
      assert(coroutine.resume(waiter))
      local second = dqlite.spawn(function() return task:wait() end)
      dqlite.sleep(0.001)
      assert.is_false(coroutine.resume(waiter))
      assert.equal("result", second:wait())
    end)
  end)
end)

describe("sleep", function()
  after_each(verify)

  local function took(fn, ...)
    local started = uv.hrtime()
    fn(...)
    return (uv.hrtime() - started) / 1e9
  end

  it("waits in a coroutine under luv, and others run", function()
    local order = {}
    local seconds = took(dqlite.run, function()
      local tasks = {}
      for i = 5, 1, -1 do
        tasks[#tasks + 1] = dqlite.spawn(function()
          dqlite.sleep(i * 0.03)
          order[#order + 1] = i
        end)
      end
      for _, task in ipairs(tasks) do task:wait() end
    end)
    assert.same({ 1, 2, 3, 4, 5 }, order)
    assert.is_true(seconds >= 0.15 and seconds < 1, seconds)
  end)

  it("blocks where no loop runs", function()
    assert.is_true(took(dqlite.sleep, 0.005) >= 0.005)
    local slept
    coroutine.wrap(function()
      slept = took(dqlite.sleep, 0.005)
    end)()
    assert.is_true(slept >= 0.005)
  end)

  it("of 0 gives the others a turn", function()
    for _ = 1, 20 do
      local other = false
      dqlite.run(function()
        dqlite.spawn(function() other = true end)
        dqlite.sleep(0)
        assert.is_true(other)
      end)
    end
  end)

  if close then
    it("of a coroutine that is closed keeps nothing running", function()
      local sleeper = coroutine.create(dqlite.sleep)
      dqlite.run(function()
        assert(coroutine.resume(sleeper, 100))
        dqlite.sleep(0.001)
        assert(close(sleeper))
      end)
      assert.is_true(took(uv.run) < 10)
    end)
  end

  it("takes a number of seconds", function()
    for _, wrong in ipairs { -1, 0 / 0, "1", {}, false } do
      raises("sleep takes a number of seconds", function() dqlite.sleep(wrong) end)
    end
    raises("sleep takes a number of seconds", function() dqlite.sleep() end)
  end)

  it("is a thousand at once", function()
    local awake = 0
    dqlite.run(function()
      local tasks = {}
      for i = 1, 1000 do
        tasks[i] = dqlite.spawn(function()
          dqlite.sleep(0.001 * (i % 10))
          awake = awake + 1
        end)
      end
      assert.is_true(#handles.list() <= 2)
      for i = 1, 1000 do tasks[i]:wait() end
    end)
    assert.equal(1000, awake)
  end)
end)
