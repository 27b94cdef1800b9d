--- What is done to a cluster during a run of chaos: one thing after the other, drawn by
-- lot; behind each the cluster is healed and left alone for a while.
local core = require "dqlite.core"
local dqlite = require "dqlite"
local healing = require "spec.chaos.healing"

local CALM = 0.6 -- seconds behind each action, at least
local LAST = 2.5 -- seconds before the end from which on nothing is begun
local ELECTION = 5 -- seconds that it may take until another node leads
local LASTING = 3 -- how many nodes stay members: the first ones of the cluster

local unpack = unpack or table.unpack

local nemesis = {}

local Nemesis = {}
Nemesis.__index = Nemesis

local function between(least, most)
  return least + math.random() * (most - least)
end

local function choose(list)
  return list[math.random(#list)]
end

local function pause(least, most)
  dqlite.sleep(between(least, most))
end

-- ---- choosing nodes ----

local function pick(self, fits)
  local leader, list = self.cluster:leader(), {}
  for i, node in ipairs(self.cluster.nodes) do
    if node ~= leader and fits(node, i) then list[#list + 1] = node end
  end
  return choose(list)
end

local function follower(self)
  return pick(self, function(node) return node.role == "voter" end)
end

local function other(self)
  return pick(self, function(node) return node.role ~= "voter" end)
end

-- ---- actions: each says what it did ----

local actions = {}

function actions.kill_leader(self)
  local leader = self.cluster:leader()
  healing.kill(leader)
  self.cluster:wait_for_leader(leader, ELECTION)
  pause(0, 0.5)
  return leader.id
end

function actions.kill_follower(self)
  local node = follower(self)
  healing.kill(node)
  pause(0.2, 1)
  return node.id
end

function actions.kill_other(self)
  local node = other(self)
  healing.kill(node)
  pause(0, 0.5)
  return node.id
end

-- Short enough that it goes on leading, or so long that another one does.
function actions.freeze_leader(self)
  local leader, seconds = self.cluster:leader(), between(0.2, 3)
  leader:freeze()
  dqlite.sleep(seconds)
  leader:thaw()
  return ("%s for %.2f s"):format(leader.id, seconds)
end

function actions.freeze_follower(self)
  local node = follower(self)
  node:freeze()
  pause(0.2, 2)
  node:thaw()
  return node.id
end

function actions.kill_frozen_leader(self)
  local leader = self.cluster:leader()
  leader:freeze()
  self.cluster:wait_for_leader(leader, ELECTION)
  healing.kill(leader)
  return leader.id
end

local function each_proxy(self, fn)
  for _, node in ipairs(self.cluster.nodes) do fn(node.proxy) end
end

function actions.cut(self)
  local times = math.random(4)
  for _ = 1, times do
    each_proxy(self, function(proxy) proxy:cut() end)
    pause(0.05, 0.3)
  end
  return times .. " times"
end

function actions.half_close(self)
  each_proxy(self, function(proxy) proxy:half_close() end)
  return "all"
end

function actions.black_hole(self)
  local node, seconds = self.cluster:leader(), between(0.3, 2.5)
  node.proxy:black_hole()
  dqlite.sleep(seconds)
  if math.random() < 0.5 then node.proxy:cut() end
  node.proxy:pass()
  return ("%s for %.2f s"):format(node.id, seconds)
end

function actions.refuse(self)
  local node = self.cluster:leader()
  node.proxy:refuse()
  node.proxy:cut()
  pause(0.3, 1.5)
  node.proxy:accept()
  return node.id
end

function actions.delay(self)
  local seconds = between(0.02, 0.2)
  each_proxy(self, function(proxy) proxy:delay(seconds) end)
  pause(0.5, 2)
  each_proxy(self, function(proxy) proxy:pass() end)
  return ("%.3f s"):format(seconds)
end

-- What became of a change of the members.
local function said(what, done, err)
  return done and what or ("%s: %s"):format(what, tostring(err))
end

function actions.transfer(self)
  local node = follower(self)
  return said("to " .. node.id, self.admin:transfer(node.id))
end

local function promote(self, node)
  return said(node.id .. " votes", self.admin:assign(node.id, "voter"))
end

local function demote(self, node)
  local role = choose { "standby", "spare" }
  return said(("%s is a %s"):format(node.id, role), self.admin:assign(node.id, role))
end

function actions.swap(self)
  local promoted, demoted = other(self), follower(self)
  return promote(self, promoted) .. ", " .. demote(self, demoted)
end

-- The leader dies while a node is promoted. Whether four vote then is for the healing.
function actions.kill_in_promotion(self)
  local promoted, leader = other(self), self.cluster:leader()
  local task = dqlite.spawn(promote, self, promoted)
  pause(0, 0.1)
  healing.kill(leader)
  pause(0, 1)
  return ("%s; %s"):format(leader.id, task:wait())
end

-- Another node takes the place of one that does not vote.
function actions.replace(self)
  local old = pick(self, function(node, i) return i > LASTING and node.role ~= "voter" end)
  if not old then return "nobody" end
  local removed = said(old.id .. " leaves", self.admin:remove(old.id))
  if not self.healer:learn_roles() or old.role then return removed end
  self.cluster:drop(old)
  self.added = self.added + 1
  local new = self.cluster:add_node(nil, tostring(self.added))
  local member = { id = new.id, address = new.address, role = choose { "spare", "standby" } }
  return removed .. ", " .. said(new.id .. " comes", self.admin:add(member))
end

-- ---- the order ----

-- A short run has these.
local FIRST = { "kill_leader", "freeze_leader", "black_hole", "swap", "cut" }
local THEN = { "kill_follower", "kill_other", "freeze_follower", "kill_frozen_leader",
  "half_close", "refuse", "delay", "transfer", "kill_in_promotion", "replace" }

local function shuffle(list)
  for i = #list, 2, -1 do
    local k = math.random(i)
    list[i], list[k] = list[k], list[i]
  end
  return list
end

-- All of them in turn, each once.
local function next_action(self)
  if #self.deck == 0 then
    local list = shuffle { unpack(THEN) }
    for _, name in ipairs(shuffle { unpack(FIRST) }) do list[#list + 1] = name end
    self.deck = list
  end
  return table.remove(self.deck)
end

-- A server may do what it should not do meanwhile: that is for the healing.
local function act(self, name)
  local ok, text = pcall(actions[name], self)
  self.tell(("%s: %s"):format(name, ok and text or "broken off: " .. tostring(text)))
end

--- @tparam table cluster of spec.support.cluster, proxied, with nodes that do not vote
-- @tparam table history that gets each action
-- @tparam number epoch of core.now()
-- @treturn table
function nemesis.new(cluster, history, epoch)
  local admin = assert(dqlite.cluster(cluster:addresses(), { timeout = 4 }))
  local function tell(text)
    history:add("nemesis", { time = core.now() - epoch, action = text })
  end
  return setmetatable({
    cluster = cluster,
    admin = admin,
    tell = tell,
    healer = healing.new(cluster, admin, tell),
    added = #cluster.nodes, -- the number of the last node
    deck = {},
  }, Nemesis)
end

--- Does one thing after the other. The cluster is healed when this returns.
-- @tparam number deadline of core.now()
function Nemesis:run(deadline)
  self.healer:learn_roles()
  dqlite.sleep(CALM)
  while core.now() < deadline - LAST do
    local began = core.now()
    act(self, next_action(self))
    local lasted = core.now() - began
    self.healer:heal()
    dqlite.sleep(math.max(0, math.min(CALM + lasted, deadline - core.now())))
  end
  dqlite.sleep(math.max(0, deadline - core.now()))
  self.healer:heal()
end

return nemesis
