-- After an error that was raised in the middle of a call (out of memory, a
-- debug hook) every later call said "in use by another coroutine".
local scripted = require "spec.support.scripted"

local function break_off(conn)
  function conn.link.stream.recv() error "interrupted!" end
  assert.has_error(function() conn:fetch "SELECT 1" end)
end

describe("a call that was broken off by a raised error", function()
  it("ends the connection with an error that says so", function()
    local conn, server = scripted.open {}
    break_off(conn)
    for _ = 1, 2 do
      local rows, err = conn:fetch "SELECT 1"
      assert.is_nil(rows)
      assert.equal("closed", err.kind)
      assert.matches("broken off", err.message)
    end
    assert.equal(1, server.closed)
  end)

  it("does so when its coroutine is dead", function()
    local conn = scripted.open {}
    coroutine.resume(coroutine.create(break_off), conn)
    local _, err = conn:ping()
    assert.matches("broken off", err.message)
  end)
end)
