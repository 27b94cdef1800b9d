-- begin raised "a transaction is open already" for ever on a connection whose last
-- call, in a transaction, was broken off.
local scripted = require "spec.support.scripted"
local simulated = require "spec.support.simulated"

describe("begin after a call that was broken off in a transaction", function()
  it("answers that the connection is gone", function()
    local conn, server = simulated.open()
    assert(conn:begin())
    server:on("SELECT a FROM t", { scripted.rows { columns = { "a" }, { 1 } } })
    local recv = conn.link.stream.recv
    function conn.link.stream.recv() error "interrupted!" end
    assert.has_error(function() conn:fetch "SELECT a FROM t" end)
    conn.link.stream.recv = recv
    for _, call in ipairs { "begin", "commit", "rollback", "ping" } do
      local answer, err = conn[call](conn)
      assert.is_nil(answer)
      assert.equal("closed", err.kind)
    end
  end)
end)
