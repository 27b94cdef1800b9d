-- Transactions by hand: handles, methods of the connection, and SQL text.

local live = require "spec.support.live"

live.each("begin", function(server)
  local conn, other

  before_each(function()
    conn, other = server:connect(), server:connect { busy_timeout = 0 }
    assert(conn:execute "CREATE TABLE t (a INTEGER UNIQUE)")
  end)

  local function insert(value)
    return assert(conn:execute("INSERT INTO t VALUES (?)", value))
  end

  local function assert_left(expected) live.left(conn, other, expected) end

  describe("gives a handle that", function()
    it("commits", function()
      local tx = assert(conn:begin())
      assert.is_true(conn:in_transaction())
      insert(1)
      assert.equal(0, other:fetchval "SELECT count(*) FROM t")
      assert.is_true(tx:commit())
      assert_left { 1 }
    end)

    it("rolls back", function()
      local tx = assert(conn:begin())
      insert(1)
      assert.is_true(tx:rollback())
      assert_left {}
    end)

    it("can be followed by the next one", function()
      for i = 1, 3 do
        local tx = assert(conn:begin())
        insert(i)
        assert(i == 2 and tx:rollback() or i ~= 2 and tx:commit())
      end
      assert_left { 1, 3 }
    end)

    it("commits what did not fail", function()
      local tx = assert(conn:begin())
      insert(1)
      live.fails("constraint", conn:execute "INSERT INTO t VALUES (1)")
      insert(2)
      assert(tx:commit())
      assert_left { 1, 2 }
    end)

    it("raises once it has ended, however that was", function()
      local function ended(tx)
        assert.matches("ended", live.raises(function() tx:commit() end))
        live.raises(function() tx:rollback() end)
      end
      for _, finish in ipairs {
        function(tx) return tx:commit() end,
        function(tx) return tx:rollback() end,
        function() return conn:commit() end,
        function() return conn:rollback() end,
        function() return conn:execute "COMMIT" end,
        function() return conn:execute " END TRANSACTION -- so" end,
        function() return conn:execute "ROLLBACK" end,
        function() return conn:script "SELECT 1; COMMIT; SELECT 2" end,
        function() return conn:transaction(function() return true end) end,
      } do
        local tx = assert(conn:begin())
        assert(finish(tx))
        if conn:in_transaction() then assert(tx:commit()) end
        ended(tx)
        assert.is_false(conn:in_transaction())
        local fresh = assert(conn:begin())
        ended(tx)
        assert.is_true(conn:in_transaction())
        assert(fresh:rollback())
      end
      assert_left {}
    end)

    it("raises when its connection was closed", function()
      local tx = assert(conn:begin())
      conn:close()
      assert.matches("closed", live.raises(function() tx:commit() end))
      live.raises(function() tx:rollback() end)
      live.eventually("the lock is free", function()
        return (other:execute "UPDATE t SET a = a")
      end)
    end)

    it("cannot end it while another transaction is inside", function()
      local tx = assert(conn:begin())
      assert(conn:transaction(function()
        insert(1)
        live.raises(function() tx:commit() end)
        live.raises(function() tx:rollback() end)
        return true
      end))
      assert(tx:commit())
      assert_left { 1 }
    end)

    it("begins no second one", function()
      local tx = assert(conn:begin())
      assert.matches("open already", live.raises(function() conn:begin() end))
      assert(tx:rollback())
      assert(conn:execute "BEGIN")
      live.raises(function() conn:begin() end)
      assert(conn:rollback())
      assert_left {}
    end)

    it("shows its state", function()
      local tx = assert(conn:begin())
      assert.matches("open", tostring(tx))
      assert(tx:commit())
      assert.matches("ended", tostring(tx))
    end)

    it("is one of the modes", function()
      for mode, locked in pairs { immediate = true, exclusive = true, deferred = false,
        read = false } do
        local tx = assert(conn:begin(mode))
        conn:fetch "SELECT a FROM t"
        local begun, err = other:execute "BEGIN IMMEDIATE"
        assert.equal(locked, not begun, mode)
        assert.equal(locked and "busy" or nil, err and err.kind)
        if begun then assert(other:execute "ROLLBACK") end
        assert(tx:rollback())
      end
      live.raises(function() conn:begin "bogus" end)
      assert_left {}
    end)

    it("refuses to write when it reads", function()
      local tx = assert(conn:begin "read")
      live.fails("policy", conn:execute "INSERT INTO t VALUES (1)")
      live.fails("policy", conn:execute "INSERT INTO t VALUES (1)")
      assert.equal(0, conn:fetchval "SELECT count(*) FROM t")
      assert(tx:commit())
      insert(2)
      assert_left { 2 }
    end)

    it("is answered BUSY in time where another one writes", function()
      assert(other:execute "BEGIN IMMEDIATE")
      local hasty = server:connect { busy_timeout = 0.2 }
      local seconds, tx, err = live.timed(function() return hasty:begin() end)
      live.fails("busy", tx, err)
      assert.is_true(seconds > 0.15 and seconds < 3, seconds .. " seconds")
      assert.is_false(hasty:in_transaction())
      assert(other:execute "ROLLBACK")
      assert(assert(hasty:begin()):rollback())
    end)

    it("may hold transaction(), which is a savepoint then", function()
      local tx = assert(conn:begin())
      insert(1)
      assert.same({ nil, "no" }, { conn:transaction(function()
        insert(2)
        return nil, "no"
      end) })
      assert(conn:transaction(function() return insert(3) end))
      assert(tx:commit())
      assert_left { 1, 3 }
    end)
  end)

  describe("with methods or text", function()
    it("is committed or rolled back", function()
      for i, verbs in ipairs {
        { "begin", "commit" }, { "begin", "rollback" },
        { "BEGIN", "commit" }, { "BEGIN", "rollback" },
        { "begin", "COMMIT" }, { "begin", "ROLLBACK" },
        { "BEGIN", "COMMIT" }, { "BEGIN", "ROLLBACK" },
      } do
        for j, verb in ipairs(verbs) do
          if j == 2 then insert(i) end
          assert(verb == verb:lower() and conn[verb](conn) or conn:execute(verb:upper()))
        end
      end
      assert_left { 1, 3, 5, 7 }
    end)

    it("cannot be ended where there is none", function()
      for _, verb in ipairs { "commit", "rollback" } do
        local err = live.fails("sql", conn[verb](conn))
        assert.matches("no transaction is active", err.message)
        assert.is_false(conn:in_transaction())
      end
      assert_left {}
    end)

    it("behaviour 32: is seen by in_transaction", function()
      local function check(expected, sql)
        conn:execute(sql)
        assert.equal(expected, conn:in_transaction(), sql)
      end
      check(false, "SELECT 1")
      check(true, "BEGIN")
      check(true, "SELECT nobody")
      check(true, "BEGIN")
      check(true, "SAVEPOINT a")
      check(true, "RELEASE a")
      check(false, "COMMIT")
      check(true, "SAVEPOINT a")
      check(true, "SAVEPOINT b")
      check(true, "ROLLBACK TO a")
      check(false, "ROLLBACK")
      check(true, "SAVEPOINT a")
      check(false, "END")
      check(false, "INSERT OR ROLLBACK INTO t VALUES (nobody)")
      check(false, "EXPLAIN BEGIN")
      assert_left {}
    end)

    it("keeps an earlier RELEASE from being taken for the end of it", function()
      assert(conn:execute "BEGIN IMMEDIATE")
      assert(conn:execute "SAVEPOINT mine")
      insert(1)
      assert(conn:execute "RELEASE mine")
      assert.is_nil((conn:transaction(function() insert(2) return nil, "no" end)))
      assert(conn:transaction(function() return insert(3) end))
      assert.equal(2, conn:executemany("INSERT INTO t VALUES (?)", { { 4 }, { 5 } }).rows_affected)
      assert.equal(0, other:fetchval "SELECT count(*) FROM t")
      assert(conn:execute "ROLLBACK")
      assert_left {}
    end)

    it("is begun by transaction() where RELEASE has ended the last one", function()
      assert(conn:execute "SAVEPOINT mine")
      insert(1)
      assert(conn:execute "RELEASE mine")
      assert(conn:transaction(function() return insert(2) end))
      assert_left { 1, 2 }
    end)
  end)
end)

