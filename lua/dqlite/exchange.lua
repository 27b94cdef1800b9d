--- One statement's way to the server and back, inside of a call: by its text or
-- by the id of a prepared statement, with what rides behind it, again while
-- another connection holds the lock.
--
-- A connection here has: `link`, `settings`, `cache`, `state`, and for the call
-- under way `begun`, `deadline`, `busy_until`, `reading`, `sql`, `write`.
-- @module dqlite.exchange

local core = require "dqlite.core"
local errors = require "dqlite.error"
local features = require "dqlite.features"
local result = require "dqlite.result"
local schema = require "dqlite.schema"
local sql = require "dqlite.sql"

local exchange = {}

local SHORTEST_WAIT, LONGEST_WAIT = 0.001, 0.025 -- seconds between two tries
local BUSY_SNAPSHOT = 517 -- the transaction must begin anew

-- What is left of a call's time for its last try, when it waits for a lock.
local LAST_TRY = 0.25 -- seconds, at most half of the time

-- ---- sending ----

--- The error of a request that was refused before a byte left. Misuse is to be
-- raised, but not before the call has ended: `{ misuse = text }`.
function exchange.unsent(conn, kind, reason)
  if kind == "misuse" then return { misuse = reason } end
  if kind == "value" or kind == "unsupported" then
    return errors.new { kind = kind, message = errors.visible(reason), sql = conn.sql }
  end
  return conn.link:fail(kind, reason)
end

--- Queues what rides behind a statement: FINALIZE of ids that nobody will send
-- any more, PREPARE of a text that is sent the second time.
-- @tparam table conn the connection
-- @tparam[opt] table entry of the cache
-- @treturn number how many FINALIZE
-- @treturn table|nil the entry, when PREPARE was sent for it
function exchange.ride(conn, entry)
  local session, cache, count = conn.link.core, conn.cache, 0
  for id in cache.take_doomed, cache do
    session:finalize(id)
    count = count + 1
  end
  if not entry or not session:prepare(entry.text, conn.prepare_schema) then return count end
  entry.asked = true
  return count, entry
end

--- Queues a statement: by its id, or by one that the cache has, else as text.
-- @treturn number|nil how many bytes are pending now
-- @treturn table|nil the error; or the cache's entry that asks for a PREPARE
function exchange.write(conn, known, id, as_query, ...)
  local session, entry = conn.link.core, nil
  local sent, kind, reason
  if not id then id, entry = conn.cache:route(known) end
  local what = id or known.text
  if as_query then
    sent, kind, reason = session:query(what, known.numbering, ...)
  else
    sent, kind, reason = session:exec(what, known.numbering, ...)
  end
  if not sent then return nil, exchange.unsent(conn, kind, reason) end
  return sent, entry
end

-- The same for a statement that is alone on its way.
local function send(conn, known, id, as_query, ...)
  local sent, entry = exchange.write(conn, known, id, as_query, ...)
  if not sent then return nil, entry end
  local link, state = conn.link, conn.state
  link.yields_rows = as_query
  link.holds_lock = state.maybe_open or known.returning
  conn.write = known.writes and state:in_doubt(known)
  link.queued = sent
  if entry or conn.cache.doomed[1] then
    conn.finalizing, conn.preparing = exchange.ride(conn, entry)
    link.queued = link.core:pending()
  end
  return true
end

-- ---- receiving ----

--- Reads the answer to an entry's PREPARE. A text that cannot be prepared goes
-- on as text; servers of 1.12 to 1.14 are asked again with schema 0.
-- @treturn boolean was there an answer?
function exchange.read_prepared(conn, entry)
  local link = conn.link
  local name = link:reply(conn.deadline, conn)
  if name == "STMT" then
    local id, params = link.core:statement()
    conn.cache:learn(entry, id, params)
  elseif name then
    local err = link:failure(conn)
    if features.is_unknown(err) then
      conn.prepare_schema, entry.asked = 0, false
    end
    return not err.fatal
  end
  return name ~= nil
