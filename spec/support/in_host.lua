-- Where specs run with DQLITE_LOOP=host: one loop of dqlite.host for all of them.
local driver = require "spec.support.host_driver"

local host = driver.new()

local in_host = { name = "host", is_concurrent = true, option = host }

function in_host.module() return host end

--- Runs a function in a coroutine of the loop.
-- @return what it returns; raises what it raises
function in_host.run(fn, ...)
  return driver.run(host, fn, ...)
end

--- Goes on until nothing is left to do, or patience is over.
-- @tparam number patience seconds
function in_host.run_out(patience)
  driver.drive(host, function() return false end, patience)
end

--- What is left to do.
-- @treturn table a list
function in_host.left()
  return host:is_idle() and {} or { "something to wait for" }
end

return in_host
