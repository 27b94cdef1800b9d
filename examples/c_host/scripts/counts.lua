-- Says what is there after all the others.
local address = ...
local dqlite = require "dqlite"

local conn = assert(dqlite.connect(address))
for _, row in ipairs(assert(conn:fetch "SELECT item, pieces FROM stock ORDER BY item")) do
  print(("%d of %s"):format(row.pieces, row.item))
end
conn:close()