-- `<close>` is syntax of 5.4 alone: LuaJIT must not read it.
if _VERSION == "Lua 5.4" then
  live.each("a handle in a <close> variable", function(server)
    local function run(body)
      return assert(load("local conn = ...\n" .. body))(server.conn)
    end

    before_each(function()
      server.conn = server:connect()
      assert(server.conn:execute "CREATE TABLE t (a)")
    end)

    local function assert_left(expected)
      assert.is_false(server.conn:in_transaction())
      local other = server:connect { busy_timeout = 0 }
      assert.same(expected, other:fetchcol "SELECT a FROM t")
      assert(other:execute "UPDATE t SET a = a")
      live.usable(server.conn)
    end

    it("is rolled back at the end of its scope", function()
      run [[
        local tx <close> = assert(conn:begin())
        assert(conn:execute "INSERT INTO t VALUES (1)")]]
      assert_left {}
    end)

    it("is rolled back by an error, which goes on", function()
      local err = {}
      server.conn.err = err
      local ok, raised = pcall(run, [[
        local tx <close> = assert(conn:begin())
        assert(conn:execute "INSERT INTO t VALUES (1)")
        error(conn.err)]])
      assert.is_false(ok)
      assert.equal(err, raised)
      assert_left {}
    end)

    it("stays committed", function()
      run [[
        local tx <close> = assert(conn:begin())
        assert(conn:execute "INSERT INTO t VALUES (1)")
        assert(tx:commit())]]
      assert_left { 1 }
    end)

    it("is left alone when its connection is closed or it was ended by text", function()
      run [[
        local tx <close> = assert(conn:begin())
        assert(conn:execute "COMMIT")]]
      assert_left {}
      run [[
        local tx <close> = assert(conn:begin())
        conn:close()]]
      assert.is_false(server.conn:is_open())
    end)
  end)
end
