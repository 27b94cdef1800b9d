--- Requests to one node and their answers, on a link.
-- @module dqlite.ask

local errors = require "dqlite.error"

local ask = {}

--- Queues a request; it leaves with the first reply that is waited for.
-- @tparam table link from dqlite.link
-- @tparam string name of a request in dqlite.wire
-- @tparam table fields
-- @treturn true|nil
-- @treturn table|nil an error of kind "value" when it cannot be sent
function ask.send(link, name, fields)
  local sent, _, reason = link.core:send(name, fields)
  if sent then return true end
  return nil, errors.new { kind = "value", message = errors.visible(reason) }
end

--- Waits for a reply and drops what it says.
-- @tparam table link
-- @tparam number deadline of the loop's now()
-- @tparam[opt] table about the request: write
-- @treturn true|nil
-- @treturn table|nil the error, also the one that a FAILURE stands for
function ask.reply(link, deadline, about)
  local name, last = link:reply(deadline, about)
  if not name then return nil, last end
  if name == "FAILURE" then return nil, link:failure(about) end
  return true
end

--- Waits for a reply.
-- @return as ask.reply, with the message in place of true
function ask.message(link, deadline, about)
  local answered, err = ask.reply(link, deadline, about)
  if not answered then return nil, err end
  local message, kind, reason = link.core:message()
  if not message then return nil, link:fail(kind, reason, about) end
  return message
end

--- Sends a request and waits for its answer.
-- @return as ask.message
function ask.request(link, name, fields, deadline, about)
  local sent, err = ask.send(link, name, fields)
  if not sent then return nil, err end
  return ask.message(link, deadline, about)
end

-- An address with id 0 is malformed; an id without an address is a node that knows no
-- leader (hazards.md, Leaders).
local function leader_of(link, address, has_id)
  if address == "" or has_id then return address end
  return nil, link:fail("protocol", "a leader without an id")
end

--- Whom the answer to LEADER names.
-- @tparam table link
-- @tparam table server the message
-- @treturn string|nil the leader's address, "" for none known
-- @treturn table|nil the error
function ask.named(link, server)
  return leader_of(link, server.address, server.id ~= "0")
end

--- Waits for the answer to LEADER.
-- @tparam table link
-- @tparam number deadline of the loop's now()
-- @return as ask.named
function ask.leader(link, deadline)
  local answered, err = ask.reply(link, deadline)
  if not answered then return nil, err end
  return leader_of(link, link.core:leader())
end

--- Waits for the answer to OPEN.
-- @tparam table link
-- @tparam number deadline of the loop's now()
-- @treturn true|nil
-- @treturn table|nil the error
function ask.database(link, deadline)
  local answered, err = ask.reply(link, deadline)
  if not answered then return nil, err end
  if link.core:database() == 0 then return true end
  return nil, link:fail("protocol", "a database with another number than 0")
end

return ask
