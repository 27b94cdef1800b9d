--- One node's own view of the cluster, by `cluster:node(address)`: it is asked itself,
-- whoever leads, without a database. Each call is a connection of its own.
--
-- `view.address` is the address of the node.
-- @classmod dqlite.view

local calls = require "dqlite.node_calls"
local checks = require "dqlite.admin_checks"
local errors = require "dqlite.error"
local links = require "dqlite.link"
local routes = require "dqlite.routes"

local views = {}

local View = {}
View.__index = View
View.__name = "dqlite.view"

--- A view; nothing is sent until it is used.
-- @tparam table settings from dqlite.options
-- @tparam table loop
-- @tparam string name that the cluster knows the node by
-- @treturn table
-- @local
function views.new(settings, loop, name)
  local address, reason = checks.address(name)
  if not address then errors.misuse(reason) end
  return setmetatable({ settings = settings, loop = loop, address = name }, View)
end

local function call(self, settings, request, ...)
  local address, err = routes.find(settings, self.address)
  if not address then return nil, err end
  local link, wrong = links.new(address, settings, self.address)
  if not link then return nil, wrong end
  local now = self.loop.now()
  local dialled, failed = link:dial(now + math.min(settings.connect_timeout, settings.timeout))
  if not dialled then return nil, failed end
  link:enter()
  local answer, why = request(link, now + settings.timeout, ...)
  link:close()
  return answer, why
end

--- Whom the node takes for the leader. One that is no voter never knows.
-- @treturn table|nil id, address
-- @treturn dqlite.error|nil the error; "no_leader" when it knows none
function View:leader()
  return call(self, self.settings, calls.leader)
end

--- The nodes of the cluster as the node knows them; of one that follows they may be
-- out of date, and one that has not joined knows none.
-- @treturn table|nil list of id, address, role
-- @treturn dqlite.error|nil the error
function View:nodes()
  return call(self, self.settings, calls.nodes)
end

--- What the node says of itself.
-- @treturn table|nil failure_domain, weight
-- @treturn dqlite.error|nil the error
function View:describe()
  return call(self, self.settings, calls.describe)
end

--- Sets the node's weight, which it forgets when it stops.
-- @tparam number weight a whole number
-- @treturn true|nil
-- @treturn dqlite.error|nil the error
function View:set_weight(weight)
  return call(self, self.settings, calls.set_weight, checks.weight(weight))
end

--- Copies a database as the node has it. See `cluster:dump`.
-- @tparam string database
-- @tparam[opt] table opts `to` (a directory for the files), `max_size` (bytes, 256 MiB)
-- @treturn table|nil the files as strings by name; with `to` how many bytes they have
-- @treturn dqlite.error|nil the error
function View:dump(database, opts)
  local settings, size, err = checks.dump(self.settings, database, opts)
  if not settings then return nil, err end
  return call(self, settings, calls.dump, database, size, opts and opts.to)
end

function View:__tostring()
  return "dqlite node " .. errors.visible(self.address)
end

return views
