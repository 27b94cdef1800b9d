--- Clusters of real nodes for specs, each node in a process of its own.
--
--    local three = cluster.start { nodes = 3 }
--    three:leader():kill()
--    local next_one = three:wait_for_leader()
--    three:stop()
--
-- Nothing of it outlives this process. A spec has `after_each(cluster.stop_all)`
-- all the same. Works on either loop; what takes long are waits of that loop.
local ask = require "spec.support.ask"
local cluster_node = require "spec.support.cluster_node"
local eventually = require "spec.support.eventually"
local proxy = require "spec.support.proxy"
local scratch = require "spec.support.scratch"

local LATENCY = 0.05 -- seconds: an election begins after 0.75 to 1.5 of silence
local JOINING = 5 -- seconds that a request for a change of the members may take

local cluster = {}

local Cluster = {}
Cluster.__index = Cluster

local running = {}

-- ---- who leads ----

--- The node of an address or a decimal id; nil where there is none.
function Cluster:node(address_or_id)
  for _, node in ipairs(self.nodes) do
    if node.address == address_or_id or node.id == address_or_id then return node end
  end
end

-- How often each address is named as the leader, and how many name one.
local function ballot(self)
  local votes, voices, claims = {}, 0, {}
  for _, node in ipairs(self.nodes) do
    local answer = node:is_awake() and ask(node.inner, "LEADER")
    if answer and answer.address ~= "" then
      votes[answer.address] = (votes[answer.address] or 0) + 1
      voices = voices + 1
      claims[node] = answer.address == node.address
    end
  end
  return votes, voices, claims
end

local function elected(self)
  local votes, voices, claims = ballot(self)
  for node, claimed in pairs(claims) do
    if claimed and votes[node.address] * 2 > voices then return node, voices end
  end
end

--- Waits for a node that says it leads and that most of those agree with who
-- know a leader; frozen nodes are not asked.
-- @tparam[opt] table other_than a node that it must not be
-- @tparam[opt] number seconds of patience
-- @treturn table the node
function Cluster:wait_for_leader(other_than, seconds)
  return eventually("there is a leader", function()
    local node = elected(self)
    return node ~= other_than and node
  end, seconds)
end

--- The node that leads now, or will once there is one.
function Cluster:leader()
  return self:wait_for_leader(nil)
end

