-- Calls that begin at once: on a connection at rest, with a statement that is all there is
-- to send. They answer as others do, and what is not at rest takes the other way.
local core = require "dqlite.core"
local dqlite = require "dqlite"
local result = require "dqlite.result"
local scripted = require "spec.support.scripted"
local wire = require "dqlite.wire"

local A_ROW = { scripted.rows { columns = { "a", "b" }, { 1, dqlite.null } } }
local NO_ROW = { scripted.rows { columns = { "a", "b" } } }
local TWO_FRAMES = {
  scripted.rows { columns = { "a", "b" }, { 1, 2 }, { 3, 4 }, more = true },
  scripted.rows { columns = { "a", "b" }, { 5, 6 } },
}
local CALLS = { "fetch", "fetchall", "fetchone", "fetchval", "fetchcol", "query" }

local function open(answers, opts)
  opts = opts or {}
  opts.statement_cache = opts.statement_cache or 0
  local conn, server = scripted.open({ QUERY_SQL = answers }, opts)
  return conn, server
end

-- What each call answers at first, when the session is still to be told how to read, and
-- from the second time on.
local function answers_of(conn, name)
  local first = { conn[name](conn, "SELECT a, b FROM t") }
  local second = { conn[name](conn, "SELECT a, b FROM t") }
  return first, second
end

describe("a call at once", function()
  for what, answers in pairs { ["a row"] = A_ROW, ["no row"] = NO_ROW,
    ["two frames"] = TWO_FRAMES, ["a failure"] = { scripted.failure(1, "no such table: t") } } do
    it("answers as the first one does, with " .. what, function()
      for _, name in ipairs(CALLS) do
        for _, opts in ipairs { {}, { max_rows = 2 }, { max_result_bytes = 40 },
          { null = dqlite.null } } do
          local first, second = answers_of(open(answers, opts), name)
          if first[2] then first[2], second[2] = tostring(first[2]), tostring(second[2]) end
          assert.same(first, second)
        end
      end
    end)
  end

  it("leaves the connection at rest", function()
    local conn = open(A_ROW)
    for _ = 1, 3 do assert.equal(1, conn:fetchval "SELECT a, b FROM t") end
    assert.is_true(conn:is_clean())
    conn:close()
    assert.has_error(function() conn:fetchval "SELECT a, b FROM t" end, "the connection is closed")
  end)

  it("takes a table of parameters, and leaves options to the others", function()
    local conn, server = open(A_ROW)
    for i = 1, 3 do assert(conn:fetchall("SELECT a, b FROM t WHERE a = ?", { i })) end
    assert.equal(3, server.sent[#server.sent].params[1])
    local list, err = conn:fetchall("SELECT a, b FROM t WHERE a = ?", { 1 },
      { max_result_bytes = 8 })
    assert.same({ nil, "policy" }, { list, err.kind })
    assert(conn:fetchall("SELECT a, b FROM t WHERE a = ?", { 1 }))
  end)

  it("refuses wrong parameters before a byte is sent", function()
    local conn, server = open(A_ROW)
    for _ = 1, 2 do assert(conn:fetchval("SELECT a, b FROM t WHERE a = ?", 1)) end
    local before = server.bytes()
    local value, err = conn:fetchval("SELECT a, b FROM t WHERE a = ?", 1, 2)
    assert.same({ nil, "value" }, { value, err.kind })
    assert.has_error(function() conn:fetchval("SELECT a, b FROM t WHERE a = ?", print) end)
    assert.equal(before, server.bytes())
    assert.equal(1, conn:fetchval("SELECT a, b FROM t WHERE a = ?", 1))
  end)

  it("is not what ends rows that are being read", function()
    local conn = open(TWO_FRAMES)
    assert(conn:fetchval "SELECT a, b FROM t")
    local rows = conn:rows "SELECT a, b FROM t"
    rows()
    assert.equal(1, conn:fetchval "SELECT a, b FROM t")
    assert.has_error(rows)
  end)

  it("goes on with what a stream has not done at once", function()
    local conn, server = open(TWO_FRAMES)
    assert(conn:fetchval "SELECT a, b FROM t")
    for _, chunk in ipairs { 1, 7, 8, 50 } do
      server.chunk = chunk
      assert.equal(3, #conn:fetchall "SELECT a, b FROM t")
    end
  end)
end)

-- ---- the one row that counts ----

local function reading(rows)
  local session = core.session(2 ^ 20)
  assert(session:query("x", 0))
  session:take()
  session:feed(wire.encode("ROWS", { rows = rows }))
  assert.equal("ROWS", session:next())
  return session
end

describe("the only row", function()
  it("comes by names that are kept as long as they are the same", function()
    local session = reading { columns = { "a", "b" }, { 1, dqlite.null }, { 2, 3 } }
    assert.same({ a = 1 }, session:only_by_name(nil))
    assert.same({ a = 1, b = "none" }, session:only_by_name "none")
    session:query("y", 0)
    session:take()
    session:feed(wire.encode("ROWS", { rows = { columns = { "a", "bc" }, { 1, 2 } } }))
    session:next()
    assert.same({ a = 1, bc = 2 }, session:only_by_name(nil))
  end)

  it("comes as its first value", function()
    local session = reading { columns = { "a", "b" }, { dqlite.null, 7 } }
    assert.is_nil(session:only_value(nil))
    assert.equal(dqlite.null, session:only_value(dqlite.null))
  end)

  it("is nil where there is none", function()
    local session = reading { columns = { "a" } }
    local function all(...) return { n = select("#", ...), ... } end
    assert.same({ n = 1 }, all(session:only_by_name(nil)))
    assert.same({ n = 1 }, all(session:only_value(nil)))
  end)

  it("that cannot be read ends the session", function()
    for _, method in ipairs { "only_by_name", "only_value" } do
      local frame = wire.encode("ROWS", { rows = { columns = { "a" }, { 1 } } })
      local session = core.session(2 ^ 20)
      session:query("x", 0)
      session:take()
      session:feed(frame:sub(1, 24) .. "\12" .. frame:sub(26))
      session:next()
      local value, kind = session[method](session, nil)
      assert.same({ nil, "protocol" }, { value, kind })
      assert.has_error(function() session[method](session, nil) end)
    end
  end)

  it("is of a current ROWS", function()
    assert.has_error(function() core.session(64):only_value(nil) end)
    assert.is_function(result.shapes.fetchval.only)
  end)
end)
