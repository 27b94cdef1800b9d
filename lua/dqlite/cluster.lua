--- A cluster: what is known of its nodes, and the way to its leader. Shared by all
-- connections that are made through it: what one has learned is there for the next.
-- @module dqlite.cluster

local admin = require "dqlite.admin"
local askers = require "dqlite.asker"
local connection = require "dqlite.connection"
local dropping = require "dqlite.dropping"
local errors = require "dqlite.error"
local events = require "dqlite.events"
local guarded = require "dqlite.guarded"
local health = require "dqlite.health"
local links = require "dqlite.link"
local loops = require "dqlite.loops"
local open = require "dqlite.open"
local options = require "dqlite.options"
local process = require "dqlite.process"
local read_store = require "dqlite.store_reading"
local outcome = require "dqlite.search_outcome"
local pools = require "dqlite.pool"
local routes = require "dqlite.routes"
local searches = require "dqlite.search"
local stores = require "dqlite.store"
local watches = require "dqlite.watch"
local wheres = require "dqlite.where"

local clusters = {}

local Cluster = {}
Cluster.__index = Cluster
Cluster.__name = "dqlite.cluster"

local FRESH = 30 -- seconds that what is known of the nodes is good for
local PAUSE = 0.02 -- seconds after a leader was found that could not be reached

local function new(where, settings)
  local store, lone = wheres.store(where)
  return setmetatable({
    settings = settings,
    process = process.current(), -- that it belongs to
    store = store,
    lone = lone, -- is it the address of one node, and nothing is known of others?
    loop = nil, -- from the first use on
    watch = nil, -- likewise, where the loop can do that
    observer = events.of(settings) or events.none,
    pools = setmetatable({}, { __mode = "k" }), -- those of it, as keys
    leader_name = nil, -- of the node that led last, as far as is known
    listed = nil, -- the nodes, as the store has said
    members = nil, -- as one of them has said
    learned = -math.huge, -- when
    unsaved = false, -- have they changed since the store was written?
    refresh_error = nil, -- of the last time that it was
    search = nil, -- the one that goes on
    closed = false,
  }, Cluster)
end

--- Makes a cluster, without any input or output.
-- @tparam string|table where an address, a list of them, or a store
-- @tparam[opt] table opts options of connections, and `refresh`
-- @treturn table|nil
-- @treturn table|nil an error of kind "value" for a malformed address
function clusters.new(where, opts)
  local settings = options.cluster(opts)
  local wrong = wheres.problem(where)
  if wrong then return nil, wrong end
  return new(where, settings)
end

-- ---- what a search tells, and asks ----

--- Gives a search what it begins with.
-- @tparam table search
-- @treturn table|nil the error of the store
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
  if before ~= name then self.observer:leader_changed(before, name) end
end

--- A node leads.
-- @tparam string name
function Cluster:found(name)
  if self.leader_name == name then return end
  lead(self, name)
  for pool in pairs(self.pools) do dropping.leader_found(pool, name) end
end

--- A node may not lead any more.
-- @tparam string name
-- @tparam[opt] boolean surely it has said so, or another node leads
function Cluster:forget(name, surely)
  if self.leader_name == name then lead(self, nil) end
  for pool in pairs(self.pools) do dropping.leader_lost(pool, name, surely) end
end

--- The nodes or their roles were changed: what was known is asked for again.
function Cluster:changed()
  self.leader_name, self.learned = nil, -math.huge
end

--- A search has ended.
-- @tparam table search
function Cluster:ended(search)
  if self.search == search then self.search = nil end
end

