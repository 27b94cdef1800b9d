--- Reading a store inside of a search: a store of the user's may wait, and must not
-- hold the search up for long.
-- @module dqlite.store_reading

local errors = require "dqlite.error"
local loops = require "dqlite.loops"
local stores = require "dqlite.store"

--- Reads a store.
-- @tparam table store
-- @tparam table loop
-- @tparam number seconds that it may take, where the loop can tell
-- @treturn table|nil list of nodes
-- @treturn table|nil the error; "timeout" when it was not read in time
return function(store, loop, seconds)
  if store.quick or not loops.runs_any(loop) then return stores.read(store) end
  local ended, is_over, list, err = loops.cond(loop), false, nil, nil
  loop.start(function()
    list, err = stores.read(store)
    is_over = true
    ended:signal()
  end)
  ended:wait(loop.now() + seconds)
  if is_over then return list, err end
  return nil, errors.new {
    kind = "timeout",
    message = ("the store did not answer within %g s"):format(seconds),
  }
end
