-- hazards.md, "Transactions and writes": a COMMIT that is
-- refused, and one whose answer is lost.
local scripted = require "spec.support.scripted"
local simulated = require "spec.support.simulated"

local KEY = { scripted.failure(787, "FOREIGN KEY constraint failed") }

describe("a COMMIT that is refused", function()
  after_each(simulated.verify)

  it("behaviour 28: is rolled back by transaction(fn)", function()
    local conn, server = simulated.open()
    server:on("COMMIT", KEY)
    local result, err = conn:transaction(function() return conn:execute "DELETE FROM t" end)
    assert.is_nil(result)
    assert.same({ 787, false, false }, { err.code, err.retryable, err.ambiguous })
    assert.is_false(server.in_transaction)
    assert.is_false(conn:in_transaction())
    assert.equal("EXEC_SQL ROLLBACK", table.remove(server:log()))
  end)

  it("behaviour 28: leaves a handle's transaction open, to be repaired or rolled back", function()
    local conn, server = simulated.open()
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

  it("behaviour 31: leaves one by hand open in the same way", function()
    local conn, server = simulated.open()
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

  it("behaviour 28: leaves it in doubt, and is never sent again", function()
    for name, way in pairs(WAYS) do
      for _, answer in ipairs { { "close" }, {}, { scripted.failure(10506, "leadership lost") },
        { scripted.failure(10, "disk I/O error") } } do
        local conn, server = simulated.open()
        server:on("COMMIT", answer)
        local result, err = way(conn)
        assert.is_nil(result, name)
        assert.same({ true, false, true }, { err.fatal, err.retryable, err.ambiguous }, name)
        assert.equal("EXEC_SQL COMMIT", table.remove(server:log()))
        assert.is_false(conn:is_open())
      end
    end
  end)

  it("behaviour 28: is in no doubt when the server said that it was not the leader", function()
    for name, way in pairs(WAYS) do
      local conn, server = simulated.open()
      server:on("COMMIT", { scripted.failure(10250, "not leader") })
      local result, err = way(conn)
      assert.is_nil(result, name)
      assert.same({ true, true, false }, { err.fatal, err.retryable, err.ambiguous }, name)
    end
  end)

  it("is not what a write before it is: that died with the session", function()
    for name, way in pairs(WAYS) do
      local conn, server = simulated.open()
      server:on("DELETE FROM t", { "close" })
      server:on("DELETE FROM t WHERE a = ?", { "close" })
      local result, err = way(conn)
      assert.is_nil(result, name)
      assert.same({ true, true, false }, { err.fatal, err.retryable, err.ambiguous }, name)
    end
  end)
end)
