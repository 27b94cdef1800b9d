-- A call that was refused because another coroutine's was under way had marked
-- that one as a read: its lost answer was called retryable.
local scripted = require "spec.support.scripted"

describe("a call refused on a busy connection", function()
  it("leaves the other call's error as it is", function()
    local conn = scripted.open { EXEC_SQL = { "close" } }
    local stream = conn.link.stream
    local recv = stream.recv
    function stream.recv(...)
      coroutine.yield()
      return recv(...)
    end
    local insert = coroutine.create(function()
      return conn:execute "INSERT INTO t VALUES (1)"
    end)
    assert(coroutine.resume(insert))
    assert.has_error(function() conn:fetch "SELECT 1" end)
    stream.recv = recv
    local _, result, err = coroutine.resume(insert)
    assert.is_nil(result)
    assert.same({ true, false }, { err.ambiguous, err.retryable })
  end)
end)
