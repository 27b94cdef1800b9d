-- Under Copas, by the adapter in examples/adapters: coroutines that copas.addthread begins
-- share the connections of a pool, beside a server of Copas and a client of it.
-- Runs in LuaJIT, from the root of the tree. Talks to the node at DQLITE_ADDRESS, or starts
-- one of its own in a temporary directory.
local adapter = require "examples.adapters.copas"
local copas = require "copas"
local dqlite = require "dqlite"
local socket = require "socket"

local TASKS, CONNECTIONS, QUERIES = 20, 4, 10

local address, node, dir = os.getenv "DQLITE_ADDRESS", nil, nil
if not address then
  dir = os.tmpname()
  os.remove(dir) -- a file; the node makes a directory of that name
  node = assert(require "dqlite.node".new { dir = dir, address = "127.0.0.1:0" })
  assert(node:start())
  address = node.address
end

-- Answers each line with its square, which the database works out.
local function serve_squares(pool)
  local listener = assert(socket.bind("127.0.0.1", 0))
  copas.addserver(listener, function(client)
    local number = copas.receive(client)
    local square = assert(pool:fetchval("SELECT ? * ?", tonumber(number), tonumber(number)))
    copas.send(client, square .. "\n")
    client:close()
  end)
  return select(2, listener:getsockname())
end

local function ask_for_square(port, number)
  local client = socket.tcp()
  assert(copas.connect(client, "127.0.0.1", port))
  copas.send(client, number .. "\n")
  local answer = assert(copas.receive(client))
  client:close()
  return answer
end

local busy, most = 0, 0 -- coroutines that are at work now, and at most

local function multiply(pool, i)
  busy = busy + 1
  most = math.max(most, busy)
  local sum = 0
  for k = 1, QUERIES do
    local product = assert(pool:fetchval("SELECT ? * ?", i, k))
    sum = sum + product
  end
  busy = busy - 1
  return sum
end

adapter.run(function()
  local pool = assert(dqlite.create_pool(address, {
    loop = adapter,
    database = "copas",
    max_size = CONNECTIONS,
  }))
  local port = serve_squares(pool)
  local sum, done, all_done = 0, 0, adapter.cond()
  for i = 1, TASKS do
    copas.addthread(function()
      local part = multiply(pool, i)
      sum, done = sum + part, done + 1
      if done == TASKS then all_done:signal() end
    end)
  end
  print("the square of 12 is " .. ask_for_square(port, 12))
  all_done:wait()
  print(("%d queries by %d coroutines, %d of them at work at once"):format(
    TASKS * QUERIES, TASKS, most))
  print("the sum is " .. sum)
  pool:close()
end)

if node then
  node:stop()
  os.execute("rm -r '" .. dir .. "'")
end
