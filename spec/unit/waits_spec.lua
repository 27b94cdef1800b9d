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
