local luas = require "spec.support.luas"
local scripted = require "spec.support.scripted"
local simulated = require "spec.support.simulated"
local assert_raises = require "spec.support.raises"

local load_text = rawget(_G, "loadstring") or load

describe("a handle", function()
  after_each(simulated.verify)

  it("commits or rolls back, once", function()
    local conn, server = simulated.open()
    local tx = assert(conn:begin())
    assert.is_true(conn:in_transaction())
    assert(conn:execute "DELETE FROM t")
    assert.is_true(tx:commit())
    assert.is_false(conn:in_transaction())
    assert_raises("has ended", function() tx:commit() end)
    assert_raises("has ended", function() tx:rollback() end)
    tx = assert(conn:begin "deferred")
    assert(conn:execute "DELETE FROM u")
    assert.is_true(tx:rollback())
    assert_raises("has ended", function() tx:rollback() end)
    assert.same({ "DELETE FROM t" }, server.applied)
    assert.same({ "EXEC_SQL BEGIN IMMEDIATE", "EXEC_SQL DELETE FROM t", "EXEC_SQL COMMIT",
      "EXEC_SQL BEGIN", "EXEC_SQL DELETE FROM u", "EXEC_SQL ROLLBACK" }, server:log())
  end)

  it("says what it is", function()
    local conn = simulated.open()
    local tx = assert(conn:begin())
    assert.equal("dqlite transaction (open)", tostring(tx))
    tx:rollback()
    assert.equal("dqlite transaction (ended)", tostring(tx))
  end)

  it("is ended by the connection's commit and rollback, and by their texts", function()
    for _, ends in ipairs {
      function(conn) return conn:commit() end,
      function(conn) return conn:rollback() end,
      function(conn) return conn:execute "COMMIT" end,
      function(conn) return conn:execute "END" end,
      function(conn) return conn:execute "ROLLBACK" end,
      function(conn) return conn:script "DELETE FROM t; COMMIT" end,
    } do
      local conn, server = simulated.open()
      local tx = assert(conn:begin())
      assert(ends(conn))
      assert_raises("has ended", function() tx:commit() end)
      assert.is_false(server.in_transaction)
      assert(conn:begin())
    end
  end)

  it("is not given where a transaction is open", function()
    local conn, server = simulated.open()
    assert(conn:begin())
    server:log()
    assert_raises("open already", function() conn:begin() end)
    conn = simulated.open()
    assert(conn:execute "BEGIN")
    assert_raises("open already", function() conn:begin() end)
    assert.same({}, server:log())
  end)

  it("is not given either where the server says that one is open", function()
    local conn, server = simulated.open()
    assert(conn:execute "BEGIN")
    server:on("DELETE FROM stops", { scripted.failure(1811, "stop") })
    assert.is_nil(conn:execute "DELETE FROM stops")
    local tx, err = conn:begin()
    assert.is_nil(tx)
    assert.matches("within a transaction", err.message)
    assert.is_true(server.in_transaction)
    assert(conn:execute "DELETE FROM t")
    assert.is_true(conn:commit())
    assert.same({ "DELETE FROM t" }, server.applied)
  end)

  it("is given where a failure has ended the one before", function()
    local conn, server = simulated.open()
    assert(conn:execute "BEGIN")
    server:on("DELETE FROM ends", function()
      server:roll_back()
      return { scripted.failure(1811, "stop") }
    end)
    assert.is_nil(conn:execute "DELETE FROM ends")
    local tx = assert(conn:begin())
    assert(conn:execute "DELETE FROM t")
    assert.is_true(tx:commit())
    assert.same({ "DELETE FROM t" }, server.applied)
  end)

  it("does not end while a transaction inside of it runs", function()
    local conn = simulated.open()
    local tx = assert(conn:begin())
    assert(conn:transaction(function()
      assert_raises("another transaction inside", function() tx:commit() end)
      assert_raises("another transaction inside", function() tx:rollback() end)
      return true
    end))
    assert.is_true(tx:commit())
  end)

  it("commits in spite of a failed statement: that is the caller's to see", function()
    local conn, server = simulated.open()
    local tx = assert(conn:begin())
    assert(conn:execute "DELETE FROM t")
    server:on("DELETE FROM stops", { scripted.failure(1811, "stop") })
    assert.is_nil(conn:execute "DELETE FROM stops")
    assert.is_true(tx:commit())
    assert.same({ "DELETE FROM t" }, server.applied)
  end)

  it("that reads refuses to write", function()
    local conn = simulated.open()
    local tx = assert(conn:begin "read")
    local result, err = conn:execute "DELETE FROM t"
    assert.is_nil(result)
    assert.equal("policy", err.kind)
    assert.is_true(tx:commit())
    assert(conn:execute "DELETE FROM t")
  end)

  it("of a lost connection answers that it is lost", function()
    local conn, server = simulated.open()
    local tx = assert(conn:begin())
    server:on("DELETE FROM t", { "close" })
    assert.is_nil(conn:execute "DELETE FROM t")
    local done, err = tx:commit()
    assert.is_nil(done)
    assert.same({ "closed", true, true, false },
      { err.kind, err.fatal, err.retryable, err.ambiguous })
    assert.is_true(tx:rollback()) -- the server has done it
    assert_raises("has ended", function() tx:rollback() end)
  end)

  it("whose COMMIT was lost cannot tell whether it was rolled back", function()
    local conn, server = simulated.open()
    local tx = assert(conn:begin())
    server:on("COMMIT", { "close" })
    local done, err = tx:commit()
    assert.is_nil(done)
    assert.is_true(err.ambiguous)
    done, err = tx:rollback()
    assert.is_nil(done)
    assert.equal("closed", err.kind)
    done, err = conn:begin()
    assert.is_nil(done)
    assert.equal("closed", err.kind)
    done, err = conn:commit()
    assert.is_nil(done)
    assert.equal("closed", err.kind)
  end)

  it("behaviour 33: that the server has ended is over with its rollback", function()
    local conn, server = simulated.open()
    for _, commit_first in ipairs { false, true } do
      local tx = assert(conn:begin())
      server:on("DELETE FROM t", function()
        server.in_transaction = false
        return { scripted.failure(1811, "stop") }
      end)
      assert.is_nil(conn:execute "DELETE FROM t")
      if commit_first then assert.is_nil(tx:commit()) else conn:execute "DELETE FROM u" end
      assert.is_true(tx:rollback())
      assert.is_false(conn:in_transaction())
      assert.equal(1, conn:fetchval "SELECT 1")
    end
    assert(conn:begin()):rollback()
  end)

  it("of a closed connection raises", function()
    local conn = simulated.open()
    local tx = assert(conn:begin())
    conn:close()
    assert_raises("connection is closed", function() tx:commit() end)
    assert_raises("connection is closed", function() tx:rollback() end)
  end)

  it("whose ROLLBACK fails takes the connection with it", function()
    local conn, server = simulated.open()
    local tx = assert(conn:begin())
    server:on("ROLLBACK", { scripted.failure(1, "disk full") })
    local done, err = tx:rollback()
    assert.is_nil(done)
    assert.equal("disk full", err.message)
    assert.is_false(conn:is_open())
  end)
end)

