-- What is known of a transaction, and where a statement ends: behaviours 30 and 32 to 34.
-- (State by state in state_spec.lua; the failing COMMIT of 31 in commit_spec.lua.)
local control_texts = require "spec.support.control_texts"
local scripted = require "spec.support.scripted"
local simulated = require "spec.support.simulated"
local sql = require "dqlite.sql"

local WRITE = "DELETE FROM t"

-- A transaction whose write fails.
local function failing(code)
  local conn, server = simulated.open()
  assert(conn:execute "BEGIN IMMEDIATE")
  server:on(WRITE, { scripted.failure(code, "it failed") })
  local answer, err = conn:execute(WRITE)
  assert.is_nil(answer)
  assert.equal(code, err.code)
  server:on(WRITE, nil)
  return conn, server, err
end

-- Is a write taken to be in the transaction? If so it dies with the session.
local function is_sure(conn, server)
  server:on("DELETE FROM u", { "close" })
  local _, err = conn:execute "DELETE FROM u"
  return not err.ambiguous
end

describe("a failure in a transaction", function()
  after_each(simulated.verify)

  for _, code in ipairs { 5, 6, 261, 517 } do
    it("behaviour 30: leaves it open, surely: BUSY, " .. code, function()
      local conn, server = failing(code)
      assert.is_true(conn:is_open())
      assert.is_true(conn:in_transaction())
      assert.is_true(is_sure(conn, server))
    end)
  end

  -- SQLite ends it with some of these (FULL, NOMEM), with others where the statement says so
  for name, code in pairs { CONSTRAINT = 19, UNIQUE = 2067, TRIGGER = 1811, ERROR = 1,
    FULL = 13, NOMEM = 7, ABORT = 4, TOOBIG = 18 } do
    it("behaviour 30: leaves it open, maybe: " .. name, function()
      local conn, server = failing(code)
      assert.is_true(conn:is_open())
      assert.is_true(conn:in_transaction())
      assert.is_false(is_sure(conn, server))
    end)

    it("behaviour 30: leaves a ROLLBACK to be done: " .. name, function()
      local conn, server = failing(code)
      assert.is_true(conn:rollback())
      assert.is_false(conn:in_transaction())
      assert.is_false(server.in_transaction)
      assert.is_false(is_sure(conn, server))
    end)
  end

  for name, code in pairs { IOERR = 10, IOERR_WRITE = 778, INTERRUPT = 9, NOT_LEADER = 10250,
    LEADERSHIP_LOST = 10506 } do
    it("behaviour 30: ends it with its connection: " .. name, function()
      local conn, server, err = failing(code)
      assert.same({ true, true, false }, { err.fatal, err.retryable, err.ambiguous })
      assert.is_false(conn:is_open())
      assert.equal(1, server.closed)
      assert.same({}, server.applied)
      assert.equal("closed", select(2, conn:commit()).kind)
    end)
  end
end)

