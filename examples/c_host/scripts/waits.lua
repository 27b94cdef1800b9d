-- Waits for what never comes, which takes no instructions.
local dqlite = require "dqlite"

dqlite.run(function() dqlite.sleep(1e6) end)
