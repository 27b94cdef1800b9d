local dqlite = require "dqlite"
local new_random = require "spec.support.random"
local virtual_loop = require "spec.support.virtual_loop"
local virtual_net = require "spec.support.virtual_net"
local virtual_server = require "spec.support.virtual_server"

local START = 100 -- of the clock
local PATIENT = { timeout = 10, connect_timeout = 1 }

describe("numbers that follow from a seed", function()
  it("are those of Park and Miller's generator", function()
    local random = new_random(0)
    random.state = 1
    for _ = 1, 10000 do random:number() end
    assert.equal(399268537, random.state) -- as in std::minstd_rand, C++11 26.5.5
  end)

  it("are the same for the same seed, and others for the next", function()
    local first, second, other = new_random(7), new_random(7), new_random(8)
    local differ = false
    for _ = 1, 50 do
      local number = first:number()
      assert.equal(number, second:number())
      differ = differ or number ~= other:number()
      assert.is_true(number >= 0 and number < 1)
    end
    assert.is_true(differ)
  end)

  it("reach all of a range", function()
    local random, seen = new_random(3), {}
    for _ = 1, 200 do seen[random:upto(5)] = true end
    assert.same({ true, true, true, true, true }, seen)
    assert.is_false(random:chance(0))
    assert.is_true(random:chance(1))
  end)
end)

