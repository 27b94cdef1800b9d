local sql = require "dqlite.sql"

local examine = sql.examine

-- Checks a field of each text.
local function all(field, expected, texts)
  for _, text in ipairs(texts) do
    local known = examine(text)
    assert.equal(expected, known[field], field .. " of " .. text)
  end
end

describe("the way of a statement", function()
  it("is a query's when it yields rows", function()
    all("yields_rows", true, {
      "SELECT 1", "VALUES (1)", "WITH a AS (SELECT 1) SELECT * FROM a", "EXPLAIN DELETE FROM t",
      "EXPLAIN QUERY PLAN SELECT 1", "PRAGMA user_version", "DELETE FROM t RETURNING a",
      "WITH a AS (SELECT 1) INSERT INTO t SELECT 1 RETURNING a", "-- x\n;/* y */ select 1",
    })
  end)

  it("is an EXEC's when it does not", function()
    all("yields_rows", false, {
      "INSERT INTO t VALUES (1)", "WITH a AS (SELECT 1) DELETE FROM t", "CREATE TABLE t (a)",
      "BEGIN", "COMMIT", "SAVEPOINT a", "ANALYZE", "VACUUM", "UPDATE t SET returning_ = 1",
      "CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END",
    })
  end)

  it("is left to the call when the text does not tell", function()
    all("yields_rows", nil, { "PRAGMA user_version = 1", "PRAGMA encoding('x')", "FROBNICATE" })
  end)

  it("is known of PRAGMAs that answer a value with a row, or nothing at all", function()
    all("yields_rows", true, { "PRAGMA table_info(t)", "pragma main.Index_List('i')",
      "PRAGMA secure_delete = 1", "PRAGMA journal_size_limit(5)" })
    all("yields_rows", false, { "PRAGMA shrink_memory" })
    all("writes", false, { "PRAGMA table_info(t)", "PRAGMA mmap_size = 0" })
  end)
end)

describe("a statement whose answer is lost", function()
  it("may have written", function()
    all("writes", true, {
      "INSERT INTO t VALUES (1)", "REPLACE INTO t VALUES (1)", "UPDATE t SET a = 1", "COMMIT",
      "END", "DELETE FROM t", "DELETE FROM t RETURNING a", "CREATE TABLE t (a)", "DROP TABLE t",
      "?",
      "WITH n AS (SELECT 1) INSERT INTO t SELECT * FROM n", "RELEASE a", "PRAGMA user_version=1",
      "WITH n AS (SELECT 1) REPLACE INTO t SELECT * FROM n", "REINDEX", "FROBNICATE",
    })
  end)

  it("or cannot have", function()
    all("writes", false, {
      "SELECT 1", "VALUES (1)", "EXPLAIN DELETE FROM t", "EXPLAIN COMMIT", "BEGIN", "ROLLBACK",
      "ROLLBACK TO a", "SAVEPOINT a", "PRAGMA user_version", "DETACH a",
      "WITH inserted AS (SELECT 1) SELECT replace(1, 'update', 2) FROM inserted",
      "WITH replace AS (SELECT 1) SELECT a FROM replace",
    })
  end)
end)

describe("control of the transaction", function()
  it("is told apart by its kind", function()
    for text, kind in pairs {
      ["begin"] = "begin", ["BEGIN EXCLUSIVE TRANSACTION"] = "begin", ["Commit"] = "commit",
      ["END TRANSACTION"] = "commit", ["ROLLBACK"] = "rollback", ["SAVEPOINT a"] = "savepoint",
      ["ROLLBACK TRANSACTION"] = "rollback", ["ROLLBACK TO a"] = "rollback_to",
      ["rollback/**/transaction to savepoint a"] = "rollback_to", ["RELEASE a"] = "release",
    } do
      local known = examine(text)
      assert.equal(kind, known.kind)
      assert.is_true(known.control, text)
    end
  end)

  it("is not what only explains it", function()
    all("control", false, { "EXPLAIN BEGIN", "EXPLAIN QUERY PLAN COMMIT", "SELECT 'BEGIN'" })
  end)
end)

describe("a statement that is prepared", function()
  it("reads or changes, and is nothing else", function()
    all("preparable", true, {
      "SELECT * FROM t", "VALUES (1)", "WITH a AS (SELECT 1) SELECT a FROM a", "DELETE FROM t",
      "INSERT INTO t VALUES (1)", "UPDATE t SET a = 1", "REPLACE INTO t VALUES (1)",
    })
    all("preparable", false, {
      "PRAGMA user_version", "EXPLAIN SELECT 1", "CREATE TABLE t (a)", "BEGIN", "ANALYZE",
      "SAVEPOINT a", "DETACH a", "FROBNICATE",
    })
  end)

  it("is cached only without a star", function()
    all("cacheable", false, {
      "SELECT * FROM t", "SELECT t.* FROM t", "SELECT a, * FROM t", "SELECT DISTINCT * FROM t",
      "SELECT/**/*FROM t", "SELECT a FROM (SELECT * FROM t)", "DELETE FROM t RETURNING *",
      "SELECT [a b].* FROM [a b]", "PRAGMA x", "BEGIN",
    })
    all("cacheable", true, {
      "SELECT count(*) FROM t", "SELECT a * b FROM t", "SELECT 2*3", "SELECT '*' FROM t",
      "DELETE FROM t RETURNING a",
    })
  end)
end)

