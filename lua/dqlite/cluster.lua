--- A cluster, from `dqlite.cluster(where, opts)`: what is known of its nodes, the way to
-- its leader, and its administration. Shared by all connections that are made through it:
-- what one has learned is there for the next.
--
-- Each call of the administration connects by itself, takes the cluster's `timeout` at most,
-- and raises what is wrong with its arguments before anything is dialled. Ids of nodes are
-- decimal strings, since they use all 64 bits; integers are accepted.
--
-- `cluster.refresh_error` is the error of the last time that the store was written (`refresh`).
-- @classmod dqlite.cluster

local connection = require "dqlite.connection"
local errors = require "dqlite.error"
local events = require "dqlite.events"
local later = require "dqlite.later"
local leaders = require "dqlite.leaders"
local loops = require "dqlite.loops"
local member = require "dqlite.member"
local open = require "dqlite.open"
local options = require "dqlite.options"
local process = require "dqlite.process"
local reach = require "dqlite.reach"
local read_store = require "dqlite.store_reading"
local sharing = require "dqlite.sharing"
local stores = require "dqlite.store"
local watches = require "dqlite.watch"
local wheres = require "dqlite.where"

local admin = later.require "dqlite.admin"
local dropping = later.require "dqlite.dropping"
local health = later.require "dqlite.health"
local outcome = later.require "dqlite.search_outcome"
local pools = later.require "dqlite.pool"
local tls = later.require "dqlite.tls"

local clusters = {}

local Cluster = {}
Cluster.__index = Cluster
Cluster.__name = "dqlite.cluster"

local FRESH = 30 -- seconds that what is known of the nodes is good for

local function new(where, settings)
  local store, lone = wheres.store(where)
  return setmetatable({
    settings = settings,
    process = process.current(), -- that it belongs to
    store = store,
    lone = lone, -- the address, where it is one node's alone
    asked = false, -- whether that leads: who waits for the answer (dqlite.reach)
    loop = nil, -- from the first use on
    watch = nil, -- likewise, where the loop can do that
    observer = events.of(settings) or events.none,
    pools = setmetatable({}, { __mode = "k" }), -- those of it, as keys
    leader_name = nil, -- of the node that led last, as far as is known
    leaders = leaders.of(settings, where), -- what all workers of nginx know of that
    listed = nil, -- the nodes, as the store has said
    members = nil, -- as one of them has said
    learned = -math.huge, -- when
    unsaved = false, -- have they changed since the store was written?
    refresh_error = nil, -- of the last time that it was
    search = nil, -- the one that goes on
    closed = false,
  }, Cluster)
end

--- Makes a cluster (see dqlite.cluster), without any input or output.
-- @tparam string|table where an address, a list of them, or a store
-- @tparam[opt] table opts options of connections, and `refresh`
-- @treturn table|nil
-- @treturn dqlite.error|nil an error of kind "value" for a malformed address
-- @local
function clusters.new(where, opts)
  local settings = options.cluster(opts)
  local wrong = wheres.problem(where)
  if wrong then return nil, wrong end
  return new(where, settings)
end

-- ---- what a search tells, and asks ----

--- Gives a search what it begins with.
-- @tparam table search
-- @treturn dqlite.error|nil the error of the store
-- @local
function Cluster:begin(search)
  if self.leader_name then search:add(self.leader_name).favoured = true end -- the first
  for _, each in ipairs(self.members or {}) do search:add(each.address, each.role) end
  local list, err = read_store(self.store, self.loop, search.settings.connect_timeout)
  self.listed = list or self.listed
  for _, each in ipairs(self.listed or {}) do
    local node = search:add(each.address)
    if node then node.role = node.role or each.role end -- a node has told it since
  end
  search.lone = self.lone and #search.nodes == 1
  return err
end

--- Is it time to ask for the nodes again, for the watch and the store?
-- @treturn boolean
-- @local
function Cluster:wants_members()
  if not self.watch and not self.settings.refresh then return false end
  return self.loop.now() - self.learned > FRESH
end

local function is_same(a, b)
  if not a or #a ~= #b then return false end
  for i, each in ipairs(a) do
    local other = b[i]
    if each.id ~= other.id or each.address ~= other.address or each.role ~= other.role then
      return false
    end
  end
  return true
end

--- Takes what a node has said of the cluster. A node that has not joined any says
-- nothing.
-- @tparam table members list of id, address, role
-- @local
function Cluster:learn(members)
  if #members == 0 then return end
  self.learned = self.loop.now()
  if not is_same(self.members, members) then self.unsaved = true end
  self.members = members
end

-- The leader that is known now; who wants to know is told of a change.
local function lead(self, name)
  local before = self.leader_name
  self.leader_name = name
  if self.leaders then self.leaders:changed(before, name) end
  if before ~= name then self.observer:leader_changed(before, name) end
end

--- A node leads.
-- @tparam string name
-- @local
function Cluster:found(name)
  if self.leader_name == name then return end
  lead(self, name)
  for pool in pairs(self.pools) do dropping.leader_found(pool, name) end
end

