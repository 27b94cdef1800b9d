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
local LOOK = 0.05 -- between two looks at what the clients have printed
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

-- What the nodes that are left say of the leader.
local Watch = {}
Watch.__index = Watch

local function new_watch(nodes, old)
  local sessions = {}
  for i, node in ipairs(nodes) do sessions[i] = assert(dqlite.session.connect(node.address)) end
  return setmetatable({
    sessions = sessions,
    old = old.address, -- of the leader that was killed
    leader = nil, -- another one that some name
    elections = {}, -- when the first has named one
  }, Watch)
end

function Watch:look()
  local named = {}
  for _, session in ipairs(self.sessions) do
    local address = assert(session:request "LEADER").address
    if address ~= "" and address ~= self.old then named[address] = now() end
  end
  if self.leader and named[self.leader] then return end
  self.leader = next(named)
  if self.leader then self.elections[#self.elections + 1] = named[self.leader] end
end

function Watch:close()
  for _, session in ipairs(self.sessions) do session:close() end
end

-- Those of all clients once each has written again.
local function fares(self, killed, elections)
  local list = {}
  for i, each in ipairs(self.clients) do
    list[i] = gaps.fare(each.process:output(), killed, elections)
    if not list[i] then return nil end
  end
  return list
end

-- Watches until each client has written, whose files are looked at now and then.
local function await_writes(self, killed, watch)
  local next_look, deadline = now(), now() + PATIENCE
  repeat
    dqlite.sleep(POLL)
    watch:look()
    if watch.leader and now() > next_look then
      local list = fares(self, killed, watch.elections)
      if list then return list end
      next_look = now() + LOOK
    end
  until now() > deadline
  error("not all clients write again", 0)
end

-- Answers the node that was killed.
local function measure_round(self)
  local leader = self.cluster:leader()
  local watch = new_watch(self.cluster:followers(), leader)
  local killed = now()
  leader:kill()
  for i, fare in ipairs(await_writes(self, killed, watch)) do
    table.insert(self.clients[i].rounds, fare)
  end
  watch:close()
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
