local core = require "dqlite.core"

local KINDS = {
  empty = { "", " -- nothing\n;" },
  unknown = { "SELEC 1", "?" },
  read = { "SELECT 1", "VALUES (1)", "WITH a AS (SELECT 1) SELECT * FROM a" },
  change = { "INSERT INTO t VALUES (1)", "REPLACE INTO t VALUES (1)", "UPDATE t SET a = 1",
    "DELETE FROM t" },
  define = { "CREATE TABLE t(a)", "ALTER TABLE t RENAME TO u", "DROP TABLE t", "REINDEX",
    "ANALYZE", "VACUUM" },
  pragma = { "PRAGMA user_version" },
  attach = { "ATTACH 'x' AS y" },
  detach = { "DETACH y" },
  begin = { "BEGIN" },
  commit = { "COMMIT", "END" },
  rollback = { "ROLLBACK" },
  rollback_to = { "ROLLBACK TO a" },
  savepoint = { "SAVEPOINT a" },
  release = { "RELEASE a" },
}

describe("scan", function()
  it("tells the kind of a statement", function()
    for kind, texts in pairs(KINDS) do
      for _, text in ipairs(texts) do assert.equal(kind, core.scan(text).kind, text) end
    end
  end)

  it("tells all of a plain statement", function()
    assert.same({
      kind = "read", verb = "SELECT", explain = false, fails = false, with = false,
      returning = false,
      star = false, rollback = false, setter = false, more = false, misnumbered = false,
      text = "SELECT 1", next = 9, params = 0, numbering = 0,
    }, core.scan "SELECT 1")
  end)

  it("has a flag for each of these", function()
    for flag, text in pairs {
      explain = "EXPLAIN SELECT 1",
      with = "WITH a AS (SELECT 1) SELECT 1",
      returning = "DELETE FROM t RETURNING a",
      star = "SELECT * FROM t",
      rollback = "INSERT OR ROLLBACK INTO t VALUES (1)",
      setter = "PRAGMA user_version = 1",
      more = "SELECT 1; SELECT 2",
      misnumbered = "SELECT ?0",
    } do
      assert.is_true(core.scan(text)[flag], flag)
    end
  end)

  it("says why a statement must not be sent", function()
    assert.is_nil(core.scan("SELECT 1").refusal)
    assert.equal("string", type(core.scan("ATTACH 'x' AS y").refusal))
    assert.equal("string", type(core.scan("PRAGMA journal_mode = delete").refusal))
  end)

  it("cuts blanks, comments and semicolons off", function()
    local found = core.scan " ; /* a */ SELECT 1 -- b\n ; "
    assert.equal("SELECT 1", found.text)
    assert.equal(28, found.next)
    assert.is_false(found.more)
    assert.equal("", core.scan(" ; ").text)
  end)

  it("goes through a text from one statement to the next", function()
    local text, texts, at = "BEGIN; SELECT ';', :a;; COMMIT", {}, 1
    local found
    repeat
      found = core.scan(text, at)
      texts[#texts + 1], at = found.text, found.next
    until not found.more
    assert.same({ "BEGIN", "SELECT ';', :a", "COMMIT" }, texts)
    assert.equal(#text + 1, at)
    assert.equal("empty", core.scan(text, at).kind)
  end)

  it("finds names wherever the statement begins", function()
    local found = core.scan("SELECT :a; SELECT :b", 11)
    assert.equal("SELECT :b", found.text)
    assert.is_true(core.check_params(found.numbering, { b = 1 }))
  end)

  it("counts parameters, and knows their names apart from the text", function()
    assert.equal(9, core.scan("SELECT ?, ?9").numbering)
    local found = core.scan("SELECT :" .. ("x"):rep(20) .. ", ?9")
    assert.equal(9, found.params)
    assert.equal("userdata", type(found.numbering))
    local numbering = found.numbering
    found = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    local _, _, reason = core.check_params(numbering, {})
    assert.matches("':" .. ("x"):rep(20) .. "'", reason)
  end)

  it("takes a position within the text, or just behind it", function()
    assert.equal("1", core.scan("SELECT 1", 8).text)
    assert.equal("empty", core.scan("SELECT 1", 9).kind)
    for _, init in ipairs { 0, -1, 10, 0 / 0, "x" } do
      assert.has_error(function() core.scan("SELECT 1", init) end)
    end
    assert.has_error(function() core.scan() end)
    assert.has_error(function() core.scan({}) end)
  end)

  it("takes any bytes", function()
    for byte = 0, 255 do
      local found = core.scan(("%sSELECT 1"):format(string.char(byte)))
      assert.equal("string", type(found.kind))
      assert(found.next >= 1 and found.next <= 10)
    end
  end)
end)