--- A node may not lead any more.
-- @tparam string name
-- @tparam[opt] boolean surely it has said so, or another node leads
-- @local
function Cluster:forget(name, surely)
  if self.leader_name == name then lead(self, nil) end
  for pool in pairs(self.pools) do dropping.leader_lost(pool, name, surely) end
end

--- Whom to dial before a search.
-- @treturn string|nil a name
-- @local
function Cluster:presumed_leader()
  local shared = self.leaders and self.leaders:current()
  if shared then self.leader_name = shared end
  return self.leader_name or self.lone or nil
end

--- The node to ask where there is none beside it, as far as is known, and nobody asks it
-- for all: that is no work for a search.
-- @treturn string|nil its name
-- @local
function Cluster:only_node()
  local lone, leader, members = self.lone, self.leader_name, self.members
  if not lone or self.search or leader and leader ~= lone then return nil end
  return (not members or #members == 1) and lone or nil
end

--- A node that is no leader names another one: it is asked first.
-- @tparam string name
-- @local
function Cluster:hint(name)
  if member.address(name) then self.leader_name = name end
end

--- The nodes or their roles were changed: what was known is asked for again.
-- @local
function Cluster:changed()
  self.leader_name, self.learned = nil, -math.huge
end

--- A search has ended.
-- @tparam table search
-- @local
function Cluster:ended(search)
  if self.search == search then self.search = nil end
end

--- Whom the watch asks.
-- @treturn table list of names
-- @local
function Cluster:names()
  local names = {}
  for _, each in ipairs(self.members or self.listed or {}) do
    names[#names + 1] = each.address
  end
  return names
end

-- ---- the way to the leader ----

--- Raises where it is not to be used: once it is closed, on another loop than before, and
-- where nobody can wait.
-- @tparam table settings
-- @tparam[opt] table loop that they say, where that is known
-- @treturn table the loop
-- @local
function Cluster:check(settings, loop)
  if self.closed then errors.misuse("the cluster is closed") end
  loop = loop or loops.select(settings.loop)
  if self.loop and self.loop ~= loop then
    errors.misuse("the cluster is used with another loop already: make one for each")
  end
  loops.check_wait(loop)
  return loop
end

--- Binds it to a loop at its first use: its searches wait there. Raises as check, and where
-- it is another process's.
-- @tparam table settings
-- @tparam[opt] table loop that they say, where that is known
-- @local
function Cluster:bind(settings, loop)
  local is_nginx = not self.loop and loops.is_nginx(settings.loop)
  if is_nginx then self.process = process.current() end -- it may be made before the workers
  process.check(self.process, "the cluster", "make one in this process, after the fork")
  if settings.direct then
    errors.misuse("the option 'direct' is for one node: dqlite.connect(address, { direct = true })")
  end
  loop = self:check(settings, loop)
  if settings.tls then tls.check_loop(settings, loop) end
  if self.loop then return end
  self.loop = loop
  if loop.start then self.watch = watches.new(self, loop, self.settings) end
end

--- A link to the leader: `reach(settings, opens, deadline, limits)`, see dqlite.reach.
-- @local
Cluster.reach = reach.link

--- Asks who leads, see dqlite.reach.
-- @local
Cluster.confirm = reach.confirm

--- Tells the store what was learned, if it is to be told. That it fails is no error
-- of the call that has learned it: `refresh_error`.
-- @local
function Cluster:save()
  if not self.settings.refresh or not self.unsaved then return end
  self.unsaved = false
  local _
  _, self.refresh_error = stores.write(self.store, self.members)
end

local function connect(self, settings, loop)
  self:bind(settings, loop)
  local began = self.loop.now()
  local link, err = self:reach(settings, true, began + settings.timeout)
  if not link then return nil, err end
  local observer = events.of(settings)
  if observer then observer:connected(link, self.loop.now() - began) end
  return connection.new(link, settings, observer)
end

--- Connects to the leader.
-- @tparam[opt] dqlite.ConnectOptions opts over those of the cluster
-- @treturn dqlite.connection|nil
-- @treturn dqlite.error|nil the error: "no_leader" tells what each node answered and
-- whether a quorum is missing
function Cluster:connect(opts)
  local settings = opts and options.over(opts, self.settings) or self.settings
  return connect(self, settings)
end

-- Their names depend on the loop, which may be one of the options.
local function pool_options(opts, loop)
  if type(opts) == "table" and opts.loop ~= nil then loop = opts.loop end
  return (loops.is_nginx(loop) and options.nginx_pool or options.pool)(opts)
end

-- A pool that is made in the init phase of nginx, where nobody can wait, is for the workers.
local function for_workers(settings)
  if loops.is_nginx(settings.loop) then settings.loop = "nginx" end
  return settings
end

--- Makes a pool of connections to the leader.
-- @tparam[opt] dqlite.PoolOptions opts its own, and options of connections over those of the
-- cluster
-- @treturn dqlite.pool|nil
-- @treturn dqlite.error|nil the error of the first connections (`min_size`)
function Cluster:pool(opts)
  local for_connections, own = pool_options(opts, self.settings.loop)
  return pools.new(self, for_workers(options.over(for_connections, self.settings)), own)
end

local function known_nodes(self)
  if self.members then return self.members end
  local list, err = read_store(self.store, self.loop, self.settings.connect_timeout)
  if list and not list[1] then return nil, outcome.no_nodes() end
  return list, err
end

-- ---- dqlite.connect ----

local function connect_direct(address, settings)
  if type(address) ~= "string" then
    errors.misuse("the option 'direct' needs the address of one node")
  end
  local link, err = open.direct(address, settings)
  if not link then return nil, err end
  return connection.new(link, settings, events.of(settings))
end

--- Connects (see dqlite.connect).
-- @local
function clusters.connect(where, opts)
  if getmetatable(where) == Cluster then return where:connect(opts) end
  local settings = options.cluster(opts)
  if settings.direct then return connect_direct(where, settings) end
  local wrong = wheres.problem(where)
  if wrong then return nil, wrong end
  local cluster, loop = sharing.find(where, settings, new)
  return connect(cluster, settings, loop)
end

--- Makes a pool (see dqlite.create_pool).
-- @local
function clusters.create_pool(where, opts)
  if getmetatable(where) == Cluster then return where:pool(opts) end
  local for_connections, own = pool_options(opts)
  local settings = for_workers(options.cluster(for_connections))
  local wrong = wheres.problem(where)
  if wrong then return nil, wrong end
  return pools.new((sharing.find(where, settings, new)), settings, own)
end

-- ---- administration ----

--- Who leads.
-- @function Cluster:leader
-- @treturn table|nil id (a decimal string), address
-- @treturn dqlite.error|nil the error

--- The nodes, as the leader knows them.
-- @function Cluster:nodes
-- @treturn table|nil list of id, address, role
-- @treturn dqlite.error|nil the error

--- One node's own view, whoever leads.
-- @function Cluster:node
-- @tparam string address
-- @treturn dqlite.view

--- What a node says of itself.
-- @function Cluster:describe
-- @tparam[opt] string address of the node; the leader's if left out
-- @treturn table|nil failure_domain, weight
-- @treturn dqlite.error|nil the error

--- Copies a database.
-- @function Cluster:dump
-- @tparam string database
-- @tparam[opt] table opts `address` of the node to ask (else the leader), `to` (a
-- directory for the files, replaced if they are there), `max_size` (bytes, 256 MiB,
-- 1023 MiB at most: all of it comes in one message)
-- @treturn table|nil its file and that of its log, as strings by name; with `to` how
-- many bytes they have. Of a name that there is no database of 1.11.1 has two empty
-- ones
-- @treturn dqlite.error|nil the error

--- Adds a node that runs and has joined no cluster yet: as a spare at first. When it
-- cannot be given another role then, the error says so; `assign` tries again.
-- @function Cluster:add
-- @tparam table node id, address, role ("spare")
-- @treturn true|nil
-- @treturn dqlite.error|nil the error; `ambiguous` when the answer was lost

--- Gives a node a role. The one it has already is an error.
-- @function Cluster:assign
-- @tparam string|number id
-- @tparam string role "voter", "standby" or "spare"
-- @treturn true|nil
-- @treturn dqlite.error|nil the error

--- Removes a node; not the leader: transfer first.
-- @function Cluster:remove
-- @tparam string|number id
-- @treturn true|nil
-- @treturn dqlite.error|nil the error

--- Makes another voter the leader.
-- @function Cluster:transfer
-- @tparam string|number id
-- @treturn true|nil
-- @treturn dqlite.error|nil the error

--- Sets a node's weight, which it forgets when it stops.
-- @function Cluster:set_weight
-- @tparam number weight a whole number
-- @tparam[opt] string address of the node; the leader's if left out
-- @treturn true|nil
-- @treturn dqlite.error|nil the error

for _, name in ipairs { "leader", "nodes", "node", "describe", "dump", "add", "assign", "remove",
  "transfer", "set_weight" } do
  Cluster[name] = function(self, ...)
    self:bind(self.settings)
    return admin[name](self, ...)
  end
end

--- How the cluster is: every node that is known is asked, at once.
-- @treturn table `nodes`: a list of address, id, role, `answers`, `leader` (whom it
-- names), `seconds` (its answer took), failure_domain, weight, `error`; `voters`,
-- `answering` (of them), `quorum` (do enough answer?), `leader` (address; nil when
-- none names itself)
-- @treturn dqlite.error|nil the error of a store that cannot be read, or that is empty
function Cluster:health()
  self:bind(self.settings)
  local list, err = known_nodes(self)
  if not list then return nil, err end
  return health(self.settings, self.loop, list)
end

--- Closes: no call is possible any more. Connections that were made stay open.
-- @treturn true
function Cluster:close()
  self.closed = true
  return true
end

Cluster.__close = Cluster.close

function Cluster:__tostring()
  return ("dqlite cluster (%s)"):format(self.closed and "closed"
    or self.leader_name and "leader " .. errors.visible(self.leader_name) or "no leader known")
end

return clusters
