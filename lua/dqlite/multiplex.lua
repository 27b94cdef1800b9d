--- Reads of many coroutines on few connections: each is sent without waiting for the
-- answers to the ones before it. A lane is a coroutine that has a connection of the pool
-- as long as there are reads to send or answers due. Who waits beyond a deadline leaves;
-- the answer is then read by the lane and dropped.
-- @module dqlite.multiplex

local call = require "dqlite.call"
local checkout = require "dqlite.checkout"
local core = require "dqlite.core"
local errors = require "dqlite.error"
local exchange = require "dqlite.exchange"
local loops = require "dqlite.loops"
local result = require "dqlite.result"

local multiplex = {}

local LANES = 2 -- connections, at most
local MOST = 64 -- reads on their way on each of them
local BYTES = 256 * 1024 -- of these, not yet taken by the socket

local unpack = table.unpack or rawget(_G, "unpack")

-- ---- reads ----

-- How each call reads its answer: the reader, how many rows, and what it makes of them.
local function first(list) return list[1] end
local function same(list) return list end

local WAYS = {
  fetch = { result.by_name, nil, result.finished },
  fetchall = { result.by_position, nil, result.finished },
  fetch_arrays = { result.by_position, nil, result.finished },
  fetchone = { result.by_name, 1, first },
  fetchval = { result.first_value, 1, first },
  fetchcol = { result.first_values, nil, result.finished },
  query = { result.lossless, nil, same },
}

local function new_read(loop, way, known, settings, now, ...)
  local read = {
    way = way,
    known = known,
    settings = settings,
    n = select("#", ...),
    params = { ... },
    began = now,
    cond = nil, -- that its coroutine waits for
    left = false, -- nobody waits any more
    done = false, -- it has an answer or an error
    served = true, -- there was a connection for it
    has_raised = false, -- there was none, since `init` raised the error
    list = nil,
    err = nil,
    finalizing = 0, -- answers that come behind its own
    preparing = nil, -- the cache's entry, when one of them is to its PREPARE
  }
  read.cond = loops.cond(loop, function() read.left = true end)
  return read
end

local function finish(read, list, err)
  read.done, read.list, read.err = true, list, err
  if not read.left then read.cond:signal() end
end

-- ---- lanes ----

local Lane = {}
Lane.__index = Lane

function Lane:send(read)
  local conn, known = self.conn, read.known
  conn.sql = known.text
  local sent, entry = exchange.write(conn, known, nil, true, unpack(read.params, 1, read.n))
  if not sent then return finish(read, nil, entry) end
  if entry or conn.cache.doomed[1] then
    read.finalizing, read.preparing = exchange.ride(conn, entry)
  end
  self.sent = self.sent + 1
  self.due[self.sent] = read
  conn.observer:started(conn)
end

function Lane:fill()
  local session = self.conn.link.core
  while self.sent - self.received < MOST and session:pending() < BYTES do
    local read = self.owner:pop()
    if not read then return end
    self:send(read)
  end
end

function Lane:receive()
  local conn, read = self.conn, self.due[self.received + 1]
  conn.sql, conn.write, conn.begun = read.known.text, false, read.began
  conn.deadline = conn.link.loop.now() + conn.settings.timeout
  call.use_reading(conn, read.settings)
  local list, err = result.rows(conn, read.settings, read.way[1], read.way[2])
  conn.observer:ended(conn, err)
  self.received = self.received + 1
  self.due[self.received] = nil
  finish(read, list, err)
  if read.finalizing > 0 or read.preparing then
    exchange.read_riders(conn, read.finalizing, read.preparing)
  end
end

-- Those whose answers will not come.
function Lane:lose()
  local conn = self.conn
  local cause = conn.link.cause
  for i = self.received + 1, self.sent do
    finish(self.due[i], nil, errors.lost(cause and cause.kind or "closed",
      "the connection was lost before the answer came", {
        address = conn.address,
        sql = self.due[i].known.text,
        write = false,
        leader = cause and cause.leader,
      }))
  end
end

function Lane:exchange()
  local conn = self.conn
  local link = conn.link
  if not link:begin(link.loop.now(), conn.settings.timeout) then return end
  link.yields_rows, link.holds_lock, link.queued = true, false, nil
  self:fill()
  while self.sent > self.received and link.stream do
    self:receive()
    if link.stream then self:fill() end
  end
  link:leave()
