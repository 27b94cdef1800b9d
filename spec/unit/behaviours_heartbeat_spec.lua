-- A server names a heartbeat in its WELCOME; nothing follows from it: behaviour 14.
local dqlite = require "dqlite"
local scripted = require "spec.support.scripted"

-- Milliseconds: none, hasty, the usual, five minutes, a year, all that fits.
local HEARTBEATS = { "0", "1", "15000", "300000", "31536000000", "9223372036854775807",
  "18446744073709551615" }

local EPSILON = 1e-6

local function server_of(heartbeat, answers)
  answers.CLIENT = { scripted.frame("WELCOME", { heartbeat = heartbeat }) }
  return scripted.server(answers)
end

-- Seconds on the server's clock that a call takes which ends by its deadline.
local function times_out(server, seconds, call)
  local began = server.time
  local answer, err = call()
  assert.is_nil(answer)
  assert.equal("timeout", err.kind, tostring(err))
  local took = server.time - began
  assert.is_true(math.abs(took - seconds) < EPSILON, took)
end

for _, heartbeat in ipairs(HEARTBEATS) do
  describe("behaviour 14: a heartbeat of " .. heartbeat .. " ms", function()
    it("behaviour 14: leaves calls their deadline, with " .. heartbeat, function()
      for _, call in ipairs { "execute", "fetch", "fetchval" } do
        local server = server_of(heartbeat, { EXEC_SQL = {}, QUERY_SQL = {} })
        local conn = scripted.connect(server, { timeout = 3 })
        times_out(server, 3, function() return conn[call](conn, "SELECT a FROM t") end)
      end
    end)

    it("behaviour 14: leaves a result of many frames its deadline, with " .. heartbeat, function()
      local frame = scripted.rows { columns = { "a" }, { 1 }, more = true }
      local server = server_of(heartbeat, { QUERY_SQL = { frame, frame, frame } })
      local conn = scripted.connect(server, { timeout = 3 })
      times_out(server, 3, function() return conn:fetch "SELECT a FROM t" end)
    end)

    it("behaviour 14: leaves the rest of the opening its deadline, with " .. heartbeat, function()
      local server = server_of(heartbeat, { OPEN = {} })
      times_out(server, 4, function()
        return dqlite.connect(server.address, { loop = server.loop, timeout = 4 })
      end)
    end)

    it("behaviour 14: leaves answers that are late their time, with " .. heartbeat, function()
      local server = server_of(heartbeat, {})
      local conn = scripted.connect(server, { timeout = 3 })
      server.answers.QUERY_SQL = { scripted.rows { columns = { "a" }, { 7 } } }
      server.delay = 2.9
      assert.equal(7, conn:fetchval "SELECT a FROM t")
    end)

    it("behaviour 14: makes no call by itself, with " .. heartbeat, function()
      local conn, server = scripted.connect(server_of(heartbeat, {}), { timeout = 3 })
      local writes = #server.writes
      server.time = server.time + 1e6
      server.answers.QUERY_SQL = { scripted.rows { columns = { "a" }, { 7 } } }
      assert.equal(7, conn:fetchval "SELECT a FROM t")
      assert.equal(writes + 1, #server.writes)
    end)
  end)
end
