-- How long nobody can write when the leader of three nodes is killed. All clients
-- write at a slow pace, each in a process of its own, and the same kill is for all of
-- them. This process asks the nodes that are left, each millisecond, who leads: how
-- long an election takes is the cluster's affair, what comes behind it the client's.
local client = require "bench.client"
local cluster = require "spec.support.cluster"
local dqlite = require "dqlite"
local eventually = require "spec.support.eventually"
local gaps = require "bench.gaps"
local leashed = require "spec.support.leashed"
local machine = require "bench.machine"
local now = require "dqlite.core".now
local tables = require "bench.tables"

local failover = {}

local POLL = 0.001 -- seconds between two questions
local PATIENCE = 30 -- seconds until each client writes again

-- ---- the clients ----

local function is_for(who)
  return who.lua or who.name == "go"
end

local function start_clients(self, run)
  local where = table.concat(self.cluster:addresses(), ",")
  for _, who in ipairs(run.clients) do
    if is_for(who) then
      local command = ("%s failover %s 0 0"):format(client.program(run.build, who), where)
      self.clients[#self.clients + 1] = {
        name = who.name,
        process = leashed.start(command, self.dir .. "/" .. who.name),
        rounds = {}, -- as bench.gaps answers
      }
    end
  end
  for _, each in ipairs(self.clients) do
    eventually(each.name .. " writes", function()
      return each.process:output():find("wrote", 1, true)
    end, PATIENCE)
  end
end

-- ---- a round ----

-- Asks those that are left until one names another leader. Answers when that was.
local function await_election(followers, old)
  local sessions = {}
  for i, node in ipairs(followers) do sessions[i] = assert(dqlite.session.connect(node.address)) end
  local known
  repeat
    dqlite.sleep(POLL)
    for _, session in ipairs(sessions) do
      local leader = assert(session:request "LEADER").address
      if leader ~= "" and leader ~= old.address then known = known or now() end
    end
  until known
  for _, session in ipairs(sessions) do session:close() end
  return known
end

-- Answers the node that was killed.
local function measure_round(self)
  local leader, followers = self.cluster:leader(), self.cluster:followers()
  local killed = now()
  leader:kill()
  local known = await_election(followers, leader)
  for _, each in ipairs(self.clients) do
    each.rounds[#each.rounds + 1] = eventually(each.name .. " writes again", function()
      return gaps.fare(each.process:output(), killed, known)
    end, PATIENCE)
  end
  return leader
end

local function measure_all(self, run)
  self.cluster = cluster.start { nodes = 3 }
  tables.make(self.cluster:leader().address, 1)
  start_clients(self, run)
  local killed
  for round = 1, run.sizes.failovers do
    io.stderr:write(("failover, round %d of %d\n"):format(round, run.sizes.failovers))
    if killed then killed:restart() end
    self.cluster:settle()
    killed = measure_round(self)
  end
end

local function stop(self)
  for _, each in ipairs(self.clients) do each.process:kill() end
  if self.cluster then self.cluster:stop() end
  machine.remove_dir(self.dir)
end

--- Measures it.
-- @tparam table run
-- @tparam table all results, to which its own are added
function failover.measure(run, all)
  local self = { clients = {}, cluster = nil, dir = machine.new_dir() }
  local ok, err = xpcall(measure_all, debug.traceback, self, run)
  stop(self)
  if not ok then error(err, 0) end
  for _, each in ipairs(self.clients) do all[#all + 1] = gaps.summary(each, each.rounds) end
end

return failover
