-- The blocking stream took an error of poll(2) for a connection, and took in
-- without bound what a peer sent while a request was still going out.
local blocking = require "dqlite.loop.blocking"
local core = require "dqlite.core"

describe("the blocking stream", function()
  local socket = core.socket
  local fake

  before_each(function()
    fake = {
      closed = false,
      connect = function() return true end,
      block = function() return true end,
      close = function() fake.closed = true end,
    }
    core.socket = function() return fake end
  end)

  after_each(function()
    core.socket = socket
  end)

  it("fails to connect when waiting fails", function()
    fake.connect = function() return false end
    fake.wait = function() return nil, "closed", "Bad file descriptor" end
    local stream, kind, reason = blocking.connect("/socket", core.now() + 1)
    assert.is_nil(stream)
    assert.same({ "connect", "Bad file descriptor" }, { kind, reason })
    assert.is_true(fake.closed)
  end)

  it("gives way to the session whenever something came in", function()
    local received = 0
    fake.send = function() return false end
    fake.wait = function() return true, false end
    fake.recv = function()
      received = received + 1
      return true
    end
    local stream = assert(blocking.connect("/socket", core.now() + 1))
    assert.is_true(stream:send({}, core.now() + 1))
    assert.equal(1, received)
  end)
end)
