-- dqlite.adapter over the smallest scheduler that there can be.
local adapter = require "dqlite.adapter"
local core = require "dqlite.core"
local dqlite = require "dqlite"
local eventually = require "spec.support.eventually"
local handles = require "spec.support.handles"
local luv_server = require "spec.support.luv_server"
local raises = require "spec.support.raises"
local simulated = require "spec.support.simulated"
local stderr = require "spec.support.stderr"

local READ, WRITE = core.POLL_READ, core.POLL_WRITE
local BITS = { r = READ, w = WRITE, rw = READ + WRITE }

-- Coroutines are resumed from a list; who waits for a descriptor asks poll(2) each time.
local function new_scheduler()
  local due, parked = {}, {}
  local scheduler = { name = "small", forgotten = 0 }

  function scheduler.later(fn, arg) due[#due + 1] = function() fn(arg) end end

  function scheduler.start(fn)
    scheduler.later(function() assert(coroutine.resume(coroutine.create(fn))) end)
  end

  function scheduler.wake(wait)
    local thread = parked[wait]
    parked[wait] = nil
    scheduler.later(function() assert(coroutine.resume(thread, wait)) end)
  end

  function scheduler.park(wait, deadline)
    parked[wait], wait.till = coroutine.running(), deadline or math.huge
    if coroutine.yield() == wait then return true end
    parked[wait] = nil
    return nil, "misuse", "resumed by something else"
  end

  function scheduler.forget() scheduler.forgotten = scheduler.forgotten + 1 end

  local function is_over(wait)
    if wait.till <= core.now() then return true end
    return wait.wanted and core.poll_fds({ wait.fd }, { BITS[wait.wanted] }, 1, 0, {}) == 1
  end

  local function list_over()
    local list = {}
    for wait in pairs(parked) do
      if is_over(wait) then list[#list + 1] = wait end
    end
    return list
  end

  function scheduler.step()
    handles.turn(1) -- of the server
    for _, wait in ipairs(list_over()) do scheduler.wake(wait) end
    local functions = due
    due = {}
    for _, fn in ipairs(functions) do fn() end
  end

  return scheduler
end

describe("a loop of an adapter", function()
  local scheduler, loop, source, server

  before_each(function()
    scheduler = new_scheduler()
    loop = adapter.new(scheduler)
    source = simulated.server()
    server = luv_server.start(source)
  end)

  after_each(function()
    handles.settle(function() return server.peers == 0 end)
    assert.equal(0, server.peers)
    server:stop()
    simulated.verify()
  end)

  local function run(fn)
    local ok, result
    loop.start(function() ok, result = pcall(fn) end)
    eventually("it ends", function()
      scheduler.step()
      return ok ~= nil
    end)
    assert(ok, result)
    return result
  end

  local function connect()
    return assert(dqlite.connect(server.address, { loop = loop }))
  end

  it("has a name and a clock", function()
    assert.equal("small", loop.name)
    scheduler.name = nil
    assert.equal("a loop of one's own", adapter.new(scheduler).name)
    local before = adapter.now()
    assert.is_true(before <= loop.now())
  end)

  it("carries connections, whose descriptors it forgets before they are closed", function()
    assert.equal(1, run(function()
      local conn = connect()
      local value = conn:fetchval "SELECT 1"
      conn:close()
      return value
    end))
    assert.is_true(scheduler.forgotten > 0)
  end)

  it("lets coroutines wait for each other, and for a time", function()
    local cond, order = loop.cond(), {}
    loop.start(function()
      order[#order + 1] = "first"
      cond:signal()
    end)
    run(function()
      assert.is_true(cond:wait(loop.now() + 60))
      order[#order + 1] = "second"
      local before = loop.now()
      assert.is_false(cond:wait(before + 0.002))
      assert.is_true(loop.now() >= before + 0.002)
      assert.is_true(loop.sleep(0.001))
    end)
    assert.same({ "first", "second" }, order)
  end)

  it("says where nobody can wait, and reports what a task raises", function()
    local opts = { loop = loop }
    raises("with small only a coroutine", function() dqlite.connect(server.address, opts) end)
    assert.is_nil((loop.sleep(1)))
    local text = stderr.of(function()
      loop.start(function() error "of a task" end)
      scheduler.step()
    end)
    assert.matches("of a task.*traceback", text)
  end)

  it("breaks off a wait that something else ends", function()
    local kind
    local thread = coroutine.create(function() kind = select(2, loop.sleep(60)) end)
    assert(coroutine.resume(thread))
    assert(coroutine.resume(thread))
    assert.equal("misuse", kind)
  end)

  it("is made of functions", function()
    raises("of a table of functions", function() adapter.new() end)
    raises("needs the function 'park'", function() adapter.new {} end)
    local lacking = { park = print, wake = print, later = print }
    raises("needs the function 'start'", function() adapter.new(lacking) end)
  end)
end)
