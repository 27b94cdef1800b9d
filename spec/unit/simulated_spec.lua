-- The simulated server is what shows that nothing dangerous is sent: here it is
-- shown that it would notice.
local session = require "dqlite.session"
local simulated = require "spec.support.simulated"
local text_of = require "spec.support.sql_text"

-- Sends single requests, each after the answer to the one before.
local function send(version, requests, ahead)
  local server = simulated.server(version)
  local raw = assert(session.connect(server.address, { loop = server.loop }))
  for _, request in ipairs(requests) do
    assert(raw:send(request[1], request[2]))
    if not ahead and not raw:receive() then break end
  end
  if ahead then raw:receive() end
  return table.concat(simulated.violations(), "\n")
end

local SELECT = { "PREPARE", { sql = "SELECT 1" } }
local USE = { "QUERY", { stmt = 0 } }
local FINALIZE = { "FINALIZE", { stmt = 0 } }

local function exec(sql, fields)
  fields = fields or {}
  fields.sql = sql
  return { "EXEC_SQL", fields }
end

local function query(sql)
  return { "QUERY_SQL", { sql = sql } }
end

describe("a simulated server", function()
  it("suffers from ids that are guessed, finalized or predicted", function()
    assert.equal("", send(nil, { SELECT, USE, USE, FINALIZE, SELECT, USE }))
    assert.matches("finalized or never given", send(nil, { USE }))
    assert.matches("finalized or never given", send(nil, { SELECT, FINALIZE, USE }))
    assert.matches("finalized or never given", send(nil, { SELECT, FINALIZE, FINALIZE }))
    assert.matches("not read", send(nil, { SELECT, USE }, true))
  end)

  it("suffers from RETURNING as its version does", function()
    local text = "INSERT INTO t VALUES (1) RETURNING a"
    assert.matches("through EXEC", send("1.18.6", { exec(text) }))
    assert.matches("through EXEC", send("1.11.1", { exec "BEGIN", exec(text) }))
    assert.equal("", send("1.18.6", { query(text) }))
    assert.equal("", send("1.11.1", { exec "BEGIN", query(text) }))
    assert.matches("outside of a transaction", send("1.11.1", { query(text) }))
    assert.matches("outside of a transaction", send("1.14", { query(text) }))
    assert.matches("outside", send("1.11.1", { exec "BEGIN", exec "END", query(text) }))
  end)

  it("suffers from texts that a server must not get", function()
    for _, text in ipairs { "", " -- x", "SELECT 1; SELECT 2", "ATTACH 'f' AS f",
      "PRAGMA journal_mode=delete", "pragma\"main\".[Journal_Mode] (x)",
      "EXPLAIN PRAGMA synchronous = 1", "PRAGMA wal_checkpoint", "PRAGMA/**/page_size=1",
      "PRAGMA main.optimize", "PRAGMA incremental_vacuum(3)", "SELECT 1 FROM \"Pragma_Optimize\"",
      "SELECT 1 FROM pragma_optimize" } do
      assert.is_truthy(text_of.danger(text), text)
      assert.not_equal("", send(nil, { query(text) }))
    end
    for _, text in ipairs { "SELECT ';'", "PRAGMA journal_mode", "SELECT [a;b] /* ; */",
      "CREATE TRIGGER x AFTER INSERT ON t BEGIN DELETE FROM u; END" } do
      assert.is_nil(text_of.danger(text), text)
    end
    assert.matches("PREPARE of PRAGMA", send(nil, { { "PREPARE", { sql = "PRAGMA x" } } }))
    assert.matches("PREPARE of BEGIN", send(nil, { { "PREPARE", { sql = "BEGIN" } } }))
  end)

  it("suffers from parameters in another number", function()
    assert.matches("1 parameters for 2", send(nil, { exec("DELETE ?, ?", { params = { 1 } }) }))
    assert.matches("1 parameters for 0", send(nil, { exec("DELETE ':a'", { params = { 1 } }) }))
    assert.equal("", send(nil, { exec("DELETE :a, :b, ?5, :a, ?", { params = { n = 6 } }) }))
    local many = { params = { n = 256 }, schema = 1 }
    local text = "DELETE ?256"
    assert.equal("", send("1.14", { exec(text, many) }))
    assert.matches("schema 1 before 1.12", send("1.11.1", { exec(text, many) }))
  end)
end)

describe("a simulated transaction", function()
  local function applied(...)
    local server = simulated.server()
    local raw = assert(session.connect(server.address, { loop = server.loop }))
    local failed = 0
    for _, text in ipairs { ... } do
      assert(raw:send("EXEC_SQL", { sql = text }))
      if assert(raw:receive()).name == "FAILURE" then failed = failed + 1 end
    end
    return table.concat(server.applied, ","), failed
  end

  it("keeps what is committed", function()
    assert.equal("DELETE 1", applied "DELETE 1")
    assert.equal("", applied("BEGIN", "DELETE 1"))
    assert.equal("DELETE 1,DELETE 2", applied("BEGIN", "DELETE 1", "DELETE 2", "COMMIT"))
    assert.equal("DELETE 2", applied("BEGIN", "DELETE 1", "ROLLBACK", "DELETE 2"))
    assert.equal("DELETE 1", applied("SAVEPOINT a", "DELETE 1", "RELEASE a"))
    assert.equal("DELETE 1,DELETE 3", applied("BEGIN IMMEDIATE", "DELETE 1", "SAVEPOINT a",
      "DELETE 2", "ROLLBACK TO a", "DELETE 3", "RELEASE a", "END"))
  end)

  it("fails where there is none, or one already", function()
    assert.same({ "", 2 }, { applied("COMMIT", "ROLLBACK") })
    assert.same({ "", 1 }, { applied("BEGIN", "BEGIN IMMEDIATE") })
    assert.same({ "", 2 }, { applied("RELEASE a", "ROLLBACK TO a") })
  end)
end)
