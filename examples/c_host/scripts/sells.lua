-- Stocks a shop, and sells from it in several coroutines at once.
local address = ...
local dqlite = require "dqlite"

local function sell(pool, item)
  return assert(pool:transaction(function(conn)
    local left = assert(conn:fetchval("SELECT pieces FROM stock WHERE item = ?", item))
    assert(conn:execute("UPDATE stock SET pieces = ? WHERE item = ?", left - 1, item))
    return left - 1
  end))
end

dqlite.run(function()
  local pool = assert(dqlite.create_pool(address, { max_size = 2 }))
  assert(pool:execute "CREATE TABLE stock (item TEXT PRIMARY KEY, pieces INTEGER NOT NULL)")
  assert(pool:execute("INSERT INTO stock VALUES (?, ?), (?, ?)", "lamp", 10, "chair", 20))
  local tasks = {}
  for i = 1, 6 do
    tasks[i] = dqlite.spawn(sell, pool, i % 3 == 0 and "chair" or "lamp")
  end
  for _, task in ipairs(tasks) do task:wait() end
  pool:close()
end)
