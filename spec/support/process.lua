--- What this process holds: memory, descriptors, luv's handles.
local uv = require "luv"

local process = {}

local PAGE = 4096 / 1024 / 1024 -- in MiB

--- Memory in MiB, garbage collected: resident, and what Lua has of it.
function process.memory()
  collectgarbage()
  collectgarbage()
  local file = assert(io.open "/proc/self/statm")
  local _, resident = file:read("*n", "*n")
  file:close()
  return resident * PAGE, collectgarbage "count" / 1024
end

--- How many descriptors are open.
function process.descriptors()
  local count = 0
  local listing = assert(uv.fs_scandir "/proc/self/fd")
  while uv.fs_scandir_next(listing) do count = count + 1 end
  return count
end

--- The handles of luv's loop that nobody has closed, as a list of words. To be
-- asked outside of the loop.
function process.handles()
  local list = {}
  uv.run "nowait" -- what is being closed
  uv.walk(function(handle)
    if not handle:is_closing() then list[#list + 1] = tostring(handle) end
  end)
  return list
end

return process
