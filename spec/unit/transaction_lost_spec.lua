-- hazards.md, "Transactions and writes": a transaction that the server ended, a
-- COMMIT that was refused, and one whose answer was lost.
local scripted = require "spec.support.scripted"
local simulated = require "spec.support.simulated"

local KEY = { scripted.failure(787, "FOREIGN KEY constraint failed") }

-- A text that fails and takes the transaction with it: INSERT OR ROLLBACK, or a
-- trigger with RAISE(ROLLBACK).
local ENDS = "INSERT OR ROLLBACK INTO t VALUES (1)"

local function open(version)
  local conn, server = simulated.open(version)
  server:on("DELETE FROM stops", { scripted.failure(1811, "stop") })
  server:on(ENDS, function()
    server:roll_back()
    return { scripted.failure(1555, "UNIQUE constraint failed: t.a") }
  end)
  return conn, server
end

local LATER = {
  execute = function(conn) return conn:execute "DELETE FROM u" end,
  returning = function(conn) return conn:fetch "DELETE FROM u RETURNING a" end,
  executemany = function(conn) return conn:executemany("DELETE FROM u", { {}, {} }) end,
  pipeline = function(conn) return conn:pipeline { { "DELETE FROM u" } } end,
  script = function(conn) return conn:script "DELETE FROM u; DELETE FROM v" end,
  fetch = function(conn) return conn:fetch "SELECT a FROM u" end,
  transaction = function(conn)
    return conn:transaction(function() return conn:execute "DELETE FROM u" end)
  end,
  rows = function(conn)
    local ok, err = pcall(conn.rows, conn, "SELECT a FROM u")
    return ok or nil, err
  end,
  savepoint = function(conn) return conn:execute "SAVEPOINT a" end,
}

