--- Administration of a cluster, through its leader: methods of a cluster, where they are
-- documented. Everything is looked at before anything is sent, and misuse raises. Each call
-- takes the cluster's `timeout` at most, and connects by itself.
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

--- See Cluster:leader.
function admin.leader(cluster)
  return at_leader(cluster, cluster.settings, calls.leader)
end

--- See Cluster:nodes.
function admin.nodes(cluster)
  return at_leader(cluster, cluster.settings, calls.nodes)
end

--- See Cluster:node.
function admin.node(cluster, address)
  return views.new(cluster.settings, cluster.loop, address)
end

local function at(cluster, address)
  return address and admin.node(cluster, address)
end

--- See Cluster:describe.
function admin.describe(cluster, address)
  local view = at(cluster, address)
  if view then return view:describe() end
  return at_leader(cluster, cluster.settings, calls.describe)
end

--- See Cluster:dump.
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

--- See Cluster:add.
function admin.add(cluster, node)
  return change(cluster, add, checks.added(node))
end

local function request(name)
  return function(link, deadline, fields)
    return calls.change(link, deadline, name, fields)
  end
end

local assign, remove, transfer = request "ASSIGN", request "REMOVE", request "TRANSFER"

--- See Cluster:assign.
function admin.assign(cluster, id, role)
  return change(cluster, assign, { id = checks.id(id), role = checks.role(role) })
end

--- See Cluster:remove.
function admin.remove(cluster, id)
  return change(cluster, remove, { id = checks.id(id) })
end

--- See Cluster:transfer.
function admin.transfer(cluster, id)
  return change(cluster, transfer, { id = checks.id(id) })
end

--- See Cluster:set_weight.
function admin.set_weight(cluster, weight, address)
  checks.weight(weight)
  local view = at(cluster, address)
  if view then return view:set_weight(weight) end
  return at_leader(cluster, cluster.settings, calls.set_weight, weight)
end

return admin
