-- Writes that SQLite runs in a way that takes a node down: what fails and keeps
-- rows, outside of a transaction (1.18.6 neither replicates them nor rolls them
-- back), and what writes inside of a query (1.11.1 aborts at the next write,
-- 1.18.6 keeps the write lock). Each on a node of its own.
local dqlite = require "dqlite"
local live = require "spec.support.live"
local nodes = require "spec.support.nodes"

describe("a node", function()
  local node, conn, other

  setup(nodes.open)
  teardown(nodes.close)

  before_each(function()
    node = nodes.start {}
    conn = assert(dqlite.connect(node.address, { timeout = 10 }))
    other = assert(dqlite.connect(node.address, { timeout = 10 }))
    assert(conn:script [[
      CREATE TABLE t (id INTEGER PRIMARY KEY, v);
      INSERT INTO t VALUES (1, 'a'), (3, 'b'), (4, 'c');]])
  end)

  after_each(function()
    conn:close()
    other:close()
    nodes.stop_all()
  end)

  local function check_alive(rows)
    assert(other:execute "CREATE TABLE alive (x)")
    assert(other:execute "INSERT INTO alive VALUES (1)")
    assert(conn:execute "INSERT INTO alive VALUES (2)")
    assert.equal(2, other:fetchval "SELECT count(*) FROM alive")
    assert.same(rows, other:fetchcol "SELECT id FROM t ORDER BY id")
  end

  -- 2 is written, 4 is there already
  local FAILS = "INSERT OR FAIL INTO t SELECT id + 1, v FROM t WHERE id < 4 ORDER BY id"

  local PATHS = {
    execute = function() return conn:execute(FAILS) end,
    fetch = function() return conn:fetch(FAILS .. " RETURNING id") end,
    statement = function()
      local statement = assert(conn:prepare(FAILS))
      return statement:execute()
    end,
    script = function() return conn:script(FAILS .. ";") end,
    ["a warm cache"] = function()
      for _ = 1, 3 do
        assert.is_nil(conn:execute(FAILS))
        assert(conn:execute "DELETE FROM t WHERE id = 2")
      end
      return conn:execute(FAILS)
    end,
  }

  for name, run in pairs(PATHS) do
    it("lives when OR FAIL keeps rows, by " .. name, function()
      local err = live.fails("constraint", run())
      assert.equal(1555, err.code)
      assert.is_false(conn:in_transaction())
      check_alive { 1, 2, 3, 4 }
    end)
  end

  it("lives when OR FAIL would be in a pipeline", function()
    live.fails("unsupported", conn:pipeline { { FAILS } })
    check_alive { 1, 3, 4 }
  end)

  it("lives when OR FAIL fails inside of a transaction", function()
    assert.is_nil(conn:transaction(function() return conn:execute(FAILS) end))
    check_alive { 1, 3, 4 }
  end)

  it("gets no table and no trigger that fails and keeps rows", function()
    for _, sql in ipairs {
      "CREATE TABLE u (a UNIQUE ON CONFLICT FAIL)",
      "CREATE TRIGGER g BEFORE INSERT ON t BEGIN SELECT RAISE(FAIL, 'no'); END",
    } do
      live.fails("unsupported", conn:execute(sql))
      live.fails("unsupported", conn:script(sql))
    end
    check_alive { 1, 3, 4 }
  end)

  it("gets no PRAGMA that writes inside of a query", function()
    for _, sql in ipairs {
      "PRAGMA optimize", "PRAGMA optimize(0xfffe)", "PRAGMA incremental_vacuum",
      "PRAGMA incremental_vacuum(3)", "SELECT * FROM pragma_optimize",
    } do
      for _, call in ipairs { "execute", "fetch", "fetchval", "query", "script", "prepare" } do
        live.fails("unsupported", conn[call](conn, sql))
      end
      live.fails("unsupported", conn:pipeline { { sql } })
      live.fails("unsupported", conn:executemany(sql, { {} }))
      local ok, err = pcall(conn.rows, conn, sql)
      assert.is_false(ok)
      assert.equal("unsupported", err.kind)
    end
    check_alive { 1, 3, 4 }
  end)
end)
