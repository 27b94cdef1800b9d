-- executemany: all or nothing. hazards.md, "Transactions and writes": never
-- pipeline a transaction blindly.

local dqlite = require "dqlite"
local live = require "spec.support.live"
local sets = require "spec.support.sets"

local INSERT = "INSERT INTO t (a, b) VALUES (?, ?)"

live.each("executemany", function(server)
  local conn, other

  before_each(function()
    conn, other = server:connect(), server:connect { busy_timeout = 0 }
    assert(conn:execute "CREATE TABLE t (a INTEGER UNIQUE, b)")
  end)

  local function count()
    return assert(other:fetchval "SELECT count(*) FROM t")
  end

  local function iterator(list)
    local i = 0
    return function()
      i = i + 1
      return list[i]
    end
  end

  local function assert_left(expected)
    assert.is_false(conn:in_transaction())
    assert.equal(expected, count())
    assert(other:execute "UPDATE t SET b = b")
    live.usable(conn)
  end

  describe("runs one statement for", function()
    it("a list of sets", function()
      assert.same({ rows_affected = 3 }, conn:executemany(INSERT, sets(3)))
      assert.same({ rows_affected = 2 },
        conn:executemany("UPDATE t SET b = ? WHERE a >= ?", { { "y", 3 }, { "z", 3 }, { "-", 9 } }))
      assert.same({ rows_affected = 3 },
        conn:executemany("DELETE FROM t WHERE a < ?", { { 2 }, { 9 } }))
      assert_left(0)
    end)

    it("an iterator", function()
      assert.same({ rows_affected = 1000 }, conn:executemany(INSERT, iterator(sets(1000))))
      assert.equal(500500, other:fetchval "SELECT sum(a) FROM t")
      assert_left(1000)
    end)

    it("sets by name", function()
      assert.same({ rows_affected = 2 }, conn:executemany(
        "INSERT INTO t (a, b) VALUES (:a, $b || :a)", { { a = 1, b = "x" }, { b = "y", a = 2 } }))
      assert.same({ { 1, "x1" }, { 2, "y2" } }, other:fetchall "SELECT a, b FROM t ORDER BY a")
    end)

    it("sets with nils, which n counts, and with every sort of value", function()
      local list = { { 1, nil, n = 2 }, { nil, nil, n = 2 }, { 3, dqlite.null }, { 4, 1.5 },
        { 5, dqlite.blob "\0" }, { dqlite.int64 "6", dqlite.real(6) } }
      assert.same({ rows_affected = 6 }, conn:executemany(INSERT, list))
      assert.same({ "null", "null", "null", "real", "blob", "real" },
        other:fetchcol "SELECT typeof(b) FROM t ORDER BY a IS NOT NULL, a")
    end)

    it("a prepared statement's sets", function()
      local statement = assert(conn:prepare(INSERT))
      assert.same({ rows_affected = 2 }, statement:executemany(sets(2)))
      assert.same({ rows_affected = 1 }, statement:executemany { { 3, "x" } })
      live.fails("constraint", statement:executemany { { 4, "x" }, { 3, "x" } })
      statement:close()
      live.raises(function() statement:executemany(sets(1)) end)
      assert_left(3)
    end)

    it("no set at all", function()
      assert.same({ rows_affected = 0 }, conn:executemany(INSERT, {}))
      assert.same({ rows_affected = 0 }, conn:executemany(INSERT, function() end))
      assert(conn:transaction(function() return conn:executemany(INSERT, {}) end))
      assert_left(0)
    end)

    it("20,000 sets", function()
      local seconds, answer, err = live.timed(function()
        return conn:executemany(INSERT, sets(20000))
      end)
      assert.same({ rows_affected = 20000 }, answer, err)
      print(("\nexecutemany of 20,000 rows at %s: %.2f s"):format(server.address, seconds))
      assert.equal(20000 * 20001 / 2, other:fetchval "SELECT sum(a) FROM t")
      assert_left(20000)
    end)

    it("sets of 100 KB, few of them at a time", function()
      local most, i = 0, 0
      local value = ("b"):rep(100 * 1024 - 8)
      local answer, err = conn:executemany(INSERT, function()
        i = i + 1
        most = math.max(most, conn.link.core:pending())
        if i <= 400 then return { i, dqlite.blob(("%08d"):format(i) .. value) } end
      end)
      assert.same({ rows_affected = 400 }, answer, err)
      assert.is_true(most < 512 * 1024, most .. " bytes waiting to be sent")
      assert.equal(400 * 100 * 1024, other:fetchval "SELECT sum(length(b)) FROM t")
      assert.equal(400, other:fetchval [[
        SELECT count(*) FROM t WHERE CAST(substr(b, 1, 8) AS TEXT) = printf('%08d', a)]])
      assert_left(400)
    end)
  end)

  describe("leaves nothing", function()
    local function fails_at(k, kind, odd, last)
      local list = sets(last or k + 3, k, odd)
      for _, given in ipairs { list, iterator(list) } do
        local err = live.fails(kind, conn:executemany(INSERT, given))
        assert.equal(k, err.index)
        assert.is_false(err.ambiguous)
        assert_left(0)
      end
    end

    it("when a set violates a constraint", function()
      assert(conn:execute [[CREATE TRIGGER g BEFORE INSERT ON t WHEN NEW.b = 'bad'
        BEGIN SELECT RAISE(ABORT, 'bad'); END]])
      for _, k in ipairs { 1, 2, 64, 257, 600 } do fails_at(k, "constraint", { k, "bad" }) end
      fails_at(999, "constraint", { 1, "x" }, 999)
    end)

    it("when a set cannot be sent", function()
      for _, k in ipairs { 1, 2, 300 } do
        fails_at(k, "value", { k, "a\0b" })
        fails_at(k, "value", { k })
        fails_at(k, "value", { k, "x", "y" })
        fails_at(k, "value", { a = k })
      end
    end)

    it("when a set is none, which raises", function()
      for _, odd in ipairs { { 3, print }, "text", 7, { nil, "x" }, false } do
        for _, k in ipairs { 1, 3, 300 } do
          local list = sets(k + 3, k, odd)
          live.raises(function() conn:executemany(INSERT, list) end)
          assert_left(0)
        end
      end
    end)

    it("when an iterator raises: its error goes on unchanged", function()
      for _, k in ipairs { 1, 2, 300 } do
        local reason, i = {}, 0
        local ok, raised = pcall(conn.executemany, conn, INSERT, function()
          i = i + 1
          if i == k then error(reason) end
          return { i, "x" }
        end)
        assert.is_false(ok)
        assert.equal(reason, raised)
        assert_left(0)
      end
    end)

    it("when an iterator uses the connection, which raises", function()
      for _, use in ipairs {
        function() conn:fetch "SELECT 1" end,
        function() conn:execute "INSERT INTO t VALUES (99, 'mine')" end,
        function() conn:executemany(INSERT, sets(1)) end,
        function() conn:transaction(function() end) end,
        function() conn:pipeline { { "SELECT 1" } } end,
        function() conn:script "SELECT 1" end,
        function() conn:prepare "SELECT 1" end,
        function() conn:rows "SELECT 1" end,
        function() conn:features() end,
        function() conn:begin() end,
        function() conn:commit() end,
      } do
        local i = 0
        local ok, raised = pcall(conn.executemany, conn, INSERT, function()
          i = i + 1
          if i == 5 then use() end
          return i < 10 and { i, "x" } or nil
        end)
        assert.is_false(ok)
        assert.matches("^[^:]*executemany_spec.lua:%d+: ", raised)
        assert.is_true(raised:find("in use by executemany", 1, true) ~= nil
          or raised:find("open already", 1, true) ~= nil, raised)
        assert_left(0)
      end
    end)

    it("to be seen while it runs", function()
      local i = 0
      assert(conn:executemany(INSERT, function()
        i = i + 1
        if i % 100 == 0 then assert.equal(0, count()) end
        return i <= 1000 and { i, "x" } or nil
      end))
      assert_left(1000)
    end)

    it("when its COMMIT fails on a deferred foreign key", function()
      assert(conn:script [[CREATE TABLE parent (id INTEGER PRIMARY KEY);
        CREATE TABLE child (parent REFERENCES parent DEFERRABLE INITIALLY DEFERRED)]])
      local err = live.fails("constraint", conn:executemany("INSERT INTO child VALUES (?)",
        { { 1 }, { 2 } }))
      assert.equal(787, err.code)
      assert.equal(0, other:fetchval "SELECT count(*) FROM child")
      assert_left(0)
    end)

    it("when another one writes, after busy_timeout", function()
      assert(other:execute "BEGIN IMMEDIATE")
      local hasty = server:connect { busy_timeout = 0.2 }
      local seconds, answer, err = live.timed(function()
        return hasty:executemany(INSERT, function() error "was called" end)
      end)
      live.fails("busy", answer, err)
      assert.is_true(seconds > 0.15 and seconds < 3, seconds .. " seconds")
      assert(other:execute "ROLLBACK")
      assert_left(0)
    end)
  end)

  describe("in a transaction", function()
    it("is part of it", function()
      assert.is_nil((conn:transaction(function()
        assert(conn:executemany(INSERT, sets(5)))
        return nil, "no"
      end)))
      assert_left(0)
      assert(conn:transaction(function() return conn:executemany(INSERT, sets(5)) end))
      assert_left(5)
    end)

    it("fails by itself: what was there stays", function()
      for _, finish in ipairs { "commit", "COMMIT" } do
        assert(conn:execute "DELETE FROM t")
        assert(finish == "commit" and conn:begin() or conn:execute "BEGIN")
        assert(conn:execute "INSERT INTO t VALUES (7, 'before')")
        assert.equal(7, live.fails("constraint", conn:executemany(INSERT, sets(9))).index)
        assert(conn:executemany(INSERT, sets(3)))
        assert(conn:execute "INSERT INTO t VALUES (8, 'behind')")
        assert(finish == "commit" and conn:commit() or conn:execute "COMMIT")
        assert_left(5)
      end
    end)

    it("fails it, unless somebody cares", function()
      live.fails("constraint", conn:transaction(function()
        conn:executemany(INSERT, { { 1, "x" }, { 1, "x" } })
        return true
      end))
      assert_left(0)
      assert(conn:transaction(function()
        conn:executemany(INSERT, { { 1, "x" }, { 1, "x" } })
        return conn:executemany(INSERT, sets(3))
      end, { on_error = "commit" }))
      assert_left(3)
    end)

    it("is not waited for when it is stale", function()
      assert(conn:execute "BEGIN")
      assert(conn:fetch "SELECT a FROM t")
      assert(other:execute "INSERT INTO t VALUES (1, 'other')")
      local seconds, answer, err = live.timed(function()
        return conn:executemany(INSERT, { { 2, "x" }, { 3, "x" } })
      end)
      assert.equal(517, live.fails("busy", answer, err).code)
      assert.is_true(seconds < 3, seconds .. " seconds")
      assert(conn:rollback())
      assert_left(1)
    end)
  end)

  it("is for INSERT, REPLACE, UPDATE and DELETE alone", function()
    for _, sql in ipairs { "SELECT ?", "CREATE TABLE u (a)", "BEGIN", "COMMIT", "SAVEPOINT s",
      "PRAGMA user_version = 1", "EXPLAIN DELETE FROM t", "", "VALUES (?)", "nonsense" } do
      live.fails("value", conn:executemany(sql, { { 1 } }))
    end
    live.fails("value", conn:executemany("DELETE FROM t; DELETE FROM t", { {} }))
    live.raises(function() conn:executemany(INSERT) end)
    live.raises(function() conn:executemany(INSERT, "x") end)
    live.raises(function() conn:executemany(INSERT, {}, { tymeout = 1 }) end)
    live.raises(function() conn:executemany(nil, {}) end)
    assert_left(0)
  end)

  it("tells of a statement that is wrong", function()
    live.fails("sql", conn:executemany("INSERT INTO nowhere VALUES (?)", { { 1 }, { 2 } }))
    live.fails("sql", conn:executemany("INSERT INTO t VALUES (?", { { 1 }, { 2 } }))
    assert_left(0)
  end)
end)