--- The other members that run.
-- @treturn table list of nodes
function Cluster:followers()
  local leader, list = self:leader(), {}
  for _, node in ipairs(self.nodes) do
    if node ~= leader and node.role and node:is_running() then list[#list + 1] = node end
  end
  return list
end

-- ---- addresses ----

--- Where the nodes listen.
-- @treturn table list of strings
function Cluster:addresses()
  local list = {}
  for i, node in ipairs(self.nodes) do list[i] = node.address end
  return list
end

--- Where their proxies listen.
function Cluster:proxied_addresses()
  local list = {}
  for i, node in ipairs(self.nodes) do list[i] = node.proxy.address end
  return list
end

--- For clients: a function from a node's address to that of its proxy; others
-- stay as they are.
function Cluster:translate()
  return function(address)
    local node = self:node(address)
    return node and node.proxy and node.proxy.address or address
  end
end

-- ---- members ----

-- A change is refused while another one is under way or nobody leads.
local function change(self, name, fields)
  eventually(name .. " " .. fields.id, function()
    local answer, err = ask(self:leader().address, name, fields, JOINING)
    if answer then return true end
    if err.kind ~= "busy" and err.kind ~= "not_leader" then error(tostring(err)) end
  end)
end

--- Makes a node a member, or gives it another role.
-- @tparam table node
-- @tparam string role "voter", "standby" or "spare"
function Cluster:assign(node, role)
  node:await()
  if not node.role then
    change(self, "ADD", { id = node.id, address = node.address })
    node.role = "spare"
  end
  if node.role ~= role then change(self, "ASSIGN", { id = node.id, role = role }) end
  node.role = role
end

local function launch(self, id, role)
  local first = self.nodes[1]
  local node = cluster_node.start {
    kind = self.kind,
    id = id,
    role = not first and role or nil,
    scratch = self.scratch,
    latency = self.latency,
    first = not first,
    join = { first and first.address },
    cuttable = self.cuttable,
  }
  self.nodes[#self.nodes + 1] = node
  if self.proxied then node.proxy = proxy.start(node.address) end
  return node
end

local ROLES = { [0] = "voter", "standby", "spare" }

-- A demo is added, and promoted if that is due, by itself.
local function await_demos(self)
  eventually("all nodes are members", function()
    local answer = ask(self.nodes[1].address, "CLUSTER", { format = 1 })
    local voters, members = 0, answer and answer.servers or {}
    for _, member in ipairs(members) do
      local node = self:node(member.address)
      node.id, node.role = member.id, ROLES[member.role]
      if node.role == "voter" then voters = voters + 1 end
    end
    return #members == #self.nodes and voters >= math.min(3, #self.nodes)
  end)
end

--- Starts one more node: a member if a role is given; a demo always is one, in
-- the role that it takes itself.
-- @tparam[opt] string role
-- @tparam[opt] string id decimal; else its number in the list
-- @treturn table the node, which is ready
function Cluster:add_node(role, id)
  local node = launch(self, id or tostring(#self.nodes + 1))
  node:await()
  if self.kind == "demo" then
    await_demos(self)
  elseif role then
    self:assign(node, role)
  end
  return node
end

--- Kills a node that is no member any more, and takes it off the list.
function Cluster:drop(node)
  node:kill()
  if node.proxy then node.proxy:stop() end
  for i, each in ipairs(self.nodes) do
    if each == node then return table.remove(self.nodes, i) end
  end
end

-- ---- the cluster ----

local function form(self, roles)
  self.nodes[1]:await()
  for i = 2, #self.nodes do
    if self.kind == "node" then self:assign(self.nodes[i], roles[i] or "voter") end
  end
  if self.kind == "demo" then await_demos(self) end
end

-- Do all voters know the leader?
local function is_settled(self)
  local voters = 0
  for _, node in ipairs(self.nodes) do
    if node.role == "voter" then voters = voters + 1 end
  end
  local leader, voices = elected(self)
  return leader and voices == voters and leader
end

--- Waits until all voters know the leader.
-- @treturn table the leader
function Cluster:settle()
  return eventually("all voters know the leader", function() return is_settled(self) end)
end

--- Starts a cluster, and returns once all of its voters know the leader.
-- @tparam[opt] table opts `nodes` (3), `roles` ("voter" each, the first always),
-- `ids` (decimal strings; "1", "2", ...), `latency` in seconds (0.05; the
-- server's own for false), `kind` "node" or "demo" (whose ids and roles are their
-- own), `proxied`, `cuttable`: what a node is sent by the others goes through its
-- proxy, too, whose address is the node's; `inner` is where it listens itself
-- @treturn table `nodes`, a list; each has `address`, `id`, `pid`, `dir`, `role`
-- and `proxy`
function cluster.start(opts)
  opts = opts or {}
  local self = setmetatable({
    nodes = {},
    kind = opts.kind or "node",
    latency = opts.latency == nil and LATENCY or opts.latency,
    proxied = opts.proxied or false,
    cuttable = opts.cuttable or false,
    scratch = scratch.new(),
  }, Cluster)
  running[self] = true
  local ids, roles = opts.ids or {}, opts.roles or {}
  for i = 1, opts.nodes or 3 do launch(self, ids[i] or tostring(i), "voter") end
  form(self, roles)
  self:settle()
  return self
end

--- Kills all nodes, also those that are frozen, and removes their data. Again
-- does nothing.
function Cluster:stop()
  for _, node in ipairs(self.nodes) do
    node:kill()
    if node.proxy then node.proxy:stop() end
  end
  self.scratch:close()
  running[self] = nil
end

--- For after_each.
function cluster.stop_all()
  for each in pairs(running) do each:stop() end
end

return cluster
