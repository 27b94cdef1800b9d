-- Creates a table, inserts a row, fetches it back. Talks to the node at
-- DQLITE_ADDRESS, or starts one of its own in a temporary directory.
local dqlite = require "dqlite"

local address, node, dir = os.getenv "DQLITE_ADDRESS", nil, nil
if not address then
  dir = os.tmpname()
  os.remove(dir) -- a file; the node makes a directory of that name
  node = assert(require "dqlite.node".new { dir = dir, address = "127.0.0.1:0" })
  assert(node:start())
  address = node.address
end

local conn = assert(dqlite.connect(address, { database = "quickstart" }))
assert(conn:execute "CREATE TABLE IF NOT EXISTS greetings (id INTEGER PRIMARY KEY, text TEXT)")
assert(conn:execute("INSERT INTO greetings (text) VALUES (?)", "hello"))

for _, row in ipairs(assert(conn:fetch "SELECT id, text FROM greetings")) do
  print(row.id, row.text)
end

conn:close()
if node then
  node:stop()
  os.execute("rm -r '" .. dir .. "'")
end
