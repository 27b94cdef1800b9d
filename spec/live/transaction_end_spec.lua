-- Transactions that the server ends by itself, or refuses to end: hazards.md,
-- "Transactions and writes". What follows must not be committed one by one.

local live = require "spec.support.live"
local paths = require "spec.support.live_paths"

live.each("a transaction", function(server)
  local conn, other

  before_each(function()
    conn, other = server:connect(), server:connect { busy_timeout = 0 }
    assert(conn:execute "CREATE TABLE t (a INTEGER UNIQUE)")
    assert(conn:execute "INSERT INTO t VALUES (100), (101)")
  end)

  local function insert(value)
    return conn:execute("INSERT INTO t VALUES (?)", value)
  end

  -- The rows of t but the first two, as others see them; nothing is locked.
  local function assert_left(expected)
    assert.is_false(conn:in_transaction())
    assert.same(expected, other:fetchcol "SELECT a FROM t WHERE a < 100 ORDER BY a")
    assert(other:execute "UPDATE t SET a = a")
    assert(insert(99)) -- by itself again
    assert(conn:execute "DELETE FROM t WHERE a = 99")
  end

  local function foreign_key()
    assert(conn:execute "CREATE TABLE parent (id INTEGER PRIMARY KEY)")
    assert(conn:execute [[CREATE TABLE child (
      parent INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED)]])
  end

  local function orphan()
    assert(insert(1))
    return assert(conn:execute "INSERT INTO child VALUES (7)")
  end

  describe("whose COMMIT fails on a deferred foreign key", function()
    before_each(foreign_key)

    it("is rolled back by transaction()", function()
      local err = live.fails("constraint", conn:transaction(orphan))
      assert.equal(787, err.code)
      assert.is_false(err.ambiguous)
      assert_left {}
    end)

    it("is rolled back by transaction(), with on_error = commit, too", function()
      live.fails("constraint", conn:transaction(orphan, { on_error = "commit" }))
      assert_left {}
    end)

    it("is rolled back when the orphan came from a nested one", function()
      live.fails("constraint", conn:transaction(function()
        assert(conn:transaction(orphan))
        return true
      end))
      assert_left {}
    end)

    it("can be rolled back by its handle", function()
      local tx = assert(conn:begin())
      orphan()
      for _ = 1, 2 do
        assert.equal(787, live.fails("constraint", tx:commit()).code)
        assert.is_true(conn:in_transaction())
        live.fails("busy", other:execute "BEGIN IMMEDIATE")
      end
      assert(tx:rollback())
      assert_left {}
    end)

    it("can be repaired and committed by its handle", function()
      local tx = assert(conn:begin())
      orphan()
      live.fails("constraint", tx:commit())
      assert(conn:execute "INSERT INTO parent VALUES (7)")
      assert(tx:commit())
      assert.equal(1, other:fetchval "SELECT count(*) FROM child")
      assert_left { 1 }
    end)

    it("can be repaired, or rolled back, by methods and by text", function()
      for i, verb in ipairs { "commit", "COMMIT", "rollback", "ROLLBACK" } do
        assert(conn:execute "BEGIN")
        assert(insert(i))
        assert(conn:execute("INSERT INTO child VALUES (?)", i))
        live.fails("constraint", conn:commit())
        live.fails("constraint", conn:execute "COMMIT")
        assert.is_true(conn:in_transaction())
        assert(conn:execute("INSERT INTO parent VALUES (?)", i))
        assert(verb == verb:lower() and conn[verb](conn) or conn:execute(verb))
      end
      assert_left { 1, 2 }
    end)
  end)

  -- Each is a statement that fails and takes the whole transaction with it.
  local ENDS = {
    { "INSERT OR ROLLBACK", "INSERT OR ROLLBACK INTO t VALUES (100)" },
    { "UPDATE OR ROLLBACK", "UPDATE OR ROLLBACK t SET a = 100 WHERE a = 101" },
    { "a trigger with RAISE(ROLLBACK)", "INSERT INTO guarded VALUES (1)" },
    { "a trigger of a view", "DELETE FROM v" },
    { "ON CONFLICT ROLLBACK of a table", "INSERT INTO strict_t VALUES (1)" },
  }

  local function prepare_ends()
    assert(conn:script [[
      CREATE TABLE guarded (a);
      CREATE TRIGGER guard BEFORE INSERT ON guarded BEGIN SELECT RAISE(ROLLBACK, 'never'); END;
      CREATE VIEW v AS SELECT 1 AS a;
      CREATE TRIGGER view_guard INSTEAD OF DELETE ON v BEGIN SELECT RAISE(ROLLBACK, 'never'); END;
      CREATE TABLE strict_t (a UNIQUE ON CONFLICT ROLLBACK);
      INSERT INTO strict_t VALUES (1)]])
  end

  for _, case in ipairs(ENDS) do
    local sql = case[2]

    describe("that is ended by " .. case[1], function()
      before_each(prepare_ends)

      it("is not gone on with", function()
        local first, later
        local answer, err = conn:transaction(function()
          assert(insert(1))
          first = live.fails("constraint", conn:execute(sql))
          later = live.fails("sql", insert(2))
          live.fails("sql", insert(3))
          return true
        end)
        assert.is_nil(answer)
        assert.equal(first, err)
        assert.matches("ended the transaction", later.message)
        assert_left {}
      end)

      it("is not committed with on_error = commit either", function()
        local err = live.fails("sql", conn:transaction(function()
          assert(insert(1))
          live.fails("constraint", conn:execute(sql))
          insert(2)
          return true
        end, { on_error = "commit" }))
        assert.matches("ended the transaction", err.message)
        assert_left {}
      end)

      it("is not gone on with, on any path", function()
        for _, path in ipairs(paths) do
          live.fails("constraint", conn:transaction(function()
            assert(insert(1))
            live.fails("constraint", conn:execute(sql))
            assert.is_nil((path.run(conn, "INSERT INTO t VALUES (2)")), path.name)
            assert.is_nil((path.run(conn, "INSERT INTO t VALUES (3) RETURNING a")), path.name)
            return true
          end, { mode = "deferred" }))
          assert_left {}
        end
      end)

      it("takes the outer ones with it", function()
        local err
        local answer, outer = conn:transaction(function()
          assert(insert(1))
          err = live.fails("constraint", conn:transaction(function()
            assert(insert(2))
            conn:execute(sql)
            insert(3)
            return true
          end))
          live.fails("sql", insert(4))
          live.fails("sql", conn:transaction(function() return insert(5) end))
          return true
        end)
        assert.is_nil(answer)
        assert.is_table(err)
        assert.matches("ended the transaction", outer.message)
        assert_left {}
      end)

      it("takes an outer one with it that does nothing more", function()
        local err = live.fails("sql", conn:transaction(function()
          assert(insert(1))
          live.fails("constraint", conn:transaction(function()
            conn:execute(sql)
            return true
          end))
          return true
        end))
        assert.matches("ended the transaction", err.message)
        assert_left {}
      end)

      it("is not gone on with by a handle", function()
        local tx = assert(conn:begin())
        assert(insert(1))
        live.fails("constraint", conn:execute(sql))
        live.fails("sql", insert(2))
        live.fails("sql", conn:executemany("INSERT INTO t VALUES (?)", { { 3 }, { 4 } }))
        live.fails("sql", tx:commit())
        assert_left {}
      end)

      it("can be rolled back by a handle", function()
        local tx = assert(conn:begin())
        assert(insert(1))
        live.fails("constraint", conn:execute(sql))
        assert(tx:rollback())
        assert_left {}
      end)

      it("is nothing for the next one to care for", function()
        for i = 1, 3 do
          live.fails("constraint", conn:transaction(function() return conn:execute(sql) end))
          assert(conn:transaction(function() return insert(i) end))
        end
        assert_left { 1, 2, 3 }
      end)
    end)
  end

  it("goes on behind a failure that did not end it", function()
    assert(conn:transaction(function()
      assert(insert(1))
      live.fails("constraint", conn:execute "INSERT INTO t VALUES (100)")
      live.fails("constraint", conn:execute "INSERT OR FAIL INTO t VALUES (2), (100), (3)")
      live.fails("constraint", conn:execute "INSERT OR ABORT INTO t VALUES (3), (100)")
      return insert(4)
    end, { on_error = "commit" }))
    assert_left { 1, 2, 4 }
  end)
end)
