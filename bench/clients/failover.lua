-- Writes by way of a pool, one after the other, until it is killed. Prints "wrote LAST
-- DONE" for the first write and for each that ends long after the last one: when that
-- was done, and when this, in seconds of the clock that all processes share.
local dqlite = require "dqlite"
local now = require "dqlite.core".now

local PACE = 0.005 -- seconds between writes, so that clients leave the machine to each other
local PATIENCE = 0.001 -- until the next try
local PAUSE = 0.1 -- from where on it is printed

--- @param where the nodes
return function(where)
  local pool, last = assert(dqlite.create_pool(where, { database = "bench" })), 0
  while true do
    if pool:execute("INSERT INTO sink (n, m) VALUES (?, ?)", 1, 1) then
      local done = now()
      if done - last > PAUSE then
        print(("wrote %.6f %.6f"):format(last, done))
        io.stdout:flush()
      end
      last = done
      dqlite.sleep(PACE)
    else
      dqlite.sleep(PATIENCE)
    end
  end
end