end

--- Reads the answers to what rode behind a statement.
-- @tparam table conn the connection
-- @tparam number finalizing how many FINALIZE
-- @tparam[opt] table entry that PREPARE was sent for
function exchange.read_riders(conn, finalizing, entry)
  local link = conn.link
  if not link.stream then return end
  conn.write = false
  for _ = 1, finalizing do
    local name = link:reply(conn.deadline, conn)
    if name == "FAILURE" then link:failure(conn) end
    if not link.stream then return end
  end
  if entry then exchange.read_prepared(conn, entry) end
end

--- Finalizes all that was prepared on a connection.
-- @tparam table conn the connection, without a call under way
-- @tparam number deadline of the loop's now()
-- @treturn true|nil
-- @treturn table|nil the error of a link that has ended
function exchange.finalize_all(conn, deadline)
  local link = conn.link
  conn.cache:clear()
  if not conn.cache.doomed[1] then return true end
  conn.deadline, conn.sql, link.yields_rows = deadline, nil, false
  exchange.read_riders(conn, (exchange.ride(conn)))
  if link.stream then return true end
  return nil, link:ended()
end

local function receive(conn, settings, known, read, limit)
  local answer, err
  if read then
    answer, err = result.rows(conn, settings, read, limit)
  else
    answer, err = result.counts(conn, known)
  end
  if err then
    conn.state:failed(known, err)
  elseif known.control then
    conn.state:succeeded(known)
  end
  local finalizing, entry = conn.finalizing, conn.preparing
  conn.finalizing, conn.preparing = 0, nil
  if entry or finalizing > 0 then
    if conn.link.stream then conn.link.yields_rows = false end
    exchange.read_riders(conn, finalizing, entry)
  end
  return answer, err
end

-- The same two for a text whose columns follow the schema.
local function send_unstable(conn, known, ...)
  local lead = schema.lead(conn)
  local sent, refused = send(conn, known, nil, true, ...)
  schema.trail(conn, lead)
  return lead, sent, refused
end

local function receive_unstable(conn, settings, known, read, limit, lead, sent, refused)
  local readable, wrong = schema.read_lead(conn, lead)
  local answer, err = nil, refused
  if sent and readable then
    answer, err = receive(conn, settings, known, read, limit)
  end
  schema.read_trail(conn, lead)
  if wrong then return nil, wrong end
  return answer, err
end

local function attempt_unstable(conn, settings, known, read, limit, ...)
  return receive_unstable(conn, settings, known, read, limit, send_unstable(conn, known, ...))
end

--- Queues a statement whose answer `finish` reads, inside a call each.
-- @tparam table conn the connection
-- @tparam table known from dqlite.sql
-- @tparam[opt] function read a reader of dqlite.result; nil: through EXEC
-- @param ... parameters: one by one, or one table
-- @treturn table for `finish`
function exchange.start(conn, known, read, ...)
  if known.unstable and read ~= result.count then
    local lead, sent, refused = send_unstable(conn, known, ...)
    return { lead = lead, sent = sent, refused = refused }
  end
  local sent, refused = send(conn, known, nil, read ~= nil, ...)
  return { lead = false, sent = sent, refused = refused }
end

--- Reads the answer to what `start` has queued, once.
-- @return as run
function exchange.finish(conn, settings, known, read, begun)
  if begun.lead then
    return receive_unstable(conn, settings, known, read, nil, begun.lead, begun.sent,
      begun.refused)
  end
  if not begun.sent then return nil, begun.refused end
  return receive(conn, settings, known, read)
end

-- ---- waiting for a lock ----

-- May it be run again? Only what ran by itself, or would have begun the
-- transaction: nothing of it has happened, and nobody has seen it.
local function is_repeatable(conn, known, err)
  if err.kind ~= "busy" or err.code == BUSY_SNAPSHOT then return false end
  return known.kind == "begin" or not conn.state.maybe_open
