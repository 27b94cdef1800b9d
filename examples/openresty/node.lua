-- node.lua ID DIR: one node of the demo's cluster, in a process of its own, which lives
-- until its input ends. Node 1 makes the cluster, the others join it. DIR/ID.address
-- tells where the node is, once it is a member.
local dqlite = require "dqlite"

local id, dir = arg[1], arg[2]

local function address_of(member)
  local file = io.open(("%s/%s.address"):format(dir, member))
  local address = file and file:read "*l"
  if file then file:close() end
  return address
end

local known = address_of(id)
local node = assert(dqlite.node.new {
  id = id, dir = dir .. "/" .. id, address = known or "127.0.0.1:0", latency = 0.05,
})
assert(node:start())

if not known then
  if id ~= "1" then
    local cluster = assert(dqlite.cluster(address_of "1"))
    assert(cluster:add { id = id, address = node.address, role = "voter" })
  end
  local file = assert(io.open(("%s/%s.address"):format(dir, id), "w"))
  file:write(node.address, "\n")
  file:close()
end

-- Ctrl-C reaches every process of the terminal, and Lua raises then: run.sh tells when
-- to end.
pcall(function() io.read "*a" end)
node:stop()
