-- An answer that had come in time was thrown away, and the connection with it, when
-- the program kept luv's loop busy past the call's deadline.
local core = require "dqlite.core"
local dqlite = require "dqlite"
local handles = require "spec.support.handles"
local luv_server = require "spec.support.luv_server"
local scripted = require "spec.support.scripted"
local simulated = require "spec.support.simulated"

local ALL = "SELECT a FROM t"
local SHORT = 0.05

describe("a program that computes past a call's deadline", function()
  it("gets the answer that has come meanwhile", function()
    local source, answered = simulated.server(), false
    local server = luv_server.start(source)
    source:on(ALL, function()
      answered = true
      return { scripted.rows { columns = { "a" }, { 7 } } }
    end)
    dqlite.run(function()
      local conn = assert(dqlite.connect(server.address))
      local task = dqlite.spawn(function()
        return conn:fetchval(ALL, {}, { timeout = SHORT })
      end)
      repeat dqlite.sleep(0) until answered
      local start = core.now()
      repeat until core.now() > start + SHORT
      local value, err = task:wait()
      assert.is_nil(err)
      assert.equal(7, value)
      assert.is_true(conn:is_open())
      conn:close()
    end)
    handles.settle()
    server:stop()
    simulated.verify()
  end)
end)
