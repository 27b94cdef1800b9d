-- What is on its way to a coroutine, or back, when the pool is closed.
local dqlite = require "dqlite"
local virtual_loop = require "spec.support.virtual_loop"
local virtual_net = require "spec.support.virtual_net"
local virtual_server = require "spec.support.virtual_server"

local world, server

-- Runs a function with a pool of one connection, in a coroutine.
local function run(opts, rates, fn)
  world = virtual_loop.new(1)
  server = virtual_server.new(world, rates)
  virtual_net.install(world, server)
  opts.loop, opts.max_size, opts.min_size = world.loop, 1, 0
  local ended = false
  world:spawn(function()
    fn(assert(dqlite.create_pool(server.ADDRESS, opts)))
    ended = true
  end)
  assert.is_true(world:run())
  assert.same({}, world.errors)
  assert.is_true(ended)
  assert.equal(0, server.open)
end

-- Begins `fn` beside the caller; the function that comes back waits for what it answers.
local function beside(fn)
  local done, answer, err = world.loop.cond(), nil, nil
  world.loop.start(function()
    answer, err = fn()
    done:signal()
  end)
  world.loop.sleep(0.1)
  return function()
    assert.is_true(done:wait(world.loop.now() + 100))
    return answer, err
  end
end

describe("a pool that is closed", function()
  it("refuses who was handed a connection and had no turn yet", function()
    run({}, {}, function(pool)
      local conn = assert(pool:acquire())
      local wait = beside(function() return pool:acquire() end)
      assert.equal(1, pool:stats().waiting)
      conn:release()
      assert.is_true(pool:close(0))
      assert.equal(0, server.sessions)
      local answer, err = wait()
      assert.is_nil(answer)
      assert.equal("pool", err.kind)
      assert.equal(0, pool:stats().size)
      assert.equal(1, server.dials)
    end)
  end)

  it("does not begin init with what was dialled meanwhile", function()
    local begun = false
    run({ init = function() begun = true end }, {}, function(pool)
      server.latency = 1
      local wait = beside(function() return pool:acquire() end)
      assert.same({ 1, 0 }, { server.dials, server.sessions })
      assert.is_true(pool:close(0))
      assert.equal("pool", select(2, wait()).kind)
      assert.is_false(begun)
      assert.equal(0, server.sessions)
    end)
  end)

  it("cuts a connection in the middle of init", function()
    local first, second
    local function init(conn)
      first = conn:fetchval "SELECT 1"
      world.loop.sleep(1)
      local _
      _, second = conn:fetchval "SELECT 1"
    end
    run({ init = init }, {}, function(pool)
      local wait = beside(function() return pool:acquire() end)
      assert.is_true(pool:close(0))
      assert.equal(0, server.sessions)
      local answer, err = wait()
      assert.is_nil(answer)
      assert.equal("pool", err.kind)
      assert.equal(1, first)
      assert.equal("closed", second.kind)
    end)
  end)

  it("waits for a connection in the middle of init, as long as there is time", function()
    local second
    local function init(conn)
      world.loop.sleep(1)
      second = conn:fetchval "SELECT 1"
    end
    run({ init = init }, {}, function(pool)
      local wait = beside(function() return pool:acquire() end)
      assert.is_true(pool:close(10))
      assert.equal(1, second)
      assert.equal("pool", select(2, wait()).kind)
    end)
  end)

  it("cuts a connection whose ROLLBACK is not answered", function()
    run({ timeout = 30 }, { rollback_never = 1 }, function(pool)
      local conn = assert(pool:acquire())
      assert(conn:execute "BEGIN")
      local began = world.loop.now()
      local wait = beside(function() return conn:release() end)
      assert.is_true(pool:close(1))
      assert.equal(0, server.sessions)
      assert.is_true(wait())
      assert.is_true(world.loop.now() < began + 2)
    end)
  end)
end)

describe("a pool whose reads share connections", function()
  it("raises what init has raised, at once", function()
    run({ multiplex = true, init = function() error("not today", 0) end }, {}, function(pool)
      local began = world.loop.now()
      local ok, err = pcall(pool.fetchval, pool, "SELECT 1")
      assert.is_false(ok)
      assert.equal("not today", err)
      assert.is_true(world.loop.now() < began + 1)
      assert.is_true(pool:close())
    end)
  end)
end)