describe("control of the transaction as text", function()
  after_each(simulated.verify)

  -- Answers as any server does that takes the statement: these texts are for our scanner.
  local function open()
    return scripted.open({
      EXEC_SQL = { scripted.result(1, 1) },
      QUERY_SQL = { scripted.rows { columns = { "1" }, { 1 } } },
    }, { statement_cache = 0 })
  end

  local WAYS = {
    execute = function(conn, text) return conn:execute(text) end,
    script = function(conn, text) return conn:script(text) end,
    ["a script among others"] = function(conn, text)
      return conn:script("SELECT ';'; /* ; */ " .. text .. "\n; SELECT 2; -- ;")
    end,
  }

  local function gives(before, after, text)
    for name, way in pairs(WAYS) do
      local conn = open()
      if before then assert(conn:script "BEGIN; SAVEPOINT a") end
      local bom = text:sub(1, 1) == "\239" and name == "a script among others"
      if not bom then
        assert(way(conn, text))
        assert.equal(after, conn:in_transaction(), name .. ": " .. text)
      end
    end
  end

  it("behaviour 32: that begins is known to leave it open", function()
    for _, text in ipairs(control_texts.begins) do gives(false, true, text) end
  end)

  it("behaviour 32: that ends it is known to have done so", function()
    for _, text in ipairs(control_texts.ends) do gives(true, false, text) end
  end)

  it("behaviour 32: is told from what looks like it", function()
    for _, text in ipairs(control_texts.neither) do gives(true, true, text) end
  end)

  it("behaviour 32: is none outside of a transaction where it only looks so", function()
    for _, text in ipairs { "SELECT 'BEGIN'", 'SELECT "SAVEPOINT"', "-- BEGIN\nSELECT 1",
      "EXPLAIN BEGIN", "EXPLAIN SAVEPOINT a", "/* BEGIN; */ DELETE FROM t",
      "CREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM u; END" } do
      gives(false, false, text)
    end
  end)

  it("behaviour 32: of several statements is refused whole, but for script", function()
    for _, text in ipairs { "BEGIN; DELETE FROM t", "SELECT 1; BEGIN", "SAVEPOINT a; RELEASE a" } do
      local conn, server = open()
      assert.equal("value", select(2, conn:execute(text)).kind)
      assert.equal(0, server.bytes())
      assert.is_false(conn:in_transaction())
    end
  end)

  it("behaviour 32: in a script counts as far as that went", function()
    for text, expected in pairs {
      ["BEGIN; DELETE FROM t"] = true,
      ["BEGIN; COMMIT; SAVEPOINT a"] = true,
      ["SAVEPOINT a; SAVEPOINT b; RELEASE b"] = true,
      ["BEGIN; SELECT ';COMMIT'"] = true,
      ["BEGIN; DELETE FROM t; END"] = false,
      ["SAVEPOINT a; ROLLBACK TO a; ROLLBACK"] = false,
    } do
      local conn, server = simulated.open()
      assert(conn:script(text))
      assert.equal(expected, conn:in_transaction(), text)
      assert.equal(expected, server.in_transaction, text)
    end
  end)

  it("behaviour 32: that would end it and is refused leaves it open", function()
    local conn, server = simulated.open()
    assert(conn:execute "SAVEPOINT a")
    server:on("COMMIT", { scripted.failure(787, "FOREIGN KEY constraint failed") })
    assert.is_nil((conn:execute "COMMIT"))
    assert.is_true(conn:in_transaction())
    server:on("ROLLBACK", { scripted.failure(1, "disk full") })
    assert.is_nil((conn:execute "ROLLBACK"))
    assert.is_true(conn:in_transaction())
  end)
end)

describe("a ROLLBACK where no transaction is active", function()
  after_each(simulated.verify)

  local NONE = "cannot rollback - no transaction is active"

  -- In a transaction that the server has ended by itself.
  local function ended()
    local conn, server = simulated.open()
    server:on(WRITE, function()
      server:roll_back()
      return { scripted.failure(1811, "stop") }
    end)
    return conn, server
  end

  local function keeps(conn, server)
    assert.is_true(conn:is_open())
    assert.is_false(conn:in_transaction())
    assert.equal(0, server.closed)
    assert(conn:execute "DELETE FROM u")
    assert.same({ "DELETE FROM u" }, server.applied)
  end

  it("behaviour 33: keeps the connection, by hand", function()
    for _, way in ipairs {
      function(conn) return conn:rollback() end,
      function(conn) return conn:execute "ROLLBACK" end,
    } do
      local conn, server = ended()
      assert(conn:execute "BEGIN")
      assert.is_nil((conn:execute(WRITE)))
      assert.is_true(conn:in_transaction())
      local done, err = way(conn)
      assert.is_nil(done)
      assert.same({ "sql", 1, NONE, false, false },
        { err.kind, err.code, err.message, err.fatal, err.ambiguous })
      keeps(conn, server)
    end
  end)

  it("behaviour 33: keeps the connection of a handle, which has ended", function()
    local conn, server = ended()
    local tx = assert(conn:begin())
    assert.is_nil((conn:execute(WRITE)))
    assert.is_true(tx:rollback())
    keeps(conn, server)
  end)

  it("behaviour 33: keeps the connection of transaction(fn), script and executemany", function()
    for name, way in pairs {
      ["transaction(fn)"] = function(conn)
        return conn:transaction(function() return conn:execute(WRITE) end)
      end,
      script = function(conn) return conn:script("BEGIN; " .. WRITE .. "; COMMIT") end,
      executemany = function(conn) return conn:executemany(WRITE, { {} }) end,
    } do
      local conn, server = ended()
      local done, err = way(conn)
      assert.is_nil(done, name)
      assert.equal(1811, err.code, name)
      keeps(conn, server)
    end
  end)

  it("behaviour 33: is the only failure of a ROLLBACK that does", function()
    for message, code in pairs { ["disk full"] = 1, [NONE] = 13,
      ["no such savepoint: no transaction is active"] = 1 } do
      local conn, server = simulated.open()
      local tx = assert(conn:begin())
      server:on("ROLLBACK", { scripted.failure(code, message) })
      local done, err = tx:rollback()
      assert.is_nil(done)
      assert.equal(code, err.code)
      assert.is_false(conn:is_open(), message)
    end
  end)
end)

