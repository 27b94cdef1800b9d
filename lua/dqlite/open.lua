--- From an address to an open session: the version word, LEADER, CLIENT and
-- OPEN leave in one write, so an open connection costs one round trip. CLUSTER may
-- go with them, for the names of the other nodes.
-- @module dqlite.open

local ask = require "dqlite.ask"
local calls = require "dqlite.node_calls"
local core = require "dqlite.core"
local errors = require "dqlite.error"
local later = require "dqlite.later"
local links = require "dqlite.link"
local loops = require "dqlite.loops"
local routes = require "dqlite.routes"

local keepalive = later.require "dqlite.keepalive" -- nginx' alone

local open = {}

local FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.5 -- seconds between two attempts

local accepted -- the last name that was found to be one

--- Looks at what a session would be opened with, before anything is dialled.
-- @tparam table settings from dqlite.options
-- @treturn table|nil an error of kind "value" for a name that takes a server down
function open.refusal(settings)
  if settings.database == accepted then return nil end
  local sent, _, reason =
    core.session(settings.max_message_size):send("OPEN", { database = settings.database })
  if sent then accepted = settings.database end
  if not sent then return errors.new { kind = "value", message = reason } end
end

local function queue_opening(link, settings, wants_members)
  local queued, _, reason = link.core:open(settings.database, wants_members)
  if queued then return true end
  return nil, errors.new { kind = "value", message = errors.visible(reason) }
end

local function no_leader(link)
  return errors.new {
    kind = "no_leader",
    message = "the node knows no leader",
    address = link.address,
    fatal = true,
    retryable = true,
  }
end

local function other_leader(link, leader)
  local shown = errors.visible(leader)
  return errors.new {
    kind = "not_leader",
    message = "the leader is " .. shown,
    leader = shown,
    address = link.address,
    fatal = true,
    retryable = true,
  }
end

-- What the answer to LEADER means for us.
local function check_leader(link, leader, settings)
  if leader == "" then return nil, no_leader(link) end
  if settings.direct or routes.is_self(link, settings, leader) then
    link.leader_name = leader
    return true
  end
  return nil, other_leader(link, leader), leader
end

-- The answer to CLUSTER can be done without.
local function read_members(link, deadline)
  local cluster, err = ask.message(link, deadline)
  if not cluster and err.fatal then return nil, err end
  link.members = cluster and calls.members(cluster.servers)
  return true
end

-- Dials a link whose socket nginx may have kept: then the session is open already, and
-- the first call finds out whether the node leads still.
local function resume(link, settings, dialled)
  local ok, failed = link:dial(dialled)
  if not ok then return nil, failed end
  return true, keepalive.resume(link, settings)
end

local function read_opening(link, settings, dialled, deadline, wants_members)
  local leader, err = ask.leader(link, dialled)
  if not leader then return nil, err end
  local ok, wrong, other = check_leader(link, leader, settings)
  if ok then ok, wrong = ask.reply(link, deadline) end -- to CLIENT
  if ok then ok, wrong = ask.database(link, deadline) end
  if ok and wants_members then ok, wrong = read_members(link, deadline) end
  return ok, wrong, other
end

--- Dials and opens the database, if the node leads; else the link is closed.
-- @tparam table link not dialled yet
-- @tparam table settings from dqlite.options
-- @tparam number deadline of the loop's now()
-- @tparam[opt] boolean wants_members asks for the nodes of the cluster, too; they
-- are `link.members` then
-- @treturn true|nil
-- @treturn table|nil the error: "no_leader", "not_leader" or another
-- @treturn string|nil the leader's address, as the node names it
function open.session(link, settings, deadline, wants_members)
  local dialled = math.min(deadline, link.loop.now() + settings.connect_timeout)
  local ok, failed, leader
  if link.keeping then
    ok, failed = resume(link, settings, dialled)
    if not ok or failed then return ok, failed end
    -- it may have waited for its turn in a pool
    dialled = math.min(deadline, link.loop.now() + settings.connect_timeout)
  end
  local queued, refused = queue_opening(link, settings, wants_members)
  if not queued then return nil, refused end
  if not link.keeping then ok, failed = link:dial(dialled) end
  if ok then
    ok, failed, leader = read_opening(link, settings, dialled, deadline, wants_members)
  end
  if ok then return true end
  link:close()
  return nil, failed, leader
end

local function attempt(address, settings, deadline)
  local keeps = loops.select(settings.loop).detach ~= nil
  local link, err = links.new(address, settings, nil, keeps)
  if not link then return nil, err end
  if keeps then link.keeping = keepalive.of(link, settings) end
  local ok, failed = open.session(link, settings, deadline)
  if ok then return link end
  return nil, failed
end

--- Opens a database on exactly one node. While it knows no leader (an election
-- goes on) it is asked again until the deadline.
-- @tparam string address as in dqlite.connect
-- @tparam table settings from dqlite.options
-- @treturn table|nil an open link
-- @treturn table|nil the error
function open.direct(address, settings)
  local loop = loops.select(settings.loop)
  local deadline = loop.now() + settings.timeout
  local pause = FIRST_PAUSE
  while true do
    local link, err = attempt(address, settings, deadline)
    if link or err.kind ~= "no_leader" then return link, err end
    pause = loops.jitter(math.min(pause * 2, LONGEST_PAUSE))
    if loop.now() + pause >= deadline then return nil, err end
    local broken = loops.pause(loop, pause)
    if broken then errors.misuse(broken) end
  end
end

return open