describe("what follows a failure that ended the transaction", function()
  after_each(simulated.verify)

  for name, later in pairs(LATER) do
    it("is not run by itself: " .. name, function()
      for _, version in ipairs { "1.11.1", "1.18.6" } do
        local conn, server = open(version)
        local result, err = conn:transaction(function()
          assert(conn:execute "DELETE FROM t")
          conn:execute(ENDS)
          local refused, why = later(conn)
          assert.is_nil(refused)
          assert.matches("ended the transaction", why.message)
          assert.same({ false, false }, { why.fatal, why.ambiguous })
          return true
        end, { on_error = "commit" })
        assert.is_nil(result)
        assert.equal("table", type(err))
        assert.same({}, server.applied)
        assert.is_false(server.in_transaction)
        assert.is_false(conn:in_transaction())
        for _, line in ipairs(server:log()) do
          assert.is_nil(line:find "FROM [uv]" and not line:find "^PREPARE" or nil, line)
        end
        assert(conn:execute "DELETE FROM w")
        assert.same({ "DELETE FROM w" }, server.applied)
      end
    end)

    it("is refused through a handle, too: " .. name, function()
      local conn, server = open()
      local tx = assert(conn:begin())
      assert(conn:execute "DELETE FROM t")
      assert.is_nil(conn:execute(ENDS))
      if name ~= "transaction" then
        local refused, why = later(conn)
        assert.is_nil(refused)
        assert.matches("ended the transaction", why.message)
      end
      local done, err = tx:commit()
      assert.is_nil(done)
      assert.matches("ended the transaction", err.message)
      assert.same({}, server.applied)
      assert.is_false(server.in_transaction)
      assert(conn:execute "DELETE FROM w")
      assert.same({ "DELETE FROM w" }, server.applied)
      assert(conn:begin()):rollback()
    end)
  end

  it("is asked for with one BEGIN where the transaction is still there", function()
    local conn, server = open()
    assert(conn:transaction(function()
      conn:execute "DELETE FROM stops"
      server:log()
      assert(conn:execute "DELETE FROM t")
      assert(conn:execute "DELETE FROM u")
      assert.same({ "EXEC_SQL BEGIN", "EXEC_SQL DELETE FROM t", "EXEC_SQL DELETE FROM u" },
        server:log())
      return true
    end, { on_error = "commit" }))
    assert.same({ "DELETE FROM t", "DELETE FROM u" }, server.applied)
  end)

  it("is asked for no more once it is known to be gone", function()
    local conn, server = open()
    local before
    conn:transaction(function()
      conn:execute(ENDS)
      assert.is_nil(conn:execute "DELETE FROM u")
      before = server.bytes()
      for name, later in pairs(LATER) do
        local refused, why = later(conn)
        assert.is_nil(refused, name)
        assert.matches("ended the transaction", why.message)
      end
    end)
    assert.equal(before, server.bytes())
    assert.equal(1, conn:fetchval "SELECT 1")
  end)

  it("may be a rollback: that asks for nothing", function()
    for _, undo in ipairs {
      function(conn) return conn:rollback() end,
      function(conn) return conn:execute "ROLLBACK" end,
      function(conn) return conn:execute "ROLLBACK TO a" end,
    } do
      local conn, server = open()
      assert(conn:begin())
      assert(conn:execute "SAVEPOINT a")
      assert.is_nil(conn:execute "DELETE FROM stops")
      server:log()
      assert(undo(conn))
      assert.equal(1, #server:log())
    end
  end)

  it("is not needed for the COMMIT to be refused", function()
    local conn, server = open()
    local result, err = conn:transaction(function()
      conn:execute "DELETE FROM t"
      conn:execute(ENDS)
      return true
    end, { on_error = "commit" })
    assert.is_nil(result)
    assert.matches("ended the transaction", err.message)
    assert.same({}, server.applied)
  end)

  it("is refused in the outer one when the inner one ended both", function()
    local conn, server = open()
    local result, err = conn:transaction(function()
      conn:execute "DELETE FROM t"
      assert.is_nil(conn:transaction(function() conn:execute(ENDS) end))
      local refused, why = conn:execute "DELETE FROM u"
      assert.is_nil(refused)
      assert.matches("ended the transaction", why.message)
      return true
    end)
    assert.is_nil(result)
    assert.equal("table", type(err))
    assert.same({}, server.applied)
    assert.is_false(server.in_transaction)
  end)

  it("is refused when only the inner one knew", function()
    local conn, server = open()
    local result, err = conn:transaction(function()
      conn:execute "DELETE FROM t"
      conn:transaction(function() conn:execute(ENDS) end)
      return true
    end)
    assert.is_nil(result)
    assert.matches("ended the transaction", err.message)
    assert.same({}, server.applied)
    assert.is_false(server.in_transaction)
  end)
end)

describe("an inner transaction whose savepoint is gone", function()
  after_each(simulated.verify)

  it("cannot be undone alone, so the outer one is", function()
    local conn, server = open()
    local result, err = conn:transaction(function()
      assert(conn:execute "SAVEPOINT mine")
      assert(conn:execute "DELETE FROM t")
      assert.is_nil(conn:transaction(function()
        assert(conn:execute "DELETE FROM u")
        assert(conn:execute "RELEASE mine")
        return nil, "no"
      end))
      return true
    end)
    assert.is_nil(result)
    assert.equal("table", type(err))
    assert.same({}, server.applied)
    assert.is_false(server.in_transaction)
  end)
end)

describe("a COMMIT that is refused", function()
  after_each(simulated.verify)

  it("is rolled back by transaction(fn)", function()
    local conn, server = open()
    server:on("COMMIT", KEY)
    local result, err = conn:transaction(function() return conn:execute "DELETE FROM t" end)
    assert.is_nil(result)
    assert.same({ 787, false, false }, { err.code, err.retryable, err.ambiguous })
    assert.is_false(server.in_transaction)
    assert.is_false(conn:in_transaction())
    assert.equal("EXEC_SQL ROLLBACK", table.remove(server:log()))
  end)

  it("leaves a handle's transaction open: it can be repaired or rolled back", function()
    local conn, server = open()
    server:sequence("COMMIT", KEY, KEY)
    local tx = assert(conn:begin())
    assert(conn:execute "DELETE FROM t")
    for _ = 1, 2 do
      local done, err = tx:commit()
      assert.is_nil(done)
      assert.equal(787, err.code)
      assert.is_true(conn:in_transaction())
    end
    assert(conn:execute "DELETE FROM u")
    assert.is_true(tx:commit())
    assert.same({ "DELETE FROM t", "DELETE FROM u" }, server.applied)

    server:on("COMMIT", KEY)
    tx = assert(conn:begin())
    assert.is_nil(tx:commit())
    assert.is_true(tx:rollback())
    assert.is_false(server.in_transaction)
    assert.equal(2, #server.applied)
  end)

  it("leaves one by hand open in the same way", function()
    local conn, server = open()
    server:sequence("COMMIT", KEY)
    assert(conn:execute "BEGIN")
    assert.is_nil(conn:commit())
    assert.is_true(conn:in_transaction())
    assert.is_true(conn:rollback())
    assert.is_false(conn:in_transaction())
    assert.is_false(server.in_transaction)
  end)
end)

describe("a COMMIT whose answer is lost", function()
  after_each(simulated.verify)

  local WAYS = {
    ["transaction"] = function(conn)
      return conn:transaction(function() return conn:execute "DELETE FROM t" end)
    end,
    ["a handle"] = function(conn)
      local tx = assert(conn:begin())
      local done, err = conn:execute "DELETE FROM t"
      if not done then return nil, err end
      return tx:commit()
    end,
    ["by hand"] = function(conn)
      assert(conn:execute "BEGIN")
      local done, err = conn:execute "DELETE FROM t"
      if not done then return nil, err end
      return conn:commit()
    end,
    ["executemany"] = function(conn)
      return conn:executemany("DELETE FROM t WHERE a = ?", { { 1 } })
    end,
    ["script"] = function(conn) return conn:script "BEGIN; DELETE FROM t; COMMIT" end,
  }

  it("leaves it in doubt, and is never sent again", function()
    for name, way in pairs(WAYS) do
      for _, answer in ipairs { { "close" }, {}, { scripted.failure(10506, "leadership lost") },
        { scripted.failure(10, "disk I/O error") } } do
        local conn, server = open()
        server:on("COMMIT", answer)
        local result, err = way(conn)
        assert.is_nil(result, name)
        assert.same({ true, false, true }, { err.fatal, err.retryable, err.ambiguous }, name)
        assert.equal("EXEC_SQL COMMIT", table.remove(server:log()))
        assert.is_false(conn:is_open())
      end
    end
  end)

  it("is in no doubt when the server said that it was not the leader", function()
    for name, way in pairs(WAYS) do
      local conn, server = open()
      server:on("COMMIT", { scripted.failure(10250, "not leader") })
      local result, err = way(conn)
      assert.is_nil(result, name)
      assert.same({ true, true, false }, { err.fatal, err.retryable, err.ambiguous }, name)
    end
  end)

  it("is not what a write before it is: that died with the session", function()
    for name, way in pairs(WAYS) do
      local conn, server = open()
      server:on("DELETE FROM t", { "close" })
      server:on("DELETE FROM t WHERE a = ?", { "close" })
      local result, err = way(conn)
      assert.is_nil(result, name)
      assert.same({ true, true, false }, { err.fatal, err.retryable, err.ambiguous }, name)
    end
  end)
end)
