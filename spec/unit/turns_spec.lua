local blocking = require "dqlite.loop.blocking"
local core = require "dqlite.core"
local eventually = require "spec.support.eventually"
local stderr = require "spec.support.stderr"
local turns = require "dqlite.loop.turns"

-- A socket that is connected to a listener nobody accepts from: silent. What closes
-- both goes to `at_end`.
local function silent_stream(at_end)
  local uv = require "luv"
  local listener = uv.new_tcp()
  assert(listener:bind("127.0.0.1", 0))
  assert(listener:listen(5, function() end))
  local address = "127.0.0.1:" .. listener:getsockname().port
  local stream = assert(blocking.connect(address, blocking.now() + 5))
  at_end(function()
    stream:close()
    listener:close()
    uv.run "nowait"
  end)
  return stream
end

describe("coroutines on the blocking loop", function()
  after_each(function()
    blocking.sleep(0)
    assert.equal(0, turns.alive)
  end)

  it("run inside of the waits of the program, and only there", function()
    local trace = {}
    blocking.start(function() trace[#trace + 1] = "began" end)
    assert.same({}, trace)
    assert.is_false(blocking.is_alone())
    blocking.sleep(0.001)
    assert.same({ "began" }, trace)
    assert.is_true(blocking.is_alone())
  end)

  it("sleep beside each other", function()
    local order = {}
    for i, seconds in ipairs { 0.3, 0.1, 0.2 } do
      blocking.start(function()
        blocking.sleep(seconds)
        order[#order + 1] = i
      end)
    end
    eventually("all have slept", function() return #order == 3 end)
    assert.same({ 2, 3, 1 }, order)
  end)

  it("signal the program, which does not wait longer", function()
    local cond, began = blocking.cond(), blocking.now()
    blocking.start(function() cond:signal() end)
    assert.is_true(cond:wait(began + 30))
    assert.is_true(blocking.now() - began < 5)
  end)

  it("are signalled in their order", function()
    local cond, order = blocking.cond(), {}
    for i = 1, 3 do
      blocking.start(function()
        assert(cond:wait(blocking.now() + 5))
        order[#order + 1] = i
      end)
    end
    blocking.sleep(0)
    for _ = 1, 3 do cond:signal() end
    blocking.sleep(0)
    assert.same({ 1, 2, 3 }, order)
  end)

  it("give a wait up at its deadline", function()
    local cond, signalled = blocking.cond(), nil
    blocking.start(function() signalled = cond:wait(blocking.now() + 0.01) end)
    eventually("it is given up", function() return signalled ~= nil end)
    assert.is_false(signalled)
    cond:signal() -- which nobody has taken
    assert.is_true(cond:wait(0))
  end)

  it("can end the program's wait for an answer", function()
    local stream = silent_stream(finally)
    blocking.start(function() stream:interrupt "somebody else leads" end)
    local got, kind, reason = stream:recv(core.session(1024), blocking.now() + 30)
    assert.is_nil(got)
    assert.same({ "closed", "somebody else leads" }, { kind, reason })
  end)

  it("are told when the program closes what they wait for", function()
    local stream, kind = silent_stream(finally), nil
    blocking.start(function()
      local _
      _, kind = stream:recv(core.session(1024), blocking.now() + 30)
    end)
    blocking.sleep(0)
    stream:close()
    blocking.sleep(0)
    assert.equal("closed", kind)
  end)

  it("have their deadlines while they wait for sockets", function()
    local stream, kind = silent_stream(finally), nil
    blocking.start(function()
      local _
      _, kind = stream:recv(core.session(1024), blocking.now() + 0.01)
    end)
    eventually("it is given up", function() return kind end)
    assert.equal("timeout", kind)
  end)

  it("may be more than one poll can watch", function()
    local closers, ended = {}, 0
    finally(function()
      for _, close in ipairs(closers) do close() end
    end)
    for _ = 1, core.POLL_MAX + 6 do
      local stream = silent_stream(function(close) closers[#closers + 1] = close end)
      blocking.start(function()
        stream:recv(core.session(1024), blocking.now() + 0.02)
        ended = ended + 1
      end)
    end
    eventually("all have ended", function() return ended == core.POLL_MAX + 6 end)
  end)

  it("that fail are reported, and the others go on", function()
    local went_on = false
    local text = stderr.of(function()
      blocking.start(function() error "on purpose" end)
      blocking.start(function() went_on = true end)
      blocking.sleep(0)
    end)
    assert.matches("on purpose", text)
    assert.is_true(went_on)
  end)

  it("that yield to nobody are reported", function()
    local text = stderr.of(function()
      blocking.start(function() coroutine.yield() end)
      blocking.sleep(0)
    end)
    assert.matches("a function given to dqlite cannot yield", text)
  end)
end)
