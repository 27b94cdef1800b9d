local dqlite = require "dqlite"
local scripted = require "spec.support.scripted"

-- Without the statement cache: each statement goes as text.
local function open(answers, opts)
  opts = opts or {}
  opts.statement_cache = 0
  return scripted.open(answers, opts)
end

local null = dqlite.null

local one_row = { scripted.rows { columns = { "a" }, { 1 } } }
local three_rows = {
  scripted.rows { columns = { "a", "b" }, { 1, "x" }, { 2, null }, more = true },
  scripted.rows { columns = { "a", "b" }, { 3, "z" } },
}

describe("rows", function()
  it("come by name, NULL being absent", function()
    local conn = open { QUERY_SQL = three_rows }
    assert.same({ { a = 1, b = "x" }, { a = 2 }, { a = 3, b = "z" } }, conn:fetch "SELECT")
  end)

  it("come by position, NULL being dqlite.null", function()
    local conn = open { QUERY_SQL = three_rows }
    assert.same({ { 1, "x" }, { 2, null }, { 3, "z" } }, conn:fetchall "SELECT")
    assert.same({ { 1, "x" }, { 2, null }, { 3, "z" } }, conn:fetch_arrays "SELECT")
  end)

  it("come as one row, one value, one column", function()
    local conn = open { QUERY_SQL = three_rows }
    assert.same({ a = 1, b = "x" }, conn:fetchone "SELECT")
    assert.equal(1, conn:fetchval "SELECT")
    assert.same({ 1, 2, 3 }, conn:fetchcol "SELECT")
  end)

  it("come with all that is known of them", function()
    local conn = open { QUERY_SQL = three_rows }
    local result = assert(conn:query("SELECT", {}, { row_types = true }))
    assert.same({ "a", "b" }, result.columns)
    assert.same({ "INTEGER", "TEXT" }, result.types)
    assert.same({ { "INTEGER", "TEXT" }, { "INTEGER", "NULL" }, { "INTEGER", "TEXT" } },
      result.row_types)
    assert.same({ 2, null }, result[2])
    assert.equal(3, #result)
  end)

  it("have the names of their own answer, whatever came before", function()
    local answers = { { columns = { "a", "b" }, { 1, 2 } }, { columns = { "b", "a" }, { 3, 4 } },
      { columns = { "a" }, { 5 } }, { columns = { "a" }, { 6 } }, { columns = { "a" }, { 7 } } }
    local conn = open { QUERY_SQL = function()
      return { scripted.rows(table.remove(answers, 1)) }
    end }
    assert.same({ { a = 1, b = 2 } }, conn:fetch "SELECT")
    assert.same({ { a = 4, b = 3 } }, conn:fetch "SELECT")
    assert.same({ a = 5 }, conn:fetchone "SELECT")
    conn:query "SELECT".columns[1] = "changed by the program"
    assert.same({ { a = 7 } }, conn:fetch "SELECT")
  end)

  it("may be none", function()
    local conn = open { QUERY_SQL = { scripted.rows { columns = { "a" } } } }
    assert.same({}, conn:fetch "SELECT")
    assert.same({}, conn:fetchall "SELECT")
    assert.same({}, conn:fetchcol "SELECT")
    assert.same({ columns = { "a" } }, conn:query "SELECT")
    for _, method in ipairs { "fetchone", "fetchval" } do
      local value, err = conn[method](conn, "SELECT")
      assert.is_nil(value)
      assert.is_nil(err)
    end
  end)

  it("may have no columns", function()
    local conn = open { QUERY_SQL = { scripted.rows { columns = {} } } }
    assert.same({}, conn:fetch "SELECT")
    assert.is_nil(conn:fetchval "SELECT")
  end)

  it("end in an empty frame behind a large row", function()
    local conn = open { QUERY_SQL = {
      scripted.rows { columns = { "a" }, { ("x"):rep(5000) }, more = true },
      scripted.rows { columns = { "a" } },
    } }
    assert.equal(5000, #conn:fetchval "SELECT")
    assert.equal(1, #conn:fetch "SELECT")
  end)

  it("with one name twice keep the last by name and both by position", function()
    local conn = open { QUERY_SQL = { scripted.rows { columns = { "a", "a" }, { 1, 2 } } } }
    assert.same({ a = 2 }, conn:fetchone "SELECT")
    assert.same({ { 1, 2 } }, conn:fetchall "SELECT")
  end)

  it("take the null and the array_mt that are wanted", function()
    local array = {}
    local conn = open({ QUERY_SQL = three_rows }, { null = "none", array_mt = array })
    local rows = assert(conn:fetch "SELECT")
    assert.equal("none", rows[2].b)
    assert.equal(array, getmetatable(rows))
    assert.equal("none", conn:fetchall("SELECT")[2][2])
    assert.is_nil(conn:fetch("SELECT", {}, { null = null })[2].c)
    assert.equal(null, conn:fetch("SELECT", {}, { null = null })[2].b)
  end)

  it("have both forms of NULL in typed columns", function()
    local typed = { scripted.rows { columns = { "d", "b", "e", "f" },
      { "", false, null, "2024-01-02",
        types = { "ISO8601", "BOOLEAN", "NULL", "ISO8601" } } } }
    local conn = open { QUERY_SQL = typed }
    assert.same({ b = false, f = "2024-01-02" }, conn:fetchone "SELECT")
    assert.same({ { null, false, null, "2024-01-02" } }, conn:fetchall "SELECT")
    assert.same({ { "", false, null, "2024-01-02" } },
      conn:fetchall("SELECT", {}, { dates = "raw" }))
  end)

  it("give blobs that can be written back when they are wrapped", function()
    local conn = open { QUERY_SQL = { scripted.rows { columns = { "a" },
      { "x\0", types = { "BLOB" } } } } }
    assert.equal("x\0", conn:fetchval "SELECT")
    assert.equal(dqlite.blob "x\0", conn:fetchval("SELECT", {}, { blobs = "wrap" }))
    assert.equal("x\0", conn:fetchval "SELECT")
  end)

  it("arrive whatever the pieces are", function()
    for chunk = 1, 40 do
      local conn, server = open { QUERY_SQL = three_rows }
      server.chunk = chunk
      assert.equal(3, #conn:fetch "SELECT")
    end
  end)
end)

describe("integers beyond a Lua number", function()
  local big = { scripted.rows { columns = { "a", "b", "c" },
    { "9223372036854775807", "-9007199254740993", 100000000000001,
      types = { "INTEGER", "INTEGER", "INTEGER" } } } }

  local function read(policy)
    local conn = open({ QUERY_SQL = big }, { int64 = policy })
    return conn:fetchall("SELECT")[1]
  end

  it("keep every digit", function()
    local row = read()
    for i, digits in ipairs { "9223372036854775807", "-9007199254740993" } do
      assert.equal(digits, tostring(row[i]))
    end
    assert.equal(100000000000001, row[3])
  end)

  it("are strings for those who ask", function()
    assert.same({ "9223372036854775807", "-9007199254740993", "100000000000001" },
      read "string-all")
  end)

  if rawget(_G, "jit") then
    it("are strings, cdata or the nearest number in LuaJIT", function()
      assert.equal("string", type(read()[1]))
      assert.equal("cdata", type(read("cdata")[1]))
      assert.equal("9223372036854775807LL", tostring(read("cdata")[1]))
      assert.equal("-9007199254740993LL", tostring(read("cdata")[2]))
      assert.equal(2 ^ 63, read("number")[1])
    end)
  end
end)

describe("limits", function()
  it("behaviour 17: on rows hold exactly", function()
    local conn = open { QUERY_SQL = three_rows }
    assert.equal(3, #conn:fetch("SELECT", {}, { max_rows = 3 }))
    local rows, err = conn:fetch("SELECT", {}, { max_rows = 2 })
    assert.is_nil(rows)
    assert.equal("policy", err.kind)
    assert.matches("max_rows", err.message)
    assert.equal(3, #conn:fetchall "SELECT")
  end)

  it("on bytes drain the result and keep the connection", function()
    local conn = open { QUERY_SQL = three_rows }
    local rows, err = conn:fetch("SELECT", {}, { max_result_bytes = 100 })
    assert.is_nil(rows)
    assert.equal("policy", err.kind)
    assert.equal(3, #conn:fetch "SELECT")
  end)

  it("on a message hold for requests, too", function()
    local conn, server = open({ QUERY_SQL = one_row }, { max_message_size = 4096 })
    local rows, err = conn:fetch("SELECT ?", ("x"):rep(5000))
    assert.is_nil(rows)
    assert.same({ "value", false }, { err.kind, err.fatal })
    assert.equal(0, server.bytes())
    assert.equal(1, conn:fetchval "SELECT 1")
  end)
end)
