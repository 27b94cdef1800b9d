-- Every call of a pool inside of a worker of nginx, on a real node.
local cluster = require "spec.support.cluster"
local nginx = require "spec.support.nginx"
local nginx_cluster = require "spec.support.nginx_cluster"
local nginx_inside = require "spec.support.nginx_inside"

describe("a pool in a request", function()
  local server, inside

  setup(function()
    local one = cluster.start { nodes = 1 }
    server = nginx.start(nginx_inside.options(nginx_cluster.options(one)))
    inside = nginx_inside.of(server)
    inside [[assert(pool:execute "CREATE TABLE t (a INTEGER PRIMARY KEY, b)")]]
  end)
  teardown(function()
    local errors = server and server:errors()
    nginx_cluster.stop_all()
    assert.same({}, errors)
  end)
  before_each(function() inside [[assert(pool:execute "DELETE FROM t")]] end)

  it("has the calls of a connection", function()
    local affected, list, piped, script, ping = inside [[
      local affected = assert(pool:execute("INSERT INTO t VALUES (?, ?)", 1, "x")).rows_affected
      assert(pool:executemany("INSERT INTO t VALUES (?, ?)", { { 2, "y" }, { 3, "z" } }))
      local list = { pool:fetch "SELECT a FROM t WHERE a = 1", pool:fetchall "SELECT b FROM t",
        pool:fetch_arrays "SELECT a FROM t", pool:fetchone "SELECT * FROM t",
        pool:fetchval "SELECT max(a) FROM t", pool:fetchcol "SELECT b FROM t",
        pool:query("SELECT b FROM t WHERE a = ?", 2) }
      local piped = pool:pipeline { { "SELECT 1 AS x" }, { "SELECT 2 AS x" } }
      return affected, list, piped, pool:script "DELETE FROM t; SELECT 1", pool:ping()]]
    assert.equal(1, affected)
    assert.same({ { { a = 1 } }, { { "x" }, { "y" }, { "z" } }, { { 1 }, { 2 }, { 3 } },
      { a = 1, b = "x" }, 3, { "x", "y", "z" } }, { table.unpack(list, 1, 6) })
    assert.same({ { "y" }, columns = { "b" }, types = { "TEXT" } }, list[7])
    assert.same({ { { x = 1 } }, { { x = 2 } } }, piped)
    assert.same({ 2, true }, { script, ping })
  end)

  it("lends connections: acquire and release, with", function()
    local value, released, result, raised, missing = inside [[
      local conn = assert(pool:acquire { timeout = 1 })
      local value = conn:fetchval "SELECT 1"
      conn:release()
      conn:release()
      local seen = 0
      local result = pool:with(function(lent)
        for row in lent:rows "SELECT 1 AS a UNION SELECT 2" do seen = seen + row.a end
        return seen
      end)
      local raised = raises(pool.with, pool, function() error("as asked", 0) end)
      return value, raises(conn.fetchval, conn, "SELECT 1"), result, raised,
        pool.rows == nil]]
    assert.same({ 1, 3, "as asked", true }, { value, result, raised, missing })
    assert.matches("given back", released)
  end)

  it("runs transactions, and again what has lost its snapshot", function()
    local value, tries, kept = inside [[
      local tries = 0
      local value = assert(pool:transaction(function(conn)
        tries = tries + 1
        local n = conn:fetchval "SELECT count(*) FROM t"
        if tries == 1 then assert(pool:execute "INSERT INTO t VALUES (50, 'other')") end
        assert(conn:execute "INSERT INTO t (b) VALUES ('mine')")
        return n
      end, { mode = "deferred" }))
      return value, tries, pool:fetchval "SELECT count(*) FROM t"]]
    assert.same({ 1, 2, 2 }, { value, tries, kept })
  end)

  it("rolls back what raises or says no", function()
    local raised, err, count, control = inside [[
      local function insert(conn) assert(conn:execute "INSERT INTO t VALUES (1, 1)") end
      local raised = raises(pool.transaction, pool, function(conn)
        insert(conn)
        error("as asked", 0)
      end)
      local _, err = pool:transaction(function(conn)
        insert(conn)
        return nil, "no"
      end)
      return raised, err, pool:fetchval "SELECT count(*) FROM t",
        raises(function() pool:execute "BEGIN" end)]]
    assert.same({ "as asked", "no", 0 }, { raised, err, count })
    assert.matches("inside:%d+: BEGIN through a pool", control)
  end)

  it("applies once for a request id", function()
    local first, second, count = inside [[
      local function insert(conn)
        assert(conn:execute "INSERT INTO t (b) VALUES ('once')")
        return 7
      end
      local first, second = pool:once("id", insert), pool:once("id", insert)
      local count = pool:fetchval "SELECT count(*) FROM t"
      assert(pool:forget_requests(0))
      return first, second, count]]
    assert.same({ value = 7, repeated = false }, first)
    assert.same({ value = 7, repeated = true }, second)
    assert.equal(1, count)
  end)

  it("counts, for who asks and for Prometheus", function()
    local stats, text = inside [[
      local own = assert(dqlite.create_pool(where, { max_size = 2 }))
      for i = 1, 3 do assert(own:fetchval("SELECT ?", i)) end
      own:fetchval "SELECT nonsense"
      return own:stats(), own:metrics { app = "spec" }]]
    assert.same({ 4, 4, 1, 1, 2 }, { stats.acquires, stats.queries, stats.query_errors,
      stats.connects, stats.max_size })
    assert.matches('dqlite_pool_queries_total{app="spec"} 4', text, 1, true)
    assert.matches('dqlite_pool_max_connections{app="spec"} 2', text, 1, true)
  end)

  it("is closed, and says so", function()
    local shown, err, open, closed = inside [[
      local own = assert(dqlite.create_pool(where, { max_size = 3 }))
      local conn = assert(own:acquire())
      assert(own:is_open())
      own:close()
      local shown, _, err = tostring(own), own:fetchval "SELECT 1"
      local value = conn:fetchval "SELECT 1"
      conn:release()
      own:close(0)
      return shown, err, value, own:is_open()]]
    assert.matches("^dqlite pool %(closed, 3 ", shown)
    assert.equal("pool", err.kind)
    assert.same({ 1, false }, { open, closed })
  end)

  it("runs user's functions: init for each new connection, setup at each acquire", function()
    local inits, setups, values = inside [[
      local inits, setups, values = 0, 0, {}
      local own = assert(dqlite.create_pool(where, { max_size = 4,
        init = function(conn)
          inits = inits + 1
          assert(conn:execute "CREATE TEMP TABLE mine (a)")
        end,
        setup = function() setups = setups + 1 end,
      }))
      for i = 1, 3 do values[i] = assert(own:fetchval "SELECT count(*) FROM mine") end
      assert(own:with(function(conn) return conn:ping() end))
      return inits, setups, values]]
    assert.same({ 1, 4, { 0, 0, 0 } }, { inits, setups, values })
  end)

  it("does not lend what init or setup refuses", function()
    local init, setup, raised, fine = inside [[
      local function of(opts)
        opts.max_size = 5
        return assert(dqlite.create_pool(where, opts))
      end
      local _, init = of { init = function() return nil, "not this" end }:fetchval "SELECT 1"
      local _, setup = of { setup = function() return nil, "nor this" end }:fetchval "SELECT 1"
      local raised = raises(function()
        of { init = function() error("as asked", 0) end }:fetchval "SELECT 1"
      end)
      return init, setup, raised, of {}:fetchval "SELECT 1"]]
    assert.same({ "not this", "nor this", "as asked", 1 }, { init, setup, raised, fine })
  end)

  it("never lends a connection that another pool's init has made", function()
    assert.same({ 0, "sql" }, { inside [[
      local a = assert(dqlite.create_pool(where, { max_size = 6,
        init = function(conn) assert(conn:execute "CREATE TEMP TABLE of_a (x)") end }))
      local b = assert(dqlite.create_pool(where, { max_size = 6 }))
      local count = a:fetchval "SELECT count(*) FROM of_a"
      local _, err = b:fetchval "SELECT count(*) FROM of_a"
      return count, err and err.kind]] })
  end)

  it("raises for options that mean nothing here, naming them", function()
    for _, text in ipairs { "min_size = 1", "max_lifetime = 1", "multiplex = true",
      "debug = true", "statement_cache = 1" } do
      local name = text:match "^[%a_]+"
      assert.matches(("^inside:1: option '%s' means nothing under nginx"):format(name),
        inside(("return raises(function() dqlite.create_pool(where, { %s }) end)"):format(text)))
    end
    assert.matches("^inside:1: unknown option 'maxsize'",
      inside "return raises(function() dqlite.create_pool(where, { maxsize = 1 }) end)")
  end)

  it("reads what was written through the other worker", function()
    local pids = server:workers()
    local conns = { server:connection(pids[1]), server:connection(pids[2]) }
    local first, second = nginx_inside.of(server, conns[1]), nginx_inside.of(server, conns[2])
    assert.not_equal(first "return ngx.worker.pid()", second "return ngx.worker.pid()")
    for i = 1, 20 do
      first(("assert(pool:execute('INSERT INTO t VALUES (%d, 1)'))"):format(i))
      assert.equal(i, second "return pool:fetchval 'SELECT max(a) FROM t'")
    end
    for _, conn in ipairs(conns) do conn:close() end
  end)
end)
