-- Modes of transaction(fn), and what it does while another one writes.
-- hazards.md, "Transactions and writes".

local hooked_loop = require "spec.support.hooked_loop"
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

  local function assert_left(expected) live.left(conn, other, expected) end

  describe("in a mode", function()
    local function is_locked()
      local done, err = other:execute "BEGIN IMMEDIATE"
      if done then
        assert(other:execute "ROLLBACK")
        return false
      end
      assert.equal("busy", err.kind)
      return true
    end

    local function locks(mode)
      local before, after
      assert(conn:transaction(function()
        before = is_locked()
        insert(conn:fetchval "SELECT count(*) FROM t")
        after = is_locked()
        return true
      end, { mode = mode }))
      return before, after
    end

    it("locks at once, or with the first write", function()
      assert.same({ true, true }, { locks(nil) })
      assert.same({ true, true }, { locks "immediate" })
      assert.same({ true, true }, { locks "exclusive" })
      assert.same({ false, true }, { locks "deferred" })
      assert_left { 0, 1, 2, 3 }
    end)

    it("reads one state of the database", function()
      insert(1)
      assert(conn:transaction(function()
        assert.equal(1, conn:fetchval "SELECT count(*) FROM t")
        assert(other:execute "INSERT INTO t VALUES (2)")
        assert.equal(1, conn:fetchval "SELECT count(*) FROM t")
        return true
      end, { mode = "read" }))
      assert_left { 1, 2 }
    end)

    it("refuses to write when it reads, on every path and nested, too", function()
      for _, path in ipairs(paths) do
        for _, sql in ipairs { "INSERT INTO t VALUES (1)", "CREATE TABLE other (a)",
          "INSERT INTO t VALUES (1) RETURNING a", "PRAGMA user_version = 3" } do
          local err
          local function write()
            local answer, failed = path.run(conn, sql)
            assert.is_nil(answer, path.name .. ": " .. sql)
            err = failed
            return true
          end
          local opts = { mode = "read", on_error = "commit" }
          assert(conn:transaction(write, opts))
          assert.is_true(err.kind == "policy" or err.kind == "value", path.name .. ": " .. err)
          assert(conn:transaction(function() return conn:transaction(write, opts) end,
            { mode = "read" }))
        end
      end
      live.fails("policy", conn:transaction(function()
        conn:execute "DELETE FROM t"
        return true
      end, { mode = "read" }))
      assert.equal(0, conn:fetchval "PRAGMA user_version")
      assert_left {}
    end)

    it("fails as stale where another one wrote since it read, without a wait", function()
      local seconds, answer, err = live.timed(function()
        return conn:transaction(function()
          conn:fetch "SELECT a FROM t"
          assert(other:execute "INSERT INTO t VALUES (1)")
          return insert(conn:execute "INSERT INTO t VALUES (2)" and 3)
        end, { mode = "deferred" })
      end)
      live.fails("busy", answer, err)
      assert.equal(517, err.code)
      assert.is_true(err.retryable)
      assert.is_true(seconds < 3, seconds .. " seconds")
      assert_left { 1 }
    end)

    it("raises for a mode, an option or a function that is none", function()
      local nothing = function() error "was called" end
      live.raises(function() conn:transaction(nothing, { mode = "bogus" }) end)
      live.raises(function() conn:transaction(nothing, { on_error = "ignore" }) end)
      live.raises(function() conn:transaction(nothing, { timeout = 1 }) end)
      live.raises(function() conn:transaction "SELECT 1" end)
      live.raises(function() conn:transaction() end)
      assert_left {}
    end)
  end)

  it("is rolled back by close when a timeout has ended its connection", function()
    local slow = [[WITH RECURSIVE c (n) AS
      (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 1000000) SELECT max(n) FROM c]]
    local hasty = server:connect()
    local err = live.fails("timeout", hasty:transaction(function()
      assert(hasty:execute "INSERT INTO t VALUES (1)")
      hasty:fetch(slow, {}, { timeout = 0.05 })
      return true
    end))
    assert.is_true(err.fatal)
    assert.is_false(err.ambiguous)
    hasty:close()
    live.eventually("the lock is free", function()
      return (other:execute "UPDATE t SET a = a")
    end)
    assert_left {}
  end)

  describe("while another one writes", function()
    before_each(function() assert(other:execute "BEGIN IMMEDIATE") end)

    it("waits busy_timeout for the lock and fails", function()
      local hasty = server:connect { busy_timeout = 0.2 }
      local seconds, answer, err = live.timed(function()
        return hasty:transaction(function() error "was called" end)
      end)
      live.fails("busy", answer, err)
      assert.equal(5, err.code)
      assert.is_true(err.retryable)
      assert.is_true(seconds > 0.15 and seconds < 3, seconds .. " seconds")
      assert.is_false(hasty:in_transaction())
      live.usable(hasty)
    end)

    it("fails at once without a busy_timeout", function()
      local hasty = server:connect { busy_timeout = 0, loop = hooked_loop {
        sleep = function() error "it waits" end,
      } }
      live.fails("busy", hasty:transaction(function() error "was called" end))
    end)

    it("begins as soon as the lock is free", function()
      local waits, calls = 0, 0
      local patient = server:connect { loop = hooked_loop { sleep = function()
        waits = waits + 1
        if waits == 3 then assert(other:execute "COMMIT") end
      end } }
      assert(patient:transaction(function()
        calls = calls + 1
        return patient:execute "INSERT INTO t VALUES (1)"
      end))
      assert.equal(3, waits)
      assert.equal(1, calls)
      assert_left { 1 }
    end)
  end)
end)