--- Whom the watch asks.
-- @treturn table list of names
function Cluster:names()
  local names = {}
  for _, each in ipairs(self.members or self.listed or {}) do
    names[#names + 1] = each.address
  end
  return names
end

-- ---- the way to the leader ----

--- Binds it to a loop at its first use: its searches wait there. Raises on another
-- one, and where nobody can wait.
-- @tparam table settings
function Cluster:bind(settings)
  process.check(self.process, "the cluster", "make one in this process, after the fork")
  if self.closed then errors.misuse("the cluster is closed") end
  if settings.direct then
    errors.misuse("the option 'direct' is for one node: dqlite.connect(address, { direct = true })")
  end
  local loop = loops.select(settings.loop)
  if self.loop and self.loop ~= loop then
    errors.misuse("the cluster is used with another loop already: make one for each")
  end
  loops.check_wait(loop)
  if self.loop then return end
  self.loop = loop
  if loop.start then self.watch = watches.new(self, loop, self.settings) end
end

-- One that is left over without coroutines has run out of memory.
local function current_search(self, settings, opens)
  local search = self.search
  if search and search.inline and search.running then self.search = nil end
  self.search = self.search or searches.new(self, self.loop, settings, opens)
  return self.search
end

local function dial_session(self, name, address, settings, deadline)
  local link, err = links.new(address, settings, name)
  if not link then return nil, err end
  local function give_up() link:close() end
  local opened, failed =
    guarded(give_up, open.session, link, settings, deadline, self:wants_members())
  if opened then return link end
  return nil, failed
end

local function dial_asking(name, address, settings, loop, deadline)
  local asker = askers.new(settings, name, address)
  local leader, is_self = asker:ask(math.min(deadline, loop.now() + settings.connect_timeout))
  if leader and is_self then return asker:take() end
  asker:close()
  if leader then return nil, errors.new { kind = "not_leader", message = "it leads no more" } end
  return nil, is_self
end

-- Those who have shared a search dial the leader that it has found.
local function dial(self, name, settings, opens, deadline)
  local address, err = routes.find(settings, name)
  if not address then return nil, err end
  if not opens then return dial_asking(name, address, settings, self.loop, deadline) end
  local link, failed = dial_session(self, name, address, settings, deadline)
  if link and link.members then self:learn(link.members) end
  return link, failed
end

--- Tells the store what was learned, if it is to be told. That it fails is no error
-- of the call that has learned it: `refresh_error`.
function Cluster:save()
  if not self.settings.refresh or not self.unsaved then return end
  self.unsaved = false
  local _
  _, self.refresh_error = stores.write(self.store, self.members)
end

-- Looks for the leader once more, after a pause, if there is time for it.
local function again(self, leader, deadline)
  local pause = loops.jitter(PAUSE)
  self:forget(leader)
  if self.loop.now() + pause >= deadline then return false end
  local broken = loops.pause(self.loop, pause)
  if broken then errors.misuse(broken) end
  return true
end

local FINAL = { sql = true, value = true, policy = true, protocol = true }

--- A link to the leader.
-- @tparam table settings from dqlite.options
-- @tparam boolean opens a session with its database; else nothing is opened
-- @tparam number deadline of the loop's now()
-- @treturn table|nil
-- @treturn table|nil the error
function Cluster:reach(settings, opens, deadline)
  local link, leader, err
  local refused = opens and open.refusal(settings)
  if refused then return nil, refused end
  repeat
    link, leader, err = current_search(self, settings, opens):join(deadline, settings, opens)
    if not link and not leader then return nil, err end
    if not link then link, err = dial(self, leader, settings, opens, deadline) end
  until link or FINAL[err.kind] or not again(self, leader, deadline)
  if not link then return nil, err end
  link.watch = self.watch
  self:save()
  return link
end

local function connect(self, settings)
  self:bind(settings)
  local began = self.loop.now()
  local link, err = self:reach(settings, true, began + settings.timeout)
  if not link then return nil, err end
  local observer = events.of(settings)
  if observer then observer:connected(link, self.loop.now() - began) end
  return connection.new(link, settings, observer)
end

--- Connects to the leader.
-- @tparam[opt] table opts options as of dqlite.connect, over those of the cluster
-- @treturn table|nil a connection
-- @treturn table|nil the error: "no_leader" tells what each node answered and
-- whether a quorum is missing
function Cluster:connect(opts)
  local settings = opts and options.over(opts, self.settings) or self.settings
  return connect(self, settings)
end

--- Makes a pool of connections to the leader.
-- @tparam[opt] table opts as of dqlite.create_pool, over those of the cluster
-- @treturn table|nil a pool
-- @treturn table|nil the error of the first connections (`min_size`)
function Cluster:pool(opts)
  local for_connections, own = options.pool(opts)
  return pools.new(self, options.over(for_connections, self.settings), own)
end

local function known_nodes(self)
  if self.members then return self.members end
  local list, err = read_store(self.store, self.loop, self.settings.connect_timeout)
  if list and not list[1] then return nil, outcome.no_nodes() end
  return list, err
end

-- ---- dqlite.connect ----

local shared = setmetatable({}, { __mode = "k" }) -- loop -> key -> cluster

-- Connections to the same addresses know of each other, as long as one of them lives.
local function shared_cluster(where, settings)
  local key = wheres.key(where)
  if not key or settings.dial or settings.translate or settings.redirect
    or settings.on_event then
    return new(where, settings)
  end
  local loop = loops.select(settings.loop)
  shared[loop] = shared[loop] or setmetatable({}, { __mode = "v" })
  local known = shared[loop]
  local cluster = known[key]
  if not cluster or process.is_inherited(cluster.process) then
    cluster = new(where, settings)
    known[key] = cluster
  end
  return cluster
end

local function connect_direct(address, settings)
  if type(address) ~= "string" then
    errors.misuse("the option 'direct' needs the address of one node")
  end
  local link, err = open.direct(address, settings)
  if not link then return nil, err end
  return connection.new(link, settings, events.of(settings))
end

--- Connects (see dqlite.connect).
function clusters.connect(where, opts)
  if getmetatable(where) == Cluster then return where:connect(opts) end
  local settings = options.cluster(opts)
  if settings.direct then return connect_direct(where, settings) end
  local wrong = wheres.problem(where)
  if wrong then return nil, wrong end
  return connect(shared_cluster(where, settings), settings)
end

--- Makes a pool (see dqlite.create_pool).
function clusters.create_pool(where, opts)
  if getmetatable(where) == Cluster then return where:pool(opts) end
  local for_connections, own = options.pool(opts)
  local settings = options.cluster(for_connections)
  local wrong = wheres.problem(where)
  if wrong then return nil, wrong end
  return pools.new(shared_cluster(where, settings), settings, own)
end

-- ---- administration ----

for name, call in pairs(admin) do
  Cluster[name] = function(self, ...)
    self:bind(self.settings)
    return call(self, ...)
  end
end

--- How the cluster is: every node that is known is asked, at once.
-- @treturn table `nodes`: a list of address, id, role, `answers`, `leader` (whom it
-- names), `seconds` (its answer took), failure_domain, weight, `error`; `voters`,
-- `answering` (of them), `quorum` (do enough answer?), `leader` (address; nil when
-- none names itself)
-- @treturn table|nil the error of a store that cannot be read, or that is empty
function Cluster:health()
  self:bind(self.settings)
  local list, err = known_nodes(self)
  if not list then return nil, err end
  return health(self.settings, self.loop, list)
end

--- Closes: no call is possible any more. Connections that were made stay open.
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
