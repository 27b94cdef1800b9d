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

-- By position, or by name where there are columns. `begin` it is told in a later frame.
local function reader(session, null_value, columns, into)
  local ticket = session:begin_rows()
  return function(begin)
    if begin then session:begin_rows(ticket) end
    return session:next_row(ticket, null_value, columns, into)
  end
end

describe("a reader of rows by name", function()
  it("gives one row after the other", function()
    local session = two_rows()
    local next_row = reader(session, nil, session:columns())
    local one, two = next_row(), next_row()
    assert.same({ { a = 1, b = "x" }, { b = 2.5 } }, { one, two })
    assert.not_equal(one, two)
    nothing(next_row())
    nothing(next_row())
  end)

  it("fills the table that it is given", function()
    local session, row = two_rows(), { c = 3 }
    local next_row = reader(session, nil, session:columns(), row)
    assert.equal(row, next_row())
    assert.same({ a = 1, b = "x", c = 3 }, row)
    assert.equal(row, next_row())
    assert.same({ b = 2.5, c = 3 }, row)
    nothing(next_row())
  end)

  it("has something else for NULL when asked", function()
    local session = two_rows()
    local next_row = reader(session, null, session:columns(), {})
    next_row()
    assert.same({ a = null, b = 2.5 }, next_row())
  end)

  it("keeps the last of columns with one name", function()
    local session = reading { columns = { "a", "a" }, { 1, 2 }, { 1, null } }
    local next_row = reader(session, nil, session:columns(), {})
    assert.same({ a = 2 }, next_row())
    assert.same({}, next_row())
  end)

  it("passes by what metatables would do", function()
    local session = two_rows()
    local row = setmetatable({}, { __newindex = function() error "asked" end })
    assert.equal(1, rawget(reader(session, nil, session:columns(), row)(), "a"))
  end)
end)

describe("a reader of rows by position", function()
  it("gives one row after the other", function()
    local next_row = reader(two_rows(), null)
    local one, two = next_row(), next_row()
    assert.same({ { 1, "x" }, { null, 2.5 } }, { one, two })
    nothing(next_row())
  end)

  it("fills the table that it is given", function()
    local row = {}
    local next_row = reader(two_rows(), null, nil, row)
    assert.equal(row, next_row())
    assert.same({ 1, "x" }, row)
    assert.equal(row, next_row())
    assert.same({ null, 2.5 }, row)
    assert.equal(2, #row)
  end)

  it("may leave a NULL out", function()
    local next_row = reader(two_rows(), nil, nil, {})
    next_row()
    assert.same({ nil, 2.5 }, next_row())
  end)
end)

describe("a reader of rows", function()
  local function two_frames()
    return reading({ columns = { "a" }, { 1 }, more = true }, { columns = { "a" }, { 2 }, { 3 } })
  end

  it("goes from frame to frame when it is told to", function()
    local session = two_frames()
    local next_row = reader(session, null)
    assert.same({ 1 }, next_row())
    nothing(next_row())
    assert.equal("ROWS", session:next())
    nothing(next_row())
    assert.same({ 2 }, next_row(true))
    assert.same({ 3 }, next_row())
    nothing(next_row())
    assert.equal(0, session:outstanding())
  end)

  it("leaves the reply of another one alone", function()
    local session = two_frames()
    local next_row = reader(session, null)
    assert.equal("ROWS", session:next())
    local other = reader(session, null)
    nothing(next_row())
    assert.same({ 2 }, other())
    nothing(next_row())
    assert.same({ 3 }, other())
  end)

  it("has nothing once bytes have come in, or the session is closed", function()
    for _, act in ipairs { function(s) s:feed "x" end, function(s) s:close() end } do
      local session = two_rows()
      local next_row = reader(session, null)
      next_row()
      act(session)
      nothing(next_row())
      assert.has_error(function() next_row(true) end)
    end
  end)
end)

describe("reading rows", function()
  it("mixes with the other ways", function()
    local session = reading { columns = { "a" }, { 1 }, { 2 }, { 3 }, { 4 } }
    assert.same({ 1 }, reader(session, null)())
    assert.same({ "INTEGER" }, session:types())
    local list = {}
    assert.same({ 1, true }, { session:rows_by_position(list, 0, 1, null) })
    assert.same({ { 2 } }, list)
    assert.same({ a = 3 }, reader(session, nil, { "a" })())
    assert.equal(1, session:count_rows())
    assert.equal(0, session:count_rows())
  end)

  it("follows the session's way of reading", function()
    local session = reading { columns = { "a", "b" },
      { "x", 10 ^ 15, types = { "BLOB", "INTEGER" } }, { "x", "", types = { "BLOB", "ISO8601" } } }
    local next_row = reader(session, null)
    session:reading("string-all", true, true)
    assert.same({ values.blob "x", "1000000000000000" }, next_row())
    assert.same({ values.blob "x", "" }, next_row())
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
    local next_row = reader(session, null)
    assert.same({ 1, "x" }, next_row())
    assert.equal(16, session:finalize(1))
    assert.is_nil(session:exec("x", 2, 1))
    assert.same({ null, 2.5 }, next_row())
    assert.equal(1, session:outstanding())
  end)

  it("ends the session at a row that cannot be read", function()
    for _, read_of in ipairs {
      function(session) return reader(session, null) end,
      function(session) return reader(session, null, nil, {}) end,
      function(session) return reader(session, nil, { "a" }) end,
      function(session) return function() return session:count_rows() end end,
    } do
      local session = malformed()
      assert.same({ 1 }, reader(session, null)())
      local row, kind, reason = read_of(session)()
      assert.same({ nil, "protocol", "a row that cannot be read" }, { row, kind, reason })
      assert.equal("protocol", select(2, session:next()))
      assert.has_error(function() read_of(session)() end)
    end
  end)

  it("raises where there are no rows", function()
    local session = core.session(2 ^ 20)
    for _, method in ipairs { "begin_rows", "count_rows" } do
      assert.has_error(function() session[method](session, nil, {}) end)
    end
    session:exec("x")
    session:take()
    session:feed(wire.encode("RESULT", {}))
    assert.equal("RESULT", session:next())
    assert.has_error(function() session:count_rows() end)
    assert.has_error(function() session:begin_rows() end)
  end)

  it("raises wrong arguments and stays usable", function()
    local session = two_rows()
    for _, ticket in ipairs { 0, -1, 1.5, 2, 0 / 0, 2 ^ 40, "x" } do
      assert.has_error(function() session:begin_rows(ticket) end)
    end
    assert.has_error(function() session.next_row(1, 1) end)
    for _, ticket in ipairs { 0, 1, "x", null } do nothing(session:next_row(ticket, null)) end
    nothing(session:next_row())
    assert.equal(1, session:begin_rows())
    assert.same({ 1, "x" }, session:next_row(1, null, 7, 8))
    assert.same({ nil, 2.5 }, session:next_row(1))
  end)

  it("is over when the session is closed", function()
    local session = two_rows()
    session:close()
    assert.has_error(function() session:begin_rows() end)
    nothing(session:next_row(1, null))
    assert.equal("closed", select(2, session:next()))
  end)
end)
