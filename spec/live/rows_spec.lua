-- What the helpers make of results, and what execute tells.

local dqlite = require "dqlite"
local live = require "spec.support.live"

local null = dqlite.null

live.each("execute", function(server)
  local conn

  before_each(function()
    conn = server:connect()
    assert(conn:execute "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE)")
  end)

  local function check(affected, id, sql, ...)
    local result = assert(conn:execute(sql, ...))
    assert.same({ rows_affected = affected, last_insert_id = id }, result)
  end

  it("counts what INSERT, UPDATE, DELETE and REPLACE change", function()
    check(1, 1, "INSERT INTO t (name) VALUES (?)", "a")
    check(2, 3, "INSERT INTO t (name) VALUES (?), (?)", "b", "c")
    check(2, nil, "UPDATE t SET name = name || 'x' WHERE id < ?", 3)
    check(0, nil, "UPDATE t SET name = 'y' WHERE id > ?", 3)
    check(1, 4, "REPLACE INTO t (name) VALUES (?)", "c")
    check(1, 9, "INSERT INTO t SELECT ?, 'z'", 9)
    check(1, 10, "WITH one (name) AS (VALUES ('w')) INSERT INTO t (name) SELECT * FROM one")
    check(5, nil, "DELETE FROM t")
  end)

  it("counts behind comments and in front of a last semicolon", function()
    check(1, 1, "-- first\n/* second */ insert into t (name) values ('a')")
    check(1, 2, "INSERT INTO t (name) VALUES ('b'); ")
    check(1, 3, "INSERT INTO t (name) VALUES ('c') ;\n\t;")
  end)

  it("knows negative and large rowids", function()
    check(1, -5, "INSERT INTO t VALUES (-5, 'a')")
    local digits = "9223372036854775807"
    local result = assert(conn:execute("INSERT INTO t VALUES (?, 'b')", dqlite.int64(digits)))
    assert.equal(digits, tostring(result.last_insert_id))
  end)

  it("tells no numbers for what has none", function()
    check(1, 1, "INSERT INTO t (name) VALUES ('a')")
    for _, sql in ipairs {
      "CREATE TABLE other (a)", "ALTER TABLE other RENAME TO another", "DROP TABLE another",
      "BEGIN", "SAVEPOINT s", "RELEASE s", "COMMIT",
    } do
      check(nil, nil, sql)
    end
  end)

  it("runs a SELECT and drops its rows", function()
    check(nil, nil, "SELECT 1 UNION ALL SELECT 2")
    check(nil, nil, "VALUES (1), (2)")
    live.usable(conn)
  end)
end)

