-- The loop of a host (dqlite.host): what the host is told, and what its steps do.
local core = require "dqlite.core"
local dqlite = require "dqlite"
local driver = require "spec.support.host_driver"
local loops = require "dqlite.loops"
local raises = require "spec.support.raises"
local stderr = require "spec.support.stderr"

local close = rawget(coroutine, "close") -- Lua 5.4

local host

local function new() host = dqlite.host.new() end

-- Nobody waits, and nothing is watched.
local function verify_idle()
  assert.is_true(host:is_idle())
  assert.is_nil(host:timeout())
  assert.same({}, host:pollfds())
end

local function run_all() driver.drive(host, function() return false end, 10) end

describe("a task of the loop", function()
  before_each(new)
  after_each(verify_idle)

  it("begins at the next step, with its arguments", function()
    local got
    host:spawn(function(...) got = { ... } end, 1, "two")
    assert.is_nil(got)
    assert.equal(0, host:timeout())
    assert.is_false(host:step())
    assert.same({ 1, "two" }, got)
  end)

  it("answers who waits for it, with what it returns or raises", function()
    local answers
    host:spawn(function()
      local good = host:spawn(function() host.sleep(0.001) return 1, nil, 3 end)
      local bad = host:spawn(function() error("as asked", 0) end)
      answers = { good:wait() }
      answers.ok, answers.err = pcall(bad.wait, bad)
    end)
    stderr.of(run_all)
    assert.same({ 1, nil, 3, ok = false, err = "as asked" }, answers)
  end)

  it("whose error nobody waits for is reported, and the step goes on", function()
    local others = 0
    host:spawn(function() error "first" end)
    host:spawn(function() others = others + 1 end)
    local text = stderr.of(function() host:step() end)
    assert.matches("a task failed: .*host_loop_spec.*first", text)
    assert.equal(1, others)
  end)

  it("sleeps until it is due", function()
    local order = {}
    for _, seconds in ipairs { 0.15, 0.01, 0.08 } do
      host:spawn(function()
        dqlite.sleep(seconds)
        order[#order + 1] = seconds
      end)
    end
    run_all()
    assert.same({ 0.01, 0.08, 0.15 }, order)
  end)

  it("is told to the host by when it is due, which of them comes first", function()
    local other = dqlite.host.new()
    for _, seconds in ipairs { 3600, 60, 7200 } do other:spawn(dqlite.sleep, seconds) end
    assert.is_true(other:step())
    local due = other:timeout()
    assert.is_true(due > 50 and due <= 60, due)
    assert.is_false(other:is_idle())
    assert.same({}, other:pollfds())
  end)

  it("gives the others a turn with a sleep of nothing", function()
    local order = {}
    for _, name in ipairs { "a", "b" } do
      host:spawn(function()
        for i = 1, 2 do
          order[#order + 1] = name .. i
          dqlite.sleep(0)
        end
      end)
    end
    run_all()
    assert.same({ "a1", "b1", "a2", "b2" }, order)
  end)

  it("takes the loop that steps where none is named, as dqlite.spawn does", function()
    local seen = {}
    host:spawn(function()
      seen[1] = loops.select() == host
      seen[2] = dqlite.spawn(function() return loops.select() == host end):wait()
      coroutine.wrap(function() seen[3] = loops.select() == host end)()
    end)
    run_all()
    assert.same({ true, true, true }, seen)
    assert.equal("blocking", loops.select().name)
  end)

  it("may be of one of several loops, each with its own steps", function()
    local other, order = dqlite.host.new(), {}
    host:spawn(function() order[#order + 1] = loops.select() == host end)
    other:spawn(function() order[#order + 1] = loops.select() == other end)
    other:step()
    assert.same({ true }, order)
    host:step()
    assert.same({ true, true }, order)
    assert.is_true(other:is_idle())
  end)

  it("may run another loop's step inside of its own", function()
    local other, inner = dqlite.host.new(), nil
    host:spawn(function()
      other:spawn(function() inner = loops.select() == other end)
      other:step()
      inner = inner and loops.select() == host
    end)
    host:step()
    assert.is_true(inner)
  end)
end)

describe("a condition of the loop", function()
  before_each(new)
  after_each(verify_idle)

  local function waiter(cond, log, name, deadline)
    host:spawn(function()
      local woken = cond:wait(deadline)
      log[#log + 1] = name .. ":" .. tostring(woken)
    end)
  end

  it("wakes who waits, first come, first served", function()
    local cond, log = host.cond(), {}
    for _, name in ipairs { "a", "b", "c" } do waiter(cond, log, name) end
    assert.is_false(host:step()) -- nobody but a signal could end it
    cond:signal()
    cond:signal()
    run_all()
    assert.same({ "a:true", "b:true" }, log)
    cond:signal()
    run_all()
    assert.same({ "a:true", "b:true", "c:true" }, log)
  end)

  it("tells when the deadline has passed", function()
    local cond, log = host.cond(), {}
    waiter(cond, log, "late", core.now() + 0.002)
    run_all()
    assert.same({ "late:false" }, log)
    cond:signal()
    waiter(cond, log, "next")
    run_all()
    assert.same({ "late:false", "next:true" }, log)
  end)

  if close then
    it("is left by a coroutine that is closed, which it is told", function()
      local told, threads = 0, {}
      local cond = host.cond(function() told = told + 1 end)
      for i = 1, 2 do
        host:spawn(function()
          threads[i] = coroutine.running()
          cond:wait(core.now() + 3600)
        end)
      end
      host:step()
      close(threads[1])
      assert.equal(1, told)
      assert.is_false(host:is_idle())
      close(threads[2])
      assert.equal(2, told)
      assert.is_false(cond:is_awaited())
    end)
  end
end)

describe("a step", function()
  before_each(new)
  after_each(verify_idle)

  it("inside of a step is refused", function()
    local ok, err
    host:spawn(function() ok, err = pcall(host.step, host) end)
    host:step()
    assert.is_false(ok)
    assert.matches("a step inside of a step", err)
  end)

  it("takes a list, or nothing", function()
    raises("step takes a list of descriptors, not a number", function() host:step(3) end)
    raises("wait takes a number of seconds", function() host:wait("long") end)
    raises("a task runs a function, not a nil", function() host:spawn() end)
  end)

  it("leaves alone what it is told of descriptors that nobody waits for", function()
    assert.is_false(host:step({ 0, 1, 99999 }, 3))
  end)

  it("begins what is begun in it with the next one", function()
    local ran = false
    host:spawn(function() host:spawn(function() ran = true end) end)
    assert.is_true(host:step())
    assert.is_false(ran)
    assert.is_false(host:step())
    assert.is_true(ran)
  end)

  it("without anything to wait for is not waited for either", function()
    local began = core.now()
    local _, n = host:wait()
    assert.equal(0, n)
    host:wait(0.002)
    local seconds = core.now() - began
    assert.is_true(seconds >= 0.002 and seconds < 1)
  end)
end)

describe("a wait on the loop", function()
  before_each(new)
  after_each(verify_idle)

  it("is refused outside of a coroutine", function()
    raises("only a coroutine can wait: put this into host:spawn",
      function() dqlite.connect("127.0.0.1:1", { loop = host }) end)
    local conn, err = dqlite.connect("not an address", { loop = host })
    assert.is_nil(conn)
    assert.equal("value", err.kind)
  end)

  it("is refused inside of a function that C calls", function()
    local ok, err
    host:spawn(function()
      ok, err = pcall(string.gsub, "x", "x", function() dqlite.sleep(0.001) end)
    end)
    run_all()
    -- LuaJIT and Lua 5.3 know; Lua 5.2 learns it from the attempt
    assert.is_false(ok)
    assert.matches("nothing can wait here", err)
  end)

  it("that something else resumes is broken off", function()
    local thread, ok, err
    host:spawn(function()
      thread = coroutine.running()
      ok, err = pcall(dqlite.sleep, 3600)
    end)
    host:step()
    local _, value = coroutine.resume(thread, "mine")
    assert.is_false(ok)
    assert.matches("resumed by something else than the loop", err)
    assert.is_nil(value)
  end)

  it("gives a foreign resumer nothing to take for a value", function()
    local thread = coroutine.create(function() host.sleep(0.001) end)
    local _, value = coroutine.resume(thread)
    assert.is_false((pcall(function() return value.field end)))
    assert.matches("do not call from a generator", tostring(value))
    run_all()
    assert.equal("dead", coroutine.status(thread))
  end)

  it("on the blocking loop is refused inside of a step", function()
    local ok, err
    host:spawn(function()
      ok, err = pcall(dqlite.connect, "127.0.0.1:1", { loop = "blocking" })
    end)
    host:step()
    assert.is_false(ok)
    assert.matches("a blocking call would freeze the program", err)
  end)

  if close then
    it("ends with a coroutine that is closed", function()
      local thread
      host:spawn(function()
        thread = coroutine.running()
        dqlite.sleep(3600)
      end)
      assert.is_true(host:step())
      close(thread)
    end)
  end
end)

describe("poll over descriptors", function()
  it("waits until the time is over", function()
    local began = core.now()
    assert.equal(0, core.poll_fds({}, {}, 0, 0.002, {}))
    assert.is_true(core.now() - began >= 0.002)
  end)

  it("tells which are of no use, as those that are ready, and looks at the first n", function()
    local ready, read = {}, core.POLL_READ
    assert.equal(1, core.poll_fds({ 1000000, 1000001 }, { read, read }, 1, 5, ready))
    assert.same({ 1000000 }, ready)
  end)

  it("takes lists and a count", function()
    assert.is_false((pcall(core.poll_fds, {}, {}, -1, 0, {})))
    assert.is_false((pcall(core.poll_fds, {}, nil, 0, 0, {})))
  end)
end)
