--- A statement that one call sends and another one reads the answer to. Meanwhile nothing
-- else can be done with the connection but to close it.
-- @module dqlite.deferred

local call = require "dqlite.call"
local errors = require "dqlite.error"
local exchange = require "dqlite.exchange"
local sql = require "dqlite.sql"

local unpack = table.unpack or rawget(_G, "unpack")

local Deferred = {}
Deferred.__index = Deferred

local deferred = {}

-- Bytes that a socket takes at once, whatever the server does. More would wait for a
-- server that does not read.
local AT_ONCE = 32 * 1024

-- Can it leave before anything was asked for?
local function can_leave(conn, known)
  return not (known.returning or known.fails or conn.level)
    and known.params <= sql.COUNTED_IN_A_BYTE
end

-- Answers the error, if there is one.
local function depart(self, settings, deadline)
  local conn, link = self.conn, self.conn.link
  local ready, err = call.begin(conn, settings, self.known, deadline)
  if not ready then return err end
  local begun = exchange.start(conn, self.known, self.read,
    unpack(self.params, 1, self.params.n))
  local left = begun.sent or begun.lead
  if not left then
    err = begun.refused
  elseif link.core:pending() <= AT_ONCE then
    left, err = link:flush(conn.deadline, conn)
  end
  if left then
    self.begun = begun
    return link:leave()
  end
  call.finish(conn, err)
  return err
end

--- Sends a statement, unless something has to be asked ahead of it (RETURNING, OR FAIL,
-- more than 255 parameters), or it is of more than 32 KiB: then `receive` does that.
-- @tparam table conn the connection
-- @tparam table settings of the call
-- @tparam table known from dqlite.sql
-- @tparam[opt] function read a reader of dqlite.result; nil: through EXEC
-- @tparam number seconds that sending may take
-- @param ... parameters: one by one, or one table that stays as it is until then
-- @treturn table|nil what to call `receive` of
-- @treturn table|nil the error
function deferred.send(conn, settings, known, read, seconds, ...)
  local self = setmetatable({
    conn = conn,
    known = known,
    read = read,
    params = { n = select("#", ...), ... },
    begun = nil, -- of exchange.start, once it was sent
  }, Deferred)
  if not can_leave(conn, known) then return self end
  local err = depart(self, settings, conn.link.loop.now() + seconds)
  if err then return nil, err end
  return self
end

-- Takes the connection again.
local function enter(self, settings)
  local conn, link = self.conn, self.conn.link
  if not link:check(settings.timeout) then
    local about = { address = conn.address, sql = conn.sql, write = conn.write }
    return nil, errors.lost("closed", "the connection was lost before the answer came", about)
  end
  link:enter()
  conn.begun = link.loop.now()
  conn.deadline = conn.begun + settings.timeout
  return true
end

local function arrive(self, settings)
  local conn, known, read = self.conn, self.known, self.read
  local answer, err = exchange.finish(conn, settings, known, read, self.begun)
  if answer then return answer end
  local again, lost = exchange.wait_busy(conn, known, err)
  if not again then return nil, lost or err end
  return exchange.run(conn, settings, known, nil, read, nil, unpack(self.params, 1, self.params.n))
end

--- Reads the answer, once. Where another connection holds the lock the statement is sent
-- again, as in any other call.
-- @tparam table settings of the call
-- @treturn table|nil the answer
-- @treturn table|nil the error
function Deferred:receive(settings)
  local conn = self.conn
  if not self.begun then
    return call.perform(conn, settings, self.known, nil, self.read, nil,
      unpack(self.params, 1, self.params.n))
  end
  local ready, lost = enter(self, settings)
  if not ready then return nil, lost end
  local answer, err = arrive(self, settings)
  call.finish(conn, err)
  return answer, err
end

return deferred
