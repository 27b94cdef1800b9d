-- A leader of 1.11.1 that is none any more may answer a write with raft's own number, 7,
-- and "no more rows available": that was taken for SQLITE_NOMEM, and not run again.
local scripted = require "spec.support.scripted"

describe("code 7 with the text of a statement that is done", function()
  local function failing(text)
    return scripted.open { EXEC_SQL = { scripted.failure(7, text) } }
  end

  it("is a refusal by a node that does not lead", function()
    local conn = failing "no more rows available"
    local answer, err = conn:execute "INSERT INTO t VALUES (1)"
    assert.is_nil(answer)
    assert.same({ "not_leader", 7, true, true, false },
      { err.kind, err.code, err.fatal, err.retryable, err.ambiguous })
    assert.is_false(conn:is_open())
  end)

  it("is a lack of memory with any other text", function()
    local conn = failing "out of memory"
    local _, err = conn:execute "INSERT INTO t VALUES (1)"
    assert.same({ "sql", "SQLITE_NOMEM", false, false, false },
      { err.kind, err.name, err.fatal, err.retryable, err.ambiguous })
  end)
end)
