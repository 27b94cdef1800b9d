-- What is broken off in the middle, at each of its steps, loses no connection and no slot
-- of a pool: by a foreign resume, and by coroutine.close where Lua has that.
local dqlite = require "dqlite"
local stderr = require "spec.support.stderr"
local virtual_loop = require "spec.support.virtual_loop"
local virtual_net = require "spec.support.virtual_net"
local virtual_server = require "spec.support.virtual_server"

local SETTINGS = { max_size = 1, min_size = 0, timeout = 1, connect_timeout = 1 }
local SEEDS = 3 -- orders of steps

local WAYS = { { name = "a foreign resume", act = "meddle" } }
if coroutine.close then -- luacheck: ignore 143
  WAYS[2] = { name = "coroutine.close", act = "close" }
end

local world, server, pool

local function start(seed, rates)
  world = virtual_loop.new(seed)
  server = virtual_server.new(world, rates)
  virtual_net.install(world, server)
  local opts = { loop = world.loop }
  for name, value in pairs(SETTINGS) do opts[name] = value end
  pool = assert(dqlite.create_pool(server.ADDRESS, opts))
end

local function run(fn)
  local result = nil
  world:spawn(function() result = { fn() } end)
  assert.is_true(world:run())
  assert.same({}, world.errors)
  return result[1], result[2]
end

-- Runs a function in a coroutine until a step, and breaks it off there. Answers whether
-- there was such a step.
local function break_off(step, act, fn)
  local ended = false
  local thread = world:spawn(function()
    pcall(fn)
    ended = true
  end)
  for _ = 1, step do world:step() end
  if ended then return false end
  world[act](world, thread)
  assert.is_true(world:run())
  return true
end

-- Breaks a function off at each of its steps and looks each time, without a collector.
local function at_each_step(act, fn, look)
  collectgarbage "stop"
  local steps = 0
  for seed = 1, SEEDS do
    local step = 1
    repeat
      start(seed)
      local broken = break_off(step, act, fn)
      if broken then
        look(("seed %d, step %d"):format(seed, step))
        steps = steps + 1
      end
      step = step + 1
    until not broken
  end
  collectgarbage "restart"
  assert.is_true(steps > 3 * SEEDS, steps)
end

local function collect()
  stderr.of(function()
    collectgarbage()
    collectgarbage()
    assert.is_true(world:run())
  end)
end

local function is_whole(where)
  assert.is_true(server.live <= 1, where)
  local conn, err = run(function() return pool:acquire() end)
  assert(conn, where .. ": " .. tostring(err))
  run(function() return conn:release() end)
  run(function() return pool:close() end)
  assert.equal(0, server.open, where)
end

for _, way in ipairs(WAYS) do
  describe("broken off by " .. way.name, function()
    after_each(function() collectgarbage "restart" end)

    it("a connect leaves no connection", function()
      at_each_step(way.act, function()
        dqlite.connect(server.ADDRESS, { loop = world.loop }):close()
      end, function(where) assert.equal(0, server.open, where) end)
    end)

    it("a connect that shares its search leaves no connection", function()
      at_each_step(way.act, function()
        world.loop.start(function()
          dqlite.connect(server.ADDRESS, { loop = world.loop }):close()
        end)
        dqlite.connect(server.ADDRESS, { loop = world.loop }):close()
      end, function(where) assert.equal(0, server.open, where) end)
    end)

    it("an acquire leaves its slot", function()
      at_each_step(way.act, function()
        local conn = pool:acquire()
        conn:release()
      end, is_whole)
    end)

    it("a release in the middle of its ROLLBACK leaves the slot", function()
      at_each_step(way.act, function()
        local conn = pool:acquire()
        world.keeps = conn -- so that nobody collects it
        conn:execute "BEGIN"
        world.is_releasing = true
        conn:release()
      end, function(where)
        if world.is_releasing then is_whole(where) end
      end)
    end)

    it("a call leaves its slot to the collector", function()
      at_each_step(way.act, function() pool:fetchval "SELECT 1" end, function(where)
        collect()
        is_whole(where)
      end)
    end)
  end)
end

describe("a connection of a pool", function()
  it("can be released after a transaction that a foreign resume broke off", function()
    local released
    at_each_step("meddle", function()
      local conn = pool:acquire()
      if not conn then return end
      released = false
      pcall(conn.transaction, conn, function() return conn:execute "UPDATE t SET a = 1" end)
      conn:release()
      released = true
    end, function(where)
      assert.is_true(released ~= false, where)
      is_whole(where)
    end)
  end)

  it("has its place until the result that it was left with is read", function()
    start(1, { query_never = 1 })
    run(function()
      local answer, err = pool:fetchval("SELECT 1", {}, { timeout = 0.1 })
      assert.is_nil(answer)
      assert.equal("timeout", err.kind)
      assert.same({ 1, 0, 0 }, { pool:stats().size, pool:stats().in_use, pool:stats().idle })
      answer, err = pool:acquire { timeout = 0.1 }
      assert.is_nil(answer)
      assert.equal("pool", err.kind)
      assert.equal(1, server.sessions)
      return true
    end)
    assert.equal(0, server.open) -- it was silent for too long
    assert.equal(0, pool:stats().size)
    server:heal()
    is_whole "afterwards"
  end)
end)
