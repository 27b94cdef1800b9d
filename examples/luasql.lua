-- A program as those for LuaSQL are: a table is created and filled, a cursor goes through it,
-- and a transfer happens as a whole or not at all. Of one that was written for SQLite a line
-- has changed, which was
--    local env = require "luasql.sqlite3".sqlite3()
-- Talks to the node at DQLITE_ADDRESS ("10.0.0.1:9001,10.0.0.2:9001" for several), or starts
-- one of its own in a temporary directory.
local address, node, dir = os.getenv "DQLITE_ADDRESS", nil, nil
if not address then
  dir = os.tmpname()
  os.remove(dir) -- a file; the node makes a directory of that name
  node = assert(require "dqlite.node".new { dir = dir, address = "127.0.0.1:0" })
  assert(node:start())
  address = node.address
end

-- The line. What follows knows of dqlite no more than of SQLite.
local env = require "dqlite.luasql".dqlite(address)

local conn = assert(env:connect "people.db")

assert(conn:execute "DROP TABLE IF EXISTS people")
assert(conn:execute [[
  CREATE TABLE people (
    name VARCHAR(50) PRIMARY KEY,
    town VARCHAR(50),
    points INTEGER
  )]])

for _, person in ipairs {
  { "Aoife O'Brien", "Galway", 30 },
  { "Jorge Lima", "Recife", 20 },
  { "Mei Tanaka", nil, 10 },
} do
  local name, town, points = person[1], person[2], person[3]
  assert(conn:execute(("INSERT INTO people VALUES ('%s', %s, %d)"):format(conn:escape(name),
    town and "'" .. conn:escape(town) .. "'" or "NULL", points)))
end

local function show()
  local cur = assert(conn:execute "SELECT name, town, points FROM people ORDER BY name")
  local row = cur:fetch({}, "a")
  while row do
    print(("%-14s %-8s %d"):format(row.name, row.town or "-", row.points))
    row = cur:fetch(row, "a") -- the same table for each row
  end -- the end has closed the cursor
end

show()

local function transfer(points, from, to)
  local taken = assert(conn:execute(("UPDATE people SET points = points - %d WHERE name = '%s'")
    :format(points, conn:escape(from))))
  local given = assert(conn:execute(("UPDATE people SET points = points + %d WHERE name = '%s'")
    :format(points, conn:escape(to))))
  if taken == 1 and given == 1 then return conn:commit() end
  assert(conn:rollback())
  return nil, "no such person"
end

conn:setautocommit(false)
print("transfer", transfer(5, "Aoife O'Brien", "Mei Tanaka"))
print("transfer", transfer(5, "Jorge Lima", "Nobody"))
conn:setautocommit(true)

show()
local _, err = conn:execute "SELECT name FROM nobody"
print(err)

conn:close()
env:close()
if node then
  node:stop()
  os.execute("rm -r '" .. dir .. "'")
end
