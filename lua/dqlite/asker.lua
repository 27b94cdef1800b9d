--- Asks one node again and again who leads, on a connection that stays: without a
-- database, so that it costs the server next to nothing.
-- @module dqlite.asker

local ask = require "dqlite.ask"
local calls = require "dqlite.node_calls"
local links = require "dqlite.link"
local routes = require "dqlite.routes"

local askers = {}

local Asker = {}
Asker.__index = Asker

--- An asker of a node; dials when it asks.
-- @tparam table settings from dqlite.options
-- @tparam string name that the cluster knows the node by
-- @tparam string address to dial
-- @treturn table
function askers.new(settings, name, address)
  return setmetatable({
    settings = settings,
    name = name,
    address = address,
    link = nil, -- while there is one
    members = nil, -- what the node said, once it was asked
    closed = false,
  }, Asker)
end

local function dial(self, deadline)
  local link, err = links.new(self.address, self.settings, self.name)
  if not link then return nil, err end
  self.link = link
  local dialled, failed = link:dial(deadline)
  if self.closed and dialled then -- where a dial cannot be broken off
    link:close()
    return nil, link:ended()
  end
  return dialled, failed
end

local function queue(self, wants_members)
  ask.send(self.link, "LEADER", {})
  if wants_members then ask.send(self.link, "CLUSTER", { format = 1 }) end
end

local function read_members(self, deadline)
  local cluster, err = ask.message(self.link, deadline)
  if not cluster then return nil, err end
  self.members = calls.members(cluster.servers)
  return true
end

--- Asks.
-- @tparam number deadline of the loop's now()
-- @tparam[opt] boolean wants_members asks for the nodes of the cluster, too
-- @treturn string|nil the leader's address as the node names it, "" when it knows none
-- @treturn table|boolean the error; or whether it names itself
function Asker:ask(deadline, wants_members)
  if not self.link or not self.link:is_open() then
    local dialled, failed = dial(self, deadline)
    if not dialled then return nil, failed end
  end
  queue(self, wants_members)
  local leader, err = ask.leader(self.link, deadline)
  if not leader then return nil, err end
  local is_self = leader ~= "" and routes.is_self(self.link, self.settings, leader)
  self.link.leader_name = is_self and leader or nil
  if wants_members then
    local read, failed = read_members(self, deadline)
    if not read then return nil, failed end
  end
  return leader, is_self
end

--- Gives the link away: it is the caller's then.
-- @treturn table
function Asker:take()
  local link = self.link
  self.link = nil
  return link
end

--- Closes; a question that is under way fails.
function Asker:close()
  self.closed = true
  if self.link then self.link:close() end
  self.link = nil
end

return askers
