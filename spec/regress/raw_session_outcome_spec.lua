-- A raw session called the lost answer to a write retryable.
local scripted = require "spec.support.scripted"
local session = require "dqlite.session"

local function lost(name, fields, answer)
  local server = scripted.server { [name] = answer }
  local raw = assert(session.connect(server.address, { loop = server.loop }))
  local reply, err = raw:request(name, fields)
  assert.is_nil(reply)
  assert.is_true(err.fatal)
  return { err.ambiguous, err.retryable }
end

describe("a raw session's request without an answer", function()
  it("is ambiguous when it can write", function()
    assert.same({ true, false }, lost("EXEC_SQL", { sql = "DELETE FROM t" }, { "close" }))
    assert.same({ true, false }, lost("ADD", { id = 2, address = "a:1" }, {}))
    assert.same({ true, false },
      lost("EXEC_SQL", { sql = "COMMIT" }, { scripted.failure(10506, "leadership lost") }))
  end)

  it("is retryable when it cannot", function()
    assert.same({ false, true }, lost("LEADER", {}, { "close" }))
  end)

  it("does not stain the next one", function()
    local server = scripted.server { EXEC_SQL = { scripted.result(1, 1) }, LEADER = {} }
    local raw = assert(session.connect(server.address, { loop = server.loop }))
    assert(raw:request("EXEC_SQL", { sql = "DELETE FROM t" }))
    assert.is_false(select(2, raw:request("LEADER")).ambiguous)
  end)
end)
