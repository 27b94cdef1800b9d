-- Statements that the connection prepares by itself. hazards.md, "Silent wrong
-- answers": names of columns that have changed.

local dqlite = require "dqlite"
local live = require "spec.support.live"

live.each("a statement that is run again and again", function(server)
  local conn, other

  before_each(function()
    conn, other = server:connect(), server:connect()
    assert(conn:execute "CREATE TABLE t (a, b, c)")
    assert(conn:execute "INSERT INTO t VALUES (1, 2, 3)")
  end)

  -- Twice as often as it takes to be sent by its id.
  local function warm(sql, ...)
    for _ = 1, 6 do assert(conn:fetch(sql, ...)) end
    for _ = 1, 6 do assert(conn:query(sql, ...)) end
  end

  local STARS = {
    "SELECT * FROM t", "SELECT t.* FROM t", "SELECT x.* FROM t AS x", "SELECT [t].* FROM t",
    "WITH w AS (SELECT * FROM t) SELECT * FROM w", "SELECT * FROM (SELECT * FROM t)",
    "SELECT ALL * FROM t", "SELECT DISTINCT/**/* FROM t",
  }

  local CHANGES = {
    { "a dropped column", "ALTER TABLE t DROP COLUMN a", { "b", "c" }, { 2, 3 } },
    { "a new column", "ALTER TABLE t ADD COLUMN d DEFAULT 4", { "a", "b", "c", "d" },
      { 1, 2, 3, 4 } },
    { "a renamed column", "ALTER TABLE t RENAME COLUMN b TO x", { "a", "x", "c" }, { 1, 2, 3 } },
    { "a table made anew", "DROP TABLE t; CREATE TABLE t (c, a); INSERT INTO t VALUES (3, 1)",
      { "c", "a" }, { 3, 1 } },
  }

  -- Connections of which each has sent its own text, as often as it takes to
  -- be sent by its id, or has only read the table.
  local function connections(use)
    local list = {}
    for i, sql in ipairs(STARS) do
      list[i] = server:connect { statement_cache = use == "no cache" and 0 or nil }
      for _ = 1, use == "warm" and 6 or 0 do assert(list[i]:fetch(sql)) end
      assert(list[i]:fetch "SELECT count(*) FROM t")
    end
    return list
  end

  for _, case in ipairs(CHANGES) do
    local columns, values = case[3], case[4]

    local function by_name()
      local row = {}
      for i, name in ipairs(columns) do row[name] = values[i] end
      return row
    end

    for _, use in ipairs { "warm", "new", "no cache" } do
      it(("has the names of %s at once, with the text %s"):format(case[1], use), function()
        local list = connections(use)
        assert(other:script(case[2]))
        for i, sql in ipairs(STARS) do assert.same({ by_name() }, list[i]:fetch(sql), sql) end
      end)

      it(("has the values of %s at once, with the text %s"):format(case[1], use), function()
        local list = connections(use)
        assert(other:script(case[2]))
        for i, sql in ipairs(STARS) do assert.same({ values }, list[i]:fetchall(sql), sql) end
      end)
    end
  end

  it("has the names of a change inside of a transaction at once", function()
    warm "SELECT * FROM t"
    assert(other:execute "ALTER TABLE t DROP COLUMN a")
    assert(conn:transaction(function()
      assert.same({ { b = 2, c = 3 } }, conn:fetch "SELECT * FROM t")
      assert(conn:execute "ALTER TABLE t DROP COLUMN b")
      assert.same({ { c = 3 } }, conn:fetch "SELECT * FROM t")
      return true
    end))
  end)

  it("answers right through rows, execute and a pipeline", function()
    local sql = "SELECT * FROM t"
    warm(sql)
    assert(other:execute "ALTER TABLE t DROP COLUMN a")
    for row in conn:rows(sql) do assert.same({ b = 2, c = 3 }, row) end
    assert(other:execute "ALTER TABLE t DROP COLUMN b")
    assert.same({ { c = 3 } }, conn:pipeline({ { sql } })[1])
  end)

  it("answers RETURNING * right after a change", function()
    local sql = "UPDATE t SET c = c + 1 RETURNING *"
    warm(sql)
    assert(other:execute "ALTER TABLE t DROP COLUMN a")
    assert.same({ { b = 2, c = 16 } }, conn:fetch(sql))
  end)

  it("names the columns it asks for, and is right about them", function()
    local sql = "SELECT a, c AS z FROM t"
    warm(sql)
    assert(other:execute "ALTER TABLE t DROP COLUMN b")
    assert.same({ { a = 1, z = 3 } }, conn:fetch(sql))
    assert(other:execute "ALTER TABLE t DROP COLUMN a")
    assert.matches("no such column: a", live.fails("sql", conn:fetch(sql)).message)
    assert(other:execute "ALTER TABLE t ADD COLUMN a DEFAULT 'new'")
    assert.same({ { a = "new", z = 3 } }, conn:fetch(sql))
    assert(other:execute "DROP TABLE t")
    assert.matches("no such table: t", live.fails("sql", conn:fetch(sql)).message)
    assert(other:execute "CREATE TABLE t (c, a)")
    assert.same({}, conn:fetch(sql))
  end)

  -- The server takes the names before it sees the change: one answer has the
  -- old spelling.
  it("sees a column's new type at once, its new spelling with the second answer", function()
    local sql = "SELECT a FROM t"
    warm(sql)
    assert(other:script [[DROP TABLE t; CREATE TABLE t (A BOOLEAN); INSERT INTO t VALUES (1)]])
    assert.same({ { true } }, conn:fetchall(sql))
    assert.same({ { A = true } }, conn:fetch(sql))
  end)

  it("inserts what its table takes now", function()
    local sql = "INSERT INTO t VALUES (?, ?, ?)"
    for i = 1, 6 do assert(conn:execute(sql, i, i, i)) end
    assert(other:execute "ALTER TABLE t ADD COLUMN d")
    assert.matches("4 columns but 3 values", live.fails("sql", conn:execute(sql, 7, 7, 7)).message)
    assert(other:execute "ALTER TABLE t DROP COLUMN d")
    -- SQLite does not doubt the schema it knows for that error: a read renews it
    assert.equal(7, conn:fetchval "SELECT count(*) FROM t")
    assert(conn:execute(sql, 7, 7, 7))
    assert.equal(8, other:fetchval "SELECT count(*) FROM t")
  end)

  it("fails again and again when it cannot be prepared, and then works", function()
    local sql = "SELECT v FROM later"
    for i = 1, 6 do
      assert.matches("no such table: later", live.fails("sql", conn:fetch(sql)).message)
      assert.equal(i, conn:fetchval("SELECT " .. i))
      assert.equal(i, conn:fetchval("SELECT ?", i))
    end
    assert(other:execute "CREATE TABLE later (v)")
    for _ = 1, 4 do assert.same({}, conn:fetch(sql)) end
  end)

  it("takes its parameters anew each time", function()
    for _, value in ipairs { 1, "x", 2.5, dqlite.null, 4, dqlite.null, dqlite.blob "y" } do
      assert.equal(value == dqlite.null and "null" or nil,
        conn:fetchval("SELECT CASE WHEN ? IS NULL THEN 'null' END", value))
      assert.same(1, conn:fetchval("SELECT count(*) FROM (SELECT ?, ?)", nil, value))
    end
  end)

  it("may be put in by executemany and be used by execute, and back", function()
    local sql = "INSERT INTO t (a) VALUES (?)"
    for i = 1, 4 do
      assert(conn:executemany(sql, { { i }, { i } }))
      assert.equal(1, conn:execute(sql, i).rows_affected)
      assert.equal(1, conn:pipeline({ { sql, i } })[1].rows_affected)
    end
    assert.equal(17, other:fetchval "SELECT count(*) FROM t")
  end)

  it("is forgotten with what the connection was", function()
    local again = server:connect()
    for _ = 1, 4 do
      for _, each in ipairs { conn, again } do
        assert.equal(1, each:fetchval "SELECT a FROM t")
        assert.equal(2, each:fetchval "SELECT b FROM t")
      end
    end
  end)
end)
