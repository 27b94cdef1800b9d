local core = require "dqlite.core"
local values = require "dqlite.values"
local wire = require "dqlite.wire"

local null = values.null

-- A session that has received these frames; the first is its current reply.
local function reading(...)
  local session = core.session(2 ^ 20)
  assert(session:query("x", 0))
  session:take()
  for _, rows in ipairs { ... } do
    session:feed(type(rows) == "string" and rows or wire.encode("ROWS", { rows = rows }))
  end
  assert.equal("ROWS", session:next())
  return session
end

local function two_rows()
  return reading { columns = { "a", "b" }, { 1, "x" }, { null, 2.5 } }
end

-- One row with one value of a type that does not exist, behind a good one.
local function malformed()
  local frame = wire.encode("ROWS", { rows = { columns = { "a" }, { 1 }, { 2 } } })
  return reading(frame:sub(1, 40) .. "\12" .. frame:sub(42))
end

local function nothing(...)
  assert.equal(0, select("#", ...))
end

describe("row_by_name", function()
  it("gives one row after the other", function()
    local session = two_rows()
    local columns = session:columns()
    local one = session:row_by_name(nil, columns)
    assert.same({ a = 1, b = "x" }, one)
    local two = session:row_by_name(nil, columns)
    assert.same({ b = 2.5 }, two)
    assert.not_equal(one, two)
    nothing(session:row_by_name(nil, columns))
    nothing(session:row_by_name(nil, columns))
  end)

  it("fills the table that it is given", function()
    local session = two_rows()
    local columns, row = session:columns(), { c = 3 }
    assert.equal(row, session:row_by_name(nil, columns, row))
    assert.same({ a = 1, b = "x", c = 3 }, row)
    assert.equal(row, session:row_by_name(nil, columns, row))
    assert.same({ b = 2.5, c = 3 }, row)
    nothing(session:row_by_name(nil, columns, row))
  end)

  it("has something else for NULL when asked", function()
    local session = two_rows()
    local columns, row = session:columns(), {}
    session:row_by_name(null, columns, row)
    assert.same({ a = null, b = 2.5 }, session:row_by_name(null, columns, row))
  end)

  it("keeps the last of columns with one name", function()
    local session = reading { columns = { "a", "a" }, { 1, 2 }, { 1, null } }
    local columns, row = session:columns(), {}
    assert.same({ a = 2 }, session:row_by_name(nil, columns, row))
    assert.same({}, session:row_by_name(nil, columns, row))
  end)

  it("passes by what metatables would do", function()
    local session = two_rows()
    local row = setmetatable({}, { __newindex = function() error "asked" end })
    assert.equal(1, rawget(session:row_by_name(nil, session:columns(), row), "a"))
  end)
end)

