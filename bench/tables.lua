-- The tables that the workloads use, on a node and in a file of SQLite's.
local dqlite = require "dqlite"

local tables = {}

local POINT = { "CREATE TABLE point (id INTEGER PRIMARY KEY, name TEXT, score REAL)", [[
  WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
  INSERT INTO point SELECT i, printf('user %06d', i), i / 8.0 FROM n]] }

-- 88 bytes a row on the wire, 46 rows a frame; each eighth note is NULL.
local WIDE = { "CREATE TABLE wide (id INTEGER PRIMARY KEY, name TEXT, score REAL, size INTEGER,"
  .. " data BLOB, note TEXT)", [[
  WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
  INSERT INTO wide SELECT i, printf('row %%07d', i), i / 8.0, i * 1000, randomblob(16),
    CASE WHEN i %% 8 THEN printf('note no. %%d', i %% 10) END FROM n]] }

local SINK = { "CREATE TABLE sink (id INTEGER PRIMARY KEY, n INTEGER, m INTEGER)" }

local function statements(rows)
  return { POINT[1], POINT[2], WIDE[1], WIDE[2]:format(rows), SINK[1] }
end

--- Makes them in the database "bench" of a node.
function tables.make(address, rows)
  local conn = assert(dqlite.connect(address, { database = "bench", timeout = 60 }))
  for _, text in ipairs(statements(rows)) do assert(conn:execute(text)) end
  conn:close()
end

--- Makes them in a directory for the client that is SQLite itself.
-- @tparam string program that client
function tables.make_file(program, dir, rows)
  local pipe = assert(io.popen(("%s input %s 0 0"):format(program, dir), "w"))
  pipe:write(table.concat(statements(rows), ";\n"), ";\n")
  assert(pipe:close())
end

--- Empties what the writing workloads have filled.
function tables.empty(conn)
  assert(conn:execute "DELETE FROM sink")
end

return tables
