-- A raw session's request joins the frames of a result; the message it
-- answered kept the `last` of the first frame, false.
local scripted = require "spec.support.scripted"
local session = require "dqlite.session"

describe("the answer to a raw session's request", function()
  it("is finished, of however many frames", function()
    local server = scripted.server {
      QUERY_SQL = {
        scripted.rows { columns = { "a" }, { 1 }, more = true },
        scripted.rows { columns = { "a" }, { 2 } },
      },
    }
    local raw = assert(session.connect(server.address, { loop = server.loop }))
    local message = assert(raw:request("QUERY_SQL", { sql = "SELECT a FROM t" }))
    assert.equal(2, message.rows.n)
    assert.is_true(message.last)
    assert.is_false(message.rows.more)
  end)
end)
