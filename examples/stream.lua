-- Reads 100,000 rows one at a time. `rows` keeps one frame of them in memory,
-- about 4 KiB, where `fetchall` keeps all. A loop that is left early costs no
-- more than the next call's time to read what is left. Talks to the node at
-- DQLITE_ADDRESS, or starts one of its own in a temporary directory.
local dqlite = require "dqlite"

local ROWS = 100000
local SQL = [[
  WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
  SELECT n, 'row ' || n AS text FROM numbers]]

local address, node, dir = os.getenv "DQLITE_ADDRESS", nil, nil
if not address then
  dir = os.tmpname()
  os.remove(dir) -- a file; the node makes a directory of that name
  node = assert(require "dqlite.node".new { dir = dir, address = "127.0.0.1:0" })
  assert(node:start())
  address = node.address
end

local conn = assert(dqlite.connect(address, { database = "stream" }))

-- Memory of Lua in KB, garbage included; `collect` leaves that out.
local function memory(collect)
  if collect then collectgarbage() end
  return collectgarbage "count"
end

-- An iterator has no second answer for an error: it raises it, so whoever wants
-- to go on after one puts the loop into a pcall.
local before = memory(true)
local most, n, sum = before, 0, 0
-- `arrays`: rows by position; `reuse`: the same table for every row, which must
-- not be kept. Both are for speed: left out, each row is a table by name.
for row in conn:rows(SQL, { ROWS }, { arrays = true, reuse = true }) do
  n, sum = n + 1, sum + row[1]
  if n % 100 == 0 then most = math.max(most, memory()) end
end
print(("rows: %d of them, the sum is %.0f"):format(n, sum))
print(("rows: %.0f KB before, %.0f KB more at most"):format(before, most - before))
assert(most - before < 2048, "memory has grown")

local list = assert(conn:fetchall(SQL, ROWS))
print(("fetchall: %.0f KB more for %d rows"):format(memory(true) - before, #list))

for row in conn:rows(SQL, ROWS) do
  print("by name", row.n, row.text)
  if row.n == 3 then break end
end
print("after the break", assert(conn:fetchval "SELECT 'the connection goes on'"))

conn:close()
if node then
  node:stop()
  os.execute("rm -r '" .. dir .. "'")
end
