-- Forms a cluster of three by hand, with single messages on a raw session: what
-- a program that manages a cluster does. The nodes are its own, in temporary
-- directories: DQLITE_ADDRESS is not looked at.
local dqlite = require "dqlite"
local node = require "dqlite.node"
local session = require "dqlite.session"

local ROLES = { [0] = "voter", [1] = "standby", [2] = "spare" }
local VOTER, STANDBY = 0, 1

-- Node 1 makes a cluster of itself when it starts for the first time; any other
-- node waits until it is added. Ids are decimal strings: they have 64 bits.
local dir = os.tmpname()
local nodes = {}
for i = 1, 3 do
  nodes[i] = assert(node.new {
    id = tostring(i), dir = dir .. "." .. i, address = "127.0.0.1:0",
  })
  assert(nodes[i]:start())
end

-- Asks a node until it knows the leader; the address is empty while it does not.
local function find_leader(raw)
  for _ = 1, 100 do
    local leader = assert(raw:request "LEADER")
    if leader.address ~= "" then return leader end
    dqlite.sleep(0.1)
  end
  error "no leader after ten seconds"
end

-- The leader changes the membership, one change at a time. A node that was
-- added is a spare, without data, until it is given another role.
local raw = assert(session.connect(nodes[1].address))
assert(find_leader(raw).id == nodes[1].id)

local function join(new, role)
  assert(raw:request("ADD", { id = new.id, address = new.address }))
  assert(raw:request("ASSIGN", { id = new.id, role = role }))
end

join(nodes[2], VOTER)
join(nodes[3], STANDBY)

-- Format 1 has roles in it, as numbers.
local members = assert(raw:request("CLUSTER", { format = 1 })).servers
for _, member in ipairs(members) do
  print("node " .. member.id, ROLES[member.role], member.address)
end

-- The others learn of the leader by its next heartbeat.
local other = assert(session.connect(nodes[2].address))
print("node 2 follows node " .. find_leader(other).id)

other:close()
raw:close()
for i = 3, 1, -1 do assert(nodes[i]:stop()) end
os.execute("rm -r '" .. dir .. "'*")
