--- Administration of a cluster, through its leader: methods of a cluster. Everything
-- is looked at before anything is sent, and misuse raises. Each call takes
-- the cluster's `timeout` at most, and connects by itself.
-- @module dqlite.admin

local calls = require "dqlite.node_calls"
local checks = require "dqlite.admin_checks"
local loops = require "dqlite.loops"
local views = require "dqlite.view"

local admin = {}

local PAUSE = 0.02 -- seconds after the leadership was lost in between

-- Only what was certainly not done is done again.
local function is_refused(err)
  return err.kind == "not_leader" and err.retryable
end

-- Runs request(link, deadline, ...) on a link to the leader.
local function at_leader(cluster, settings, request, ...)
  local loop = cluster.loop
  local deadline = loop.now() + settings.timeout
  while true do
    local link, failed = cluster:reach(settings, false, deadline)
    if not link then return nil, failed end
    link:enter()
    local answer, err = request(link, deadline, ...)
    link:close()
    if answer or not is_refused(err) or loop.now() + PAUSE >= deadline then return answer, err end
    cluster:forget(link.name)
    loops.pause(loop, loops.jitter(PAUSE))
  end
end

-- ---- reading ----

--- Who leads.
-- @treturn table|nil id (a decimal string), address
-- @treturn table|nil the error
function admin.leader(cluster)
  return at_leader(cluster, cluster.settings, calls.leader)
end

--- The nodes, as the leader knows them.
-- @treturn table|nil list of id, address, role
-- @treturn table|nil the error
function admin.nodes(cluster)
  return at_leader(cluster, cluster.settings, calls.nodes)
end

--- One node's own view, whoever leads (see dqlite.view).
-- @tparam string address
-- @treturn table
function admin.node(cluster, address)
  return views.new(cluster.settings, cluster.loop, address)
end

local function at(cluster, address)
  return address and admin.node(cluster, address)
end

--- What a node says of itself.
-- @tparam[opt] string address of the node; the leader's if left out
-- @treturn table|nil failure_domain, weight
-- @treturn table|nil the error
function admin.describe(cluster, address)
  local view = at(cluster, address)
  if view then return view:describe() end
  return at_leader(cluster, cluster.settings, calls.describe)
end

--- Copies a database.
-- @tparam string database
-- @tparam[opt] table opts `address` of the node to ask (else the leader), `to` (a
-- directory for the files, replaced if they are there), `max_size` (bytes, 256 MiB,
-- 1023 MiB at most: all of it comes in one message)
-- @treturn table|nil its file and that of its log, as strings by name; with `to` how
-- many bytes they have. Of a name that there is no database of 1.11.1 has two empty
-- ones
-- @treturn table|nil the error
function admin.dump(cluster, database, opts)
  local settings, size, err = checks.dump(cluster.settings, database, opts)
  if not settings then return nil, err end
  local view = at(cluster, opts and opts.address)
  if view then return view:dump(database, opts) end
  return at_leader(cluster, settings, calls.dump, database, size, opts and opts.to)
end

-- ---- changing ----

-- Then the nodes are asked for, for the store and the next search.
local function changing(request)
  return function(link, deadline, ...)
    local done, err = request(link, deadline, ...)
    if not done then return nil, err end
    return { nodes = calls.nodes(link, deadline) }
  end
end

local function change(cluster, request, ...)
  local done, err = at_leader(cluster, cluster.settings, changing(request), ...)
  cluster:changed()
  if not done then return nil, err end
  if done.nodes then cluster:learn(done.nodes) end
  cluster:save()
  return true
end

local function add(link, deadline, node)
  local fields = { id = node.id, address = node.address }
  local added, err = calls.change(link, deadline, "ADD", fields)
  if not added or node.role == "spare" then return added, err end
  local assigned, failed =
    calls.change(link, deadline, "ASSIGN", { id = node.id, role = node.role })
  if assigned then return true end
  failed.message = ("the node was added as a spare, and not made a %s: %s"):format(node.role,
    failed.message)
  failed.retryable = false
  return nil, failed
end

--- Adds a node that runs and has joined no cluster yet: as a spare at first. When it
-- cannot be given another role then, the error says so; `assign` tries again.
-- @tparam table node id, address, role ("spare")
-- @treturn true|nil
-- @treturn table|nil the error; `ambiguous` when the answer was lost
function admin.add(cluster, node)
  return change(cluster, add, checks.added(node))
end

local function request(name)
  return function(link, deadline, fields)
    return calls.change(link, deadline, name, fields)
  end
end

local assign, remove, transfer = request "ASSIGN", request "REMOVE", request "TRANSFER"

--- Gives a node a role. The one it has already is an error.
-- @tparam string|number id
-- @tparam string role "voter", "standby" or "spare"
-- @treturn true|nil
-- @treturn table|nil the error
function admin.assign(cluster, id, role)
  return change(cluster, assign, { id = checks.id(id), role = checks.role(role) })
end

--- Removes a node; not the leader: transfer first.
-- @tparam string|number id
-- @treturn true|nil
-- @treturn table|nil the error
function admin.remove(cluster, id)
  return change(cluster, remove, { id = checks.id(id) })
end

--- Makes another voter the leader.
-- @tparam string|number id
-- @treturn true|nil
-- @treturn table|nil the error
function admin.transfer(cluster, id)
  return change(cluster, transfer, { id = checks.id(id) })
end

--- Sets a node's weight, which it forgets when it stops.
-- @tparam number weight a whole number
-- @tparam[opt] string address of the node; the leader's if left out
-- @treturn true|nil
-- @treturn table|nil the error
function admin.set_weight(cluster, weight, address)
  checks.weight(weight)
  local view = at(cluster, address)
  if view then return view:set_weight(weight) end
  return at_leader(cluster, cluster.settings, calls.set_weight, weight)
end

return admin
