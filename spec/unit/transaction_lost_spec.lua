-- hazards.md, "Transactions and writes": a transaction that the server has ended.
local scripted = require "spec.support.scripted"
local simulated = require "spec.support.simulated"

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

  it("is over once its handle is rolled back", function()
    for _, later in pairs { LATER.execute, LATER.pipeline, function() end } do
      local conn, server = open()
      local tx = assert(conn:begin())
      assert.is_nil(conn:execute(ENDS))
      later(conn)
      assert.is_true(tx:rollback())
      assert(conn:execute "DELETE FROM w")
      assert.same({ "DELETE FROM w" }, server.applied)
      assert(conn:begin()):rollback()
    end
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
