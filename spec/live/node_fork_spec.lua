-- A forked child shares the lock's open file description: collecting the node
-- there gave the parent's lock away.
local child = require "spec.support.child"
local live = require "spec.support.live"
local luas = require "spec.support.luas"
local nodes = require "spec.support.nodes"

local function verify_kept(started)
  local ok, err = nodes.make({ dir = started.dir }):start()
  assert.is_nil(ok)
  assert.equal("busy", err.kind)
  assert.equal(42, nodes.answer(started.address))
end

describe("behaviour 40: after a fork, a node", function()
  setup(nodes.open)
  teardown(nodes.close)
  after_each(nodes.stop_all)

  it("stays locked when the child stops and collects it", function()
    local started = nodes.start {}
    child.run(function()
      for _ = 1, 2 do assert.is_true(started:stop()) end
      started = nil
      nodes.forget()
      for _ = 1, 2 do collectgarbage() end
    end)
    verify_kept(started)
  end)

  it("cannot be started in the child", function()
    local started, stopped = nodes.start {}, nodes.make {}
    child.run(function()
      for _, each in ipairs { started, stopped, started } do
        local message = live.raises(function() each:start() end)
        assert.truthy(message:find("the node belongs to the process that has forked", 1, true))
      end
      started:stop()
      live.raises(function() started:start() end)
    end)
    verify_kept(started)
    assert(stopped:start())
  end)
end)

-- The state of Lua is closed in the child, as at the end of every program: luv then
-- closes all handles of its loop.
local PROGRAM = [[
local dqlite = require "dqlite"
local fork = require "spec.support.fork"
local address, loop, ending = ...

local function go(fn)
  if loop == "luv" then return dqlite.run(fn) end
  return fn()
end

local ENDINGS = {
  ["closes its state"] = function() os.exit(3, true) end,
  ["collects, and closes its state"] = function(things)
    for name in pairs(things) do things[name] = nil end
    for _ = 1, 2 do collectgarbage() end
    os.exit(3, true)
  end,
}

local things = go(function()
  local conn = assert(dqlite.connect(address))
  assert(conn:fetchval "SELECT 1" == 1)
  return { conn = conn, raw = assert(dqlite.session.connect(address)) }
end)
for _ = 1, 2 do
  local pid = fork.fork()
  if pid == 0 then ENDINGS[ending](things) end
  local status = fork.wait(pid)
  if status ~= 3 then error("the child ended with status " .. status) end
  go(function()
    for n = 1, 3 do assert(things.conn:fetchval("SELECT ?", n) == n) end
    assert(things.raw:request("LEADER", {}))
  end)
end
go(function()
  things.conn:close()
  things.raw:close()
end)
print "unharmed"
]]

for _, loop in ipairs(luas.waits and { "blocking", "luv" } or { "blocking" }) do
  for _, ending in ipairs { "closes its state", "collects, and closes its state" } do
    describe("behaviour 40: a child that " .. ending, function()
      setup(nodes.open)
      teardown(nodes.close)
      after_each(nodes.stop_all)

      it("leaves its parent's connections alone, on the loop " .. loop, function()
        local address = nodes.start({}).address
        assert.equal("unharmed\n0\n", nodes.run_lua(PROGRAM, address, loop, ending))
      end)
    end)
  end
end
