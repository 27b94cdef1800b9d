-- Programs that end and leave something of a pool behind: they end well.
local live = require "spec.support.live"
local nodes = require "spec.support.nodes"

local PROGRAM = [[
  local address, database, close, give = arg[1], arg[2], arg[3], arg[4]
  local dqlite = require "dqlite"
  local kept -- until the end of the program
  require "spec.support.in_loop".run(function()
    local pool = assert(dqlite.create_pool(address, { database = database, max_size = 2 }))
    kept = { pool, assert(pool:acquire()), assert(pool:acquire()) }
    assert(kept[2]:ping())
    if give == "give" then kept[3]:release() end
    if close == "close" then pool:close(0) end
  end)
  io.write "the end\n"]]

live.each("a program that ends", function(server)
  setup(nodes.open)
  teardown(nodes.close)

  for _, close in ipairs { "close", "leave" } do
    for _, give in ipairs { "give", "keep" } do
      it(("ends well: %s the pool, %s the connections"):format(close, give), function()
        local text = nodes.run_lua(PROGRAM, server.address, server.database, close, give)
        assert.matches("the end\n", text, 1, true)
        assert.matches("\n0\n$", text)
      end)
    end
  end
end)
