-- Values go to a server and come back as they were.

local dqlite = require "dqlite"
local live = require "spec.support.live"

local LUAJIT = rawget(_G, "jit") ~= nil
local INTEGERS = math.type ~= nil -- Lua 5.3 and later have them
local EXACT = 2 ^ 53
local INF = math.huge
local MINUS_ZERO = -1 / INF

local MOST, LEAST = "9223372036854775807", "-9223372036854775808"
local ALL_BYTES = {}
for byte = 0, 255 do ALL_BYTES[byte + 1] = string.char(byte) end
ALL_BYTES = table.concat(ALL_BYTES)

local function cdata(digits)
  return assert(load("return " .. digits .. "LL"))()
end

-- The number that these digits are, nil where Lua cannot hold it.
local function exact_number(digits)
  local number = tonumber(digits)
  if INTEGERS then return number end
  if math.abs(number) <= EXACT and ("%.0f"):format(number) == digits then
    return number
  end
end

-- NaN differs from itself and -0.0 equals 0: a number as text, with digits enough to
-- tell it from any other.
local function bits(number)
  return ("%.17g"):format(number)
end

live.each("a value", function(server)
  local conn

  before_each(function()
    conn = server:connect()
    assert(conn:execute "CREATE TABLE plain (v)")
  end)

  -- What is read, its typeof and its text on the server: as a parameter comes
  -- straight back, and out of a column without a type, which bends nothing.
  local function travels(value, opts)
    assert(conn:execute "DELETE FROM plain")
    assert(conn:execute("INSERT INTO plain VALUES (?)", value))
    return {
      assert(conn:query("SELECT ?1, typeof(?1), quote(?1)", { value, n = 1 }, opts))[1],
      assert(conn:query("SELECT v, typeof(v), quote(v) FROM plain", {}, opts))[1],
    }
  end

  local function check(value, expected, kind, opts)
    for _, row in ipairs(travels(value, opts)) do
      assert.equal(expected, row[1])
      assert.equal(type(expected), type(row[1]))
      assert.equal(kind, row[2])
    end
  end

  describe("that is an integer", function()
    local function check_integer(value, digits)
      for _, row in ipairs(travels(value)) do
        assert.equal(exact_number(digits) or digits, row[1])
        assert.equal("integer", row[2])
        assert.equal(digits, row[3])
        if INTEGERS then assert.equal("integer", math.type(row[1])) end
      end
    end

    for _, digits in ipairs {
      "0", "1", "-1", "4294967296", "9007199254740991", "9007199254740992",
      "9007199254740993", "-9007199254740991", "-9007199254740992",
      "-9007199254740993", MOST, LEAST,
    } do
      it("travels: " .. digits, function()
        check_integer(dqlite.int64(digits), digits)
        local number = exact_number(digits)
        if number then check_integer(number, digits) end
        if LUAJIT then check_integer(cdata(digits), digits) end
      end)
    end

    it("beyond 10^14 is digits with int64 = \"string-all\"", function()
      local opts = { int64 = "string-all" }
      check(dqlite.int64 "100000000000000", 100000000000000, "integer", opts)
      check(dqlite.int64 "100000000000001", "100000000000001", "integer", opts)
      check(dqlite.int64 "-100000000000001", "-100000000000001", "integer", opts)
      check(dqlite.int64(LEAST), LEAST, "integer", opts)
    end)

    it("beyond 2^53 obeys an option of connect", function()
      local other = server:connect { int64 = "string-all" }
      assert.equal(MOST, other:fetchval("SELECT ?", dqlite.int64(MOST)))
    end)

    if LUAJIT then
      it("beyond 2^53 is cdata with int64 = \"cdata\"", function()
        local opts = { int64 = "cdata" }
        check(dqlite.int64 "9007199254740992", EXACT, "integer", opts)
        for _, digits in ipairs { "9007199254740993", MOST, LEAST } do
          check(cdata(digits), cdata(digits), "integer", opts)
        end
      end)

      it("may be an uint64_t", function()
        check(load("return " .. MOST .. "ULL")(), MOST, "integer")
      end)

      it("beyond 2^53 loses digits with int64 = \"number\"", function()
        check(cdata "9007199254740993", EXACT, "integer", { int64 = "number" })
        check(cdata(MOST), 2 ^ 63, "integer", { int64 = "number" })
      end)

      it("read as digits goes back as one in dqlite.int64, else as text", function()
        local digits = conn:fetchval("SELECT ?", cdata(MOST))
        assert.equal("text", conn:fetchval("SELECT typeof(?)", digits))
        check(dqlite.int64(digits), MOST, "integer")
      end)
    end
  end)

  describe("that is a REAL", function()
    local function check_real(value, expected)
      for _, row in ipairs(travels(value)) do
        assert.equal(bits(expected), bits(row[1]))
        assert.equal("real", row[2])
        if INTEGERS then assert.equal("float", math.type(row[1])) end
      end
    end

    it("keeps every bit", function()
      for _, number in ipairs {
        0.1, -1 / 3, 1e300, 1.7976931348623157e308, 2.2250738585072014e-308, 0.5 + EXACT / 4,
      } do
        check_real(number, number)
        check_real(-number, -number)
      end
    end)

    it("may be denormal", function()
      check_real(4.9406564584124654e-324, 4.9406564584124654e-324)
      check_real(-2.2250738585072009e-308, -2.2250738585072009e-308)
    end)

    it("may be infinite", function()
      check_real(INF, INF)
      check_real(-INF, -INF)
    end)

    it("keeps the sign of -0.0", function()
      check_real(MINUS_ZERO, MINUS_ZERO)
      assert.equal(-INF, 1 / conn:fetchval("SELECT ?", MINUS_ZERO))
      assert.equal(INF, 1 / conn:fetchval("SELECT ?", dqlite.real(0)))
    end)

    it("may be whole in dqlite.real", function()
      for _, number in ipairs { 3, -1, EXACT, EXACT + 2, 2 ^ 63, 2 ^ 64 } do
        check_real(dqlite.real(number), number)
      end
    end)

    it("becomes NULL when it is NaN", function()
      check(0 / 0, dqlite.null, "null")
    end)
  end)

  describe("that is empty", function()
    it("is a text, a blob or NULL: three things", function()
      local wrap = { blobs = "wrap" }
      check("", "", "text", wrap)
      check(dqlite.blob "", dqlite.blob "", "blob", wrap)
      check(nil, dqlite.null, "null", wrap)
    end)

    it("reads as \"\" or as NULL", function()
      check("", "", "text")
      check(dqlite.blob "", "", "blob")
      check(dqlite.null, dqlite.null, "null")
    end)
  end)

  describe("that is a text", function()
    it("keeps bytes that are not UTF-8", function()
      local bytes = ALL_BYTES:sub(2) .. "\255\254\192\128\237\160\128"
      check(bytes, bytes, "text")
      local hex = bytes:gsub(".", function(c) return ("%02X"):format(c:byte()) end)
      assert.equal(hex, conn:fetchval("SELECT hex(?)", bytes))
    end)

    it("of any length ends where it ends", function()
      for length = 1, 17 do
        local text = ("x"):rep(length)
        check(text, text, "text")
      end
    end)

    it("is no number", function()
      check("12", "12", "text")
      check(MOST, MOST, "text")
    end)
  end)

  describe("that is a blob", function()
    it("keeps every byte, NULs too", function()
      check(dqlite.blob(ALL_BYTES), ALL_BYTES, "blob")
      check(dqlite.blob "\0", "\0", "blob")
      check(dqlite.blob "ab\0\0", "ab\0\0", "blob")
    end)

    it("of any length ends where it ends", function()
      for length = 1, 17 do
        local bytes = ("\0"):rep(length)
        check(dqlite.blob(bytes), bytes, "blob")
      end
    end)

    it("may have 16 MB", function()
      local bytes = "begin" .. ALL_BYTES:rep(65536):sub(11) .. "\0\255end"
      assert.equal(2 ^ 24, #bytes)
      assert(conn:execute("INSERT INTO plain VALUES (?)", dqlite.blob(bytes)))
      assert.equal(#bytes, conn:fetchval "SELECT length(v) FROM plain")
      -- assert.equal would print both
      assert.is_true(bytes == conn:fetchval "SELECT v FROM plain")
      assert.is_true(bytes == conn:fetchval("SELECT ?", dqlite.blob(bytes)))
    end)

    it("read with blobs = \"wrap\" goes back as one", function()
      local opts = { blobs = "wrap" }
      local read = conn:fetchval("SELECT ?", { dqlite.blob(ALL_BYTES) }, opts)
      assert.equal(dqlite.blob(ALL_BYTES), read)
      assert.equal(ALL_BYTES, tostring(read))
      check(read, ALL_BYTES, "blob")
    end)
  end)

  describe("that is a boolean", function()
    it("is 1 or 0 outside of columns that are declared so", function()
      check(true, 1, "integer")
      check(false, 0, "integer")
    end)

    it("is a boolean in columns that are", function()
      assert(conn:execute "CREATE TABLE flags (name TEXT, flag BOOLEAN)")
      assert(conn:execute("INSERT INTO flags VALUES ('t', ?), ('f', ?)", true, false))
      local rows = assert(conn:query "SELECT flag, typeof(flag) FROM flags ORDER BY name")
      assert.same({ "BOOLEAN", "TEXT" }, rows.types)
      assert.same({ false, "integer" }, rows[1])
      assert.same({ true, "integer" }, rows[2])
      assert.equal("t", conn:fetchval("SELECT name FROM flags WHERE flag = ?", true))
      assert.equal("f", conn:fetchval("SELECT name FROM flags WHERE flag = ?", false))
    end)

    it("is NULL or, from older servers, false where it is NULL", function()
      assert(conn:execute "CREATE TABLE flags (flag BOOLEAN)")
      assert(conn:execute("INSERT INTO flags VALUES (?)", nil))
      local rows = assert(conn:query "SELECT flag, flag IS NULL, +flag FROM flags")
      local from_old = rows.types[1] == "BOOLEAN"
      assert.same({ from_old and "BOOLEAN" or "NULL", "INTEGER", "NULL" }, rows.types)
      if from_old then assert.is_false(rows[1][1]) end
      if not from_old then assert.equal(dqlite.null, rows[1][1]) end
      assert.equal(1, rows[1][2])
      assert.equal(dqlite.null, rows[1][3])
    end)
  end)

  describe("that is a date", function()
    -- Never a REAL or a BLOB: reading it would end the server.
    local function stored(column, value)
      assert(conn:execute("DROP TABLE IF EXISTS times"))
      assert(conn:execute(("CREATE TABLE times (t %s)"):format(column)))
      assert(conn:execute("INSERT INTO times VALUES (?)", value))
    end

    for _, column in ipairs { "DATE", "DATETIME", "TIMESTAMP" } do
      it("is text as stored: " .. column, function()
        for _, text in ipairs { "2024-02-29", "2024-02-29T23:59:60.5+01:00", "no date" } do
          stored(column, text)
          local rows = assert(conn:query "SELECT t, typeof(t) FROM times")
          assert.same({ "ISO8601", "TEXT" }, rows.types)
          assert.same({ text, "text" }, rows[1])
        end
      end)

      it("is unix time where an integer is stored: " .. column, function()
        for _, seconds in ipairs { 1700000000, 0, -1 } do
          stored(column, seconds)
          local rows = assert(conn:query "SELECT t, typeof(t) FROM times")
          assert.same({ "UNIXTIME", "TEXT" }, rows.types)
          assert.same({ seconds, "integer" }, rows[1])
        end
      end)

      it("is NULL where NULL is stored: " .. column, function()
        stored(column, nil)
        assert.equal("null", conn:fetchval "SELECT typeof(t) FROM times")
        assert.is_nil((conn:fetchval "SELECT t FROM times"))
        assert.same({}, conn:fetchone "SELECT t FROM times")
        assert.equal(dqlite.null, conn:fetchall "SELECT t FROM times"[1][1])
      end)

      it("keeps the empty text of older servers with dates = \"raw\": " .. column, function()
        stored(column, nil)
        local rows = assert(conn:query("SELECT t FROM times", {}, { dates = "raw" }))
        local from_old = rows.types[1] == "ISO8601"
        assert.equal(from_old and "ISO8601" or "NULL", rows.types[1])
        assert.equal(from_old and "" or dqlite.null, rows[1][1])
      end)
    end

    it("of an empty text is NULL, or \"\" with dates = \"raw\"", function()
      stored("DATE", "")
      assert.equal("text", conn:fetchval "SELECT typeof(t) FROM times")
      assert.is_nil((conn:fetchval "SELECT t FROM times"))
      assert.equal("", conn:fetchval("SELECT t FROM times", {}, { dates = "raw" }))
    end)
  end)

  it("of one column may have another type in each row", function()
    for _, value in ipairs { 1, 1.5, "one", dqlite.blob "\0", dqlite.null } do
      assert(conn:execute("INSERT INTO plain VALUES (?)", value))
    end
    local rows = assert(conn:query("SELECT v FROM plain ORDER BY rowid", {}, { row_types = true }))
    assert.same({ 1, 1.5, "one", "\0", dqlite.null }, conn:fetchcol "SELECT v FROM plain")
    assert.same({ { "INTEGER" }, { "FLOAT" }, { "TEXT" }, { "BLOB" }, { "NULL" } }, rows.row_types)
  end)
end)
