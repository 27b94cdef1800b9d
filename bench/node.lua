-- A node of the bench's own: a process on tmpfs, on the processors that it is
-- given. Its life hangs on its standard input, so it ends with the bench.
local machine = require "bench.machine"

local node = {}

local Node = {}
Node.__index = Node

local PATIENCE = 30 -- seconds until it serves

local function read_file(path)
  local file = io.open(path)
  if not file then return "" end
  local text = file:read "*a"
  file:close()
  return text
end

-- The line that it prints, or the error that it ends with.
local function wait_ready(self)
  for _ = 1, PATIENCE * 100 do
    local address = read_file(self.dir .. ".out"):match "ready (%S+)\n"
    if address then return address end
    local failure = read_file(self.dir .. ".err")
    if failure ~= "" then error("the node did not start: " .. failure, 0) end
    os.execute "sleep 0.01"
  end
  error("the node did not start", 0)
end

--- Starts a node.
-- @tparam string dir that does not exist yet; files beside it are its output
-- @tparam string prefix of the command, such as "taskset -c 1"
-- @treturn table `address`, `stop`
function node.start(dir, prefix)
  local self = setmetatable({ dir = dir, control = nil, address = nil }, Node)
  self.control = assert(io.popen((machine.MANY_FILES .. "exec %s lua5.4"
    .. " spec/support/node_process.lua %s 127.0.0.1:0 >%s.out 2>%s.err"):format(prefix, dir, dir,
    dir), "w"))
  self.address = wait_ready(self)
  return self
end

--- Stops it; waits for its end.
function Node:stop()
  self.control:close()
end

return node
