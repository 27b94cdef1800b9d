local session = require "dqlite.session"
local scripted = require "spec.support.scripted"

local function open(answers)
  local server = scripted.server(answers)
  return assert(session.connect(server.address, { loop = server.loop })), server
end

describe("a raw session", function()
  it("sends the version and one request, and gives the reply", function()
    local raw, server = open()
    local reply = assert(raw:request("LEADER"))
    assert.equal("SERVER", reply.name)
    assert.equal("127.0.0.1:9001", reply.address)
    assert.equal("HANDSHAKE", server.sent[1].name)
    assert.equal(1, #server.writes)
    assert.equal(24, #server.writes[1])
  end)

  it("has several requests on their way, answered in order", function()
    local raw, server = open { QUERY_SQL = { scripted.failure(1, "no such table") } }
    assert(raw:send("LEADER"))
    assert(raw:send("QUERY_SQL", { sql = "SELECT 1" }))
    assert(raw:send("CLIENT", { id = 7 }))
    assert.equal(0, #server.writes)
    assert.equal("SERVER", raw:receive().name)
    assert.equal("no such table", raw:receive().message)
    assert.equal("WELCOME", raw:receive().name)
    assert.equal(1, #server.writes)
  end)

  it("knows from its request whether servers have roles", function()
    local raw = open { CLUSTER = function(request)
      local servers = { { id = "1", address = "a:1", role = request.format == 1 and 0 or nil } }
      return { scripted.frame("SERVERS", { servers = servers }) }
    end }
    assert.same({ { id = "1", address = "a:1" } }, raw:request("CLUSTER").servers)
    assert.same({ { id = "1", address = "a:1", role = 0 } },
      raw:request("CLUSTER", { format = 1 }).servers)
  end)

  it("gives a result of several frames as one", function()
    local raw = open { QUERY_SQL = {
      scripted.rows { columns = { "a" }, { 1 }, more = true },
      scripted.rows { columns = { "a" }, { 2 }, { 3 } },
    } }
    local rows = raw:request("QUERY_SQL", { sql = "SELECT a" }).rows
    assert.same({ 3, false }, { rows.n, rows.more })
    assert.equal(3, rows[3][1])
    assert(raw:send("QUERY_SQL", { sql = "SELECT a" }))
    assert.is_false(raw:receive().last)
    assert.is_true(raw:receive().last)
  end)

  it("turns a failure into an error, which a fatal one survives not", function()
    local raw, server = open { EXEC_SQL = { scripted.failure(5, "database is locked") } }
    local reply, err = raw:request("EXEC_SQL", { sql = "BEGIN" })
    assert.is_nil(reply)
    assert.equal("busy", err.kind)
    assert.equal("SERVER", raw:request("LEADER").name)
    server.answers.EXEC_SQL = { scripted.failure(10250, "not leader") }
    assert.equal("not_leader", select(2, raw:request("EXEC_SQL", { sql = "BEGIN" })).kind)
    assert.equal("closed", select(2, raw:request("LEADER")).kind)
    assert.equal(1, server.closed)
  end)

  it("refuses what takes a server down, without a byte", function()
    local raw, server = open()
    -- hazards.md, Requests that kill: DESCRIBE, ADD, ASSIGN, HEARTBEAT, CONNECT, OPEN
    for _, case in ipairs {
      { "HEARTBEAT" }, { "CONNECT", { id = 1, address = "a:1" } },
      { "DESCRIBE", { format = 1 } }, { "ADD", { id = 0, address = "a:1" } },
      { "ASSIGN", { id = 1, role = 3 } }, { "OPEN", { database = "" } },
      { "OPEN", { database = ":memory:" } }, { "SERVER", { id = 1 } },
    } do
      local sent, err = raw:send(case[1], case[2])
      assert.is_nil(sent)
      assert.equal("value", err.kind)
    end
    assert(raw:request("LEADER"))
    assert.equal(24, scripted.bytes_sent(server))
  end)

  it("raises misuse at the caller's line", function()
    local raw = open()
    local function raises(pattern, fn)
      local ok, message = pcall(fn)
      assert.is_false(ok)
      assert.matches("session_spec.lua:%d+: .*" .. pattern, message)
    end
    raises("no message 'NOTHING'", function() raw:send("NOTHING") end)
    raises("unknown field 'x'", function() raw:send("LEADER", { x = 1 }) end)
    raises("no request is on its way", function() raw:receive() end)
    raises("'timeout' must be", function() raw:request("LEADER", {}, "soon") end)
    raw:send("LEADER")
    raises("other requests", function() raw:request("LEADER") end)
    raw:close()
    raises("session is closed", function() raw:request("LEADER") end)
    raises("session is closed", function() raw:receive() end)
  end)

  it("has a deadline for each call", function()
    local raw, server = open { LEADER = {} }
    local started = server.time
    local reply, err = raw:request("LEADER", {}, 0.5)
    assert.is_nil(reply)
    assert.equal("timeout", err.kind)
    assert.equal(started + 0.5, server.time)
    assert.equal(1, server.closed)
  end)

  it("is closed once", function()
    local raw, server = open()
    assert.is_true(raw:close())
    assert.is_true(raw:close())
    assert.equal(1, server.closed)
  end)
end)
