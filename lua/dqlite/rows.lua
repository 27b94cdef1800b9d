--- Rows one at a time, in the memory of one frame: an iterator that reads the
-- next frame when the last one is used up. What a `break` leaves unread is
-- drained by the connection's next call, or by `close` (hazards.md, Waiting).
-- @module dqlite.rows

local call = require "dqlite.call"
local errors = require "dqlite.error"
local exchange = require "dqlite.exchange"
local helpers = require "dqlite.helpers"
local loops = require "dqlite.loops"
local result = require "dqlite.result"
local schema = require "dqlite.schema"

local rows = {}

-- One result that is being read.
local Rows = {}
Rows.__index = Rows

-- Ends it for good and raises the reason, as iterators do.
local function give_up(self, err)
  local conn = self.conn
  if conn.live == self then conn.live = false end
  self.ended = true
  if conn.link.stream then
    conn.link:enter()
    conn.link:drain()
    conn.link:leave()
  end
  helpers.failed(conn, err)
  error(err, 0)
end

-- The next frame. Each has the whole timeout: a slow reader is no failure.
local function read_frame(self)
  local conn, link = self.conn, self.conn.link
  conn.deadline = link.loop.now() + self.settings.timeout
  local name, last = link:reply(conn.deadline, conn)
  if name == "ROWS" then
    self.last = last
    return true
  end
  local err = name and link:failure(conn) or last
  conn.state:failed(self.known, err)
  return nil, err
end

-- The same outside of a call.
local function read_next(self)
  local link = self.conn.link
  loops.check_wait(link.loop)
  link:enter()
  local ok, err = read_frame(self)
  link:leave()
  return ok, err
end

local function finish(self)
  local conn, link = self.conn, self.conn.link
  if self.lead + self.finalizing > 0 then loops.check_wait(link.loop) end
  conn.live = false
  self.ended = true
  conn.deadline = link.loop.now() + self.settings.timeout
  link:enter()
  schema.read_trail(conn, self.lead)
  exchange.read_riders(conn, self.finalizing)
  link:leave()
  return nil
end

local function check_step(self)
  local conn = self.conn
  conn.link:check_process()
  if conn.link.owner or conn.link.broken then conn.link:check(self.settings.timeout) end
  if not conn.link.stream then error(conn.link:ended(), 0) end
  if conn.live ~= self then
    error(errors.new { kind = "closed", message = "the rows were ended by a later call" }, 0)
  end
end

-- The frame has no more rows, or, with a kind of error, none that can be read. Is
-- there another one? In a forked child no frame has any (next_row in reply.c).
local function advance(self, kind, reason)
  self.conn.link:check_process()
  if kind then give_up(self, self.conn.link:fail(kind, reason, self.conn)) end
  if self.last then return finish(self) end
  local ok, err = read_next(self)
  if not ok then give_up(self, err) end
  return true
end

-- Behind the last row of a frame, or what ended its reading: the next frame, true; or
-- nil, none.
local function go_on(self, kind, reason)
  local link = self.conn.link
  if self.ended then return nil end
  if kind == "broken off" then link.broken, kind = true, nil end
  check_step(self)
  if not advance(self, kind, reason) then return nil end
  link.core:begin_rows(self.ticket)
  return true
end

-- The step from row to row: what happens seldom is elsewhere. What reading a row
-- raises ("not enough memory") leaves the link broken.
local function iterator_of(self)
  local conn, link, ticket, null = self.conn, self.conn.link, self.ticket, self.null
  local session, columns, into = link.core, self.columns, self.into
  local next_row = session.next_row
  local function step()
    if conn.live == self then
      link.broken = true
      local row, kind, reason = next_row(session, ticket, null, columns, into)
      link.broken = false
      if row then return row end
      if not go_on(self, kind, reason) then return nil end
    elseif not go_on(self) then
      return nil
    end
    return step()
  end
  return step
end

-- Sends the statement and reads the first frame, again while it is BUSY.
local function start(self, known, id, ...)
  local conn, link = self.conn, self.conn.link
  local unstable = known.unstable and not id
  while true do
    self.lead = unstable and schema.lead(conn) or 0
    local sent, err = exchange.write(conn, known, id, true, ...)
    schema.trail(conn, self.lead)
    self.finalizing = exchange.ride(conn)
    link.yields_rows, link.holds_lock, link.queued = true, conn.state.maybe_open, nil
    conn.write = conn.state:in_doubt(known)
    local readable, wrong = schema.read_lead(conn, self.lead)
    if sent and readable then sent, err = read_frame(self) end
    if sent and readable and not wrong then return true end
    if link.stream then link:drain(conn.deadline) end
    local again, lost = exchange.wait_busy(conn, known, wrong or err)
    if not again then return nil, lost or wrong or err end
  end
end

local function open(conn, settings, known, id, ...)
  local wrong = call.refusal(conn, known, ...)
  if wrong then return nil, wrong end
  local self = setmetatable({
    conn = conn,
    known = known,
    settings = settings,
    ticket = nil, -- to read them with (reply.c)
    null = settings.null_by_position, -- what a NULL becomes
    columns = nil, -- names, for rows by name
    into = settings.reuse and {} or nil, -- the one table for all rows
    lead = 0, -- answers that came before, as in dqlite.schema
    finalizing = 0, -- answers that come behind
    last = false, -- no frame follows the current one
    ended = false,
  }, Rows)
  local ready, err = call.begin(conn, settings, known)
  if not ready then return nil, err end
  local started, failed = start(self, known, id, ...)
  if started then
    self.ticket = conn.link.core:begin_rows()
    if not settings.arrays then
      self.columns, self.null = result.columns(conn), settings.null_by_name
    end
    conn.live = self
  end
  call.finish(conn, failed)
  if not started then return nil, failed end
  return iterator_of(self)
end

-- A write holds the server's lock until its last row is read, and before 1.15
-- it needs a COMMIT behind it: RETURNING is fetched as a whole.
local function open_fetched(conn, settings, known, id, ...)
  local read = settings.arrays and result.by_position or result.by_name
  local list, err = call.perform(conn, settings, known, id, read, nil, ...)
  if not list then return nil, err end
  local i = 0
  return function()
    i = i + 1
    return list[i]
  end
end

--- See Connection:rows.
function rows.open(conn, known, id, ...)
  helpers.check_usable(conn)
  local settings = helpers.settings(conn, "rows", select("#", ...), ...)
  helpers.check_consistency(settings, known, true)
  local way = known.returning and open_fetched or open
  local err = helpers.check_yields_rows(known) or helpers.check_reads_only(conn, known)
  local iterator
  local first = ...
  if not err and type(first) == "table" then
    iterator, err = way(conn, settings, known, id, first)
  elseif not err then
    iterator, err = way(conn, settings, known, id, ...)
  end
  if iterator then return iterator end
  helpers.failed(conn, err)
  error(err, 0)
end

return rows