-- `<close>` is new in 5.4: its text is not for the others to parse.
if _VERSION == "Lua 5.4" then
  describe("a handle that goes out of scope", function()
    after_each(simulated.verify)

    local function scope(conn, text)
      return assert(load_text("local conn = ... local tx <close> = conn:begin() " .. text))(conn)
    end

    it("is rolled back unless it was committed", function()
      local conn, server = simulated.open()
      scope(conn, "conn:execute 'DELETE FROM t'")
      assert.is_false(server.in_transaction)
      assert.is_false(conn:in_transaction())
      assert.is_false(pcall(scope, conn, "conn:execute 'DELETE FROM t' error 'no'"))
      assert.is_false(server.in_transaction)
      scope(conn, "conn:execute 'DELETE FROM u' tx:commit()")
      scope(conn, "conn:execute 'DELETE FROM v' tx:rollback()")
      assert.same({ "DELETE FROM u" }, server.applied)
      assert(conn:begin()):rollback()
    end)

    it("in a closed or lost connection does nothing", function()
      local conn, server = simulated.open()
      scope(conn, "conn:close()")
      assert.equal("EXEC_SQL BEGIN IMMEDIATE", table.remove(server:log()))
      conn, server = simulated.open()
      server:on("DELETE FROM t", { "close" })
      scope(conn, "conn:execute 'DELETE FROM t'")
      assert.is_false(conn:is_open())
    end)
  end)

  describe("a connection that goes out of scope", function()
    it("is closed", function()
      local conn, server = simulated.open()
      assert(load_text "local conn <close> = ...")(conn)
      assert.is_false(conn:is_open())
      assert.equal(1, server.closed)
    end)
  end)
