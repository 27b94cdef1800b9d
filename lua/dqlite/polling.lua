--- A connection by itself in a program that polls: `pollfd`, `events` and `timeout`, the
-- names that cqueues and others poll an object by, and `step`.
-- @module dqlite.polling

local errors = require "dqlite.error"

local polling = {}

-- nil for a connection that has ended.
local function stream_of(conn)
  conn.link:check_process()
  return not conn.closed and conn.link.stream or nil
end

local function host_of(conn, name)
  local loop = conn.link.loop
  if loop.step then return loop end
  errors.misuse(("%s: it is for connections on the loop of a host (dqlite.host), and this one"
    .. " is on another: %s"):format(name, loop.name or "a loop of one's own"))
end

--- The descriptor.
-- @tparam table conn
-- @treturn number|nil nil for a connection that has ended
function polling.pollfd(conn)
  local stream = stream_of(conn)
  if not stream then return nil end
  if not stream.pollfd then
    errors.misuse("pollfd: the stream has no descriptor to be watched, as under nginx")
  end
  return stream:pollfd()
end

--- What it is to be watched for.
-- @tparam table conn
-- @treturn string|nil "r", "w", "rw"; nil where nobody waits
function polling.events(conn)
  host_of(conn, "events")
  local stream = stream_of(conn)
  return stream and stream.events and stream:events() or nil
end

--- When a step is due.
-- @tparam table conn
-- @treturn number|nil in how many seconds; nil: never
function polling.timeout(conn)
  return host_of(conn, "timeout"):timeout()
end

--- Takes a step of the loop in which no other connection is looked at.
-- @tparam table conn
-- @treturn boolean is there anything left to wait for?
function polling.step(conn)
  local host, stream = host_of(conn, "step"), stream_of(conn)
  if stream and stream.step then return stream:step() end
  return host:step({}, 0)
end

return polling
