--- Forked children of the specs' own process, which waits for them.
local fork = require "spec.support.fork" -- in C; `make specs` builds it

local child = {}

-- In the child: what it answers, for its parent.
local function write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  os.remove(path)
  return text
end

local function end_as_child(path, fn)
  local ok, result = pcall(fn)
  pcall(write, path, tostring(result))
  fork.exit(ok and 0 or 1)
end

--- Runs a function in a child, which ends at once behind it: nothing is collected,
-- nothing flushed.
-- @treturn string what it returns; raises what it raises, as text
function child.run(fn)
  local path = os.tmpname()
  local pid = fork.fork()
  if pid == 0 then end_as_child(path, fn) end
  local status, text = fork.wait(pid), read(path)
  if status ~= 0 then error(("in the child, status %d: %s"):format(status, text), 0) end
  return text
end

return child