end

local function new_lane(owner, conn)
  return setmetatable({
    owner = owner,
    conn = conn,
    due = {}, -- reads whose answers come next, by number
    sent = 0,
    received = 0,
  }, Lane)
end

-- ---- the whole ----

local Multiplexer = {}
Multiplexer.__index = Multiplexer

--- Makes one for a pool.
-- @tparam table pool
-- @treturn table
function multiplex.new(pool)
  return setmetatable({
    pool = pool,
    queue = {}, -- reads that were not sent, from `first` to `last`
    first = 1,
    last = 0,
    lanes = 0, -- that run
  }, Multiplexer)
end

--- Takes the next read that somebody waits for.
-- @treturn table|nil
function Multiplexer:pop()
  while self.first <= self.last do
    local read = self.queue[self.first]
    self.queue[self.first] = nil
    self.first = self.first + 1
    if not read.left then return read end
  end
end

local function refuse_all(self, err, has_raised)
  local read = self:pop()
  while read do
    read.served, read.has_raised = false, has_raised
    finish(read, nil, err)
    read = self:pop()
  end
end

local function serve(self)
  local pool = self.pool
  local now = pool.loop.now()
  local taken, slot, err = pcall(checkout.take, pool, now, now + pool.patience)
  if not taken then return refuse_all(self, slot, true) end
  if not slot then return refuse_all(self, err, false) end
  local lane = new_lane(self, checkout.lease(pool, slot, true))
  local ok, raised = pcall(lane.exchange, lane)
  if not ok then lane.conn.link:fail("closed", "its reads were broken off") end
  lane:lose()
  checkout.give(pool, lane.conn, true)
  if not ok then error(raised, 0) end
end

local open_lane

local function run_lane(self)
  local ok, err = pcall(serve, self)
  self.lanes = self.lanes - 1
  if self.last >= self.first then open_lane(self) end
  if not ok then error(err, 0) end -- the loop reports it
end

function open_lane(self)
  if self.lanes >= LANES or self.lanes > 0 and self.last - self.first < MOST then return end
  self.lanes = self.lanes + 1
  self.pool.loop.start(function() run_lane(self) end)
end

local function push(self, read)
  self.last = self.last + 1
  self.queue[self.last] = read
  open_lane(self)
end

--- Can a call go that way? Only where something runs beside the caller, and for a
-- statement that reads, ahead of which nothing has to be asked.
-- @tparam string name of the call
-- @tparam table known from dqlite.sql
-- @tparam table settings of the call
-- @treturn boolean
function Multiplexer:takes(name, known, settings)
  return WAYS[name] ~= nil and loops.runs_any(self.pool.loop) and not self.pool.own.setup
    and known.plain
    and known.kind == "read" and settings.consistency ~= "linearizable"
end

local function late(known)
  return errors.new {
    kind = "timeout",
    message = "the deadline has passed",
    sql = known.text,
    retryable = true,
  }
end

--- Runs a read, as the call of that name does on a connection.
-- @tparam string name of the call
-- @tparam table known from dqlite.sql
-- @tparam table settings of the call
-- @tparam number now of the loop
-- @tparam number deadline likewise
-- @param ... parameters: one by one, or one table
-- @return whether there was a connection, and the answer, or nil and the error
function Multiplexer:run(name, known, settings, now, deadline, ...)
  local fine, kind, reason = core.check_params(known.numbering, ...)
  if not fine and kind == "misuse" then errors.misuse(reason) end
  if not fine then
    local message = errors.visible(reason)
    return true, nil, errors.new { kind = kind, message = message, sql = known.text }
  end
  local read = new_read(self.pool.loop, WAYS[name], known, settings, now, ...)
  push(self, read)
  local _, broken, why = read.cond:wait(deadline)
  if read.has_raised then error(read.err, 0) end
  if read.done and read.err then return read.served, nil, read.err end
  if read.done then return true, read.way[3](read.list, settings) end
  read.left = true
  if broken == "misuse" then errors.misuse(why) end
  return true, nil, late(known)
end

return multiplex
