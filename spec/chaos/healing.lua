--- Puts a cluster in order again: frozen nodes go on, proxies carry everything, dead nodes
-- and those whose raft has died are restarted, three nodes vote.
--
-- The raft of a node of 1.11.1 may shut down once a frozen leader goes on ("conflicting
-- terms"): the process goes on, names no leader any more, and does not vote.
local ask = require "spec.support.ask"
local core = require "dqlite.core"
local dqlite = require "dqlite"

local PAUSE = 0.02 -- seconds between two looks
local MUTE = 2.5 -- seconds that a voter may name no leader while others do
local PATIENCE = 25 -- seconds until all is in order
local VOTERS = 3

local healing = {}

local Healer = {}
Healer.__index = Healer

--- @tparam table cluster of spec.support.cluster
-- @tparam table admin of dqlite.cluster
-- @tparam function tell called with what is done
-- @treturn table
function healing.new(cluster, admin, tell)
  return setmetatable({ cluster = cluster, admin = admin, tell = tell }, Healer)
end

-- ---- the processes ----

--- Lets everything go on that is frozen or held back.
function Healer:release()
  for _, node in ipairs(self.cluster.nodes) do
    if node.process.frozen then node:thaw() end
    node.proxy:pass()
    node.proxy:accept()
  end
end

local function restart(self, node, why)
  self.tell(("%s: node %s is restarted"):format(why, node.id))
  node:kill()
  node:restart()
end

--- Kills a node, which is restarted when the cluster is healed.
function healing.kill(node)
  node:kill()
  node.killed = true
end

local function restart_dead(self)
  for _, node in ipairs(self.cluster.nodes) do
    if not node:is_running() then
      restart(self, node, node.killed and "restart" or "died")
      node.killed = nil
    end
  end
end

-- ---- the voters ----

-- The address that most voters name and that names itself; which voters name another
-- one or none.
local function look(self)
  local named, votes, leader, others = {}, {}, nil, {}
  for _, node in ipairs(self.cluster.nodes) do
    if node.role == "voter" then
      local answer = node:is_running() and ask(node.address, "LEADER")
      named[node] = answer and answer.address or ""
      votes[named[node]] = (votes[named[node]] or 0) + 1
    end
  end
  for node, address in pairs(named) do
    if address == node.address and votes[address] * 2 > VOTERS then leader = address end
  end
  for node, address in pairs(named) do
    if not leader or address ~= leader then others[node] = true end
  end
  return leader, others
end

-- `since` holds when each voter was first seen to be silent.
local function restart_mute(self, silent, since)
  for node in pairs(since) do
    if not silent[node] then since[node] = nil end
  end
  for node in pairs(silent) do
    since[node] = since[node] or core.now()
    if core.now() - since[node] > MUTE then
      restart(self, node, "mute")
      since[node] = nil
    end
  end
end

-- ---- the roles ----

--- Asks who has which role.
-- @treturn table|nil the nodes that vote
-- @treturn table|nil the error
function Healer:learn_roles()
  local members, err = self.admin:nodes()
  if not members then return nil, err end
  local roles, voters = {}, {}
  for _, each in ipairs(members) do roles[each.id] = each.role end
  for _, node in ipairs(self.cluster.nodes) do
    node.role = roles[node.id]
    if node.role == "voter" then voters[#voters + 1] = node end
  end
  return voters
end

-- Who votes may have been changed since the roles were learned.
local function await_voters(self, deadline)
  local since = {}
  while true do
    restart_dead(self)
    local leader, others = look(self)
    if leader and not next(others) then return end
    if core.now() > deadline then error "the cluster does not heal" end
    self:learn_roles()
    restart_mute(self, leader and others or {}, since)
    dqlite.sleep(PAUSE)
  end
end

local function find(self, fits)
  local leader = self.cluster:leader()
  for _, node in ipairs(self.cluster.nodes) do
    if node ~= leader and fits(node) then return node end
  end
end

local function is_voter(node) return node.role == "voter" end

local function is_other(node) return node.role and node.role ~= "voter" end

-- A promotion waits for the node to catch up, which one with a dead raft never does.
local function correct_roles(self, deadline)
  while true do
    local voters, err = self:learn_roles()
    if voters and #voters == VOTERS then return end
    local node = voters and find(self, #voters > VOTERS and is_voter or is_other)
    local done
    if node then
      done, err = self.admin:assign(node.id, #voters > VOTERS and "standby" or "voter")
      if not done then restart(self, node, "no role") end
    end
    if core.now() > deadline then error("the roles are not as they were: " .. tostring(err)) end
    dqlite.sleep(PAUSE)
  end
end

--- Puts it in order. Raises when that takes too long.
function Healer:heal()
  local deadline = core.now() + PATIENCE
  self:release()
  await_voters(self, deadline)
  correct_roles(self, deadline)
  await_voters(self, deadline)
end

return healing
