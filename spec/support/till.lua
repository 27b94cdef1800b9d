--- Waits in a coroutine, up to a second, until something is so: a machine may be
-- slow.
local dqlite = require "dqlite"

return function(is_so)
  for _ = 1, 1000 do
    if is_so() then return end
    dqlite.sleep(0.001)
  end
  error("it does not come about", 2)
end
