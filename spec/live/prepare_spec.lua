-- Prepared statements. hazards.md, "Silent wrong answers": what a change of the
-- schema does, and values of an earlier run.

local dqlite = require "dqlite"
local live = require "spec.support.live"

live.each("prepare", function(server)
  local conn, other

  before_each(function()
    conn, other = server:connect(), server:connect()
    assert(conn:execute "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE, size REAL)")
    assert(conn:execute "INSERT INTO t VALUES (1, 'one', 1.5), (2, NULL, 2.5), (3, 'three', NULL)")
  end)

  local function prepare(sql)
    return assert(conn:prepare(sql))
  end

  it("gives a statement with every helper of the connection", function()
    local sql = "SELECT id, name, size FROM t WHERE id >= ? ORDER BY id"
    local statement = prepare(sql)
    for _, name in ipairs { "fetch", "fetchall", "fetch_arrays", "fetchone", "fetchval",
      "fetchcol", "query", "execute" } do
      for _, first in ipairs { 1, 2, 4, 1 } do
        assert.same({ conn[name](conn, sql, first) }, { statement[name](statement, first) }, name)
      end
    end
    local seen = {}
    for row in statement:rows(2) do seen[#seen + 1] = row.id end
    assert.same({ 2, 3 }, seen)
    assert.same({ { 3 } }, prepare("SELECT id FROM t WHERE id = :id"):fetchall { id = 3 })
    assert.same({ { "none" } },
      prepare("SELECT ?"):fetchall({ dqlite.null }, { null = "none" }))
  end)

  it("counts what a statement changes", function()
    local insert = prepare "INSERT INTO t (name, size) VALUES (?, ?)"
    assert.same({ rows_affected = 1, last_insert_id = 4 }, insert:execute("four", 4))
    assert.same({ rows_affected = 1, last_insert_id = 5 }, insert:execute("five", nil))
    assert.equal(2067, live.fails("constraint", insert:execute("five", 5)).code)
    assert.same({ rows_affected = 1, last_insert_id = 6 }, insert:execute("six", 6))
    assert.same({ rows_affected = 6 }, prepare("DELETE FROM t WHERE id > ?"):execute(0))
  end)

  it("knows the number of parameters", function()
    for sql, n in pairs {
      ["SELECT 1"] = 0, ["SELECT ?"] = 1, ["SELECT ?, ?, ?"] = 3, ["SELECT ?7"] = 7,
      ["SELECT :a, @a, $a, :a"] = 3, ["SELECT ?2, ?, :x, ?"] = 5, ["SELECT '?', \"a\" -- ?"] = 0,
      ["SELECT :größe, $a::b(c), :1"] = 3,
    } do
      local statement = prepare(sql)
      assert.equal(n, statement.nparams, sql)
      statement:close()
    end
  end)

  it("binds each value anew, nil too", function()
    local statement = prepare "SELECT ?, ?"
    assert.same({ { 1, "x" } }, statement:fetchall(1, "x"))
    assert.same({ { dqlite.null, dqlite.null } }, statement:fetchall(nil, nil))
    assert.same({ { 2, dqlite.null } }, statement:fetchall(2, nil))
    live.fails("value", statement:fetchall(1))
    live.fails("value", statement:fetchall())
    live.fails("value", statement:fetchall(1, 2, 3))
    live.fails("value", statement:fetchall { a = 1 })
    live.raises(function() statement:fetchall(1, print) end)
    assert.same({ { dqlite.null, 3 } }, statement:fetchall { n = 2, [2] = 3 })
  end)

  it("is gone with its connection", function()
    local statement = prepare "SELECT id FROM t"
    conn:close()
    live.raises(function() statement:fetch() end)
    assert.is_true(statement:close())
  end)

  it("refuses what may act when it is prepared, and what no server may get", function()
    for _, sql in ipairs { "PRAGMA user_version", "PRAGMA user_version = 5", "CREATE TABLE u (a)",
      "DROP TABLE t", "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT a", "EXPLAIN SELECT 1",
      "ANALYZE", "VACUUM", "", "SELECT 1; SELECT 2", "SELECT '\0'" } do
      live.fails("value", conn:prepare(sql))
    end
    for _, sql in ipairs { "PRAGMA journal_mode = DELETE", "ATTACH 'x' AS x" } do
      live.fails("unsupported", conn:prepare(sql))
    end
    live.raises(function() conn:prepare() end)
    live.raises(function() conn:prepare { "SELECT 1" } end)
    assert.equal(0, conn:fetchval "PRAGMA user_version")
    live.usable(conn)
  end)

  it("refuses to fetch what yields no rows", function()
    local insert = prepare "INSERT INTO t (name) VALUES ('x')"
    for _, name in ipairs { "fetch", "fetchall", "fetchone", "fetchval", "fetchcol", "query" } do
      assert.matches("execute", live.fails("value", insert[name](insert)).message)
    end
    assert.is_false(pcall(insert.rows, insert))
    assert.equal(3, conn:fetchval "SELECT count(*) FROM t")
  end)

  it("sees a table that another connection has changed", function()
    local names = prepare "SELECT id, name FROM t ORDER BY id"
    local counted = prepare "SELECT count(*) FROM t"
    local insert = prepare "INSERT INTO t (name) VALUES (?)"
    assert.equal(3, #names:fetch())
    assert(other:execute "ALTER TABLE t ADD COLUMN extra DEFAULT 7")
    assert.same({ id = 1, name = "one" }, names:fetch()[1])
    assert(other:execute "ALTER TABLE t DROP COLUMN size")
    assert.same({ id = 1, name = "one" }, names:fetchone())
    assert(insert:execute "four")
    assert(other:execute "CREATE INDEX i ON t (extra)")
    assert.equal(4, counted:fetchval())
    assert(other:execute "ALTER TABLE t RENAME COLUMN name TO title")
    assert.matches("name", live.fails("sql", names:fetch()).message)
    live.fails("sql", insert:execute "five")
    assert(other:execute "ALTER TABLE t RENAME COLUMN title TO name")
    assert.equal("four", names:fetchall()[4][2])
    assert(other:execute "DROP TABLE t")
    live.fails("sql", counted:fetchval())
    assert(other:execute "CREATE TABLE t (name, id)")
    assert.equal(0, counted:fetchval())
    assert(insert:execute "new")
    assert.same({ name = "new" }, names:fetchone())
  end)

  -- hazards.md: one answer has the old names. Nothing but that one.
  it("of SELECT * is right again with the second answer after a change", function()
    local all = prepare "SELECT * FROM t WHERE id = 2"
    assert.same({ id = 2, size = 2.5 }, all:fetchone())
    assert(other:execute "ALTER TABLE t DROP COLUMN size")
    all:fetchone()
    assert.same({ { 2, dqlite.null }, columns = { "id", "name" }, types = { "INTEGER", "NULL" } },
      all:query())
  end)

  it("works in transactions, before, behind and after a rollback", function()
    local insert = prepare "INSERT INTO t (id) VALUES (?)"
    local counted = prepare "SELECT count(*) FROM t"
    assert(conn:transaction(function() return insert:execute(4) end))
    live.fails("constraint", conn:transaction(function()
      assert(insert:execute(5))
      insert:execute(4)
      assert.equal(5, counted:fetchval())
      return true
    end))
    assert.equal(4, counted:fetchval())
    assert(conn:transaction(function()
      insert:execute(4)
      return insert:execute(6)
    end, { on_error = "commit" }))
    assert.equal(5, counted:fetchval())
    assert.equal(5, other:fetchval "SELECT count(*) FROM t")
  end)

  it("fails its transaction, when it cannot be made", function()
    live.fails("sql", conn:transaction(function()
      assert(conn:execute "DELETE FROM t")
      conn:prepare "SELECT nobody"
      return true
    end))
    assert.equal(3, other:fetchval "SELECT count(*) FROM t")
  end)
end)

if _VERSION == "Lua 5.4" then
  live.each("a prepared statement in a <close> variable", function(server)
    it("is closed at the end of its scope", function()
      local conn = server:connect()
      local statement = assert(load [[
        local conn = ...
        local statement <close> = assert(conn:prepare "SELECT 7")
        assert(statement:fetchval() == 7)
        return statement]])(conn)
      live.raises(function() statement:fetchval() end)
      live.usable(conn)
    end)
  end)
end
