--- From an address to an open session: the version word, LEADER, CLIENT and
-- OPEN leave in one write, so an open connection costs one round trip.
-- @module dqlite.open

local core = require "dqlite.core"
local errors = require "dqlite.error"
local links = require "dqlite.link"
local loops = require "dqlite.loops"

local FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.5 -- seconds between two attempts

local function queue_opening(link, database)
  local session = link.core
  session:send("LEADER", {})
  session:send("CLIENT", {})
  local sent, _, reason = session:send("OPEN", { database = database })
  if sent then return true end
  return nil, errors.new { kind = "value", message = reason }
end

-- LEADER names the leader by the address that the cluster knows it by. A unix
-- socket cannot be compared with it.
local function is_self(link, leader)
  if leader == link.address then return true end
  local peer = link.stream.peer and link.stream:peer()
  return peer == leader
    or not peer and core.parse_address(link.address) ~= "tcp"
end

local function next_reply(link, deadline)
  local name, last = link:reply(deadline)
  if not name then return nil, last end
  if name == "FAILURE" then return nil, link:failure() end
  return true
end

local function next_message(link, deadline)
  local answered, err = next_reply(link, deadline)
  if not answered then return nil, err end
  local message, kind, reason = link.core:message()
  if not message then return nil, link:fail(kind, reason) end
  return message
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

-- What the answer to LEADER means for us. An address with id 0 is malformed;
-- an id without an address is a node that knows no leader (hazards.md).
local function check_leader(link, server, direct)
  if server.address == "" then return nil, no_leader(link) end
  if server.id == "0" then
    return nil, link:fail("protocol", "a leader without an id")
  end
  if direct or is_self(link, server.address) then return true end
  return nil, other_leader(link, server.address)
end

local function read_opening(link, settings, dialled, deadline)
  local server, err = next_message(link, dialled)
  if not server then return nil, err end
  local ok, wrong = check_leader(link, server, settings.direct)
  if not ok then return nil, wrong end
  local welcome, refused = next_reply(link, deadline)
  if not welcome then return nil, refused end
  local db, failed = next_message(link, deadline)
  if not db then return nil, failed end
  if db.db == 0 then return true end
  return nil, link:fail("protocol", "a database with another number than 0")
end

local function attempt(address, settings, deadline)
  local link, err = links.new(address, settings)
  if not link then return nil, err end
  local queued, refused = queue_opening(link, settings.database)
  if not queued then return nil, refused end
  local dialled =
    math.min(deadline, link.loop.now() + settings.connect_timeout)
  local ok, failed = link:dial(dialled)
  if ok then ok, failed = read_opening(link, settings, dialled, deadline) end
  if ok then return link end
  link:close()
  return nil, failed
end

--- Opens a database on one node. While the node knows no leader (an election
-- goes on) it is asked again until the deadline.
-- @tparam string address as in dqlite.connect
-- @tparam table settings from dqlite.options
-- @treturn table|nil an open link
-- @treturn table|nil the error
return function(address, settings)
  local loop = loops.select(settings.loop)
  local deadline = loop.now() + settings.timeout
  local pause = FIRST_PAUSE
  while true do
    local link, err = attempt(address, settings, deadline)
    if link or err.kind ~= "no_leader" then return link, err end
    pause = math.min(pause * 2, LONGEST_PAUSE) * (0.75 + math.random() / 2)
    if loop.now() + pause >= deadline then return nil, err end
    local broken = loops.pause(loop, pause)
    if broken then errors.misuse(broken) end
  end
end
