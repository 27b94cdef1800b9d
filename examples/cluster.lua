-- A cluster of three: formed, asked how it is, connected to through any node, and
-- its leader moved. The nodes are its own, in temporary directories: DQLITE_ADDRESS
-- is not looked at.
local dqlite = require "dqlite"
local node = require "dqlite.node"

-- Node 1 makes a cluster of itself when it starts for the first time; any other
-- node waits until it is added.
local dir = os.tmpname()
local nodes = {}
for i = 1, 3 do
  nodes[i] = assert(node.new {
    id = tostring(i), dir = dir .. "." .. i, address = "127.0.0.1:0", latency = 0.05,
  })
  assert(nodes[i]:start())
end

local cluster = assert(dqlite.cluster(nodes[1].address))
for i = 2, 3 do
  assert(cluster:add { id = nodes[i].id, address = nodes[i].address, role = "voter" })
end
for _, member in ipairs(assert(cluster:nodes())) do
  print("node " .. member.id .. " is a " .. member.role)
end

-- Given any node, a connection ends at the leader.
local conn = assert(dqlite.connect(nodes[3].address))
print("connected to the leader: " .. tostring(conn.address == nodes[1].address))
conn:close()

-- A follower hears of a change a little later than the leader has made it.
local function knows_all(address)
  local voters = 0
  for _, member in ipairs(assert(cluster:node(address):nodes())) do
    if member.role == "voter" then voters = voters + 1 end
  end
  return voters == 3
end
while not knows_all(nodes[2].address) do dqlite.sleep(0.01) end

assert(cluster:transfer(nodes[2].id))
print("node " .. assert(cluster:leader()).id .. " leads")
conn = assert(cluster:connect())
print("connected to the leader: " .. tostring(conn.address == nodes[2].address))
conn:close()

local health = assert(cluster:health())
print(("%d of %d voters answer: %s"):format(health.answering, health.voters,
  health.quorum and "a quorum" or "no quorum"))

cluster:close()
for i = 3, 1, -1 do assert(nodes[i]:stop()) end
os.execute("rm -r '" .. dir .. "'*")
