-- lua selects.lua ADDRESS DATABASE N: that many SELECTs, one after the
-- other, in a process whose system calls are counted.
local dqlite = require "dqlite"
local in_loop = require "spec.support.in_loop" -- which DQLITE_LOOP is for

local address, database, n = arg[1], arg[2], tonumber(arg[3])

local function select_all()
  local conn = assert(dqlite.connect(address, { database = database }))
  for i = 1, n do assert(conn:fetchval("SELECT ?", i) == i) end
  conn:close()
end

in_loop.run(select_all)