end

describe("commit and rollback by hand", function()
  after_each(simulated.verify)

  it("end what BEGIN as text has begun", function()
    local conn, server = simulated.open()
    assert(conn:execute "BEGIN")
    assert(conn:execute "DELETE FROM t")
    assert.is_true(conn:commit())
    assert(conn:execute "BEGIN")
    assert(conn:execute "DELETE FROM u")
    assert.is_true(conn:rollback())
    assert.same({ "DELETE FROM t" }, server.applied)
  end)

  it("behaviour 33: answer the server's error where there is nothing to end", function()
    local conn = simulated.open()
    local done, err = conn:commit()
    assert.is_nil(done)
    assert.matches("no transaction is active", err.message)
    done, err = conn:rollback()
    assert.is_nil(done)
    assert.matches("no transaction is active", err.message)
    assert.is_true(conn:is_open())
  end)
end)

describe("a transaction and its coroutine", function()
  after_each(simulated.verify)

  it("belong together: another one raises", function()
    local conn, server = simulated.open()
    local inside = coroutine.create(function()
      return conn:transaction(function()
        coroutine.yield()
        return conn:execute "DELETE FROM t"
      end)
    end)
    if not luas.waits then
      local ok, raised = coroutine.resume(inside)
      assert.is_false(ok)
      assert.matches("attempt to yield", raised)
      return assert.is_false(conn:in_transaction())
    end
    assert(coroutine.resume(inside))
    server:log()
    for _, use in ipairs {
      function() conn:execute "DELETE FROM u" end,
      function() conn:fetch "SELECT 1" end,
      function() conn:rows "SELECT 1" end,
      function() conn:prepare "SELECT 1" end,
      function() conn:pipeline { { "SELECT 1" } } end,
      function() conn:script "SELECT 1" end,
      function() conn:executemany("DELETE FROM u", { {} }) end,
      function() conn:transaction(function() end) end,
      function() conn:begin() end,
      function() conn:commit() end,
      function() conn:rollback() end,
    } do
      assert_raises("transaction of another coroutine", use)
    end
    assert.same({}, server:log())
    assert(coroutine.resume(inside))
    assert.same({ "DELETE FROM t" }, server.applied)
  end)

  it("die together: what is left of it is not used by others", function()
    local conn, server = simulated.open()
    local inside = coroutine.create(function()
      conn:transaction(function()
        conn:execute "DELETE FROM t"
        conn.broken() -- raises past the rollback below
      end)
    end)
    server:on("ROLLBACK", function() error "raised while it was rolled back" end)
    assert.is_false(coroutine.resume(inside))
    local result, err = conn:execute "DELETE FROM u"
    assert.is_nil(result)
    assert.equal("closed", err.kind)
    assert.same({}, server.applied)
  end)
end)
