local scripted = require "spec.support.scripted"

-- Without the statement cache: each statement goes as text.
local function open(answers, opts)
  opts = opts or {}
  opts.statement_cache = 0
  return scripted.open(answers, opts)
end

local null = require "dqlite".null
local assert_raises = require "spec.support.raises"

local one_row = { scripted.rows { columns = { "a" }, { 1 } } }
local three_rows = {
  scripted.rows { columns = { "a", "b" }, { 1, "x" }, { 2, null }, more = true },
  scripted.rows { columns = { "a", "b" }, { 3, "z" } },
}

describe("a statement", function()
  it("goes as EXEC_SQL or QUERY_SQL with its parameters", function()
    local conn, server = open { EXEC_SQL = { scripted.result(7, 1) }, QUERY_SQL = one_row }
    local result = assert(conn:execute("INSERT INTO t VALUES (?, ?)", 1.5, "x"))
    assert.same({ rows_affected = 1, last_insert_id = 7 }, result)
    assert.equal(1, conn:fetchval("SELECT a FROM t WHERE a = ?", { true }))
    local insert, select = server.sent[5], server.sent[6]
    assert.equal("EXEC_SQL", insert.name)
    assert.same({ "FLOAT", "TEXT" }, insert.params.types)
    assert.equal("QUERY_SQL", select.name)
    assert.same({ true, n = 1, types = { "BOOLEAN" } }, select.params)
  end)

  it("is sent without the blanks and semicolons behind it", function()
    local conn, server = open { EXEC_SQL = { scripted.result(1, 1) } }
    assert.is_truthy(conn:execute "INSERT INTO t VALUES (1) ; \n")
    assert.equal("INSERT INTO t VALUES (1)", server.sent[5].sql)
  end)

  it("that counts no rows gets no counts", function()
    local conn = open { EXEC_SQL = { scripted.result(7, 1) } }
    assert.same({}, conn:execute "CREATE TABLE t (a)")
    assert.same({}, conn:execute "BEGIN")
  end)

  it("that yields rows can be executed", function()
    local conn, server = open { QUERY_SQL = three_rows }
    assert.same({}, conn:execute "SELECT a FROM t")
    assert.same({}, conn:execute "WITH n AS (SELECT 1 AS a) SELECT a FROM n")
    assert.equal("QUERY_SQL", server.sent[5].name)
    assert.equal("QUERY_SQL", server.sent[6].name)
  end)

  it("may have parameters in each form", function()
    local conn, server = open { QUERY_SQL = one_row }
    for _, case in ipairs {
      { n = 0, call = function() return conn:fetch "SELECT 1" end },
      { n = 3, call = function() return conn:fetch("SELECT ?, ?, ?", 1, nil, nil) end },
      { n = 2, call = function() return conn:fetch("SELECT ?, ?", { 1, 2 }) end },
      { n = 3, call = function() return conn:fetch("SELECT ?, ?, ?", { 1, n = 3 }) end },
      { n = 3, call = function() return conn:fetch("SELECT ?3", { nil, nil, 3, n = 3 }, {}) end },
      { n = 0, call = function() return conn:fetch("SELECT 1", {}, { timeout = 1 }) end },
      { n = 255, call = function()
        local list = {}
        for i = 1, 255 do list[i] = i end
        return conn:fetch("SELECT ?255", list)
      end },
    } do
      assert(case.call())
      assert.equal(case.n, server.sent[#server.sent].params.n)
    end
  end)
end)

describe("bad input that is an error", function()
  local function refused(kind, pattern, method, ...)
    local conn, server = open { QUERY_SQL = one_row }
    local result, err = conn[method](conn, ...)
    assert.is_nil(result)
    assert.equal(kind, err.kind)
    assert.matches(pattern, err.message)
    assert.same({ false, false, false }, { err.fatal, err.retryable, err.ambiguous })
    assert.equal(0, server.bytes())
    assert.equal(1, conn:fetchval "SELECT 1")
  end

  it("behaviour 26: sends no byte and leaves the connection usable", function()
    refused("value", "parameter 2: .*dqlite.blob", "fetch", "SELECT ?, ?", 1, "a\0b")
    refused("value", "parameter 1: .*dqlite.blob", "execute", "SELECT ?", { "a\0b" })
    refused("value", "NUL", "fetch", "SELECT 1\0")
    refused("value", "empty", "fetch", " -- nothing")
    refused("value", "empty", "execute", "")
    refused("value", "INSERT yields no rows: use execute", "fetch", "INSERT INTO t VALUES (1)")
    refused("value", "BEGIN yields no rows: use execute", "fetchval", "begin")
    refused("unsupported", "journal_mode", "fetch", "PRAGMA journal_mode = DELETE")
    refused("unsupported", "ATTACH", "execute", "ATTACH 'file' AS other")
    refused("value", "several statements.*script", "execute", "BEGIN; DELETE FROM t; COMMIT")
    refused("value", "1 parameter.*256 values", "fetch", "SELECT ?", { 1, n = 256 })
    refused("value", "2 parameters.*1 value", "fetch", "SELECT ?, ?", 1)
    refused("value", "1 parameter.*2 values", "execute", "DELETE FROM t WHERE a = ?", 1, 2)
    refused("value", "options come behind", "fetch", "SELECT 1", { timeout = 1 })
    refused("value", "numbered", "fetch", "SELECT ?0")
  end)

  if not require "dqlite.core".integers then
    it("behaviour 26: is a whole number that may have lost digits", function()
      for _, number in ipairs { 2 ^ 53 + 2, -2 ^ 60, 2 ^ 63 } do
        refused("value", "2%^53.*dqlite.int64.*dqlite.real", "fetch", "SELECT ?", number)
      end
    end)
  end

  if rawget(_G, "jit") then
    it("is a uint64_t beyond int64_t", function()
      local ffi = require "ffi"
      refused("value", "64 bits", "fetch", "SELECT ?", ffi.new("uint64_t", -1))
    end)
  end
end)

describe("bad input that is a mistake", function()
  local conn, server = open { QUERY_SQL = one_row }

  after_each(function()
    assert.equal(0, server.bytes())
  end)

  it("behaviour 26: raises at the caller's line", function()
    assert_raises("a function is no SQL value", function() conn:fetch("SELECT ?", print) end)
    assert_raises("a table is no SQL value", function() conn:fetch("SELECT ?", 1, {}) end)
    assert_raises("is a string, not a number", function() conn:fetch(1) end)
    assert_raises("is a string, not a nil", function() conn:execute() end)
    assert_raises("unknown option 'x'", function() conn:fetch("SELECT 1", {}, { x = 1 }) end)
    assert_raises("'timeout' must be", function() conn:fetchone("S", {}, { timeout = 0 }) end)
    assert_raises("only the options", function() conn:fetchval("SELECT ?", { 1 }, {}, 1) end)
    assert_raises("with a hole", function() conn:fetchcol("SELECT ?", { 1, nil, 3 }) end)
    assert_raises("behind the position n", function() conn:query("SELECT ?", { 1, 2, n = 1 }) end)
    assert_raises("n of parameters", function() conn:fetchall("SELECT ?", { n = -1 }) end)
  end)
end)

describe("a failure", function()
  -- hazards.md, Silent wrong answers: a FAILURE that follows rows already built
  it("behaviour 19: keeps its code in the middle of a result", function()
    local conn, server = open { QUERY_SQL = { three_rows[1], scripted.failure(1, "overflow") } }
    local rows, err = conn:fetch("SELECT a, ?", { "secret" })
    assert.is_nil(rows)
    assert.equal("sql", err.kind)
    assert.equal("overflow", err.message)
    assert.equal("SELECT a, ?", err.sql)
    assert.is_nil(tostring(err):find("secret", 1, true))
    server.answers.QUERY_SQL = one_row
    assert.equal(1, conn:fetchval "SELECT 1")
  end)

  it("behaviour 29: that is fatal ends the connection", function()
    local conn, server = open { EXEC_SQL = { scripted.failure(10506, "leadership lost") } }
    local result, err = conn:execute "INSERT INTO t VALUES (1)"
    assert.is_nil(result)
    assert.same({ true, true, "not_leader" }, { err.fatal, err.ambiguous, err.kind })
    assert.is_false(conn:is_open())
    assert.equal(1, server.closed)
    local again, closed = conn:fetch "SELECT 1"
    assert.is_nil(again)
    assert.equal("closed", closed.kind)
    assert.matches("leadership lost", closed.message)
  end)
end)

describe("a lost answer", function()
  local function lost(method, sql, answers, opts)
    local conn, server = open(answers, opts)
    local result, err = conn[method](conn, sql)
    assert.is_nil(result)
    assert.is_true(err.fatal)
    assert.is_false(conn:is_open())
    conn:close()
    assert.equal(1, server.closed)
    return err
  end

  it("leaves a write in doubt", function()
    local err = lost("execute", "INSERT INTO t VALUES (1)", { EXEC_SQL = { "close" } })
    assert.same({ "closed", true, false }, { err.kind, err.ambiguous, err.retryable })
    err = lost("execute", "COMMIT", {})
    assert.same({ "timeout", true, false }, { err.kind, err.ambiguous, err.retryable })
  end)

  it("leaves a read to be tried again", function()
    local err = lost("fetch", "SELECT 1", { QUERY_SQL = { "close" } })
    assert.same({ "closed", false, true }, { err.kind, err.ambiguous, err.retryable })
    err = lost("execute", "BEGIN", {})
    assert.same({ "timeout", false, true }, { err.kind, err.ambiguous, err.retryable })
  end)

  it("is lost in the middle of a frame as well", function()
    local torn = one_row[1]:sub(1, 20)
    assert.equal("closed", lost("fetch", "SELECT 1", { QUERY_SQL = { torn, "close" } }).kind)
    assert.equal("timeout", lost("fetch", "SELECT 1", { QUERY_SQL = { torn } }).kind)
  end)
end)

describe("a deadline", function()
  it("behaviour 15: covers the whole call, however slowly bytes drip", function()
    local conn, server = open({ QUERY_SQL = three_rows }, { timeout = 2 })
    server.chunk, server.delay = 1, 0.1
    local started = server.time
    local _, err = conn:fetch "SELECT"
    assert.equal("timeout", err.kind)
    assert.is_true(server.time - started < 2.2)
  end)

  it("of one call is its own", function()
    local conn, server = open {}
    local started = server.time
    local _, err = conn:fetch("SELECT", {}, { timeout = 0.25 })
    assert.equal("timeout", err.kind)
    assert.equal(started + 0.25, server.time)
  end)
end)

describe("a server that breaks the protocol", function()
  local function broken(frames, pattern)
    local conn, server = open { QUERY_SQL = frames }
    local rows, err = conn:fetch "SELECT"
    assert.is_nil(rows)
    assert.equal("protocol", err.kind)
    assert.matches(pattern, err.message)
    assert.is_false(conn:is_open())
    assert.equal(1, server.closed)
  end

  it("loses its connection", function()
    broken({ scripted.result(1, 1) }, "another kind")
    broken({ "\0\0\0\0\7\0\0\0" }, "without a body")
    broken({ "\255\255\255\127\7\0\0\0" }, "larger than max_message_size")
    broken({ scripted.rows { columns = { "a" }, more = true } }, "cannot be read")
    broken({ three_rows[1], scripted.rows { columns = { "a", "c" }, { 1, 2 } } },
      "columns that change")
    broken({ three_rows[1], scripted.rows { columns = { "a" }, { 1 } } },
      "columns that change")
    -- header, column count, name; then the types of the row: 7 is none
    broken({ one_row[1]:sub(1, 24) .. "\7" .. one_row[1]:sub(26) },
      "row that cannot be read")
  end)

  it("behaviour 20: by a reply too many loses it before the next request", function()
    local conn, server = open { QUERY_SQL = { one_row[1] .. one_row[1] } }
    assert.equal(1, conn:fetchval "SELECT 1")
    local rows, err = conn:fetch "SELECT 2"
    assert.is_nil(rows)
    assert.equal("protocol", err.kind)
    assert.matches("nothing was asked", err.message)
    assert.equal(0, #server.sent - 5)
  end)
end)

describe("a closed connection", function()
  it("raises when it is used", function()
    local conn, server = open {}
    assert.is_true(conn:close())
    assert.is_true(conn:close())
    assert.equal(1, server.closed)
    assert.is_false(conn:is_open())
    assert_raises("connection is closed", function() conn:fetch "SELECT 1" end)
    assert_raises("connection is closed", function() conn:ping() end)
  end)

  it("says what it is", function()
    local conn = open { EXEC_SQL = { "close" } }
    assert.equal("dqlite connection to 127.0.0.1:9001 (open)", tostring(conn))
    conn:execute "BEGIN"
    assert.equal("dqlite connection to 127.0.0.1:9001 (lost)", tostring(conn))
    conn:close()
    assert.equal("dqlite connection to 127.0.0.1:9001 (closed)", tostring(conn))
  end)
end)

describe("a connection in two coroutines", function()
  it("behaviour 24: raises in the second and serves the first", function()
    local conn, server = open { QUERY_SQL = one_row }
    local stream = conn.link.stream
    local recv = stream.recv
    function stream.recv(...)
      coroutine.yield()
      return recv(...)
    end
    local first = coroutine.create(function() return conn:fetchval "SELECT 1" end)
    assert(coroutine.resume(first))
    assert_raises("in use by another coroutine", function() conn:fetch "SELECT 2" end)
    stream.recv = recv
    local _, value = coroutine.resume(first)
    assert.equal(1, value)
    assert.equal(5, #server.sent)
  end)
end)

describe("ping", function()
  it("is one round trip", function()
    local conn, server = open { QUERY_SQL = one_row }
    assert.is_true(conn:ping())
    assert.equal(5, #server.sent)
    server.answers.QUERY_SQL = { scripted.failure(10250, "not leader") }
    local ok, err = conn:ping()
    assert.is_nil(ok)
    assert.equal("not_leader", err.kind)
  end)
end)
