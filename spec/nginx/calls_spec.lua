-- Every call of a connection inside of a worker of nginx, on a real node.
local nginx = require "spec.support.nginx"
local nginx_cluster = require "spec.support.nginx_cluster"
local nginx_inside = require "spec.support.nginx_inside"
local cluster = require "spec.support.cluster"

describe("a connection in a request", function()
  local server, inside

  setup(function()
    local one = cluster.start { nodes = 1 }
    server = nginx.start(nginx_inside.options(nginx_cluster.options(one)))
    inside = nginx_inside.of(server)
    inside [[
      assert(pool:script "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT); CREATE TABLE empty (a)")
      assert(pool:execute "INSERT INTO t VALUES (1, 'one'), (2, NULL), (3, 'three')")]]
  end)
  teardown(function()
    local errors = server and server:errors()
    nginx_cluster.stop_all()
    assert.same({}, errors)
  end)

  -- Beside `conn`, whose writes are undone.
  local function with_conn(source)
    return inside(([[
      local conn = assert(dqlite.connect(where))
      assert(conn:begin())
      local function body() %s
      end
      local function finish(...)
        assert(conn:rollback())
        assert(conn:close())
        return ...
      end
      return finish(body())]]):format(source))
  end

  it("executes", function()
    local inserted, made, returned = with_conn [[
      return conn:execute("INSERT INTO t VALUES (?, ?)", 7, "seven"),
        conn:execute "CREATE TABLE made (a)", conn:execute "DELETE FROM t WHERE a < 3"]]
    assert.same({ rows_affected = 1, last_insert_id = 7 }, inserted)
    assert.same({}, made)
    assert.equal(2, returned.rows_affected)
  end)

  it("fetches in every shape", function()
    assert.same({ { a = 1, b = "one" }, { a = 2 } },
      with_conn [[return (conn:fetch "SELECT * FROM t WHERE a < 3")]])
    local arrays, aliased = with_conn [[
      return conn:fetchall "SELECT * FROM t", conn:fetch_arrays "SELECT a FROM t"]]
    assert.same({ { 1, "one" }, { 2, "userdata: NULL" }, { 3, "three" } }, arrays)
    assert.same({ { 1 }, { 2 }, { 3 } }, aliased)
    local one, none, value, column = with_conn [[
      return conn:fetchone("SELECT * FROM t WHERE a = ?", 3), conn:fetchone "SELECT * FROM empty",
        conn:fetchval "SELECT b FROM t", conn:fetchcol "SELECT a FROM t"]]
    assert.same({ a = 3, b = "three" }, one)
    assert.is_nil(none)
    assert.same({ "one", { 1, 2, 3 } }, { value, column })
    local all = with_conn [[return (conn:query "SELECT a, b FROM t WHERE a = 1")]]
    assert.same({ { 1, "one" }, columns = { "a", "b" }, types = { "INTEGER", "TEXT" } }, all)
  end)

  it("iterates over rows, to the end and with a break", function()
    local all, first, after = with_conn [[
      local all, first = 0
      for row in conn:rows "SELECT * FROM t" do all = all + row.a end
      for row in conn:rows("SELECT * FROM t", {}, { arrays = true, reuse = true }) do
        first = row[2]
        break
      end
      return all, first, conn:fetchval "SELECT count(*) FROM t"]]
    assert.same({ 6, "one", 3 }, { all, first, after })
  end)

  it("goes on after a break in a result of many frames", function()
    assert.same({ 10, 42 }, { inside [[
      local conn, seen = assert(dqlite.connect(where)), 0
      for row in conn:rows [=[WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL
        SELECT x + 1 FROM c WHERE x < 20000) SELECT x, hex(zeroblob(50)) FROM c]=] do
        seen = row.x
        if seen == 10 then break end
      end
      local value = conn:fetchval "SELECT 42"
      conn:close()
      return seen, value]] })
  end)

  it("prepares", function()
    local n, first, second, refusal = with_conn [[
      local statement = assert(conn:prepare "SELECT b FROM t WHERE a = ?")
      local first, second = statement:fetchval(1), statement:fetchval(3)
      statement:close()
      return statement.nparams, first, second, raises(statement.fetchval, statement, 1)]]
    assert.same({ 1, "one", "three" }, { n, first, second })
    assert.matches("closed", refusal)
  end)

  it("runs many: executemany, a pipeline, a script", function()
    local many, list, count, refused = with_conn [[
      local sets = { { 10, "x" }, { 11, "y" } }
      local many = assert(conn:executemany("INSERT INTO t VALUES (?, ?)", sets))
      local list = assert(conn:pipeline { { "SELECT b FROM t WHERE a = ?", 10 },
        { "INSERT INTO t VALUES (12, 'z')" }, { "SELECT nonsense" } })
      local count = assert(conn:script "DELETE FROM t WHERE a = 10; DELETE FROM t WHERE a = 11")
      local _, refused = conn:executemany("INSERT INTO t VALUES (?, 'x')", { { 20 }, { 1 } })
      return many, list, count, refused]]
    assert.equal(2, many.rows_affected)
    assert.same({ { b = "x" } }, list[1])
    assert.equal(12, list[2].last_insert_id)
    assert.equal("sql", list[3].error.kind)
    assert.equal(2, count)
    assert.same({ "constraint", 2 }, { refused.kind, refused.index })
  end)

  it("commits and rolls back transactions", function()
    local committed, raised, err, nested, count, inner = inside [[
      local conn = assert(dqlite.connect(where))
      local insert = "INSERT INTO t VALUES (?, 'tx')"
      local committed = conn:transaction(function(tx)
        assert(tx:execute(insert, 30))
        return "committed"
      end)
      local raised = raises(conn.transaction, conn, function(tx)
        assert(tx:execute(insert, 31))
        error("as asked", 0)
      end)
      local _, err = conn:transaction(function(tx)
        assert(tx:execute(insert, 32))
        return nil, "no"
      end)
      local inner
      local nested = conn:transaction(function(tx)
        assert(tx:execute(insert, 33))
        _, inner = tx:transaction(function(deeper)
          assert(deeper:execute(insert, 34))
          return deeper:execute(insert, 33)
        end)
        return conn:in_transaction()
      end)
      local list = conn:fetchcol "SELECT a FROM t WHERE b = 'tx' ORDER BY a"
      assert(conn:execute "DELETE FROM t WHERE b = 'tx'")
      conn:close()
      return committed, raised, err, nested, list, inner]]
    assert.same({ "committed", "as asked", "no", true }, { committed, raised, err, nested })
    assert.same({ 30, 33 }, count)
    assert.equal("constraint", inner.kind)
  end)

  it("begins, commits and rolls back by hand", function()
    assert.same({ true, false, 1, false, 0 }, { inside [[
      local conn = assert(dqlite.connect(where))
      local function count() return conn:fetchval "SELECT count(*) FROM t WHERE a = 40" end
      assert(conn:begin())
      local open = conn:in_transaction()
      assert(conn:execute "INSERT INTO t VALUES (40, 'x')")
      assert(conn:commit())
      local closed, kept = conn:in_transaction(), count()
      local tx = assert(conn:begin "deferred")
      assert(conn:execute "DELETE FROM t WHERE a = 40")
      assert(tx:commit())
      assert(conn:begin "exclusive")
      assert(conn:execute "INSERT INTO t VALUES (40, 'x')")
      assert(conn:rollback())
      local over, gone = conn:in_transaction(), count()
      conn:close()
      return open, closed, kept, over, gone]] })
  end)

  it("answers ping and features, and tells of itself", function()
    local ping, features, shown, address, closed = inside [[
      local conn = assert(dqlite.connect(where[1], { database = "other" }))
      local ping, features, shown = conn:ping(), conn:features(), tostring(conn)
      local address = conn.address == where[1] and conn.database
      assert(conn:is_open())
      conn:close()
      conn:close()
      return ping, features, shown, address, conn:is_open()]]
    assert.is_true(ping)
    assert.is_true(features.params_32bit ~= nil and features.returning ~= nil)
    assert.matches("^dqlite connection to 127.0.0.1:%d+ %(open%)$", shown)
    assert.same({ "other", false }, { address, closed })
  end)

  it("says what is misused at the caller's line", function()
    local text, closed = inside [[
      local conn = assert(dqlite.connect(where))
      local text = raises(function() conn:fetch(1) end)
      conn:close()
      return text, raises(function() conn:fetch "SELECT 1" end)]]
    assert.matches("^inside:2: ", text)
    assert.matches("^inside:4: .*closed", closed)
  end)

  it("waits and retries without holding up the worker", function()
    local seconds, answer, tries, ticks = inside [[
      local ticks, over = 0, false
      local thread = ngx.thread.spawn(function()
        while not over do
          ngx.sleep(0.005)
          ticks = ticks + 1
        end
      end)
      local seconds = elapsed(function() dqlite.sleep(0.06) end)
      local tries = 0
      local answer = dqlite.retry(function(n)
        tries = n
        local _, err = dqlite.connect("127.0.0.1:1", { timeout = 1 })
        if n < 3 then return nil, err end
        return "done"
      end)
      over = true
      ngx.thread.wait(thread)
      return seconds, answer, tries, ticks]]
    assert.is_true(seconds >= 0.055 and seconds < 1)
    assert.same({ "done", 3 }, { answer, tries })
    assert.is_true(ticks >= 2)
  end)

  it("refuses luv's loop, and says what there is", function()
    local run, spawn, named = inside [[
      return raises(function() dqlite.run(print) end), raises(function() dqlite.spawn(print) end),
        raises(function() dqlite.connect(where, { loop = "luv" }) end)]]
    for _, text in ipairs { run, spawn, named } do
      assert.matches("^inside:%d: ", text)
      assert.matches("ngx.thread.spawn", text, 1, true)
    end
  end)

  it("refuses a loop that would block the worker", function()
    local text = inside [[
      return raises(function() dqlite.connect(where, { loop = "blocking" }) end)]]
    assert.matches("^inside:1: ", text)
    assert.matches("block", text)
  end)

  it("tells of unknown options, malformed addresses and nodes that are not there", function()
    local unknown, malformed, refused = inside [[
      local _, malformed = dqlite.connect "nonsense:"
      local _, refused = dqlite.connect("127.0.0.1:1", { timeout = 1 })
      return raises(function() dqlite.connect(where, { tiemout = 1 }) end), malformed, refused]]
    assert.matches("tiemout", unknown)
    assert.equal("value", malformed.kind)
    assert.equal("connect", refused.kind)
  end)

  it("connects directly", function()
    assert.equal(5, inside [[
      local conn = assert(dqlite.connect(where[1], { direct = true }))
      local value = conn:fetchval "SELECT 5"
      conn:close()
      return value]])
  end)

  it("is as LuaSQL's", function()
    local before, rows, count, closed = inside [[
      local conn = assert(require "dqlite.luasql".dqlite(where):connect "default")
      conn:setautocommit(false)
      local before, rows = conn:execute "DELETE FROM t WHERE a = 1", {}
      local cur = assert(conn:execute "SELECT a, b FROM t ORDER BY a")
      while cur:fetch(rows) do end
      assert(conn:rollback())
      local count = conn:execute("SELECT count(*) FROM t"):fetch()
      collectgarbage()
      return before, rows, count, conn:close()]]
    assert.same({ 1, { 3, "three" }, 3, true }, { before, rows, count, closed })
  end)
end)

describe("a cluster in a request", function()
  after_each(nginx_cluster.stop_all)

  it("tells of its nodes, and does as it is told", function()
    local three = cluster.start()
    local server = nginx.start(nginx_inside.options(nginx_cluster.options(three)))
    local inside = nginx_inside.of(server)
    local leader, nodes, described, health, moved, after = inside(([[
      local cluster = assert(dqlite.cluster(where))
      local leader, nodes = assert(cluster:leader()), assert(cluster:nodes())
      local described, health = assert(cluster:describe()), assert(cluster:health())
      assert(cluster:transfer "%s")
      local after = assert(cluster:leader())
      local conn = assert(cluster:connect())
      local moved = conn.address
      conn:close()
      return leader, nodes, described, health, moved, after]]):format(three:followers()[1].id))
    assert.equal(3, #nodes)
    assert.is_number(described.weight)
    assert.same({ true, 3, leader.address }, { health.quorum, health.voters, health.leader })
    assert.not_equal(leader.address, after.address)
    assert.equal(after.address, moved)
    assert.same({}, server:errors())
  end)
end)
