-- With row_types, an empty frame behind exactly max_rows rows was taken for a
-- row too many.
local scripted = require "spec.support.scripted"

describe("a result of exactly max_rows rows", function()
  local frames = {
    scripted.rows { columns = { "a" }, { 1 }, { "x" }, more = true },
    scripted.rows { columns = { "a" } },
  }

  local function query(max)
    local conn = scripted.open { QUERY_SQL = frames }
    return conn:query("SELECT a", {}, { max_rows = max, row_types = true })
  end

  it("is whole with its row types", function()
    local result = assert(query(2))
    assert.same({ { "INTEGER" }, { "TEXT" } }, result.row_types)
    assert.equal(2, #result)
  end)

  it("and one more is refused", function()
    assert.equal("policy", select(2, query(1)).kind)
  end)
end)
