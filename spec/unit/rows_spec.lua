local null = require "dqlite".null
local scripted = require "spec.support.scripted"
local simulated = require "spec.support.simulated"
local assert_raises = require "spec.support.raises"

local ALL = "SELECT a, b FROM t"

local FRAMES = {
  scripted.rows { columns = { "a", "b" }, { 1, "x" }, { 2, null }, more = true },
  scripted.rows { columns = { "a", "b" }, { 3, "y" }, more = true },
  scripted.rows { columns = { "a", "b" }, { 4, null }, { 5, "z" } },
}

local function open(frames, opts)
  local conn, server = simulated.open(nil, opts)
  server:on(ALL, frames or FRAMES)
  return conn, server
end

local function raised(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  assert.equal("table", type(err), tostring(err))
  return err
end

local function collect(iterator)
  local list = {}
  for row in iterator do list[#list + 1] = row end
  return list
end

describe("rows", function()
  after_each(simulated.verify)

  it("come by name, by position, in one table or in new ones", function()
    local conn = open()
    assert.same({ { a = 1, b = "x" }, { a = 2 }, { a = 3, b = "y" }, { a = 4 },
      { a = 5, b = "z" } }, collect(conn:rows(ALL)))
    assert.same({ { 1, "x" }, { 2, null }, { 3, "y" }, { 4, null }, { 5, "z" } },
      collect(conn:rows(ALL, {}, { arrays = true })))
    local seen, one = {}, nil
    for row in conn:rows(ALL, {}, { reuse = true }) do
      seen[#seen + 1] = tostring(row.a) .. tostring(row.b)
      assert.equal(one or row, row)
      one = row
    end
    assert.same({ "1x", "2nil", "3y", "4nil", "5z" }, seen)
    seen = {}
    for row in conn:rows(ALL, {}, { reuse = true, arrays = true, null = false }) do
      seen[#seen + 1] = tostring(row[1]) .. tostring(row[2])
      assert.equal(2, #row)
    end
    assert.same({ "1x", "2false", "3y", "4false", "5z" }, seen)
  end)

  it("may be none, or have no columns, or end in an empty frame", function()
    local conn = open { scripted.rows { columns = { "a", "b" } } }
    assert.same({}, collect(conn:rows(ALL)))
    conn = open { scripted.rows { columns = {} } }
    assert.same({}, collect(conn:rows(ALL)))
    conn = open { FRAMES[1], scripted.rows { columns = { "a", "b" } } }
    assert.equal(2, #collect(conn:rows(ALL)))
  end)

  it("end once, and stay ended", function()
    local conn = open()
    local next_row = conn:rows(ALL)
    for _ = 1, 5 do assert.is_not_nil(next_row()) end
    for _ = 1, 3 do assert.is_nil(next_row()) end
    assert.equal(1, conn:fetchval "SELECT 1")
    assert.is_nil(next_row())
  end)

  it("are read a frame at a time, when the one before is used up", function()
    local conn = open()
    local stream = conn.link.stream
    local next_row = conn:rows(ALL)
    local at = stream.taken
    local taken = {}
    for _ in next_row do taken[#taken + 1] = stream.taken - at end
    assert.same({ 0, 0, 1, 2, 2 }, taken)
  end)

  it("arrive whatever the pieces are", function()
    for _, chunk in ipairs { 1, 7, 8, 9, 64 } do
      local conn, server = open()
      server.chunk = chunk
      assert.equal(5, #collect(conn:rows(ALL)))
    end
  end)

  it("have parameters and options like fetch", function()
    local conn, server = simulated.open()
    for row in conn:rows("SELECT a FROM t WHERE b = ?", 7) do assert.same({ a = 1 }, row) end
    for row in conn:rows("SELECT a FROM t WHERE b = :b", { b = 7 }, { arrays = true }) do
      assert.same({ 1 }, row)
    end
    assert.equal(7, server.sent[#server.sent].params[1])
    assert_raises("unknown option 'x'", function() conn:rows(ALL, {}, { x = 1 }) end)
    assert_raises("is a string, not a nil", function() conn:rows() end)
    assert_raises("a function is no SQL value", function() conn:rows("SELECT ?", print) end)
    assert.equal("value", raised(conn.rows, conn, "SELECT ?").kind)
    assert.equal("value", raised(conn.rows, conn, "DELETE FROM t").kind)
    assert.equal(1, conn:fetchval "SELECT 1")
  end)

  it("have the timeout for each frame", function()
    local conn, server = open(FRAMES, { timeout = 2 })
    server.delay = 1.5
    assert.equal(5, #collect(conn:rows(ALL)))
  end)

  it("come from a prepared statement, too", function()
    local conn = open()
    local statement = assert(conn:prepare(ALL))
    assert.equal(5, #collect(statement:rows()))
    assert.equal(5, #collect(statement:rows({}, { arrays = true })))
  end)
end)

describe("rows that fail", function()
  after_each(simulated.verify)

  it("raise the error at the start", function()
    local conn = open { scripted.failure(1, "no such table: t") }
    local err = raised(conn.rows, conn, ALL)
    assert.same({ "sql", "no such table: t", ALL }, { err.kind, err.message, err.sql })
    assert.equal(1, conn:fetchval "SELECT 1")
  end)

  it("behaviour 19: raise the error in the middle, behind the rows before it", function()
    local conn = open { FRAMES[1], scripted.failure(1, "integer overflow") }
    local seen = 0
    local err = raised(function()
      for _ in conn:rows(ALL) do seen = seen + 1 end
    end)
    assert.same({ 2, "integer overflow" }, { seen, err.message })
    assert.equal(1, conn:fetchval "SELECT 1")
  end)

  it("raise the loss of the connection", function()
    for kind, frames in pairs {
      closed = { FRAMES[1], "close" },
      timeout = { FRAMES[1] },
      not_leader = { FRAMES[1], scripted.failure(10506, "leadership lost") },
      sql = { FRAMES[1], scripted.failure(9, "interrupted") },
      protocol = { FRAMES[1], scripted.rows { columns = { "a", "b" }, more = true } },
    } do
      local conn = open(frames)
      local next_row = conn:rows(ALL)
      next_row()
      next_row()
      local err = raised(next_row)
      assert.same({ kind, true, true, false },
        { err.kind, err.fatal, err.retryable, err.ambiguous })
      assert.is_false(conn:is_open())
      assert.is_nil(next_row())
      conn:close()
    end
  end)

  it("behaviour 18: raise it for a frame without rows that promises more, for ever", function()
    local conn = open { scripted.rows { columns = { "a", "b" }, more = true } }
    assert.equal("protocol", raised(conn.rows, conn, ALL).kind)
    assert.is_false(conn:is_open())
  end)

  it("count as a failed statement of their transaction", function()
    local conn, server = open { FRAMES[1], scripted.failure(1, "integer overflow") }
    local result, err = conn:transaction(function()
      conn:execute "DELETE FROM t"
      pcall(collect, conn:rows(ALL))
      return true
    end)
    assert.is_nil(result)
    assert.equal("integer overflow", err.message)
    assert.same({}, server.applied)
  end)
end)

describe("a call while rows are read", function()
  after_each(simulated.verify)

  local CALLS = {
    execute = function(conn) return conn:execute "DELETE FROM t" end,
    fetch = function(conn) return conn:fetch "SELECT 1" end,
    rows = function(conn) return collect(conn:rows "SELECT 1") end,
    prepare = function(conn) return conn:prepare "SELECT 1" end,
    executemany = function(conn) return conn:executemany("DELETE FROM t", { {} }) end,
    pipeline = function(conn) return conn:pipeline { { "SELECT 1" } } end,
    script = function(conn) return conn:script "SELECT 1" end,
    begin = function(conn) return conn:begin() end,
    transaction = function(conn) return conn:transaction(function() return true end) end,
    ping = function(conn) return conn:ping() end,
    features = function(conn) return conn:features() end,
  }

  for name, use in pairs(CALLS) do
    it("is served, and ends them: " .. name, function()
      local conn = open()
      local seen = 0
      local err = raised(function()
        for _ in conn:rows(ALL) do
          seen = seen + 1
          assert.is_truthy(use(conn))
        end
      end)
      assert.same({ 1, "closed" }, { seen, err.kind })
      assert.matches("ended by a later call", err.message)
      assert.same({ false, false }, { err.fatal, err.ambiguous })
      assert.equal(1, conn:fetchval "SELECT 1")
    end)
  end

  it("that is refused leaves them or ends them, but never mixes answers", function()
    local conn = open()
    local next_row = conn:rows(ALL)
    next_row()
    assert.is_nil(conn:fetch "")
    assert.is_nil(conn:fetch("SELECT ?", 1, 2))
    local ok, row = pcall(next_row)
    assert.is_truthy(not ok and row.kind == "closed" or ok and row.a == 2)
    assert.equal(1, conn:fetchval "SELECT 1")
  end)

  it("that closes it ends them with an error", function()
    local conn = open()
    local next_row = conn:rows(ALL)
    next_row()
    conn:close()
    local ok, err = pcall(next_row)
    assert.is_false(ok)
    assert.matches("closed", tostring(err))
  end)
end)

describe("rows of a RETURNING", function()
  after_each(simulated.verify)

  it("are fetched and committed before the first one is given", function()
    for _, version in ipairs { "1.11.1", "1.14", "1.18.6" } do
      local conn, server = simulated.open(version)
      for row in conn:rows "DELETE FROM t RETURNING a" do
        assert.same({ a = 1 }, row)
        assert.equal(1, #server.applied)
        assert.is_false(server.in_transaction)
        assert.equal(1, conn:fetchval "SELECT 1")
      end
    end
  end)
end)
