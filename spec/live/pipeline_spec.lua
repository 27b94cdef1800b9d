-- Statements sent without waiting for each other's answers. hazards.md,
-- "Transactions and writes": never pipeline a transaction blindly.

local dqlite = require "dqlite"
local live = require "spec.support.live"

local INSERT = "INSERT INTO t VALUES (?)"

live.each("pipeline", function(server)
  local conn, other

  before_each(function()
    conn, other = server:connect(), server:connect { busy_timeout = 0 }
    assert(conn:execute "CREATE TABLE t (a INTEGER UNIQUE)")
  end)

  local function left()
    return other:fetchcol "SELECT a FROM t ORDER BY a"
  end

  local function assert_free()
    assert(other:execute "UPDATE t SET a = a")
    live.usable(conn)
  end

  it("answers each with what fetch or execute would", function()
    assert.same({
      { rows_affected = 1, last_insert_id = 1 },
      { rows_affected = 2, last_insert_id = 3 },
      { { a = 1 }, { a = 2 }, { a = 3 } },
      {},
      { rows_affected = 1 },
      { { n = 2 } },
      {},
    }, conn:pipeline {
      { INSERT, 1 },
      { "INSERT INTO t VALUES (?), (?)", 2, 3 },
      { "SELECT a FROM t ORDER BY a" },
      { "SELECT a FROM t WHERE a > ?", 3 },
      { "DELETE FROM t WHERE a = ?", 2 },
      { "SELECT count(*) AS n FROM t" },
      { "CREATE TABLE u (b)" },
    })
    assert.same({ 1, 3 }, left())
  end)

  it("takes every form of parameters", function()
    local sql = "SELECT typeof(?), typeof(?)"
    local results = assert(conn:pipeline({
      { sql, 1, "x" },
      { sql, 1, nil, n = 2 },
      { sql, nil, nil, n = 2 },
      { sql, { 1.5, dqlite.null } },
      { sql, { nil, 2, n = 2 } },
      { "SELECT typeof(:a), typeof($b)", { b = 1, a = "x" } },
      { "SELECT typeof(?), typeof(?)", dqlite.blob "x", dqlite.real(1) },
    }, { arrays = true }))
    assert.same({
      { { "integer", "text" } }, { { "integer", "null" } }, { { "null", "null" } },
      { { "real", "null" } }, { { "null", "integer" } }, { { "text", "integer" } },
      { { "blob", "real" } },
    }, results)
  end)

  it("takes the options of a call", function()
    assert.same({ { { "none" } }, { {} } }, {
      conn:pipeline({ { "SELECT NULL" } }, { arrays = true, null = "none" })[1],
      conn:pipeline { { "SELECT NULL AS a" } }[1],
    })
    local array = {}
    local results = conn:pipeline({ { "SELECT 1 WHERE 0" } }, { array_mt = array })
    assert.equal(array, getmetatable(results[1]))
    live.raises(function() conn:pipeline({}, { tymeout = 1 }) end)
  end)

  it("answers no entries with no results", function()
    assert.same({}, conn:pipeline {})
    live.usable(conn)
  end)

  it("goes on behind one that failed, which is marked in its place", function()
    local results = assert(conn:pipeline {
      { INSERT, 1 }, { INSERT, 1 }, { "SELECT nobody" }, { "SELECT max(a) AS a FROM t" },
      { "nonsense" }, { INSERT, 2 },
    })
    assert.equal(6, #results)
    assert.equal(1, results[1].rows_affected)
    assert.equal("constraint", results[2].error.kind)
    assert.equal("sql", results[3].error.kind)
    assert.matches("nobody", results[3].error.message)
    assert.equal("SELECT nobody", results[3].error.sql)
    assert.same({ { a = 1 } }, results[4])
    assert.equal("sql", results[5].error.kind)
    assert.equal(1, results[6].rows_affected)
    assert.same({ 1, 2 }, left())
    assert_free()
  end)

  it("gives the results of thousands in their order", function()
    local reads, writes = {}, {}
    for i = 1, 5000 do reads[i] = { "SELECT ? AS i", i } end
    for i = 1, 300 do writes[i] = { INSERT, i } end
    local results = assert(conn:pipeline(reads))
    for i = 1, 5000 do assert.equal(i, results[i][1].i) end
    results = assert(conn:pipeline(writes))
    for i = 1, 300 do assert.equal(i, results[i].last_insert_id) end
    assert.equal(300, #left())
  end)

  it("reads while it writes: requests and answers larger than all buffers", function()
    local list, text = {}, ("x"):rep(100 * 1024)
    for i = 1, 200 do list[i] = { "SELECT ? AS x, ? AS i", text, i } end
    local results = assert(conn:pipeline(list))
    for i, rows in ipairs(results) do
      assert.equal(i, rows[1].i)
      assert.equal(#text, #rows[1].x)
    end
    assert.equal(200, #results)
  end)

  it("gives results of many frames", function()
    local sql = [[WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ?)
      SELECT n FROM c]]
    local results = assert(conn:pipeline({ { sql, 3000 }, { "SELECT 1" }, { sql, 255 },
      { sql, 2000 } }, { arrays = true }))
    assert.same({ 3000, 1, 255, 2000 }, { #results[1], #results[2], #results[3], #results[4] })
    assert.same({ 2000 }, results[4][2000])
  end)

  it("keeps the limits on a result, for each", function()
    local results = assert(conn:pipeline({ { "VALUES (1), (2)" }, { "VALUES (1)" } },
      { max_rows = 1 }))
    assert.equal("policy", results[1].error.kind)
    assert.equal(1, #results[2])
    live.usable(conn)
  end)

  it("prepares what comes often, and still answers right", function()
    for _ = 1, 3 do
      local list = {}
      for i = 1, 300 do
        list[i] = i % 3 == 0 and { "SELECT ? + 1 AS v", i } or i % 3 == 1
          and { "SELECT ? - 1 AS v", i } or { "SELECT nobody, ?", i }
      end
      for i, result in ipairs(assert(conn:pipeline(list))) do
        if i % 3 == 2 then
          assert.equal("sql", result.error.kind)
        else
          assert.equal(i % 3 == 0 and i + 1 or i - 1, result[1].v)
        end
      end
    end
  end)

  describe("sends nothing", function()
    local function refused(kind, index, entry)
      local list = { { INSERT, 1 }, { INSERT, 2 } }
      table.insert(list, index, entry)
      local err = live.fails(kind, conn:pipeline(list))
      assert.equal(index, err.index)
      assert.same({}, left())
      live.usable(conn)
      return err
    end

    it("with control of transactions in it", function()
      for _, sql in ipairs { "BEGIN", "COMMIT", "end", "ROLLBACK", "SAVEPOINT a", "RELEASE a",
        "ROLLBACK TO a", "/* */ begin immediate" } do
        refused("value", 1, { sql })
        refused("value", 3, { sql })
      end
    end)

    it("with what no server may get, or is no single statement", function()
      refused("unsupported", 2, { "PRAGMA journal_mode = DELETE" })
      refused("unsupported", 3, { "ATTACH 'x' AS x" })
      refused("value", 2, { "" })
      refused("value", 2, { "SELECT 1; SELECT 2" })
      refused("value", 2, { "SELECT '\0'" })
    end)

    it("with parameters that do not fit", function()
      assert.matches("1 parameter", refused("value", 2, { INSERT }).message)
      refused("value", 2, { INSERT, 1, 2 })
      refused("value", 2, { INSERT, 1, nil, n = 2 })
      refused("value", 3, { INSERT, "a\0b" })
      refused("value", 3, { "SELECT :a", { b = 1 } })
    end)

    it("with what is no entry, which raises", function()
      for _, entry in ipairs { "SELECT 1", 1, {}, { 1 }, { INSERT, print }, { INSERT, {} , {} },
        { INSERT, { nil, 1 } } } do
        live.raises(function() conn:pipeline { { INSERT, 1 }, entry } end)
        assert.same({}, left())
      end
      live.raises(function() conn:pipeline "SELECT 1" end)
      live.raises(function() conn:pipeline() end)
      live.usable(conn)
    end)
  end)

  describe("in a transaction", function()
    local function tell(results)
      local kinds = {}
      for i, result in ipairs(results) do
        kinds[i] = result.error and result.error.kind or "fine"
      end
      return kinds
    end

    it("is part of it", function()
      assert(conn:transaction(function()
        assert.same({ "fine", "fine", "fine" },
          tell(conn:pipeline { { INSERT, 1 }, { INSERT, 2 }, { "SELECT a FROM t" } }))
        assert.same({}, left())
        return true
      end))
      assert.same({ 1, 2 }, left())
    end)

    it("fails it with its first failure, unless somebody cares", function()
      local list = { { INSERT, 1 }, { INSERT, 1 }, { "SELECT nobody" }, { INSERT, 2 } }
      live.fails("constraint", conn:transaction(function() return conn:pipeline(list) end))
      assert.same({}, left())
      assert(conn:transaction(function()
        assert.same({ "fine", "constraint", "sql", "fine" }, tell(conn:pipeline(list)))
        return true
      end, { on_error = "commit" }))
      assert.same({ 1, 2 }, left())
      assert_free()
    end)

    -- hazards.md: what is queued behind would be committed one by one.
    local ENDS = {
      { "INSERT OR ROLLBACK", nil, { "INSERT OR ROLLBACK INTO t VALUES (?)", 1 } },
      { "a trigger with RAISE(ROLLBACK)", [[CREATE TRIGGER g BEFORE INSERT ON t WHEN NEW.a = 7
        BEGIN SELECT RAISE(ROLLBACK, 'seven'); END]], { INSERT, 7 } },
      { "a temporary trigger", [[CREATE TEMP TRIGGER g BEFORE INSERT ON t WHEN NEW.a = 7
        BEGIN SELECT RAISE(ROLLBACK, 'seven'); END]], { INSERT, 7 } },
      { "a trigger, though LIKE minds the case", [[CREATE TRIGGER g BEFORE INSERT ON t
        WHEN NEW.a = 7 BEGIN SELECT RAISE(ROLLBACK, 'seven'); END]], { INSERT, 7 },
        "PRAGMA case_sensitive_like = ON" },
    }

    for _, case in ipairs(ENDS) do
      it("stops where it was ended by " .. case[1], function()
        if case[2] then assert(conn:execute(case[2])) end
        if case[4] then assert(conn:execute(case[4])) end
        local list = { { INSERT, 1 }, case[3] }
        for i = 3, 400 do list[i] = { INSERT, 100 + i } end
        for _ = 1, 3 do
          local results
          live.fails("constraint", conn:transaction(function()
            results = assert(conn:pipeline(list))
            live.fails("sql", conn:execute(INSERT, 8))
            return true
          end))
          assert.equal(400, #results)
          assert.equal(1, results[1].rows_affected)
          assert.equal("constraint", results[2].error.kind)
          for i = 3, 400 do
            local err = results[i].error
            assert.is_true(err.retryable)
            assert.is_false(err.ambiguous)
            assert.is_false(err.fatal)
          end
          assert.same({}, left())
          assert_free()
        end
      end)
    end

    it("runs reads all the same", function()
      assert(conn:execute "BEGIN")
      assert(conn:execute(INSERT, 1))
      assert.same({ "sql", "fine", "fine" }, tell(conn:pipeline { { "SELECT nobody" },
        { "SELECT 1" }, { "SELECT a FROM t" } }))
      assert(conn:execute "COMMIT")
      assert.same({ 1 }, left())
    end)
  end)

  it("does not wait where another one writes", function()
    assert(other:execute "BEGIN IMMEDIATE")
    local seconds, results = live.timed(function()
      return conn:pipeline { { INSERT, 1 }, { "SELECT 1 AS one" }, { INSERT, 2 } }
    end)
    assert.is_true(seconds < 3, seconds .. " seconds")
    assert.equal("busy", results[1].error.kind)
    assert.is_true(results[1].error.retryable)
    assert.same({ { one = 1 } }, results[2])
    assert.equal("busy", results[3].error.kind)
    assert(other:execute "ROLLBACK")
    assert.same({}, left())
  end)
end)
