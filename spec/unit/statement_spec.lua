local statement = require "dqlite.statement"

describe("the verb of a statement", function()
  it("is its first word in capitals", function()
    assert.equal("SELECT", statement.verb("select 1"))
    assert.equal("INSERT", statement.verb("  \n\tInsert INTO t VALUES (1)"))
  end)

  it("is found behind comments and semicolons", function()
    assert.equal("SELECT", statement.verb("-- a comment\n ; /* one * more */ select 1"))
  end)

  it("is not there in blank texts", function()
    for _, sql in ipairs { "", " ", ";", "-- only", "/* open", "/* a */ ;\n" } do
      assert.is_nil(statement.verb(sql))
    end
  end)
end)

describe("a statement is refused", function()
  it("when it is empty", function()
    for _, sql in ipairs { "", " \n", ";;", "-- x", "/* x */" } do
      assert.equal("value", (statement.refusal(sql)))
    end
  end)

  it("when it holds a word that can take a server down", function()
    for _, sql in ipairs {
      "INSERT INTO t VALUES (1) RETURNING a", "pragma journal_mode=delete",
      "/**/PRAGMA main.journal_mode", "ATTACH 'f' AS f", "insert into t select 1\nreturning*",
    } do
      assert.equal("unsupported", (statement.refusal(sql)), sql)
    end
  end)

  it("not for names that only contain such a word", function()
    assert.is_nil(statement.refusal("SELECT attachment, is_returning FROM pragmatic"))
  end)
end)

describe("a statement whose answer is lost", function()
  it("may have written", function()
    for _, sql in ipairs {
      "INSERT INTO t VALUES (1)", "COMMIT", "CREATE TABLE t (a)",
      "WITH n AS (SELECT 1) INSERT INTO t SELECT * FROM n", "?",
    } do
      assert.is_true(statement.may_write(sql, statement.verb(sql)), sql)
    end
  end)

  it("or cannot have", function()
    for _, sql in ipairs {
      "SELECT 1", "VALUES (1)", "EXPLAIN DELETE FROM t", "BEGIN", "ROLLBACK",
      "WITH inserted AS (SELECT 1) SELECT * FROM inserted",
    } do
      assert.is_false(statement.may_write(sql, statement.verb(sql)), sql)
    end
  end)
end)

describe("a trimmed statement", function()
  it("ends with its last word", function()
    assert.equal("SELECT 1", statement.trimmed("SELECT 1 ; \n;"))
    assert.equal("SELECT ';'", statement.trimmed("SELECT ';'"))
  end)
end)
