-- transaction(fn): what it commits, what it rolls back, what it returns.
-- hazards.md, "Transactions and writes".

local dqlite = require "dqlite"
local live = require "spec.support.live"
local paths = require "spec.support.live_paths"

live.each("transaction", function(server)
  local conn, other

  before_each(function()
    conn, other = server:connect(), server:connect { busy_timeout = 0 }
    assert(conn:execute "CREATE TABLE t (a INTEGER UNIQUE)")
  end)

  local function insert(...)
    for _, value in ipairs { ... } do
      assert(conn:execute("INSERT INTO t VALUES (?)", value))
    end
    return true
  end

  -- An error of the server's that the transaction survives.
  local function fail()
    return conn:execute "INSERT INTO t VALUES (nobody)"
  end

  local function assert_left(expected) live.left(conn, other, expected) end

  describe("that ends well", function()
    it("is committed, and nobody sees it before", function()
      assert.is_true(conn:transaction(function(given)
        assert.equal(conn, given)
        assert.is_true(conn:in_transaction())
        insert(1, 2)
        assert.equal(0, other:fetchval "SELECT count(*) FROM t")
        return true
      end))
      assert_left { 1, 2 }
    end)

    it("returns what the function returns", function()
      local function pack(...) return { n = select("#", ...), ... } end
      assert.same({ n = 4, 1, nil, "x", nil },
        pack(conn:transaction(function() return 1, nil, "x", nil end)))
      assert.same({ n = 0 }, pack(conn:transaction(function() end)))
      assert.same({ n = 1, nil }, pack(conn:transaction(function() return nil end)))
      assert.same({ n = 2, false, "no" },
        pack(conn:transaction(function() return false, "no" end)))
    end)

    it("is committed without a result, too", function()
      conn:transaction(function() insert(1) end)
      conn:transaction(function() insert(2) return nil end)
      conn:transaction(function() insert(3) return false end)
      assert_left { 1, 2, 3 }
    end)

    it("commits what every path has written", function()
      for i, path in ipairs(paths) do
        if not path.name:match "fetch" and not path.name:match "query"
          and not path.name:match "rows" then
          assert(conn:transaction(function()
            return assert(path.run(conn, ("INSERT INTO t VALUES (%d)"):format(i)))
          end))
          assert.equal(i, other:fetchval "SELECT max(a) FROM t", path.name)
        end
      end
    end)
  end)

  describe("that ends badly", function()
    it("is rolled back and raises the same error again", function()
      for _, value in ipairs { {}, "a text", 42, true, print } do
        local ok, raised = pcall(conn.transaction, conn, function()
          insert(1)
          error(value, 0)
        end)
        assert.is_false(ok)
        assert.equal(value, raised)
        assert_left {}
      end
      local ok, raised = pcall(conn.transaction, conn, function() insert(1) error() end)
      assert.same({ false }, { ok, raised })
      assert_left {}
    end)

    it("is rolled back for nil and an error, which come back unchanged", function()
      local err = {}
      local answers = { conn:transaction(function() insert(1) return nil, err, 3 end) }
      assert.is_nil(answers[1])
      assert.equal(err, answers[2])
      assert.equal(3, answers[3])
      assert_left {}
    end)

    it("is rolled back when a statement failed and nobody cared", function()
      local answer, err = conn:transaction(function()
        insert(1)
        fail()
        insert(2)
        conn:execute "SELECT nobody"
        return "fine"
      end)
      assert.is_nil(answer)
      assert.equal("sql", err.kind)
      assert.matches("INSERT", err.sql) -- the first one
      assert_left {}
    end)

    it("is rolled back when a statement failed on any path", function()
      for _, path in ipairs(paths) do
        local many = path.name:match "executemany" -- is for writes only
        local sql = many and "DELETE FROM t WHERE nobody" or "SELECT nobody FROM t"
        local err = live.fails("sql", conn:transaction(function()
          insert(1)
          assert.is_nil((path.run(conn, sql)), path.name)
          return true
        end))
        assert.equal("no such column: nobody", err.message)
        assert_left {}
      end
    end)

    it("is rolled back when a statement was refused here", function()
      live.fails("value", conn:transaction(function()
        insert(1)
        conn:fetch "DELETE FROM t"
        return true
      end))
      assert_left {}
    end)

    it("keeps what did not fail with on_error = commit", function()
      assert.equal("fine", conn:transaction(function()
        insert(1)
        fail()
        live.fails("constraint", conn:execute "INSERT INTO t VALUES (1)")
        insert(2)
        return "fine"
      end, { on_error = "commit" }))
      assert_left { 1, 2 }
    end)

    it("is rolled back with on_error = commit when it raises or returns an error", function()
      local opts = { on_error = "commit" }
      assert.is_false(pcall(conn.transaction, conn, function() insert(1) error "x" end, opts))
      assert.is_nil((conn:transaction(function() insert(1) return nil, "x" end, opts)))
      assert_left {}
    end)

    it("is rolled back when its connection is closed in it", function()
      local err = live.fails("closed", conn:transaction(function()
        insert(1)
        conn:close()
        return true
      end))
      assert.is_false(err.ambiguous)
      live.eventually("the lock is free", function()
        return (other:execute "UPDATE t SET a = a")
      end)
      assert.equal(0, other:fetchval "SELECT count(*) FROM t")
    end)
  end)

  describe("in a transaction", function()
    it("fails by itself: the outer one goes on", function()
      assert(conn:transaction(function()
        insert(1)
        live.fails("sql", conn:transaction(function() insert(2) fail() return true end))
        assert.same({ nil, "no" }, { conn:transaction(function() insert(3) return nil, "no" end) })
        assert.is_false(pcall(conn.transaction, conn, function() insert(4) error "x" end))
        assert.is_true(conn:in_transaction())
        insert(5)
        return true
      end))
      assert_left { 1, 5 }
    end)

    it("is part of it", function()
      assert.is_nil((conn:transaction(function()
        assert(conn:transaction(function() return insert(1) end))
        return nil, "no"
      end)))
      assert_left {}
    end)

    it("keeps what did not fail with on_error = commit", function()
      assert(conn:transaction(function()
        assert(conn:transaction(function() insert(1) fail() return insert(2) end,
          { on_error = "commit" }))
        return insert(3)
      end))
      assert_left { 1, 2, 3 }
    end)

    it("nests deep, each level by itself", function()
      local function nest(depth)
        return conn:transaction(function()
          insert(depth)
          if depth < 8 then nest(depth + 1) end
          if depth % 2 == 0 then return nil, "an even one" end
          return true
        end)
      end
      nest(1)
      assert_left { 1 }
    end)

    it("returns what its function returns", function()
      assert(conn:transaction(function()
        assert.same({ 1, 2 }, { conn:transaction(function() return 1, 2 end) })
        return true
      end))
    end)

    it("may go beside savepoints of one's own", function()
      assert(conn:transaction(function()
        assert(conn:execute "SAVEPOINT mine")
        insert(1)
        assert(conn:transaction(function() return insert(2) end))
        assert(conn:execute "ROLLBACK TO mine")
        insert(3)
        assert(conn:execute "RELEASE mine")
        return true
      end))
      assert_left { 3 }
    end)
  end)

  describe("whose control is in its function's hands", function()
    local function raises_everywhere(sql)
      for _, path in ipairs(paths) do
        local ok, answer, err = pcall(path.run, conn, sql)
        -- fetch and prepare have refused it before, as what it is
        if ok then live.fails("value", answer, err) end
        if path.name == "execute" or path.name == "script" then
          assert.is_false(ok, path.name .. ": " .. sql)
          assert.matches("transaction%(%)", answer)
        end
      end
    end

    it("raises", function()
      assert(conn:transaction(function()
        insert(1)
        for _, sql in ipairs { "BEGIN", "BEGIN IMMEDIATE", "COMMIT", "END", "ROLLBACK",
          "/* x */ commit", "END TRANSACTION", "rollback transaction;" } do
          raises_everywhere(sql)
        end
        assert.matches("transaction%(%)", live.raises(function() conn:begin() end))
        live.raises(function() conn:commit() end)
        live.raises(function() conn:rollback() end)
        assert(conn:transaction(function()
          live.raises(function() conn:commit() end)
          live.raises(function() conn:execute "COMMIT" end)
          return insert(2)
        end))
        live.raises(function() conn:script "INSERT INTO t VALUES (8); COMMIT" end)
        return insert(3)
      end, { on_error = "commit" }))
      assert_left { 1, 2, 3 }
    end)
  end)

  it("belongs to the coroutine that runs it", function()
    local function foreign() conn:execute "INSERT INTO t VALUES (3)" end
    local other_thread = coroutine.create(function()
      assert.matches("another coroutine", live.raises(foreign))
      live.raises(function() conn:transaction(function() end) end)
      live.raises(function() conn:begin() end)
      return "raised"
    end)
    assert(conn:transaction(function()
      insert(1)
      assert.same({ true, "raised" }, { coroutine.resume(other_thread) })
      return insert(2)
    end))
    assert_left { 1, 2 }
  end)

  it("holds typed values as everything does", function()
    local value = assert(conn:transaction(function()
      return conn:fetchval("SELECT ?", dqlite.real(2))
    end))
    assert.equal(2, value)
    assert_left {}
  end)
end)