describe("the virtual loop", function()
  local world

  before_each(function() world = virtual_loop.new(1) end)

  local function run(fn)
    local result
    world:spawn(function() result = { fn() } end)
    assert.is_true(world:run())
    assert.same({}, world.errors)
    assert.is_table(result)
    return result[1], result[2]
  end

  it("moves its clock to the next deadline, and no farther", function()
    local before = world.loop.now()
    run(function() world.loop.sleep(3600) end)
    assert.is_true(world.loop.now() >= before + 3600)
    assert.is_true(world.loop.now() < before + 3601)
  end)

  it("lets those that sleep go on in the order of their times", function()
    local order = {}
    for i, seconds in ipairs { 3, 1, 2 } do
      world.loop.start(function()
        world.loop.sleep(seconds)
        order[#order + 1] = i
      end)
    end
    world:run()
    assert.same({ 2, 3, 1 }, order)
  end)

  it("runs what can run in an order that follows from the seed", function()
    local orders = {}
    for seed = 1, 20 do
      local order, each = {}, virtual_loop.new(seed)
      for i = 1, 4 do each.loop.start(function() order[#order + 1] = i end) end
      each:run()
      orders[table.concat(order, " ")] = true
    end
    local count = 0
    for _ in pairs(orders) do count = count + 1 end
    assert.is_true(count > 10, count) -- of 24
  end)

  it("signals those that wait for a condition first come, first served", function()
    for seed = 1, 20 do
      world = virtual_loop.new(seed)
      local cond, came, went = world.loop.cond(), {}, {}
      for i = 1, 4 do
        world:spawn(function()
          came[#came + 1] = i
          assert(cond:wait(world.loop.now() + 10))
          went[#went + 1] = i
        end)
      end
      world:spawn(function()
        world.loop.sleep(1)
        for _ = 1, 4 do
          cond:signal()
          world.loop.sleep(0.1)
        end
      end)
      assert.is_true(world:run())
      assert.same(came, went)
    end
  end)

  it("keeps a signal that nobody waits for", function()
    local cond = world.loop.cond()
    cond:signal()
    assert.is_true(run(function() return cond:wait(0) end))
    assert.is_false(run(function() return cond:wait(world.loop.now() + 1) end))
  end)

  it("answers a foreign resume with misuse", function()
    local cond, answer = world.loop.cond(), nil
    local thread = world:spawn(function() answer = { cond:wait() } end)
    world:run()
    world:meddle(thread)
    assert.is_nil(answer[1])
    assert.equal("misuse", answer[2])
    cond:signal() -- nobody waits any more
    assert.is_true(run(function() return cond:wait(0) end))
  end)

  it("refuses to wait outside of a coroutine", function()
    assert.equal("string", type(world.loop.refusal()))
    assert.is_nil(run(function() return world.loop.refusal() end))
  end)

  it("forgets a coroutine that yields to somebody else", function()
    local collected = false
    world:spawn(function()
      local guard = require "dqlite.finalizer"(function() collected = true end)
      coroutine.yield(guard)
    end)
    assert.is_true(world:run())
    collectgarbage()
    collectgarbage()
    assert.is_true(collected)
  end)

  it("counts background work that goes on", function()
    world.loop.background(function() world.loop.sleep(1) end)
    world.loop.background(function() error("three", 0) end)
    assert.equal(2, world.behind)
    assert.is_true(world:run())
    assert.equal(0, world.behind)
    assert.equal(1, #world.errors)
  end)

  it("keeps what escapes from coroutines and finalizers", function()
    world.loop.start(function() error("one", 0) end)
    world.loop.later_finalize(function() error("two", 0) end)
    world:run()
    assert.equal(2, #world.errors)
  end)

  if coroutine.close then -- luacheck: ignore 143
    it("tells a condition of a coroutine that is closed there, once", function()
      local told = 0
      local cond = world.loop.cond(function() told = told + 1 end)
      local thread = world:spawn(function() cond:wait(world.loop.now() + 1) end)
      world:step()
      world:close(thread)
      assert.is_true(world:run())
      assert.equal(1, told)
    end)

    it("passes on a signal whose coroutine is closed before its turn", function()
      local cond, served = world.loop.cond(), 0
      local function wait()
        if cond:wait() then served = served + 1 end
      end
      local first = world:spawn(wait)
      world:run()
      world:spawn(wait)
      world:run()
      cond:signal()
      world:close(first)
      world:run()
      assert.equal(1, served)
    end)
  end
end)

describe("the server on a virtual loop", function()
  local world, server

  local function start(rates, seed)
    world = virtual_loop.new(seed or 1)
    server = virtual_server.new(world, rates)
    virtual_net.install(world, server)
  end

  -- Connects, and answers what a function does with the connection.
  local function connect(fn, opts)
    local settings, result = { loop = world.loop }, nil
    for name, value in pairs(opts or PATIENT) do settings[name] = value end
    world:spawn(function()
      local conn, err = dqlite.connect(server.ADDRESS, settings)
      result = conn and { fn(conn) } or { nil, err }
      if conn then conn:close() end
    end)
    assert.is_true(world:run())
    assert.same({}, world.errors)
    assert.equal(0, server.open)
    return result[1], result[2]
  end

  local function is_open(conn) return conn:is_open() end
  local function fetch(conn) return conn:fetchval "SELECT 1" end

  local function fails(kind, rates, fn, opts)
    start(rates)
    local answer, err = connect(fn or is_open, opts)
    assert.is_nil(answer)
    assert.equal(kind, err.kind, tostring(err))
    return err
  end

  it("answers, and counts its connections", function()
    start()
    assert.equal(1, connect(function(conn)
      assert.same({ 1, 1, 1 }, { server.open, server.live, server.sessions })
      return conn:fetchval "SELECT 1"
    end))
    assert.same({ 0, 0, 0 }, { server.open, server.live, server.sessions })
  end)

  it("keeps transactions of connections apart", function()
    start()
    assert.is_true(connect(function(conn)
      local other = assert(dqlite.connect(server.ADDRESS, { loop = world.loop }))
      assert(conn:execute "BEGIN")
      assert(other:execute "BEGIN")
      return other:close()
    end))
  end)

  it("refuses a dial, or lets it hang until the deadline", function()
    fails("connect", { refuse = 1 })
    assert.is_true(world.loop.now() < START + PATIENT.connect_timeout)
    fails("timeout", { hang = 1 })
    assert.is_true(world.loop.now() >= START + PATIENT.connect_timeout)
  end)

  it("breaks the opening off", function()
    fails("closed", { open_close = 1 })
    fails("timeout", { open_never = 1 })
    fails("no_leader", { no_leader = 1 })
    assert.is_true(world.loop.now() >= START + PATIENT.timeout - 1) -- it was asked again
    start { open_failure = 1 }
    local answer, err = connect(is_open)
    assert.is_nil(answer)
    assert.is_truthy(err.message:find "injected")
  end)

  it("breaks queries off", function()
    fails("closed", { query_close = 1 }, fetch)
    fails("timeout", { query_never = 1 }, fetch)
    start { query_failure = 1 }
    local answer, err = connect(fetch)
    assert.is_nil(answer)
    assert.is_truthy(err.message:find "injected")
  end)

  it("fails a ROLLBACK alone", function()
    fails("closed", { rollback_close = 1 }, function(conn)
      assert(conn:execute "BEGIN")
      return conn:execute "ROLLBACK"
    end)
  end)

  it("closes a connection that is idle, which is seen without a round trip", function()
    fails("closed", { cut = 1 }, function(conn)
      assert.is_true(conn.link.stream:alive())
      world.loop.sleep(1)
      assert.is_false(conn.link.stream:alive())
      return conn:fetchval "SELECT 1"
    end)
  end)

  it("does all of it well once it is healed", function()
    local rates = {}
    for _, fault in ipairs(virtual_server.FAULTS) do rates[fault] = 1 end
    start(rates)
    server:heal()
    assert.equal(1, connect(fetch))
  end)

  it("closes what is being connected when somebody closes that", function()
    start { hang = 1 }
    local held, answer
    world:spawn(function()
      answer = { world.loop.connect(server.ADDRESS, world.loop.now() + 1000,
        function(stream) held = stream end) }
    end)
    world:spawn(function()
      world.loop.sleep(1)
      held:close()
    end)
    world:run()
    assert.equal("closed", answer[2])
    assert.equal(0, server.open)
    assert.is_true(world.loop.now() < 200)
  end)
end)