end

local function last_try(conn)
  local settings = conn.reading
  local reserve = math.min(LAST_TRY, settings.timeout / 2)
  return math.min(conn.begun + settings.busy_timeout, conn.deadline - reserve)
end

--- Waits before a statement that was answered with BUSY is sent again.
-- @treturn boolean may it be?
-- @treturn table|nil the error of a connection that was lost meanwhile
function exchange.wait_busy(conn, known, err)
  local link = conn.link
  if not is_repeatable(conn, known, err) then return false end
  local pause = SHORTEST_WAIT + core.random() * (LONGEST_WAIT - SHORTEST_WAIT)
  if link.loop.now() + pause >= (conn.busy_until or last_try(conn)) then return false end
  local slept, lost = link:pause(pause)
  return slept or false, lost
end

--- Runs a statement, again while it is BUSY and may be.
-- @tparam table conn the connection
-- @tparam table settings of the call
-- @tparam table known from dqlite.sql
-- @tparam[opt] number id of a prepared statement
-- @tparam[opt] function read a reader of dqlite.result; nil: through EXEC
-- @tparam[opt] number limit of rows
-- @param ... parameters: one by one, or one table
-- @treturn table|nil what was read
-- @treturn table|nil the error
function exchange.run(conn, settings, known, id, read, limit, ...)
  local unstable = known.unstable and not id and read ~= result.count
  while true do
    local answer, sent, err
    if unstable then
      answer, err = attempt_unstable(conn, settings, known, read, limit, ...)
    else
      sent, err = send(conn, known, id, read ~= nil, ...)
      if sent then answer, err = receive(conn, settings, known, read, limit) end
    end
    if answer then return answer end
    local may_be, lost = exchange.wait_busy(conn, known, err)
    if not may_be then return nil, lost or err end
  end
end

--- Concludes a call whose first try has failed; where that was BUSY it may be run again.
-- @tparam number|string what was sent: an id, or the text
-- @return as helpers.run
function exchange.again(conn, known, what, shape, err, ...)
  conn.state:failed(known, err)
  local may_be, lost = exchange.wait_busy(conn, known, err)
  if not may_be then return nil, lost or err end
  local id = type(what) == "number" and what or nil
  local answer, failed = exchange.run(conn, conn.settings, known, id, shape.read, shape.limit, ...)
  if not answer then return nil, failed end
  return shape.finish(answer, conn.settings, known)
end

--- Reads the answer to a statement that was queued in a call begun at once.
-- @tparam table shape of result.shapes
-- @tparam number now when the call began
-- @tparam number queued how many bytes are pending
-- @return what the user gets, or nil
-- @treturn table|nil the error
function exchange.take(conn, known, shape, now, queued)
  local link, state, settings = conn.link, conn.state, conn.settings
  local deadline, limit, observer = now + settings.timeout, conn.limit, conn.observer
  if limit and limit < deadline then deadline = limit end
  conn.begun, conn.deadline, conn.sql = now, deadline, known.text
  if observer and observer.hook then observer:started(conn) end
  conn.write = known.writes and not state.surely_open
  link.yields_rows, link.holds_lock, link.queued = shape.read ~= nil, state.maybe_open, queued
  return result.take(conn, settings, known, shape, link:ask(deadline, conn))
end

--- Runs a statement of the library's own inside a call, such as BEGIN.
-- @treturn table|nil an answer
-- @treturn table|nil the error
function exchange.control(conn, text)
  return exchange.run(conn, conn.settings, sql.examine(text), nil, nil, nil)
end

--- Runs a query of the library's own inside a call.
-- @treturn table|nil the rows by position
-- @treturn table|nil the error
function exchange.lookup(conn, text)
  return exchange.run(conn, conn.settings, sql.examine(text), nil, result.by_position, nil)
end

return exchange
