-- A program with a loop of its own, without luv: it works on something in small pieces,
-- and lets dqlite go on in between, where three coroutines write at the same time.
-- Talks to the node at DQLITE_ADDRESS, or starts one of its own in a temporary
-- directory.
local dqlite = require "dqlite"

local address, node, dir = os.getenv "DQLITE_ADDRESS", nil, nil
if not address then
  dir = os.tmpname()
  os.remove(dir) -- a file; the node makes a directory of that name
  node = assert(require "dqlite.node".new { dir = dir, address = "127.0.0.1:0" })
  assert(node:start())
  address = node.address
end

local host = dqlite.host.new()

local function count(pool, name)
  for n = 1, 10 do
    assert(pool:execute("INSERT INTO counts VALUES (?, ?)", name, n))
  end
end

host:spawn(function()
  local pool = assert(dqlite.create_pool(address, { database = "own_loop", max_size = 3 }))
  assert(pool:script [[DROP TABLE IF EXISTS counts; CREATE TABLE counts (name TEXT, n INTEGER)]])
  local tasks = {}
  for i, name in ipairs { "one", "two", "three" } do tasks[i] = host:spawn(count, pool, name) end
  for _, task in ipairs(tasks) do task:wait() end
  local rows = assert(pool:fetch "SELECT name, count(*) AS n FROM counts GROUP BY 1 ORDER BY 1")
  for _, row in ipairs(rows) do print(row.name, row.n) end
  pool:close()
end)

-- The program's own work: the primes below a thousand, one after the other.
local primes, candidate = {}, 2

local function work()
  for _, prime in ipairs(primes) do
    if candidate % prime == 0 then
      candidate = candidate + 1
      return
    end
  end
  primes[#primes + 1], candidate = candidate, candidate + 1
end

-- With work to do nobody waits; without, until something is ready or due. A program that
-- has descriptors of its own polls those of host:descriptors() among them.
local more = true
while more or candidate < 1000 do
  if candidate < 1000 then
    work()
    more = host:step()
  else
    more = host:step(host:wait())
  end
end
print(#primes .. " primes")

if node then
  node:stop()
  os.execute("rm -r '" .. dir .. "'")
end
