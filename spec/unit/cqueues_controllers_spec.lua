-- Several controllers of cqueues, and those of a forked process.
local beside_luv = require "spec.support.beside_luv"
local child = require "spec.support.child"
local collect = require "spec.support.collect"
local core = require "dqlite.core"
local cqueues = require "cqueues"
local dqlite = require "dqlite"
local here = require "spec.support.beside_server"
local loop = require "dqlite.loop.cqueues"
local loops = require "dqlite.loops"
local raises = require "spec.support.raises"
local stderr = require "spec.support.stderr"

local ALL, SECOND = here.ALL, here.SECOND
local run, connect = here.run, here.connect

local function fd_of(conn) return conn.link.stream.sock:fd() end

describe("several controllers", function()
  local second

  before_each(function()
    here.start()
    second = beside_luv.new()
  end)

  after_each(function()
    assert.equal(0, beside_luv.close(second))
    here.stop()
  end)

  it("can use a connection in turn", function()
    local conn = run(connect)
    for i = 1, 6 do
      local value = beside_luv.run(i % 2 == 0 and here.controller or second, function()
        return conn:fetchval "SELECT 1"
      end)
      assert.equal(1, value)
    end
    conn:close() -- outside of any
    assert.is_false(conn:is_open())
  end)

  it("both forget a descriptor that is closed in one, or in none", function()
    local function close_here(conn) conn:close() end
    for _, close in ipairs { function(conn) run(close_here, conn) end, close_here } do
      local conn = run(connect)
      local number = fd_of(conn)
      assert.equal(1, beside_luv.run(second, conn.fetchval, conn, "SELECT 1"))
      close(conn)
      local other = beside_luv.run(second, connect)
      assert.equal(number, fd_of(other))
      assert.equal(1, run(other.fetchval, other, "SELECT 1"))
      assert.equal(1, beside_luv.run(second, other.fetchval, other, "SELECT 1"))
      run(other.close, other)
    end
  end)

  it("can be one in the other", function()
    assert.equal(1, run(function()
      local inner, value = cqueues.new(), nil
      inner:wrap(function()
        local conn = connect()
        value = conn:fetchval "SELECT 1"
        conn:close()
      end)
      assert(inner:loop())
      inner:close()
      return value
    end))
  end)

  it("wake each other's coroutines", function()
    local cond, order = loop.cond(), {}
    second:wrap(function()
      order[#order + 1] = tostring(cond:wait(core.now() + SECOND))
    end)
    second:step(0)
    run(function() cond:signal() end)
    for _ = 1, 5 do second:step(0.01) end
    assert.same({ "true" }, order)
  end)

  it("may be closed while a call waits, which is broken off then", function()
    local conn = run(connect)
    here.source:on(ALL, {})
    second:wrap(function() conn:fetchall(ALL) end)
    local deadline = core.now() + SECOND
    while not conn.link.stream.wait.thread and core.now() < deadline do second:step(0.01) end
    run(function() raises("in use by another coroutine", function() conn:ping() end) end)
    second:close()
    second = beside_luv.new()
    local done, err = run(conn.ping, conn)
    assert.is_nil(done)
    assert.equal("closed", err.kind)
    assert.matches("broken off", err.message)
    here.hang_up()
    run(conn.close, conn)
  end)

  it("that are closed lose no signal", function()
    local cond, log = loop.cond(), {}
    second:wrap(function() cond:wait() end)
    second:step(0)
    here.controller:wrap(function() log[1] = cond:wait(core.now() + SECOND) end)
    here.controller:step(0)
    second:close()
    second = beside_luv.new()
    run(function()
      cond:signal()
      dqlite.sleep(0.01)
    end)
    assert.same({ true }, log)
  end)

  it("that are closed give back what a pool has lent there", function()
    local pool = assert(run(dqlite.create_pool, here.server.address, { max_size = 1 }))
    second:wrap(function()
      local conn = assert(pool:acquire())
      dqlite.sleep(1000)
      conn:release()
    end)
    for _ = 1, 5 do second:step(0.01) end
    assert.equal(1, pool:stats().in_use)
    second:close()
    second = beside_luv.new()
    stderr.of(function()
      assert.equal(1, run(function()
        collect()
        return pool:fetchval "SELECT 1"
      end))
    end)
    run(pool.close, pool)
  end)
end)

describe("a child of a process with a controller", function()
  before_each(here.start)
  after_each(here.stop)

  it("can use another one, and block, and nothing of the parent's is harmed", function()
    local conn = run(connect)
    assert.equal(1, run(conn.fetchval, conn, "SELECT 1"))
    local port = here.server.address
    local text = child.run(function()
      local own, value = cqueues.new(), nil
      own:wrap(function()
        local other, err = dqlite.connect(port, { connect_timeout = 0.05, timeout = 0.05 })
        value = tostring(other) .. " " .. err.kind -- the server is the parent's, which waits
      end)
      assert(own:loop())
      local _, err = dqlite.connect("127.0.0.1:1")
      conn:close()
      return value .. " " .. err.kind
    end)
    assert.equal("nil timeout connect", text)
    assert.equal(1, run(conn.fetchval, conn, "SELECT 1"))
    run(conn.close, conn)
  end)

  it("cannot use the parent's, in the middle of a coroutine either", function()
    run(function()
      local conn = connect()
      assert.equal("blocking", child.run(function() return loops.select().name end))
      local text = child.run(function()
        return select(2, pcall(dqlite.connect, here.server.address, { loop = "cqueues" }))
      end)
      assert.matches("belongs to the process that has forked this one", text)
      assert.matches("belongs to the process", child.run(function()
        return select(2, pcall(conn.ping, conn))
      end))
      assert.equal(1, conn:fetchval "SELECT 1")
      conn:close()
    end)
  end)

  it("ends as every program, and the parent's waits go on", function()
    run(function()
      local conn = connect()
      local task = here.wait_in_vain(conn, "fetchval")
      child.run(function()
        here.controller, task = nil, nil
        conn:close()
        collect()
      end)
      here.answer_late(7)
      assert.equal(7, task:wait()[1])
      conn:close()
    end)
  end)
end)
