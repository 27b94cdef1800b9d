-- lua selects.lua ADDRESS DATABASE LOOP N: that many SELECTs, one after the
-- other, in a process whose system calls are counted.
local dqlite = require "dqlite"

local address, database, loop, n = arg[1], arg[2], arg[3], tonumber(arg[4])

local function select_all()
  local conn = assert(dqlite.connect(address, { database = database, loop = loop }))
  for i = 1, n do assert(conn:fetchval("SELECT ?", i) == i) end
  conn:close()
end

if loop == "luv" then
  require "luv"
  dqlite.run(select_all)
elseif loop == "host" then
  loop = dqlite.host.new()
  require "spec.support.host_driver".run(loop, select_all)
else
  select_all()
end