describe("what a statement answers", function()
  it("counts rows where it changes some", function()
    all("counts", true, { "INSERT INTO t VALUES (1)", "DELETE FROM t RETURNING a",
      "WITH a AS (SELECT 1) UPDATE t SET a = 1", "REPLACE INTO t VALUES (1)" })
    all("counts", false, { "SELECT 1", "CREATE TABLE t (a)", "BEGIN", "EXPLAIN DELETE FROM t" })
  end)

  it("has an id where it inserts", function()
    all("inserts", true, { "INSERT INTO t VALUES (1)", "REPLACE INTO t VALUES (1)",
      "WITH a AS (SELECT 1) INSERT INTO t SELECT 1" })
    all("inserts", false, { "UPDATE t SET a = 1", "EXPLAIN INSERT INTO t VALUES (1)" })
  end)
end)

describe("a text that is refused", function()
  it("is so with a kind and a reason", function()
    for text, kind in pairs {
      [""] = "value", [" ; -- x"] = "value", ["SELECT 1\0"] = "value",
      ["SELECT 1; SELECT 2"] = "value", ["SELECT ?0"] = "value", ["SELECT ?32767"] = "value",
      ["SELECT ?99999999999999999999"] = "value",
      ["ATTACH 'f' AS f"] = "unsupported", ["PRAGMA journal_mode=off"] = "unsupported",
      ["PRAGMA wal_checkpoint; SELECT 1"] = "unsupported",
    } do
      local known = examine(text)
      assert.equal(kind, known.problem, text)
      assert.equal("string", type(known.reason))
    end
    all("problem", nil, { "SELECT 1", "SELECT 1;", "SELECT ?32766", "SELECT ';'", "FROBNICATE" })
  end)
end)

describe("the text of a statement", function()
  it("is sent without what stands before and behind it", function()
    for _, text in ipairs {
      "SELECT 1", " SELECT 1 ; \n;", "-- one\nSELECT 1; -- two", ";SELECT 1 /* x */ ; /* y",
    } do
      assert.equal("SELECT 1", examine(text).text)
    end
    assert.equal("SELECT ';'", examine("SELECT ';'").text)
  end)

  it("takes values for the marks in it", function()
    for text, count in pairs { ["SELECT 1"] = 0, ["SELECT ?, ?"] = 2, ["SELECT ?7"] = 7,
      ["SELECT :a, :a, @a"] = 2, ["SELECT '?', [?], `?`, -- ?\n ?"] = 1 } do
      assert.equal(count, examine(text).params, text)
    end
  end)

  it("is examined once, however often it is sent, and the next ones too", function()
    local first = examine "SELECT 'again'"
    assert.equal(first, examine "SELECT 'again'")
    for i = 1, 2000 do examine("SELECT " .. i) end
    assert.same(first, examine "SELECT 'again'")
  end)
end)

describe("a script", function()
  local function texts(text)
    local list = {}
    for i, known in ipairs(sql.split(text)) do list[i] = known.text end
    return list
  end

  it("behaviour 34: is split where a statement ends", function()
    assert.same({}, texts "")
    assert.same({}, texts " ;; -- x")
    assert.same({ "SELECT 1" }, texts "SELECT 1")
    assert.same({ "SELECT ';'", "DELETE FROM t", "END" },
      texts "SELECT ';';;\nDELETE FROM t /* ; */; -- ;\nEND")
    local trigger = "CREATE TRIGGER x AFTER INSERT ON t BEGIN DELETE FROM u;"
      .. " SELECT CASE WHEN 1 THEN 2 END; END"
    assert.same({ "BEGIN", trigger, "COMMIT" }, texts("BEGIN;" .. trigger .. ";COMMIT;"))
  end)

  it("has the problems of its statements", function()
    local list = sql.split "SELECT 1; PRAGMA journal_mode=off; SELECT ?0; DELETE FROM t"
    assert.same({ nil, "unsupported", "value", nil, n = 4 },
      { list[1].problem, list[2].problem, list[3].problem, list[4].problem, n = #list })
  end)

  it("of many statements is split in linear time", function()
    local text = ("INSERT INTO t VALUES (1);"):rep(20000)
    local started = os.clock()
    assert.equal(20000, #sql.split(text))
    assert.is_true(os.clock() - started < 10)
  end)
end)
