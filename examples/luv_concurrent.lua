-- A hundred coroutines share the eight connections of a pool: each multiplies ten pairs of
-- numbers on the server, and while one waits for its answer the others go on.
-- Talks to the node at DQLITE_ADDRESS, or starts one of its own in a temporary
-- directory.
local dqlite = require "dqlite"

local TASKS, CONNECTIONS, QUERIES = 100, 8, 10

local address, node, dir = os.getenv "DQLITE_ADDRESS", nil, nil
if not address then
  dir = os.tmpname()
  os.remove(dir) -- a file; the node makes a directory of that name
  node = assert(require "dqlite.node".new { dir = dir, address = "127.0.0.1:0" })
  assert(node:start())
  address = node.address
end

local busy, most = 0, 0 -- coroutines that are at work now, and at most

-- Answers the sum of what the server said and whether all of it was right.
local function multiply(conn, i)
  busy = busy + 1
  most = math.max(most, busy)
  local sum, right = 0, true
  for k = 1, QUERIES do
    local product = assert(conn:fetchval("SELECT ? * ?", i, k))
    sum, right = sum + product, right and product == i * k
  end
  busy = busy - 1
  return sum, right
end

local sum, right = dqlite.run(function()
  local pool = assert(dqlite.create_pool(address, {
    database = "luv_concurrent",
    max_size = CONNECTIONS,
  }))
  local tasks = {}
  for i = 1, TASKS do
    tasks[i] = dqlite.spawn(function()
      return pool:with(function(conn) return multiply(conn, i) end)
    end)
  end
  local total, all_right = 0, true
  for i = 1, TASKS do
    local part, good = tasks[i]:wait()
    total, all_right = total + part, all_right and good
  end
  pool:close()
  return total, all_right
end)

print(("%d queries by %d coroutines, %d of them at work at once"):format(
  TASKS * QUERIES, TASKS, most))
print(("the sum is %d, all right: %s"):format(sum, tostring(right)))

if node then
  node:stop()
  os.execute("rm -r '" .. dir .. "'")
end
