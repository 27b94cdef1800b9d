-- Numbers at their extremes, in messages that can be read.
local hostile = require "spec.support.hostile"
local scripted = require "spec.support.scripted"

-- As eight bytes, from their hexadecimal digits as one reads them.
local function word(digits)
  return (digits:gsub("(%x%x)", function(pair)
    return string.char(tonumber(pair, 16))
  end):reverse())
end

local function words(...)
  return table.concat { ... }
end

local function raw_frame(number, body, schema)
  return words(string.char(#body / 8), "\0\0\0", string.char(number, schema or 0), "\0\0", body)
end

local NUMBERS = { "0000000000000000", "0000000000000001", "000000007fffffff", "0000000080000000",
  "00000000ffffffff", "0020000000000000", "0020000000000001", "7fffffffffffffff",
  "8000000000000000", "8000000000000001", "fffffffffffffffe", "ffffffffffffffff" }
local DECIMAL = {
  ["0020000000000001"] = { "9007199254740993" },
  ["7fffffffffffffff"] = { "9223372036854775807" },
  ["8000000000000000"] = { "-9223372036854775808", "9223372036854775808" },
  ["8000000000000001"] = { "-9223372036854775807", "9223372036854775809" },
  ["fffffffffffffffe"] = { "-2", "18446744073709551614" },
  ["ffffffffffffffff"] = { "-1", "18446744073709551615" },
}

-- What a number reads as, with a sign and without one.
local function decimal(digits, signed)
  local texts = DECIMAL[digits]
  if texts then return signed and texts[1] or texts[2] or texts[1] end
  return ("%.0f"):format(tonumber(digits, 16))
end

local function each_number(check)
  hostile.each(hostile.list(function(add)
    for _, digits in ipairs(NUMBERS) do
      add { name = digits, digits = digits, word = word(digits) }
    end
  end), check)
end

local WELL = scripted.rows { columns = { "a" }, { 42 } }

-- A connection whose first request is answered so, and the next one well.
local function connect(bytes)
  hostile.script(hostile.opened({ "await", 1 }, { "send", bytes },
    { "await", 1 }, { "send", WELL }))
  return hostile.connect()
end

local function shown(value)
  if type(value) ~= "number" then return tostring(value) end
  local integer = math.type and math.type(value) == "integer"
  return (integer and "%d" or "%.0f"):format(value)
end

local function check_usable(conn)
  hostile.usable(conn)
  conn:close()
end

hostile.describe("numbers at their extremes", function()
  it("are read exactly in RESULT", function()
    each_number(function(case)
      local conn = connect(raw_frame(6, words(case.word, word "0000000000000001")))
      local answer = assert(conn:execute "INSERT INTO t VALUES (1)")
      assert.equal(decimal(case.digits, true), shown(answer.last_insert_id))
      check_usable(conn)
    end)
  end)

  it("are no harm as counts of rows", function()
    each_number(function(case)
      local conn = connect(raw_frame(6, words(word "0000000000000001", case.word)))
      local answer = assert(conn:execute "DELETE FROM t")
      assert.equal(decimal(case.digits), shown(answer.rows_affected))
      check_usable(conn)
    end)
  end)

  it("are no harm as counts of rows of executemany", function()
    each_number(function(case)
      local ok, result = scripted.result(0, 0), raw_frame(6, words(case.word, case.word))
      hostile.script(hostile.opened({ "await", 1 }, { "send", ok },
        { "await", 1 }, { "send", scripted.rows { columns = { "1" } } },
        { "await", 1 }, { "send", scripted.failure(1, "no") },
        { "await", 2 }, { "send", result .. result }, { "await", 1 }, { "send", ok }))
      local conn = hostile.connect()
      local answer = assert(conn:executemany("INSERT INTO t VALUES (?)", { { 1 }, { 2 } }))
      assert(answer.rows_affected)
      conn:close()
    end)
  end)

  it("refuse a statement whose parameters are counted otherwise", function()
    each_number(function(case)
      local stmt = raw_frame(5, words(word "0000000000000000", case.word, case.word), 1)
      local conn = connect(stmt)
      local statement, err = conn:prepare "SELECT a FROM t WHERE a = ?"
      if case.digits == "0000000000000001" then
        assert(statement)
        assert.equal(1, statement.nparams)
        conn:close()
      else
        hostile.fails({ kind = "unsupported", fatal = false }, statement, err)
        conn:close()
      end
    end)
  end)

  it("are no harm as codes of FAILURE", function()
    each_number(function(case)
      local conn = connect(raw_frame(0, words(case.word, "told so\0")))
      local err = hostile.fails({ fatal = false, ambiguous = false, message = "told so" },
        conn:execute "INSERT INTO t VALUES (1)")
      assert.equal(decimal(case.digits), shown(err.code))
      assert.equal("sql", err.kind)
      assert(tostring(err):find("told so", 1, true), tostring(err))
      check_usable(conn)
    end)
  end)

  it("are no harm as ids of a leader", function()
    each_number(function(case)
      if case.digits == "0000000000000000" then return end
      local opening = hostile.opening()
      local bytes = opening:sub(1, 8) .. case.word .. opening:sub(17)
      hostile.script { { "await", 3 }, { "send", bytes }, { "await", 1 }, { "send", WELL } }
      check_usable(hostile.connect())
    end)
  end)

  it("are read exactly as values", function()
    each_number(function(case)
      local function row(type_code)
        return raw_frame(7, words(word "0000000000000001", "a\0\0\0\0\0\0\0",
          string.char(type_code), ("\0"):rep(7), case.word, ("\255"):rep(8)))
      end
      for _, code in ipairs { 1, 9 } do
        local conn = connect(row(code))
        assert.equal(decimal(case.digits, true), shown(conn:fetchval "SELECT a FROM t"))
        check_usable(conn)
      end
      local conn = connect(row(11))
      assert.equal(case.digits ~= "0000000000000000", conn:fetchval "SELECT a FROM t")
      check_usable(conn)
    end)
  end)
end)