live.each("a helper", function(server)
  local conn

  before_each(function()
    conn = server:connect()
    assert(conn:execute "CREATE TABLE t (id INTEGER, name TEXT, size REAL)")
    assert(conn:execute [[
      INSERT INTO t VALUES (1, 'one', 1.5), (2, NULL, 2.5), (3, 'three', NULL)]])
  end)

  local ALL = "SELECT id, name, size FROM t ORDER BY id"
  local NONE = "SELECT id, name, size FROM t WHERE id > 3"

  it("fetch: rows by name", function()
    assert.same({
      { id = 1, name = "one", size = 1.5 },
      { id = 2, size = 2.5 },
      { id = 3, name = "three" },
    }, conn:fetch(ALL))
  end)

  it("fetchall and fetch_arrays: rows by position, without holes", function()
    local expected = { { 1, "one", 1.5 }, { 2, null, 2.5 }, { 3, "three", null } }
    assert.same(expected, conn:fetchall(ALL))
    assert.same(expected, conn:fetch_arrays(ALL))
    for _, row in ipairs(conn:fetchall(ALL)) do assert.equal(3, #row) end
  end)

  it("fetchone: the first row by name", function()
    assert.same({ id = 1, name = "one", size = 1.5 }, conn:fetchone(ALL))
    assert.same({ id = 2, size = 2.5 }, conn:fetchone("SELECT * FROM t WHERE id = ?", 2))
  end)

  it("fetchval: the first value", function()
    assert.equal(1, conn:fetchval(ALL))
    assert.equal(3, conn:fetchval "SELECT count(*) FROM t")
    assert.is_nil((conn:fetchval "SELECT name FROM t WHERE id = 2"))
  end)

  it("fetchcol: the first column", function()
    assert.same({ 1, 2, 3 }, conn:fetchcol(ALL))
    assert.same({ "one", null, "three" }, conn:fetchcol "SELECT name, id FROM t ORDER BY id")
  end)

  it("query: everything there is to know", function()
    local rows = assert(conn:query(ALL))
    assert.same({
      { 1, "one", 1.5 }, { 2, null, 2.5 }, { 3, "three", null },
      columns = { "id", "name", "size" },
      types = { "INTEGER", "TEXT", "FLOAT" },
    }, rows)
  end)

  it("query: the types of each row on demand", function()
    local rows = assert(conn:query(ALL, {}, { row_types = true }))
    assert.same({ "INTEGER", "TEXT", "FLOAT" }, rows.types)
    assert.same({
      { "INTEGER", "TEXT", "FLOAT" },
      { "INTEGER", "NULL", "FLOAT" },
      { "INTEGER", "TEXT", "NULL" },
    }, rows.row_types)
    assert.equal(3, #rows)
  end)

  it("answers for no rows with an empty list, or nil without an error", function()
    assert.same({}, conn:fetch(NONE))
    assert.same({}, conn:fetchall(NONE))
    assert.same({}, conn:fetchcol(NONE))
    assert.same({ columns = { "id", "name", "size" } }, conn:query(NONE))
    for _, method in ipairs { "fetchone", "fetchval" } do
      local value, err = conn[method](conn, NONE)
      assert.is_nil(value)
      assert.is_nil(err)
    end
    live.usable(conn)
  end)

  it("takes the last of columns with one name; by position none is lost", function()
    local sql = "SELECT 1 AS a, 2 AS b, 3 AS a"
    assert.same({ { a = 3, b = 2 } }, conn:fetch(sql))
    assert.same({ { 1, 2, 3 } }, conn:fetchall(sql))
    assert.same({ "a", "b", "a" }, conn:query(sql).columns)
  end)

  -- hazards.md, Silent wrong answers: duplicate column names in rows by name
  it("takes NULL for the last of columns with one name", function()
    assert.same({ {} }, conn:fetch "SELECT 1 AS a, NULL AS a")
  end)

  it("takes any name of a column", function()
    assert.same({ { [""] = 1, ["a b"] = 2, ["\195\164"] = 3 } },
      conn:fetch [[SELECT 1 AS "", 2 AS "a b", 3 AS "ä"]])
  end)

  it("gives the option null for NULL in both shapes", function()
    local opts = { null = "nothing" }
    assert.equal("nothing", conn:fetchval("SELECT NULL", {}, opts))
    assert.same({ { a = "nothing" } }, conn:fetch("SELECT NULL AS a", {}, opts))
    assert.same({ a = "nothing" }, conn:fetchone("SELECT NULL AS a", {}, opts))
    assert.same({ { "nothing" } }, conn:fetchall("SELECT NULL", {}, opts))
    assert.same({ "nothing" }, conn:fetchcol("SELECT NULL", {}, opts))
    assert.equal("nothing", conn:query("SELECT NULL", {}, opts)[1][1])
    assert.same({ null }, conn:fetchcol "SELECT NULL")
  end)

  it("gives the null of the connection's options", function()
    local other = server:connect { null = false }
    assert.same({ { a = false } }, other:fetch "SELECT NULL AS a")
    assert.is_false(other:fetchval "SELECT NULL")
  end)

  it("marks lists with array_mt, empty ones too", function()
    local array = {}
    local opts = { array_mt = array }
    for _, method in ipairs { "fetch", "fetchall", "fetchcol" } do
      assert.equal(array, getmetatable(conn[method](conn, ALL, {}, opts)))
      assert.equal(array, getmetatable(conn[method](conn, NONE, {}, opts)))
      assert.is_nil(getmetatable(conn[method](conn, NONE)))
    end
  end)
end)

live.each("parameters", function(server)
  local conn

  before_each(function()
    conn = server:connect()
  end)

  local function kinds(...)
    return conn:fetchall("SELECT typeof(?), typeof(?), typeof(?)", ...)[1]
  end

  it("are counted with their nils, the last ones too", function()
    assert.same({ "null", "integer", "null" }, kinds(nil, 2, nil))
    assert.same({ "null", "null", "null" }, kinds(nil, nil, nil))
    assert.same({ "integer", "integer", "integer" }, kinds(1, 2, 3))
    assert.same({ "integer", "null", "null" }, kinds(1, nil, nil))
  end)

  it("may stand in a table, where n counts nils", function()
    assert.same({ "integer", "text", "real" }, kinds { 1, "a", 1.5 })
    assert.same({ "null", "integer", "null" }, kinds { nil, 2, n = 3 })
    assert.same({ "null", "null", "null" }, kinds { n = 3 })
    assert.same({ { 1, 2 } }, conn:fetchall("SELECT ?, ?", { 1, 2, n = 2 }, { timeout = 5 }))
  end)

  it("may be boxed", function()
    assert.same({ "null", "blob", "real" }, kinds(null, dqlite.blob "x", dqlite.real(1)))
    assert.same({ "integer", "null", "blob" }, kinds { dqlite.int64 "1", null, dqlite.blob "" })
  end)

  it("may be 255", function()
    local list, marks = {}, {}
    for i = 1, 255 do list[i], marks[i] = i, "(?)" end
    local sql = "SELECT sum(column1) FROM (VALUES " .. table.concat(marks, ", ") .. ")"
    assert.equal(255 * 128, conn:fetchval(sql, list))
  end)

  it("come out of no statement's text", function()
    local text = "'); DROP TABLE t; --"
    assert.equal(text, conn:fetchval("SELECT ?", text))
  end)
end)
