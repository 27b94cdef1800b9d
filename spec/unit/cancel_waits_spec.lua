-- Every wait of every public call ends badly once: the deadline passes in it, or
-- the server goes away. Over a simulated server, which knows what was applied.
local calls = require "spec.support.calls"
local cut_loop = require "spec.support.cut_loop"
local dqlite = require "dqlite"
local scripted = require "spec.support.scripted"
local session = require "dqlite.session"
local simulated = require "spec.support.simulated"

local MOST = 80 -- waits of one call; more is a loop without end

-- What may become of a call beside what was done to it: a later step of it finds
-- the connection lost.
local KINDS = {
  timeout = { timeout = true, closed = true },
  closed = { closed = true },
}

local function open(version)
  local server = simulated.server(version)
  calls.prepare(server)
  local loop, cut = cut_loop(server)
  local conn = assert(dqlite.connect(server.address, { loop = loop }))
  return conn, server, cut
end

-- Runs a call whose n-th wait ends so. Answers how many waits there were.
local function disturb(call, n, how)
  local conn, server, cut = open(call.version)
  local state = call.before and call.before(conn, server)
  local about = { from = #server.applied, kinds = KINDS[how] }
  local sent = scripted.bytes_sent(server)
  cut.count, cut.at, cut.how = 0, n, how
  local answer, err = calls.run(call, conn, state)
  local count, where = cut.count, ("%s, wait %d: "):format(call.name, n)
  cut.at = nil
  about.sent = scripted.bytes_sent(server) > sent
  local wrong = calls.wrong(call, server, about, answer, err)
  assert(not wrong, where .. (wrong or ""))
  if err and err.fatal then assert(not conn:is_open(), where .. "still open") end
  if not conn:is_open() and not call.closes then
    sent = scripted.bytes_sent(server)
    local result, closed = conn:fetch "SELECT 1"
    assert(result == nil and closed.kind == "closed" and closed.retryable, where .. "what is next")
    assert(sent == scripted.bytes_sent(server), where .. "a byte behind the end")
  elseif not call.closes then
    assert(conn:fetchval "SELECT 1" == 1, where .. "what is next")
  end
  conn:close()
  assert(server.closed == server.connects, where .. "a stream is left")
  return count
end

local function undisturbed(call)
  local conn, server, cut = open(call.version)
  local state = call.before and call.before(conn, server)
  local about = { from = #server.applied, kinds = {} }
  cut.count = 0
  local answer, err = calls.run(call, conn, state)
  local count = cut.count
  local wrong = calls.wrong(call, server, about, answer, err)
  assert(not wrong, wrong)
  conn:close()
  return count
end

for _, how in ipairs { "timeout", "closed" } do
  describe(how .. " in every wait of", function()
    after_each(simulated.verify)

    for _, call in ipairs(calls.list) do
      it(call.name, function()
        local count = undisturbed(call)
        assert.is_true(count >= 1, "no wait")
        local n = 0
        repeat
          n = n + 1
          local reached = disturb(call, n, how)
          assert.is_true(n < MOST)
        until reached < n
        assert.is_true(n >= count, n .. " of " .. count)
      end)
    end
  end)
end

describe("every wait of connect", function()
  for _, how in ipairs { "timeout", "closed" } do
    it("ends in an error, and leaves nothing: " .. how, function()
      local n = 0
      repeat
        n = n + 1
        local server = simulated.server()
        local loop, cut = cut_loop(server)
        cut.at, cut.how = n, how
        local conn, err = dqlite.connect(server.address, { loop = loop })
        local reached = cut.count
        if reached >= n then
          assert.is_nil(conn)
          assert.equal(how == "closed" and n == 1 and "connect" or how, err.kind)
          assert.is_true(err.retryable and err.fatal and not err.ambiguous)
          assert.equal(server.connects, server.closed)
        else
          assert.is_true(conn:close())
        end
      until reached < n
      assert.is_true(n > 3)
    end)
  end

  it("of an election ends in time", function()
    for n = 1, 20 do
      local server = simulated.server()
      server.answers.LEADER = { scripted.frame("SERVER", { id = "0", address = "" }) }
      local loop, cut = cut_loop(server)
      cut.at, cut.how = n, "timeout"
      local conn, err = dqlite.connect(server.address, { loop = loop, timeout = 3 })
      assert.is_nil(conn)
      assert.is_true(err.kind == "no_leader" or err.kind == "timeout", err.kind)
      assert.is_true(err.retryable)
      assert.equal(server.connects, server.closed)
    end
  end)
end)

describe("every wait of a raw session", function()
  local USES = {
    request = function(raw) return raw:request("EXEC_SQL", { sql = "DELETE FROM t" }) end,
    ["send and receive"] = function(raw)
      assert(raw:send("EXEC_SQL", { sql = "DELETE FROM t" }))
      assert(raw:send("QUERY_SQL", { sql = "SELECT a FROM t" }))
      local first, err = raw:receive()
      if not first then return nil, err end
      repeat
        local message
        message, err = raw:receive()
        if not message then return nil, err end
      until message.last
      return first
    end,
  }
  for name, use in pairs(USES) do
    for _, how in ipairs { "timeout", "closed" } do
      it(("ends in an error, and leaves nothing: %s, %s"):format(name, how), function()
        local n = 0
        repeat
          n = n + 1
          local server = simulated.server()
          calls.prepare(server)
          local loop, cut = cut_loop(server)
          local raw = assert(session.connect(server.address, { loop = loop }))
          cut.count, cut.at, cut.how = 0, n, how
          local answer, err = use(raw)
          local reached = cut.count
          if reached >= n then
            assert.is_nil(answer)
            assert.equal(how, err.kind)
            assert.is_true(err.fatal)
            assert.is_true(err.ambiguous ~= err.retryable)
            if #server.applied > 0 then assert.is_true(err.ambiguous or n > 2) end
          else
            assert.equal("RESULT", answer.name)
          end
          raw:close()
          assert.equal(server.connects, server.closed)
        until reached < n
        assert.is_true(n >= 3)
      end)
    end
  end
end)

describe("a pause", function()
  it("that sleeps past the deadline is the end of the call, BUSY as it was", function()
    local conn, server, cut = open()
    server:on("DELETE FROM t", { scripted.failure(5, "database is locked") })
    cut.count, cut.at, cut.how = 0, 3, "timeout"
    local result, err = conn:execute "DELETE FROM t"
    assert.is_nil(result)
    assert.is_true(err.kind == "busy" or err.kind == "timeout", err.kind)
    assert.is_false(err.ambiguous)
  end)
end)
