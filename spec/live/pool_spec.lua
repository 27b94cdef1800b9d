-- api.md, "Pool", against real servers.
local collect = require "spec.support.collect"
local dqlite = require "dqlite"
local eventually = require "spec.support.eventually"
local live = require "spec.support.live"
local stderr = require "spec.support.stderr"

live.each("a pool", function(server)
  local pool

  after_each(function()
    if pool then pool:close(0) end
    pool = nil
  end)

  local function open(opts)
    opts = opts or {}
    opts.database = server.database
    opts.connect_timeout = 10
    pool = assert(dqlite.create_pool(server.address, opts))
    return pool
  end

  local function count(what)
    return assert(pool:fetchval("SELECT count(*) FROM t WHERE a = ?", what))
  end

  it("has the calls of a connection", function()
    open { max_size = 2 }
    assert.same({}, pool:execute "CREATE TABLE t (a INTEGER, b TEXT)")
    assert.same({ rows_affected = 1, last_insert_id = 1 },
      pool:execute("INSERT INTO t VALUES (?, ?)", 1, "one"))
    assert.equal(2, pool:executemany("INSERT INTO t VALUES (?, ?)",
      { { 2, "two" }, { 3, "three" } }).rows_affected)
    assert.same({ { a = 1, b = "one" } }, pool:fetch "SELECT * FROM t WHERE a = 1")
    assert.same({ { 1, "one" } }, pool:fetchall "SELECT a, b FROM t WHERE a = 1")
    assert.same({ { 1, "one" } }, pool:fetch_arrays "SELECT a, b FROM t WHERE a = 1")
    assert.same({ a = 2, b = "two" }, pool:fetchone("SELECT a, b FROM t WHERE a = :a", { a = 2 }))
    assert.equal("three", pool:fetchval("SELECT b FROM t WHERE a = ?", { 3 }, { timeout = 9 }))
    assert.same({ 1, 2, 3 }, pool:fetchcol "SELECT a FROM t ORDER BY a")
    assert.same({ "a" }, pool:query "SELECT a FROM t".columns)
    assert.equal(3, pool:pipeline({ { "SELECT count(*) AS n FROM t" } })[1][1].n)
    assert.equal(2, pool:script "INSERT INTO t (a) VALUES (4); INSERT INTO t (a) VALUES (5)")
    assert.is_true(pool:ping())
    assert.is_nil(pool:fetchone "SELECT 1 WHERE 0")
    assert.equal(1, pool:stats().size)
  end)

  it("answers the error of a statement, and goes on", function()
    open()
    local answer, err = pool:execute "INSERT INTO missing VALUES (1)"
    assert.is_nil(answer)
    assert.equal("sql", err.kind)
    assert.equal(1, pool:fetchval "SELECT 1")
    assert.equal(1, pool:stats().connects)
  end)

  it("gives a fresh object at each acquire, and raises on a stale one", function()
    open { max_size = 1 }
    local first = assert(pool:acquire())
    local statement = assert(first:prepare "SELECT 1")
    local tx = assert(first:begin())
    assert.is_true(first:release())
    local second = assert(pool:acquire())
    assert.are_not.equal(first, second)
    for _, call in ipairs {
      function() first:fetchval "SELECT 1" end,
      function() first:transaction(function() end) end,
      function() statement:fetchval() end,
      function() tx:commit() end,
      function() first:rows "SELECT 1" end,
    } do
      local ok, message = pcall(call)
      assert.is_false(ok)
      assert.matches("given back to its pool", message, 1, true)
      assert.matches("pool_spec.lua", message, 1, true)
    end
    assert.is_true(statement:close())
    assert.is_true(first:release())
    assert.is_true(first:close())
    assert.is_false(first:is_open())
    assert.matches("released", tostring(first))
    assert.equal(1, second:fetchval "SELECT 1")
    second:release()
    assert.equal(1, pool:stats().connects)
  end)

  it("behaviour 32: rolls back what was left open, however it was opened", function()
    open { max_size = 1 }
    assert(pool:execute "CREATE TABLE t (a)")
    local texts = { "BEGIN", "/* x */ SAVEPOINT s", 'SAVEPOINT "a;b"', "begin immediate" }
    for i, text in ipairs(texts) do
      local conn = assert(pool:acquire())
      assert(conn:execute(text))
      assert(conn:execute("INSERT INTO t VALUES (?)", i))
      conn:release()
      assert.equal(0, count(i))
    end
    local conn = assert(pool:acquire())
    assert(conn:script "CREATE TABLE u (a); BEGIN; INSERT INTO t VALUES (9)")
    conn:release()
    assert.equal(0, count(9))
    assert.equal(1, pool:stats().connects)
  end)

  it("reads what is left of rows before it hands the connection on", function()
    open { max_size = 1 }
    local conn = assert(pool:acquire())
    assert.equal(1, conn:rows [[WITH RECURSIVE n(i) AS (
      SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 5000)
      SELECT i, 'text of some length' FROM n]]().i)
    conn:release()
    assert.equal(7, pool:fetchval "SELECT 7")
    assert.equal(1, pool:stats().connects)
  end)

  it("closes the statements that were prepared", function()
    open { max_size = 1 }
    for i = 1, 5 do
      local conn = assert(pool:acquire())
      assert.equal(i, assert(conn:prepare("SELECT " .. i)):fetchval())
      conn:release()
    end
    assert.equal(1, pool:fetchval "SELECT 1")
    assert.equal(1, pool:stats().connects)
  end)

  it("gives the connection back after with, also when that raises", function()
    open { max_size = 1 }
    assert.same({ 1, nil, 3 }, { pool:with(function(conn)
      return conn:fetchval "SELECT 1", nil, 3
    end) })
    local raised = {}
    local ok, err = pcall(pool.with, pool, function(conn)
      assert(conn:begin())
      error(raised, 0)
    end)
    assert.is_false(ok)
    assert.equal(raised, err)
    assert.equal(0, pool:stats().in_use)
    assert.is_true(pool:ping())
  end)

  it("commits a transaction, and rolls it back when it fails or raises", function()
    open { max_size = 2 }
    assert(pool:execute "CREATE TABLE t (a)")
    assert.equal("yes", pool:transaction(function(conn)
      assert(conn:execute "INSERT INTO t VALUES (1)")
      return "yes"
    end))
    local answer, err = pool:transaction(function(conn)
      assert(conn:execute "INSERT INTO t VALUES (2)")
      return conn:execute "INSERT INTO missing VALUES (2)"
    end)
    assert.is_nil(answer)
    assert.equal("sql", err.kind)
    assert.has_error(function()
      pool:transaction(function(conn)
        assert(conn:execute "INSERT INTO t VALUES (3)")
        error("mine", 0)
      end)
    end, "mine")
    assert.same({ 1 }, pool:fetchcol "SELECT a FROM t")
  end)

  it("runs a transaction again on BUSY_SNAPSHOT", function()
    open { max_size = 2 }
    assert(pool:execute "CREATE TABLE t (a)")
    local tries = 0
    assert.equal(2, pool:transaction(function(conn)
      tries = tries + 1
      local before = assert(conn:fetchval "SELECT count(*) FROM t")
      if tries == 1 then assert(pool:execute "INSERT INTO t VALUES (1)") end
      local done, err = conn:execute("INSERT INTO t VALUES (?)", before + 1)
      if not done then error(err, 0) end
      return before + 1
    end, { mode = "deferred" }))
    assert.equal(2, tries)
    assert.equal(1, pool:stats().retries)
    assert.same({ 1, 2 }, pool:fetchcol "SELECT a FROM t ORDER BY a")
  end)

  it("refuses control of a transaction through its calls", function()
    open()
    for _, text in ipairs { "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT s", "RELEASE s" } do
      local ok, message = pcall(pool.execute, pool, text)
      assert.is_false(ok)
      assert.matches("use pool:transaction", message, 1, true)
    end
    assert.is_true(pool:ping())
  end)

  it("calls init once for a connection, and setup at each acquire", function()
    local inits, setups = 0, 0
    open {
      max_size = 1,
      init = function(conn)
        inits = inits + 1
        assert(conn:execute "CREATE TEMP TABLE mine (a)")
      end,
      setup = function(conn)
        setups = setups + 1
        assert(conn:execute("INSERT INTO temp.mine VALUES (?)", setups))
      end,
    }
    for _ = 1, 3 do assert(pool:acquire()):release() end
    assert.equal(4, assert(pool:fetchval "SELECT count(*) FROM temp.mine"))
    assert.equal(5, assert(pool:acquire()):fetchval "SELECT count(*) FROM temp.mine")
    assert.same({ 1, 5 }, { inits, setups })
  end)

  it("takes a connection whose init or setup fails for none", function()
    local raised = {}
    open { min_size = 0, max_size = 1, init = function() return nil, "no" end }
    assert.same({ nil, "no" }, { pool:acquire() })
    pool:close()
    open { min_size = 0, max_size = 1, setup = function() error(raised, 0) end }
    assert.same({ false, raised }, { pcall(pool.acquire, pool) })
    assert.same({ false, raised }, { pcall(pool.fetch, pool, "SELECT 1") })
    assert.same({ 0, 0 }, { pool:stats().in_use, pool:stats().connecting })
  end)

  it("connects min_size connections beforehand", function()
    open { min_size = 4, max_size = 6 }
    assert.same({ 4, 4 }, { pool:stats().size, pool:stats().idle })
    assert.equal(4, pool:stats().connects)
  end)

  it("answers why it could not connect, and leaves nothing", function()
    local made, err = dqlite.create_pool("127.0.0.1:1", { timeout = 1, min_size = 3 })
    assert.is_nil(made)
    assert.equal("connect", err.kind)
  end)

  -- What a function has had is on no stack of the caller's, in LuaJIT either.
  local function use(fn)
    fn(assert(pool:acquire()))
  end

  it("frees the slot of an object that is collected, and says so", function()
    open { max_size = 1, debug = true }
    local text = stderr.of(function()
      use(function(conn) assert.is_true(conn:ping()) end)
      eventually("the slot is free", function()
        collect()
        return pool:stats().in_use == 0
      end)
    end)
    assert.matches("a connection of the pool was collected without release", text, 1, true)
    assert.matches("pool_spec.lua", text, 1, true)
    assert.equal(1, pool:stats().leaks)
    assert.is_true(pool:ping())
  end)

  it("closes a connection that was collected later: the collector must not wait", function()
    local closed = false
    open { max_size = 1, on_event = function(event) closed = closed or event.name == "close" end }
    stderr.of(function()
      use(function(conn)
        assert.equal(1, conn:rows [[WITH RECURSIVE n(i) AS (
          SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 5000)
          SELECT i, 'text of some length' FROM n]]().i)
      end)
      eventually("the slot is free", function()
        collect()
        assert.is_false(closed)
        return pool:fetchval("SELECT 1", {}, { timeout = 1 })
      end)
      assert.is_true(closed)
    end)
  end)

  it("drops connections that were idle too long, but for min_size of them", function()
    open { min_size = 1, max_size = 3, idle_timeout = 0.02 }
    local list = {}
    for i = 1, 3 do list[i] = assert(pool:acquire()) end
    for i = 1, 3 do list[i]:release() end
    assert.equal(3, pool:stats().idle)
    eventually("they are dropped", function()
      assert(pool:acquire()):release()
      return pool:stats().size == 1
    end)
  end)

  it("replaces a connection that has reached its lifetime", function()
    open { max_size = 1, max_lifetime = 0.02 }
    eventually("it is replaced", function()
      assert.is_true(pool:ping())
      return pool:stats().connects > 2
    end)
    assert.equal(1, pool:stats().size)
  end)

  it("closes a connection that its user has closed, and makes another one", function()
    open { max_size = 1 }
    local conn = assert(pool:acquire())
    conn:close()
    assert.equal(0, pool:stats().size)
    assert.is_true(conn:release())
    assert.is_true(pool:ping())
    assert.equal(2, pool:stats().connects)
  end)

  if not live.is_concurrent then
    it("fails at once where nobody could give a connection back", function()
      open { max_size = 1 }
      local conn = assert(pool:acquire())
      local seconds = live.timed(function()
        local err = live.fails("pool", pool:acquire())
        assert.matches("1 of 1 are in use", err.message, 1, true)
        live.fails("pool", pool:fetchval "SELECT 1")
      end)
      assert.is_true(seconds < 5)
      assert.is_true(conn:ping())
      conn:release()
      assert.is_true(pool:ping())
    end)

    it("closes what is in use, since nobody else could give it back", function()
      open { max_size = 1 }
      local conn = assert(pool:acquire())
      assert.is_true(pool:close())
      live.fails("closed", conn:fetchval "SELECT 1")
    end)
  end

  it("answers an error once it is closed, and closes again", function()
    open()
    assert.is_true(pool:close())
    assert.is_true(pool:close())
    local conn, err = pool:acquire()
    assert.is_nil(conn)
    assert.equal("pool", err.kind)
    assert.is_false(err.retryable)
    assert.matches("closed", tostring(pool))
    assert.is_nil((pool:ping()))
  end)

  it("raises for options that make no sense", function()
    local ok, message = pcall(dqlite.create_pool, server.address, { min_size = 3, max_size = 2 })
    assert.is_false(ok)
    assert.matches("min_size", message, 1, true)
    ok, message = pcall(dqlite.create_pool, server.address, { max_sise = 3 })
    assert.is_false(ok)
    assert.matches("unknown option 'max_sise'", message, 1, true)
    local conn = server:connect()
    ok, message = pcall(conn.release, conn)
    assert.is_false(ok)
    assert.matches("not of a pool", message, 1, true)
  end)
end)
