-- `on_event`, and the counters of a pool.
local dqlite = require "dqlite"
local live = require "spec.support.live"
local stderr = require "spec.support.stderr"

live.each("events", function(server)
  local seen, pool

  before_each(function() seen = {} end)
  after_each(function()
    if pool then pool:close(0) end
    pool = nil
  end)

  local function note(event)
    seen[#seen + 1] = event
  end

  local function names()
    local list = {}
    for i, event in ipairs(seen) do list[i] = event.name end
    return table.concat(list, " ")
  end

  local function find(name)
    for _, event in ipairs(seen) do
      if event.name == name then return event end
    end
  end

  it("tell of a connection from its begin to its end", function()
    local conn = server:connect { on_event = note, slow_query = 60 }
    assert.equal(1, conn:fetchval("SELECT ?", 1))
    conn:close()
    assert.equal("leader_change connect query_start query_end close", names())
    local connected = find "connect"
    assert.equal(server.address, connected.address)
    assert.is_true(connected.seconds > 0 and connected.seconds < 10)
    assert.equal("SELECT ?", find "query_start".sql)
    local ended = find "query_end"
    assert.same({ "SELECT ?", server.address }, { ended.sql, ended.address })
    assert.is_nil(ended.error)
    assert.is_true(ended.seconds > 0)
    assert.is_nil(find "close".error)
  end)

  it("tell of slow calls, and of errors", function()
    local conn = server:connect { on_event = note, slow_query = 1e-9 }
    live.fails("sql", conn:execute "INSERT INTO missing VALUES (1)")
    assert.equal("sql", find "query_end".error.kind)
    assert.equal("INSERT INTO missing VALUES (1)", find "slow_query".sql)
  end)

  it("tell of every kind of call once", function()
    local conn = server:connect()
    conn:execute "CREATE TABLE t (a)"
    conn:close()
    local calls = {
      function(c) return c:execute "INSERT INTO t VALUES (1)" end,
      function(c) return c:executemany("INSERT INTO t VALUES (?)", { { 1 }, { 2 } }) end,
      function(c) return c:pipeline { { "SELECT 1" }, { "SELECT 2" } } end,
      function(c) return c:rows "SELECT a FROM t"() end,
      function(c) return c:prepare "SELECT 1" end,
      function(c) return c:ping() end,
      function(c) return c:features() end,
    }
    for _, fn in ipairs(calls) do
      seen = {}
      conn = server:connect { on_event = note }
      seen = {}
      assert(fn(conn))
      assert.equal("query_start query_end", names())
      conn:close()
    end
  end)

  it("never hold parameters, and cap the text", function()
    local conn = server:connect { on_event = note }
    assert(conn:fetchval("SELECT ?", "secret"))
    assert(conn:fetchval("SELECT 1 -- \27[31m" .. ("x"):rep(5000)))
    for _, event in ipairs(seen) do
      for _, value in pairs(event) do
        assert.is_nil(tostring(value):find("secret", 1, true))
        assert.is_nil(tostring(value):find("\27", 1, true))
        assert.is_true(#tostring(value) < 1000)
      end
    end
  end)

  it("may raise, or try to wait, and break nothing", function()
    local text = stderr.of(function()
      local conn = server:connect { on_event = function() error "mine" end }
      assert.equal(1, conn:fetchval "SELECT 1")
      local other = server:connect { on_event = function() coroutine.yield() end }
      assert.equal(2, other:fetchval "SELECT 2")
      conn:close()
      other:close()
    end)
    assert.matches("the function on_event failed: .*mine", text)
    assert.matches("the function on_event cannot wait", text, 1, true)
  end)

  it("are counted by a pool", function()
    pool = assert(dqlite.create_pool(server.address, { database = server.database, max_size = 2 }))
    assert(pool:execute "CREATE TABLE t (a)")
    for i = 1, 9 do assert(pool:execute("INSERT INTO t VALUES (?)", i)) end
    live.fails("sql", pool:execute "INSERT INTO missing VALUES (1)")
    local stats = pool:stats()
    assert.same({ 11, 11, 1, 1, 0 },
      { stats.acquires, stats.queries, stats.query_errors, stats.connects, stats.closes })
    assert.equal(11, stats.latency.count)
    assert.is_true(stats.latency.sum > 0)
    local before = 0
    for i, bucket in ipairs(stats.latency) do
      assert.is_true(bucket.count >= before and (i == 1 or bucket.le > stats.latency[i - 1].le))
      before = bucket.count
    end
    assert.equal(11, before)
    pool:close()
    assert.equal(1, pool:stats().closes)
  end)

  it("are told by a pool", function()
    pool = assert(dqlite.create_pool(server.address, {
      database = server.database,
      max_size = 1,
      acquire_timeout = 0.01,
      on_event = note,
    }))
    assert.is_true(pool:ping())
    local conn = assert(pool:acquire())
    live.fails("pool", pool:acquire())
    conn:release()
    pool:close()
    assert.matches("connect query_start query_end pool_wait close$", names())
    assert.is_false(find "pool_wait".served)
  end)
end)
