-- A commit or rollback that is refused where nothing can wait had dropped the
-- transaction's level before, and left a flag behind that calls later writes
-- harmless.
local raises = require "spec.support.raises"
local simulated = require "spec.support.simulated"

-- Calls where nothing can wait.
local function refused(server, call)
  server.loop.refusal = function() return "nothing can wait here" end
  raises("nothing can wait here", call)
  server.loop.refusal = nil
end

describe("the end of a transaction that is refused", function()
  after_each(simulated.verify)

  it("leaves a rollback to be done", function()
    local conn, server = simulated.open()
    local tx = assert(conn:begin())
    refused(server, function() tx:rollback() end)
    assert.is_true(server.in_transaction)
    assert.is_true(tx:rollback())
    assert.is_false(server.in_transaction)
    assert(conn:begin()):rollback()
  end)

  it("says nothing about later writes", function()
    local conn, server = simulated.open()
    local tx = assert(conn:begin "read")
    refused(server, function() tx:commit() end)
    assert.is_true(tx:commit())
    server:on("DELETE FROM t", {}) -- no answer
    local _, err = conn:execute "DELETE FROM t"
    assert.same({ "timeout", true, false }, { err.kind, err.ambiguous, err.retryable })
  end)

  it("ends the connection where the function is over", function()
    local conn, server = simulated.open()
    local ok, err = conn:transaction(function()
      server.loop.refusal = function() return "nothing can wait here" end
      return true
    end)
    server.loop.refusal = nil
    assert.is_nil(ok)
    assert.same({ "closed", false }, { err.kind, err.ambiguous })
    assert.is_false(conn:is_open())
  end)
end)
