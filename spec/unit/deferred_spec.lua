-- A statement whose answer another call reads: when it leaves, and what becomes of it.
local deferred = require "dqlite.deferred"
local result = require "dqlite.result"
local scripted = require "spec.support.scripted"
local sql = require "dqlite.sql"

local function send(conn, text, ...)
  local known = sql.examine(text)
  local read = known.yields_rows and result.by_position or nil
  return deferred.send(conn, conn.settings, known, read, 5, ...)
end

local function names_of(server, from)
  local names = {}
  for i = from, #server.sent do names[#names + 1] = server.sent[i].name end
  return table.concat(names, " ")
end

local ONE = { scripted.rows { columns = { "n" }, { 1 } } }
local DONE = { scripted.result(4, 1) }

describe("a deferred statement", function()
  it("leaves at once, and its answer is read later", function()
    local conn, server = scripted.open { QUERY_SQL = ONE, EXEC_SQL = DONE }
    local before = #server.sent + 1
    local request = assert(send(conn, "SELECT n FROM t WHERE n = ?", 1))
    assert.equal("QUERY_SQL", names_of(server, before))
    assert.same({ { 1 } }, request:receive(conn.settings))
    request = assert(send(conn, "INSERT INTO t VALUES (?)", 1))
    assert.same({ rows_affected = 1, last_insert_id = 4 }, request:receive(conn.settings))
  end)

  it("leaves with what goes around a SELECT *", function()
    local conn, server = scripted.open { QUERY_SQL = ONE, EXEC_SQL = DONE }
    local before = #server.sent + 1
    local request = assert(send(conn, "SELECT * FROM t"))
    assert.equal("EXEC_SQL QUERY_SQL QUERY_SQL EXEC_SQL", names_of(server, before))
    assert.same({ { 1 } }, request:receive(conn.settings))
    assert.equal(0, conn.link.core:outstanding())
  end)

  it("waits for its reader where something is asked ahead of it, or it is long", function()
    local conn, server = scripted.open { QUERY_SQL = ONE, EXEC_SQL = DONE }
    local before = server.bytes()
    assert(send(conn, "INSERT INTO t VALUES (1) RETURNING *"))
    assert(send(conn, "UPDATE OR FAIL t SET n = 1"))
    local request = assert(send(conn, "SELECT ?", ("x"):rep(40000)))
    assert.equal(before, server.bytes())
    assert.same({ { 1 } }, request:receive(conn.settings))
  end)

  it("is sent again while another connection holds the lock", function()
    local tries = 0
    local conn = scripted.open({ EXEC_SQL = function()
      tries = tries + 1
      return tries < 3 and { scripted.failure(5, "database is locked") } or DONE
    end }, { statement_cache = 0 })
    local request = assert(send(conn, "INSERT INTO t VALUES (1)"))
    assert.equal(1, tries)
    assert.same({ rows_affected = 1, last_insert_id = 4 }, request:receive(conn.settings))
    assert.equal(3, tries)
  end)

  it("has a deadline of its own for its reader", function()
    local conn, server = scripted.open { EXEC_SQL = {} }
    local request = assert(send(conn, "INSERT INTO t VALUES (1)"))
    server.time = server.time + 100
    local began = server.time
    local answer, err = request:receive(conn.settings)
    assert.is_nil(answer)
    assert.same({ "timeout", true, false }, { err.kind, err.ambiguous, err.retryable })
    assert.equal(conn.settings.timeout, server.time - began)
  end)

  it("is in doubt where its connection ends before its answer", function()
    for _, ends in ipairs { "by the server", "by its user" } do
      local conn = scripted.open { EXEC_SQL = { "close" }, QUERY_SQL = { "close" } }
      local request = assert(send(conn, "INSERT INTO t VALUES (1)"))
      if ends == "by its user" then conn:close() end
      local answer, err = request:receive(conn.settings)
      assert.is_nil(answer)
      assert.same({ "closed", true, false, true },
        { err.kind, err.ambiguous, err.retryable, err.fatal }, ends)
    end
  end)

  it("is certainly not applied where nothing of it has left", function()
    local conn, server = scripted.open { EXEC_SQL = DONE }
    server.refuse_send = "closed"
    local request, err = send(conn, "INSERT INTO t VALUES (1)")
    assert.is_nil(request)
    assert.same({ "closed", false, true }, { err.kind, err.ambiguous, err.retryable })
    request, err = send(conn, "INSERT INTO t VALUES (1)")
    assert.is_nil(request)
    assert.equal("closed", err.kind)
  end)

  it("with wrong parameters does not leave", function()
    local conn, server = scripted.open { EXEC_SQL = DONE, QUERY_SQL = ONE }
    local before = server.bytes()
    local request, err = send(conn, "INSERT INTO t VALUES (?, ?)", 1)
    assert.is_nil(request)
    assert.equal("value", err.kind)
    local ok, raised = pcall(send, conn, "INSERT INTO t VALUES (?)", print)
    assert.is_false(ok)
    assert.truthy(tostring(raised):find("deferred_spec.lua:", 1, true))
    assert.equal(before, server.bytes())
    assert.same({ { 1 } }, conn:fetchall "SELECT n FROM t")
  end)
end)
