local blocking = require "dqlite.loop.blocking"

describe("the blocking loop", function()
  it("has a clock that goes on while it sleeps", function()
    local started = blocking.now()
    blocking.sleep(0.02)
    assert.is_true(blocking.now() - started >= 0.02)
    blocking.sleep(0)
    blocking.sleep(-1)
  end)

  it("waits on a condition for what was signalled before, and for nothing else", function()
    local cond = blocking.cond()
    local deadline = blocking.now() + 3600
    assert.is_false(cond:wait(deadline))
    cond:signal()
    assert.is_true(cond:wait(deadline))
    assert.is_false(cond:wait(deadline))
  end)

  it("refuses a malformed address", function()
    local stream, kind, reason = blocking.connect("nowhere", blocking.now() + 1)
    assert.is_nil(stream)
    assert.same({ "value", "the port is missing" }, { kind, reason })
  end)

  it("reports a socket that is not there", function()
    local stream, kind, reason = blocking.connect("/no/such/socket", blocking.now() + 1)
    assert.is_nil(stream)
    assert.equal("connect", kind)
    assert.matches("No such file", reason)
  end)
end)