describe("row_by_position", function()
  it("gives one row after the other", function()
    local session = two_rows()
    local one, two = session:row_by_position(null), session:row_by_position(null)
    assert.same({ { 1, "x" }, { null, 2.5 } }, { one, two })
    nothing(session:row_by_position(null))
  end)

  it("fills the table that it is given", function()
    local session = two_rows()
    local row = {}
    assert.equal(row, session:row_by_position(null, row))
    assert.same({ 1, "x" }, row)
    assert.equal(row, session:row_by_position(null, row))
    assert.same({ null, 2.5 }, row)
    assert.equal(2, #row)
  end)

  it("may leave a NULL out", function()
    local session = two_rows()
    local row = session:row_by_position(nil, {})
    assert.same({ nil, 2.5 }, session:row_by_position(nil, row))
  end)
end)

describe("reading rows", function()
  it("goes from frame to frame", function()
    local session = reading({ columns = { "a" }, { 1 }, more = true },
      { columns = { "a" }, { 2 }, { 3 } })
    assert.same({ 1 }, session:row_by_position(null))
    nothing(session:row_by_position(null))
    assert.equal("ROWS", session:next())
    assert.same({ a = 2 }, session:row_by_name(nil, { "a" }))
    assert.equal(1, session:count_rows())
    nothing(session:row_by_position(null))
    assert.equal(0, session:outstanding())
  end)

  it("mixes with the other ways", function()
    local session = reading { columns = { "a" }, { 1 }, { 2 }, { 3 }, { 4 } }
    assert.same({ 1 }, session:row_by_position(null))
    assert.same({ "INTEGER" }, session:types())
    local list = {}
    assert.same({ 1, true }, { session:rows_by_position(list, 0, 1, null) })
    assert.same({ { 2 } }, list)
    assert.same({ a = 3 }, session:row_by_name(nil, { "a" }))
    assert.equal(1, session:count_rows())
    assert.equal(0, session:count_rows())
  end)

  it("follows the session's way of reading", function()
    local session = reading { columns = { "a", "b" },
      { "x", 10 ^ 15, types = { "BLOB", "INTEGER" } }, { "x", "", types = { "BLOB", "ISO8601" } } }
    session:reading("string-all", true, true)
    assert.same({ values.blob "x", "1000000000000000" }, session:row_by_position(null))
    assert.same({ values.blob "x", "" }, session:row_by_position(null))
  end)

  it("takes the last names where they are the same", function()
    local session = two_rows()
    local names = session:columns()
    assert.equal(names, session:columns(names))
    for _, other in ipairs { { "a" }, { "a", "c" }, { "a", "b", "c" }, { "b", "a" }, { "a", 2 },
      { "a", "b\0" }, {} } do
      local found = session:columns(other)
      assert.same({ "a", "b" }, found)
      assert.not_equal(other, found)
    end
    assert.same({ "a", "b" }, session:columns(7))
    assert.same({ "a", "b" }, names)
  end)

  it("takes rows that are read and written at the same time", function()
    local session = two_rows()
    assert.same({ 1, "x" }, session:row_by_position(null))
    assert.equal(16, session:finalize(1))
    assert.is_nil(session:exec("x", 2, 1))
    assert.same({ null, 2.5 }, session:row_by_position(null))
    assert.equal(1, session:outstanding())
  end)

  it("ends the session at a row that cannot be read", function()
    for _, read in ipairs {
      function(session) return session:row_by_position(null) end,
      function(session) return session:row_by_position(null, {}) end,
      function(session) return session:row_by_name(nil, { "a" }) end,
      function(session) return session:count_rows() end,
    } do
      local session = malformed()
      assert.same({ 1 }, session:row_by_position(null))
      local row, kind, reason = read(session)
      assert.same({ nil, "protocol", "a row that cannot be read" }, { row, kind, reason })
      assert.equal("protocol", select(2, session:next()))
      assert.has_error(function() read(session) end)
    end
  end)

  it("raises where there are no rows", function()
    local session = core.session(2 ^ 20)
    for _, method in ipairs { "row_by_name", "row_by_position", "count_rows" } do
      assert.has_error(function() session[method](session, nil, {}) end)
    end
    session:exec("x")
    session:take()
    session:feed(wire.encode("RESULT", {}))
    assert.equal("RESULT", session:next())
    assert.has_error(function() session:count_rows() end)
    assert.has_error(function() session:row_by_position(null) end)
  end)

  it("raises wrong arguments and stays usable", function()
    local session = two_rows()
    assert.has_error(function() session:row_by_name(nil) end)
    assert.has_error(function() session:row_by_name(nil, { "a", "b" }, 1) end)
    assert.has_error(function() session:row_by_position() end)
    assert.has_error(function() session:row_by_position(null, "x") end)
    assert.same({ 1, "x" }, session:row_by_position(null))
  end)

  it("is over when the session is closed", function()
    local session = two_rows()
    session:close()
    assert.has_error(function() session:row_by_position(null) end)
    assert.equal("closed", select(2, session:next()))
  end)
end)
