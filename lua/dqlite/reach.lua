--- The way to the leader of a cluster: a link to it, by the search that all share who
-- look for it at the time. Where a socket belongs to who has opened it (nginx), the
-- search only finds out who leads, and each dials for itself; a leader that is known
-- is dialled at once.
-- @module dqlite.reach

local askers = require "dqlite.asker"
local coroutines = require "dqlite.loop.coroutines"
local errors = require "dqlite.error"
local guarded = require "dqlite.guarded"
local later = require "dqlite.later"
local links = require "dqlite.link"
local loops = require "dqlite.loops"
local nodes = require "dqlite.search_node"
local open = require "dqlite.open"
local routes = require "dqlite.routes"

local keepalive = later.require "dqlite.keepalive" -- nginx' alone
local searches = later.require "dqlite.search"

local reach = {}

local PAUSE = 0.02 -- seconds after a leader was found that could not be reached

local FINAL = { sql = true, value = true, policy = true, protocol = true, pool = true }

-- One that is left over without coroutines has run out of memory.
local function current_search(cluster, settings, opens)
  local search = cluster.search
  if search and search.inline and search.running then cluster.search = nil end
  cluster.search = cluster.search or searches.new(cluster, cluster.loop, settings, opens)
  return cluster.search
end

-- The watch minds this link already while it is opened: who dials a leader that hangs
-- waits for nothing else.
local function new_link(cluster, name, address, settings, limits)
  if not cluster.loop.detach then return links.new(address, settings, name, nil, cluster.loop) end
  local link = limits and keepalive.take_spare(limits, address, name)
  if not link then
    local made, err = links.new(address, settings, name, true)
    if not made then return nil, err end
    link, made.keeping = made, keepalive.of(made, settings, limits)
  end
  link.watch = cluster.watch
  link:enter()
  return link
end

local function dial_session(cluster, name, address, settings, deadline, limits)
  local link, err = new_link(cluster, name, address, settings, limits)
  if not link then return nil, err end
  local opened, failed, leader =
    guarded(link.close, open.session, link, settings, deadline, cluster:wants_members())
  link:leave()
  if opened then return link end
  return nil, failed, leader
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
local function dial(cluster, name, settings, opens, deadline, limits)
  local address, err = routes.find(settings, name)
  if not address then return nil, err end
  if not opens then return dial_asking(name, address, settings, cluster.loop, deadline) end
  local link, failed, leader = dial_session(cluster, name, address, settings, deadline, limits)
  local members = link and link.members
  if members then cluster:learn(members) end
  -- a leader may be lost at a time when no file can be opened
  if members and members[2] then later.load "dqlite.search" end
  return link, failed, leader
end

-- Looks for the leader once more, after a pause, if there is time for it.
local function again(cluster, leader, deadline)
  local pause = loops.jitter(PAUSE)
  cluster:forget(leader)
  if cluster.loop.now() + pause >= deadline then return false end
  local broken = loops.pause(cluster.loop, pause)
  if broken then errors.misuse(broken) end
  return true
end

-- ---- the only node ----

-- Those who came meanwhile go on.
local function end_asking(cluster)
  local asked = cluster.asked
  if not asked then return end
  cluster.asked = false
  for _ = 1, asked.waiting do asked.cond:signal() end
end

local function dial_asked(cluster, name, settings, deadline)
  return dial(cluster, name, settings, true, deadline)
end

-- The first one for whom it is asked whether it leads: the others wait for that.
local function dial_first(cluster, name, settings, deadline)
  cluster.asked = { cond = loops.cond(cluster.loop), waiting = 0 }
  local ok, link, err, leader =
    coroutines.pcall(guarded, end_asking, dial_asked, cluster, name, settings, deadline)
  end_asking(cluster)
  if not ok then error(link, 0) end
  return link, err, leader
end

-- Dials the only node: a search would do the same, in a coroutine. What that has answered
-- it begins with, where there is a leader to be looked for.
local function dial_only(cluster, name, settings, deadline)
  local way = cluster.leader_name == name and dial_asked or dial_first
  local link, err, leader = way(cluster, name, settings, deadline)
  if link then
    cluster:found(name)
    return link
  end
  cluster:forget(name)
  if not nodes.RETRIED[err.kind] then return nil, err end
  local hint = err.kind == "no_leader" and "" or leader
  current_search(cluster, settings, true):told(name, err, hint)
end

-- The node to dial without a search, if there is one, once nobody asks it whether it leads.
local function only_node(cluster, deadline)
  local asked = cluster.asked
  if asked then
    asked.waiting = asked.waiting + 1
    local _, kind, reason = asked.cond:wait(deadline)
    if kind == "misuse" then errors.misuse(reason) end
  end
  return cluster:only_node()
end

-- ---- others ----

-- Dials whom the cluster takes for the leader, where a search brings no socket; it may
-- name another one.
local function dial_presumed(cluster, name, settings, opens, deadline, limits)
  local link, err, leader = dial(cluster, name, settings, opens, deadline, limits)
  if link then
    -- one that nginx has kept says nothing of who leads now
    if not opens or not keepalive.is_open(link) then cluster:found(name) end
    return link
  end
  if FINAL[err.kind] then return nil, err end
  cluster:forget(name, leader ~= nil)
  if leader then cluster:hint(leader) end
  return nil
end

-- A link without a search; or nil and an error that a search would not mend; or nothing.
local function dial_known(cluster, settings, opens, deadline, limits)
  if cluster.loop.detach then
    local presumed = cluster:presumed_leader()
    if presumed then
      return dial_presumed(cluster, presumed, settings, opens, deadline, limits)
    end
  elseif opens then
    local only = only_node(cluster, deadline)
    if only then return dial_only(cluster, only, settings, deadline) end
  end
end

local function search(cluster, settings, opens, deadline, limits)
  local searched = opens and not cluster.loop.detach -- may the search open it?
  while true do
    local link, leader, err =
      current_search(cluster, settings, searched):join(deadline, settings, searched)
    if not link and not leader then return nil, err end
    if not link then link, err = dial(cluster, leader, settings, opens, deadline, limits) end
    if link then return link end
    if FINAL[err.kind] or not again(cluster, leader, deadline) then return nil, err end
  end
end

--- Reaches the leader.
-- @tparam table cluster of dqlite.cluster, bound to its loop
-- @tparam table settings from dqlite.options
-- @tparam boolean opens a session with its database; else nothing is opened
-- @tparam number deadline of the loop's now()
-- @tparam[opt] table limits of the pool that nginx keeps (dqlite.keepalive)
-- @treturn table|nil a link
-- @treturn table|nil the error
function reach.link(cluster, settings, opens, deadline, limits)
  local refused = opens and open.refusal(settings)
  if refused then return nil, refused end
  local link, err = dial_known(cluster, settings, opens, deadline, limits)
  if not (link or err) then
    link, err = search(cluster, settings, opens, deadline, limits)
  end
  if not link then return nil, err end
  link.watch = cluster.watch
  cluster:save()
  return link
end

--- Asks who leads, whoever is taken for the leader: `presumed_leader` knows it then.
-- @tparam table cluster of dqlite.cluster, bound to its loop, whose searches bring no link
-- @tparam table settings from dqlite.options
-- @tparam number deadline of the loop's now()
function reach.confirm(cluster, settings, deadline)
  current_search(cluster, settings, false):join(deadline, settings, false)
end

return reach
