local statement = require "dqlite.statement"

local function verb(sql) return statement.examine(sql).verb end
local function refusal(sql) return statement.examine(sql).kind end

describe("the verb of a statement", function()
  it("is its first word in capitals", function()
    assert.equal("SELECT", verb("select 1"))
    assert.equal("INSERT", verb("  \n\tInsert INTO t VALUES (1)"))
  end)

  it("is found behind comments and semicolons", function()
    assert.equal("SELECT", verb("-- a comment\n ; /* one * more */ select 1"))
  end)

  it("is not there in blank texts", function()
    for _, sql in ipairs { "", " ", ";", "-- only", "/* open", "/* a */ ;\n" } do
      assert.is_nil(verb(sql))
      assert.equal("value", refusal(sql))
    end
  end)
end)

describe("a statement is refused", function()
  it("when it holds a word that can take a server down", function()
    for _, sql in ipairs {
      "INSERT INTO t VALUES (1) RETURNING a", "pragma journal_mode=delete",
      "/**/PRAGMA main.journal_mode", "ATTACH 'f' AS f",
      "insert into t select 1\nreturning*", "UPDATE t SET x=?1RETURNING x",
      "UPDATE t SET x='a'RETURNING x", "SELECT 1/**/;PRAGMA page_size=1",
    } do
      assert.equal("unsupported", refusal(sql), sql)
    end
  end)

  it("not for names that only contain such a word", function()
    assert.is_nil(refusal "SELECT attachment, is_returning FROM pragmatic")
  end)

  it("when another one follows", function()
    for _, sql in ipairs {
      "BEGIN; INSERT INTO t VALUES (1); COMMIT", "SELECT 1; SELECT 2",
      "SELECT '--'; DELETE FROM t", "SELECT [a'];DELETE FROM t --']",
    } do
      assert.equal("unsupported", refusal(sql), sql)
    end
  end)

  it("not for a semicolon in a literal, a name, a comment or a trigger", function()
    for _, sql in ipairs {
      "SELECT 'a;b', \"c;d\", [e;f], `g;h`, 'it''s;'", "SELECT 1 -- a; b",
      "SELECT /* ; */ 1", "SELECT 1;",
      "CREATE TRIGGER x AFTER INSERT ON t BEGIN DELETE FROM u; DELETE FROM v; END",
    } do
      assert.is_nil(refusal(sql), sql)
    end
  end)
end)

describe("the text of a statement", function()
  it("is sent without what stands before and behind it", function()
    for _, sql in ipairs {
      "SELECT 1", " SELECT 1 ; \n;", "-- one\nSELECT 1; -- two", ";SELECT 1 /* x */ ; /* y",
    } do
      assert.equal("SELECT 1", statement.examine(sql).text)
    end
    assert.equal("SELECT ';'", statement.examine("SELECT ';'").text)
    assert.equal("SELECT 1 - 2 / 3", statement.examine("SELECT 1 - 2 / 3").text)
  end)

  it("is found in linear time", function()
    local sql = "INSERT INTO t VALUES ('" .. (" "):rep(1e5) .. ("'' "):rep(1e4) .. "')"
    local started = os.clock()
    assert.equal(sql, statement.examine(sql).text)
    assert.is_true(os.clock() - started < 5)
  end)
end)

describe("a statement whose answer is lost", function()
  local function may_write(sql) return statement.examine(sql).may_write end

  it("may have written", function()
    for _, sql in ipairs {
      "INSERT INTO t VALUES (1)", "COMMIT", "CREATE TABLE t (a)", "?",
      "WITH n AS (SELECT 1) INSERT INTO t SELECT * FROM n",
      "WITH n AS (SELECT 1) REPLACE INTO t SELECT * FROM n",
    } do
      assert.is_true(may_write(sql), sql)
    end
  end)

  it("or cannot have", function()
    for _, sql in ipairs {
      "SELECT 1", "VALUES (1)", "EXPLAIN DELETE FROM t", "BEGIN", "ROLLBACK",
      "WITH inserted AS (SELECT 1) SELECT replace(1, 'update', 2) FROM inserted",
    } do
      assert.is_false(may_write(sql), sql)
    end
  end)
end)

describe("a WITH", function()
  it("yields rows unless it writes", function()
    assert.is_true(statement.examine("WITH a AS (SELECT 1) SELECT * FROM a").yields_rows)
    assert.is_false(statement.examine("WITH a AS (SELECT 1) DELETE FROM t").yields_rows)
  end)
end)