describe("a semicolon", function()
  local TRIGGER = "CREATE TRIGGER g AFTER INSERT ON t "

  -- Each is one statement: its semicolons end nothing.
  local ONE = {
    "SELECT ';'", "SELECT 'it''s; '", "SELECT ''';'", 'SELECT 1 AS "a;b"', 'SELECT 1 AS "a"";"',
    "SELECT 1 AS [a;b]", "SELECT 1 AS `a;b`", "SELECT 1 AS `a``;`", "SELECT x'3b', ';'",
    "SELECT /* ; */ 1", "SELECT 1 -- ;\n + 1", "SELECT /* '; */ 1", "SELECT /* -- ; */ 1",
    "SELECT 1 -- /* ;\n", "SELECT '/*;' , '*/'", "SELECT '--;'", 'SELECT ";" , \';\'',
    TRIGGER .. "BEGIN DELETE FROM u; END",
    TRIGGER .. "BEGIN DELETE FROM u; DELETE FROM v; END",
    TRIGGER .. "begin delete from u; end",
    TRIGGER .. "BEGIN SELECT CASE WHEN 1 THEN 2 END; DELETE FROM u; END",
    TRIGGER .. "BEGIN SELECT CASE 1 WHEN 1 THEN CASE 2 WHEN 2 THEN 3 END END; SELECT 1; END",
    TRIGGER .. "WHEN (NEW.a > 0) BEGIN SELECT ';END;'; DELETE FROM u; END",
    TRIGGER .. "BEGIN -- END;\n DELETE FROM u; /* END; */ DELETE FROM v; END",
    TRIGGER .. "BEGIN UPDATE u SET end_ = 1; SELECT the_end; END",
    TRIGGER .. 'BEGIN SELECT "END"; DELETE FROM [END]; END',
    "CREATE TEMP TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM u; END",
    "CREATE TEMPORARY TRIGGER IF NOT EXISTS g AFTER INSERT ON t BEGIN DELETE FROM u; END",
    "create/**/trigger g after insert on t begin delete from u; end",
    "-- a comment;\nCREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM u; END",
    "CREATE TABLE trigger_ (a DEFAULT ';')",
  }

  local function texts(text)
    local list = {}
    for i, known in ipairs(sql.split(text)) do list[i] = known.text end
    return list
  end

  local function bare(text) return texts(text)[1] end

  it("behaviour 34: in a literal, a name, a comment or a trigger ends nothing", function()
    for _, text in ipairs(ONE) do
      assert.equal(1, #texts(text), text)
      assert.equal(1, #texts(text .. "\n;"), text)
      assert.is_nil(sql.examine(text .. "\n;").problem, text)
    end
  end)

  it("behaviour 34: ends each of them where others follow", function()
    for i, text in ipairs(ONE) do
      local other = ONE[i % #ONE + 1]
      assert.same({ bare(text), "SELECT 0", bare(other), bare(text) },
        texts(table.concat({ text, "SELECT 0", other, text }, "\n;\n") .. "\n;"))
    end
  end)

  it("behaviour 34: in a script parts what is sent", function()
    local conn, server = scripted.open({
      EXEC_SQL = { scripted.result(1, 1) },
      QUERY_SQL = { scripted.rows { columns = { "1" }, { 1 } } },
    }, { statement_cache = 0 })
    local sent, wanted = #server.sent, {}
    for i, text in ipairs(ONE) do wanted[i] = bare(text) end
    assert.equal(#ONE, conn:script(table.concat(ONE, "\n;\n")))
    for i, text in ipairs(wanted) do assert.equal(text, server.sent[sent + i].sql) end
    assert.equal(sent + #wanted, #server.sent)
  end)

  it("behaviour 34: ends statements that begin as a trigger does", function()
    assert.same({ "CREATE TABLE trigger_ (a)", "BEGIN", "END" },
      texts "CREATE TABLE trigger_ (a); BEGIN; END")
    assert.same({ "DROP TRIGGER g", "BEGIN", "DELETE FROM t", "END" },
      texts "DROP TRIGGER g; BEGIN; DELETE FROM t; END;")
    assert.same({ "CREATE VIEW v AS SELECT 1", "DELETE FROM trigger", "END" },
      texts "CREATE VIEW v AS SELECT 1; DELETE FROM trigger; END")
    assert.same({ "BEGIN", "SELECT CASE 1 WHEN 1 THEN 2 END", "END" },
      texts "BEGIN; SELECT CASE 1 WHEN 1 THEN 2 END; END")
  end)
end)
