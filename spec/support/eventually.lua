--- Waits until something is so, on either loop.
local core = require "dqlite.core"
local dqlite = require "dqlite"

local PATIENCE = 15 -- seconds; an election may take ten

--- Calls until the answer is true.
-- @tparam string what it is that should come true
-- @tparam function fn
-- @tparam[opt] number seconds of patience
-- @return the answer
return function(what, fn, seconds)
  local deadline = core.now() + (seconds or PATIENCE)
  repeat
    local answer = fn()
    if answer then return answer end
    dqlite.sleep(0.002)
  until core.now() > deadline
  error("it never came true: " .. what, 2)
end
