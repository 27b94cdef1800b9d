-- dqlite.list for IN lists, dqlite.quote_name for names (api.md, Values).

local dqlite = require "dqlite"
local live = require "spec.support.live"

local null = dqlite.null

live.each("dqlite.list", function(server)
  local conn

  before_each(function() conn = server:connect() end)

  -- The values of a list as SQLite has them, with their types.
  local function elements(list)
    return conn:fetchall("SELECT value, typeof(value) FROM json_each(?)", dqlite.list(list))
  end

  it("is the list of an IN", function()
    assert(conn:execute "CREATE TABLE t (id INTEGER PRIMARY KEY, name)")
    assert(conn:execute "INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'it''s')")
    local sql = "SELECT id FROM t WHERE %s IN (SELECT value FROM json_each(?)) ORDER BY id"
    local function ids(column, list) return conn:fetchcol(sql:format(column), dqlite.list(list)) end
    for _ = 1, 4 do
      assert.same({ 1, 3 }, ids("id", { 3, 1, 99, 1 }))
      assert.same({}, ids("id", {}))
      assert.same({ 1, 3 }, ids("name", { "it's", "a" }))
    end
    assert.same({ 2 }, conn:fetchcol(sql:format("id"), { dqlite.list { 2 } }, { timeout = 5 }))
    assert.same({ 2 }, conn:fetchcol((sql:format("id"):gsub("%?", ":ids")),
      { ids = dqlite.list { 2 } }))
    assert.equal(1, conn:execute("DELETE FROM t WHERE id IN (SELECT value FROM json_each(?))",
      dqlite.list { 2 }).rows_affected)
  end)

  it("keeps integers of 64 bits", function()
    local digits = { "9223372036854775807", "-9223372036854775808", "9007199254740993", "0", "-1" }
    local list = {}
    for i, text in ipairs(digits) do list[i] = dqlite.int64(text) end
    assert.same(digits, conn:fetchcol("SELECT CAST(value AS TEXT) FROM json_each(?)",
      dqlite.list(list)))
    for _, row in ipairs(elements(list)) do assert.equal("integer", row[2]) end
  end)

  it("keeps reals, whole ones too", function()
    assert.same({ { 1.5, "real" }, { 2, "real" }, { 1e300, "real" }, { -0.1, "real" } },
      elements { 1.5, dqlite.real(2), 1e300, -0.1 })
    assert.same({ { math.huge, "real" } }, elements { math.huge })
  end)

  it("keeps strings: quotes, newlines, backslashes, any UTF-8", function()
    local strings = { "it's", 'a "b"', "a\nb\r\t\\", "", "größe 日本 \240\159\152\128", "\1\31\127",
      "]", "',", "NULL", "1", "a/b" }
    local rows = elements(strings)
    for i, text in ipairs(strings) do assert.same({ text, "text" }, rows[i]) end
    assert.equal(#strings, #rows)
  end)

  it("keeps NULL, and has booleans as 1 and 0", function()
    assert.same({ { 1, "integer" }, { 0, "integer" }, { null, "null" }, { null, "null" } },
      elements { true, false, null, nil, n = 4 })
  end)

  it("may be long", function()
    local list = {}
    for i = 1, 20000 do list[i] = i end
    assert.equal(20000 * 20001 / 2,
      conn:fetchval("SELECT sum(value) FROM json_each(?)", dqlite.list(list)))
  end)

  it("raises for what JSON cannot carry, and for what is no list", function()
    live.raises(function() dqlite.list { dqlite.blob "x" } end)
    live.raises(function() dqlite.list { "a\0b" } end)
    live.raises(function() dqlite.list { print } end)
    live.raises(function() dqlite.list { {} } end)
    live.raises(function() dqlite.list { a = 1 } end)
    live.raises(function() dqlite.list(1, 2) end)
    live.raises(function() dqlite.list() end)
  end)
end)

live.each("dqlite.quote_name", function(server)
  it("quotes any name", function()
    local conn = server:connect()
    for _, name in ipairs { "plain", "two words", 'a "quoted" one', '"', '""', "it's", "select",
      "größe", "a;b--c", "[x]", "`y`", "1" } do
      local table_name, column = dqlite.quote_name(name), dqlite.quote_name(name .. '"x')
      assert(conn:execute(("CREATE TABLE %s (%s)"):format(table_name, column)))
      assert(conn:execute(("INSERT INTO %s (%s) VALUES (?)"):format(table_name, column), name))
      assert.same({ { [name .. '"x'] = name } },
        conn:fetch(("SELECT %s FROM %s"):format(column, table_name)))
      assert.equal(1, conn:fetchval("SELECT count(*) FROM sqlite_schema WHERE name = ?", name))
    end
    live.raises(function() dqlite.quote_name(1) end)
    live.raises(function() dqlite.quote_name "a\0b" end)
  end)
end)
