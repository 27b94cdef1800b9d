-- Waiting for a connection of a pool: first come, first served, and out of the queue on
-- every exit.
local dqlite = require "dqlite"
local eventually = require "spec.support.eventually"
local live = require "spec.support.live"
local proxy = require "spec.support.proxy"

live.each("waiting for a connection of a pool", function(server)
  local pool, between

  local function open(opts)
    opts.database, opts.connect_timeout = server.database, 10
    if between then opts.translate = function() return between.address end end
    pool = assert(dqlite.create_pool(between and between.address or server.address, opts))
    return pool
  end

  after_each(function()
    if pool then pool:close(0) end
    if between then between:stop() end
    pool, between = nil, nil
  end)

  local function waiting(n)
    eventually(n .. " wait", function() return pool:stats().waiting == n end)
  end

  it("serves who has waited longest", function()
    open { max_size = 2 }
    local held = { assert(pool:acquire()), assert(pool:acquire()) }
    local order, tasks = {}, {}
    for i = 1, 6 do
      tasks[i] = dqlite.spawn(function()
        local conn = assert(pool:acquire())
        order[#order + 1] = i
        dqlite.sleep(0)
        conn:release()
      end)
      waiting(i)
    end
    held[1]:release()
    held[2]:release()
    for i = 1, 6 do tasks[i]:wait() end
    assert.same({ 1, 2, 3, 4, 5, 6 }, order)
    assert.same({ 2, 0, 0 }, { pool:stats().size, pool:stats().waiting, pool:stats().in_use })
    assert.equal(6, pool:stats().waits)
  end)

  it("is not overtaken by who comes when one is given back", function()
    open { max_size = 1 }
    local held, order = assert(pool:acquire()), {}
    local first = dqlite.spawn(function()
      local conn = assert(pool:acquire())
      order[#order + 1] = "first"
      conn:release()
    end)
    waiting(1)
    held:release()
    local conn = assert(pool:acquire())
    order[#order + 1] = "second"
    conn:release()
    first:wait()
    assert.same({ "first", "second" }, order)
  end)

  it("behaviour 36: a waiter whose time is over leaves the queue, and no slot", function()
    open { max_size = 1, acquire_timeout = 0.05 }
    local held = assert(pool:acquire())
    local began = live.timed(function()
      local conn, err = pool:acquire()
      assert.is_nil(conn)
      assert.same({ "pool", true }, { err.kind, err.retryable })
      assert.matches("1 of 1 are in use", err.message, 1, true)
    end)
    assert.is_true(began < 5)
    assert.same({ nil, "pool" }, { nil, select(2, pool:execute("SELECT 1", {},
      { timeout = 0.02 })).kind })
    assert.same({ 0, 2 }, { pool:stats().waiting, pool:stats().timeouts })
    held:release()
    assert.is_true(pool:ping())
    assert.equal(1, pool:stats().connects)
  end)

  it("behaviour 36: a coroutine that is closed while it waits leaves the queue", function()
    local close = rawget(coroutine, "close")
    open { max_size = 1 }
    local held = assert(pool:acquire())
    local gone = coroutine.create(function() pool:acquire() end)
    coroutine.resume(gone)
    assert.equal(1, pool:stats().waiting)
    local served = dqlite.spawn(function() return pool:fetchval "SELECT 1" end)
    waiting(2)
    if close then -- LuaJIT has no way to close one: a waiter is resumed by its deadline
      close(gone)
      assert.equal(1, pool:stats().waiting)
    else
      coroutine.resume(gone)
      assert.equal(1, pool:stats().waiting)
    end
    held:release()
    assert.equal(1, served:wait())
    assert.same({ 0, 0 }, { pool:stats().waiting, pool:stats().in_use })
  end)

  it("behaviour 36: a coroutine that is closed while it dials frees its slot", function()
    local close = rawget(coroutine, "close")
    if not close then return assert.is_nil(close) end -- LuaJIT has none to close one with
    between = proxy.start(server.address)
    open { min_size = 0, max_size = 1 }
    between:delay(0.2)
    local thread = coroutine.create(function() pool:acquire() end)
    coroutine.resume(thread)
    local waiter = dqlite.spawn(function() return pool:fetchval "SELECT 1" end)
    waiting(1)
    close(thread)
    between:pass()
    assert.equal(1, waiter:wait())
    assert.same({ 1, 0 }, { pool:stats().size, pool:stats().in_use })
  end)

  it("behaviour 36: a coroutine that is closed in a call frees its slot", function()
    local close = rawget(coroutine, "close")
    if not close then return assert.is_nil(close) end
    between = proxy.start(server.address)
    open { max_size = 1 }
    between:delay(0.2)
    local thread = coroutine.create(function() pool:fetchval "SELECT 1" end)
    coroutine.resume(thread)
    close(thread)
    between:pass()
    assert.equal(2, pool:fetchval("SELECT 2", {}, { timeout = 5 }))
    assert.equal(1, pool:stats().size)
  end)

  it("behaviour 36: a dial that fails frees the slot for who waits", function()
    between = proxy.start(server.address)
    open { min_size = 0, max_size = 1, timeout = 0.3 }
    between:black_hole()
    local first = dqlite.spawn(function() return pool:acquire() end)
    eventually("it dials", function() return pool:stats().connecting == 1 end)
    local second = dqlite.spawn(function() return pool:acquire { timeout = 9 } end)
    waiting(1)
    local conn, err = first:wait()
    assert.is_nil(conn)
    assert.equal("timeout", err.kind)
    between:pass()
    conn = assert(second:wait())
    assert.is_true(conn:ping())
    conn:release()
    assert.equal(1, pool:stats().size)
  end)

  it("behaviour 37: close wakes who waits at once", function()
    open { max_size = 1 }
    local held = assert(pool:acquire())
    local tasks = {}
    for i = 1, 3 do tasks[i] = dqlite.spawn(function() return pool:acquire() end) end
    waiting(3)
    local closing = dqlite.spawn(function() return pool:close() end)
    for i = 1, 3 do
      local conn, err = tasks[i]:wait()
      assert.is_nil(conn)
      assert.same({ "pool", "the pool is closed" }, { err.kind, err.message })
    end
    assert.is_true(held:ping())
    held:release()
    assert.is_true(closing:wait())
    assert.equal(0, pool:stats().size)
  end)

  it("behaviour 37: close waits for those in use, then closes them", function()
    open { max_size = 2 }
    local back, late = assert(pool:acquire()), assert(pool:acquire())
    local first = dqlite.spawn(function() return pool:close(0.1) end)
    local second = dqlite.spawn(function() return pool:close(0.1) end)
    eventually("it is closed", function() return not pool:is_open() end)
    assert.is_true(back:ping())
    back:release()
    assert.is_true(first:wait())
    assert.is_true(second:wait())
    live.fails("closed", late:ping())
    assert.is_true(late:release())
    assert.equal(0, pool:stats().size)
  end)

  it("behaviour 37: a dial in flight is not handed out", function()
    between = proxy.start(server.address)
    open { min_size = 0, max_size = 1 }
    between:delay(0.1)
    local dialling = dqlite.spawn(function() return pool:acquire() end)
    eventually("it dials", function() return pool:stats().connecting == 1 end)
    local closing = dqlite.spawn(function() return pool:close() end)
    local conn, err = dialling:wait()
    assert.is_nil(conn)
    assert.equal("the pool is closed", err.message)
    assert.is_true(closing:wait())
    assert.equal(0, pool:stats().size)
    eventually("it is closed", function() return between:open_count() == 0 end)
  end)

  it("gives a slot that a dead coroutine held to who waits", function()
    open { max_size = 1 }
    local text = require "spec.support.stderr".of(function()
      local thread = coroutine.create(function()
        local conn = assert(pool:acquire())
        coroutine.yield()
        return conn
      end)
      coroutine.resume(thread)
      assert.equal(1, pool:stats().in_use)
      local waiter = dqlite.spawn(function() return pool:fetchval "SELECT 1" end)
      waiting(1)
      thread = nil -- luacheck: ignore
      eventually("it is served", function()
        collectgarbage()
        return pool:stats().waiting == 0
      end)
      assert.equal(1, waiter:wait())
    end)
    assert.matches("collected without release", text, 1, true)
  end)

  it("takes away a connection that is released in the middle of another's call", function()
    between = proxy.start(server.address)
    open { max_size = 1 }
    between:delay(0.1)
    local conn = assert(pool:acquire())
    local task = dqlite.spawn(function() return conn:fetchval "SELECT 1" end)
    eventually("it is called", function() return conn.link.owner end)
    conn:release()
    local answer, err = task:wait()
    assert.is_nil(answer)
    assert.equal("closed", err.kind)
    eventually("what is left is read", function() return pool:stats().size == 0 end)
    assert.is_true(pool:ping())
  end)
end)
