-- Never ends, in a coroutine under the loop, with a transaction open.
local address = ...
local dqlite = require "dqlite"

dqlite.run(function()
  local task = dqlite.spawn(function()
    local conn = assert(dqlite.connect(address))
    return assert(conn:transaction(function()
      assert(conn:execute "DELETE FROM stock")
      local pieces = 0
      while true do pieces = pieces + 1 end
    end))
  end)
  task:wait()
end)
