-- pipeline: what each place says when the connection is lost on the way.
local scripted = require "spec.support.scripted"
local simulated = require "spec.support.simulated"

local READ, WRITE = "SELECT a FROM t WHERE b = ?", "DELETE FROM t WHERE b = ?"

local function entries(n)
  local list = {}
  for i = 1, n do list[i] = { WRITE, i } end
  return list
end

describe("a pipeline whose connection is lost", function()
  after_each(simulated.verify)

  -- What each place says: "ok", or the flags of its error.
  local function shown(results)
    local list = {}
    for i, result in ipairs(results) do
      local err = result.error
      list[i] = not err and "ok" or (err.fatal and "fatal" or "alive")
        .. (err.retryable and " retryable" or "") .. (err.ambiguous and " ambiguous" or "")
    end
    return list
  end

  local LIST = { { READ, 1 }, { WRITE, 2 }, { "SELECT b FROM lost" }, { WRITE, 4 }, { READ, 5 } }
  local ANSWERS = { { "close" }, {}, { scripted.failure(10506, "leadership lost") },
    { scripted.failure(10, "disk I/O error") }, { scripted.failure(10250, "not leader") } }

  it("fills every place: what was sent and not answered is in doubt if it writes", function()
    for _, answer in ipairs(ANSWERS) do
      local conn, server = simulated.open()
      server:on("SELECT b FROM lost", answer)
      assert.same({ "ok", "ok", "fatal retryable", "fatal ambiguous", "fatal retryable" },
        shown(assert(conn:pipeline(LIST))))
      assert.is_false(conn:is_open())
    end
  end)

  it("is in no doubt inside a transaction: all of it died", function()
    for _, answer in ipairs(ANSWERS) do
      local conn, server = simulated.open()
      assert(conn:execute "BEGIN")
      server:on("SELECT b FROM lost", answer)
      assert.same({ "ok", "ok", "fatal retryable", "fatal retryable", "fatal retryable" },
        shown(assert(conn:pipeline(LIST))))
    end
  end)

  it("knows what was never sent", function()
    local conn, server = simulated.open()
    server:on("SELECT b FROM lost", { "close" })
    local list = entries(1000)
    list[1] = { "SELECT b FROM lost" }
    local results = assert(conn:pipeline(list))
    assert.equal(1000, #results)
    local sent = {}
    for _, request in ipairs(server.sent) do
      if request.params and request.params.n > 0 then sent[request.params[1]] = true end
    end
    for i = 2, 1000 do
      local err = results[i].error
      assert.same({ sent[i] or false, not sent[i] }, { err.ambiguous, err.retryable }, i)
    end
    assert.is_nil(sent[1000])
  end)

  it("by its time is drained by close: with a transaction without bound", function()
    local part = scripted.rows { columns = { "a" }, { 1 }, more = true }
    local frames = {}
    for i = 1, 60 do frames[i] = part end
    frames[61] = scripted.rows { columns = { "a" }, { 1 } }
    for _, begin in ipairs { false, "BEGIN" } do
      local conn, server = simulated.open()
      if begin then assert(conn:execute(begin)) end
      server:on("SELECT a FROM many", frames)
      local stream = conn.link.stream
      server.delay = 20
      local results = assert(conn:pipeline { { READ, 1 }, { "SELECT a FROM many" } })
      assert.equal("timeout", results[1].error.kind)
      server.delay = 0.5
      assert.is_true(conn:close())
      assert.equal(begin ~= false, #stream.incoming == 0)
      assert.equal(1, server.closed)
    end
  end)

  it("before the first byte left has no place in doubt", function()
    local conn, server = simulated.open()
    server.refuse_send = "closed"
    assert.same({ "fatal retryable", "fatal retryable", "fatal retryable", "fatal retryable",
      "fatal retryable" }, shown(assert(conn:pipeline(LIST))))
  end)

  it("is in doubt about what was sent, whatever waits to be sent", function()
    local conn, server = simulated.open()
    for _ = 1, 3 do assert(conn:execute(WRITE, 1)) end
    local n = 0
    server:on(WRITE, function()
      n = n + 1
      if n == 256 then server.refuse_send = "closed" end
    end)
    local results, failed = assert(conn:pipeline(entries(257))), 0
    for i = 1, 256 do
      local err = results[i].error
      if err then
        failed = failed + 1
        assert.same({ false, true }, { err.retryable, err.ambiguous }, i)
      end
    end
    assert.is_true(failed > 0)
  end)

  it("has the time of one call for all of it", function()
    local conn, server = simulated.open()
    server.delay = 0.01
    local started = server.time
    local results = assert(conn:pipeline(entries(2000), { timeout = 2 }))
    local first = 1
    while not results[first].error do first = first + 1 end
    assert.same({ "timeout", true }, { results[first].error.kind, results[first].error.ambiguous })
    local last = results[2000].error
    assert.same({ true, true, false }, { last.fatal, last.retryable, last.ambiguous })
    assert.is_true(server.time - started < 2.1)
  end)
end)
