local scripted = require "spec.support.scripted"
local simulated = require "spec.support.simulated"
local assert_raises = require "spec.support.raises"

local STOP = { scripted.failure(1811, "stop") }

describe("a script", function()
  after_each(simulated.verify)

  -- hazards.md, Requests that kill: tens of thousands of them in one EXEC_SQL
  it("behaviour 34: is sent a statement at a time, each after the answer to the last", function()
    for _, version in ipairs { "1.11.1", "1.18.6" } do
      local conn, server = simulated.open(version)
      assert.equal(5, conn:script [[
        -- the schema; in one go
        CREATE TABLE t (a);
        CREATE TRIGGER x AFTER INSERT ON t BEGIN DELETE FROM u; SELECT 1; END;
        INSERT INTO t VALUES (';');; /* ; */
        SELECT a FROM t;
        PRAGMA user_version = 7;
      ]])
      assert.same({
        { "EXEC_SQL CREATE TABLE t (a)" },
        { "EXEC_SQL CREATE TRIGGER x AFTER INSERT ON t BEGIN DELETE FROM u; SELECT 1; END" },
        { "EXEC_SQL INSERT INTO t VALUES (';')" },
        { "QUERY_SQL SELECT a FROM t" },
        { "EXEC_SQL PRAGMA user_version = 7" },
      }, server:log(true))
    end
  end)

  it("of a thousand statements is a thousand requests", function()
    local conn, server = simulated.open()
    assert.equal(1000, conn:script(("INSERT INTO t VALUES (1);"):rep(1000)))
    assert.equal(1000, #server.applied)
    assert.is_true(server.ahead <= 3)
  end)

  it("may hold a transaction", function()
    local conn, server = simulated.open()
    assert.equal(4, conn:script "BEGIN; DELETE FROM t; DELETE FROM u; COMMIT")
    assert.equal(2, #server.applied)
    assert.is_false(conn:in_transaction())
    assert.equal(1, conn:script "BEGIN")
    assert.is_true(conn:in_transaction())
    assert.equal(2, conn:script "DELETE FROM t; END")
    assert.equal(3, #server.applied)
  end)

  it("that is empty, or holds what is refused, sends nothing", function()
    local conn, server = simulated.open()
    for text, index in pairs { [""] = false, [" ;; -- x"] = false, ["SELECT 1; SELECT ?"] = 2,
      ["DELETE FROM t; ATTACH 'f' AS f"] = 2, ["BEGIN; SELECT 1\0; COMMIT"] = 2,
      ["DELETE FROM t; SELECT 1; PRAGMA wal_checkpoint; SELECT 2"] = 3,
      ["SELECT :a"] = 1 } do
      local count, err = conn:script(text)
      assert.is_nil(count)
      assert.equal(index, err.index or false, text)
    end
    assert_raises("is a string, not a nil", function() conn:script() end)
    assert_raises("is a string, not a table", function() conn:script {} end)
    assert_raises("unknown option 'x'", function() conn:script("SELECT 1", { x = 1 }) end)
    assert.equal(0, server.bytes())
    assert.equal(1, conn:script "SELECT 1")
  end)
end)

describe("a script that fails", function()
  after_each(simulated.verify)

  local function failing(text, begin)
    local conn, server = simulated.open()
    server:on("DELETE FROM stops", STOP)
    if begin then assert(conn:execute(begin)) end
    local count, err = conn:script(text)
    assert.is_nil(count)
    return conn, server, err
  end

  it("stops there, and says where", function()
    local _, server, err = failing "DELETE FROM t; DELETE FROM stops ; DELETE FROM u"
    assert.same({ 2, "DELETE FROM stops", 1811 }, { err.index, err.sql, err.code })
    assert.same({ "DELETE FROM t" }, server.applied)
  end)

  it("rolls back the transaction that it has opened", function()
    for _, text in ipairs {
      "BEGIN; DELETE FROM t; DELETE FROM stops; COMMIT",
      "DELETE FROM t; SAVEPOINT a; DELETE FROM u; DELETE FROM stops",
      "BEGIN; DELETE FROM t; COMMIT; BEGIN; DELETE FROM u; DELETE FROM stops; COMMIT",
    } do
      local conn, server, err = failing(text)
      assert.equal(1811, err.code)
      assert.is_false(conn:in_transaction())
      assert.is_false(server.in_transaction)
      assert.equal("EXEC_SQL ROLLBACK", table.remove(server:log()))
      for _, applied in ipairs(server.applied) do assert.equal("DELETE FROM t", applied) end
    end
  end)

  it("rolls it back though an earlier savepoint left that unsure", function()
    local conn, server = simulated.open()
    assert.equal(2, conn:script "SAVEPOINT a; RELEASE a")
    server:on("DELETE FROM stops", STOP)
    assert.is_nil(conn:script "SAVEPOINT b; DELETE FROM t; DELETE FROM stops")
    assert.is_false(server.in_transaction)
    assert.same({}, server.applied)
  end)

  it("leaves the transaction that it was run in", function()
    local conn, server = failing("DELETE FROM t; DELETE FROM stops", "BEGIN")
    assert.is_true(conn:in_transaction())
    assert(conn:execute "COMMIT")
    assert.same({ "DELETE FROM t" }, server.applied)
  end)

  it("rolls back what it opened after it had ended the one it was run in", function()
    local conn, server = failing("COMMIT; BEGIN; DELETE FROM t; DELETE FROM stops", "BEGIN")
    assert.is_false(conn:in_transaction())
    assert.is_false(server.in_transaction)
    assert.same({}, server.applied)
  end)

  it("at its COMMIT rolls back, too", function()
    local conn, server = simulated.open()
    server:on("COMMIT", { scripted.failure(787, "FOREIGN KEY constraint failed") })
    local count, err = conn:script "BEGIN; DELETE FROM t; COMMIT; DELETE FROM u"
    assert.is_nil(count)
    assert.same({ 787, 3 }, { err.code, err.index })
    assert.is_false(server.in_transaction)
    assert.is_false(conn:in_transaction())
    assert.same({}, server.applied)
  end)

  it("and whose transaction the server has ended is not rolled back twice", function()
    local conn, server = simulated.open()
    server:on("DELETE FROM ends", function()
      server:roll_back()
      return STOP
    end)
    assert.is_nil(conn:script "BEGIN; DELETE FROM t; DELETE FROM ends; DELETE FROM u; COMMIT")
    assert.same({}, server.applied)
    assert.is_false(conn:in_transaction())
    assert(conn:execute "DELETE FROM v")
    assert.same({ "DELETE FROM v" }, server.applied)
  end)

  it("and cannot be rolled back loses its connection", function()
    local conn, server = simulated.open()
    server:on("DELETE FROM stops", STOP)
    server:on("ROLLBACK", { scripted.failure(1, "disk full") })
    local count, err = conn:script "BEGIN; DELETE FROM stops; COMMIT"
    assert.is_nil(count)
    assert.equal(1811, err.code)
    assert.is_false(conn:is_open())
  end)

  it("by losing its connection is in doubt about a write alone", function()
    for text, expected in pairs {
      ["SELECT 1; DELETE FROM lost"] = { 2, false, true },
      ["SELECT 1; BEGIN; DELETE FROM lost; COMMIT"] = { 3, true, false },
      ["DELETE FROM t; SELECT a FROM lost"] = { 2, true, false },
    } do
      local conn, server = simulated.open()
      server:on("DELETE FROM lost", { "close" })
      server:on("SELECT a FROM lost", { "close" })
      local count, err = conn:script(text)
      assert.is_nil(count)
      assert.same(expected, { err.index, err.retryable, err.ambiguous }, text)
      assert.is_false(conn:is_open())
    end
  end)

  it("by its time has the time of one call for all of it", function()
    local conn, server = simulated.open(nil, { timeout = 9 })
    server.delay = 0.1
    local started = server.time
    local count, err = conn:script(("DELETE FROM t;"):rep(100), { timeout = 2 })
    assert.is_nil(count)
    assert.equal("timeout", err.kind)
    assert.is_true(server.time - started < 2.2)
    assert.is_true(#server.applied >= 15 and #server.applied <= 20)
  end)
end)

describe("a script in a transaction", function()
  after_each(simulated.verify)

  it("cannot control it, and fails it when it fails", function()
    local conn, server = simulated.open()
    server:on("DELETE FROM stops", STOP)
    local result, err = conn:transaction(function()
      assert_raises("inside transaction", function() conn:script "DELETE FROM t; COMMIT" end)
      assert.equal(1, conn:script "DELETE FROM t")
      conn:script "SAVEPOINT a; DELETE FROM u; ROLLBACK TO a; RELEASE a"
      conn:script "DELETE FROM stops"
      return true
    end)
    assert.is_nil(result)
    assert.equal(1811, err.code)
    assert.same({}, server.applied)
  end)

  it("with savepoints of its own is fine", function()
    local conn, server = simulated.open()
    assert.is_true(conn:transaction(function()
      assert(conn:script "DELETE FROM t; SAVEPOINT a; DELETE FROM u; ROLLBACK TO a; RELEASE a")
      assert(conn:execute "DELETE FROM v")
      return true
    end))
    assert.same({ "DELETE FROM t", "DELETE FROM v" }, server.applied)
  end)

  it("ends a handle where it commits", function()
    local conn = simulated.open()
    local tx = assert(conn:begin())
    assert.equal(2, conn:script "DELETE FROM t; COMMIT")
    assert_raises("has ended", function() tx:rollback() end)
  end)
end)
