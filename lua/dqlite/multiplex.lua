--- Reads of many coroutines on few connections: each is sent without waiting for the
-- answers to the ones before it. A lane is a coroutine that has a connection of the pool
-- as long as there are reads to send or answers due. Who waits beyond a deadline leaves;
-- the answer is then read by the lane and dropped.
-- @module dqlite.multiplex

local call = require "dqlite.call"
local checkout = require "dqlite.checkout"
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

local function new_read(loop)
  local read = {
    shape = false, -- of result.shapes
    known = false, -- from dqlite.sql
    settings = false, -- of the call
    params = false,
    n = 0, -- how many
    began = 0,
    cond = false, -- that its coroutine waits for
    left = false, -- nobody waits any more
    done = false, -- it has an answer or an error
    served = true, -- there was a connection for it
    has_raised = false, -- there was none, since `init` raised the error
    answer = false,
    err = false,
    finalizing = 0, -- answers that come behind its own
    preparing = false, -- the cache's entry, when one of them is to its PREPARE
    spare = false, -- another one that is free for the next call
  }
  read.cond = loops.cond(loop, function() read.left = true end)
  return read
end

local function finish(read, answer, err)
  read.done, read.answer, read.err = true, answer, err
  if not read.left then read.cond:signal() end
end

-- ---- lanes ----

local Lane = {}
Lane.__index = Lane

-- Answers how many bytes are pending then; nil where it was refused.
function Lane:send(read)
  local conn, known = self.conn, read.known
  conn.sql = known.text
  local pending, entry = exchange.write(conn, known, nil, true, unpack(read.params, 1, read.n))
  if not pending then return finish(read, nil, entry) end
  if entry or conn.cache.doomed[1] then
    read.finalizing, read.preparing = exchange.ride(conn, entry)
  end
  self.sent = self.sent + 1
  self.due[self.sent] = read
  if conn.observer.hook then conn.observer:started(conn) end
  return pending
end

function Lane:fill()
  if self.owner:is_empty() then return end
  local pending = self.conn.link.core:pending()
  while self.sent - self.received < MOST and pending < BYTES do
    local read = self.owner:pop()
    if not read then return end
    pending = self:send(read) or pending
  end
end

-- Answers what time it is then.
function Lane:receive(now)
  local conn, read = self.conn, self.due[self.received + 1]
  local known, settings = read.known, read.settings
  local finalizing, entry = read.finalizing, read.preparing
  conn.sql, conn.write, conn.begun = known.text, false, read.began
  conn.deadline = now + conn.settings.timeout
  if conn.reading ~= settings then call.use_reading(conn, settings) end
  local answer, err = result.take(conn, settings, known, read.shape,
    conn.link:reply(conn.deadline, conn))
  now = conn.link.loop.now()
  conn.observer:ended(conn, err, now)
  self.received = self.received + 1
  self.due[self.received] = nil
  finish(read, answer, err)
  if finalizing > 0 or entry then exchange.read_riders(conn, finalizing, entry) end
  return now
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
  local now = link.loop.now()
  if not link:begin(now, conn.settings.timeout) then return end
  link.yields_rows, link.holds_lock, link.queued = true, false, false
  self:fill()
  while self.sent > self.received and link.stream do
    now = self:receive(now)
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
    spare = false, -- a read that is free for the next call
  }, Multiplexer)
end

--- Is there nothing to be sent?
-- @treturn boolean
function Multiplexer:is_empty()
  return self.first > self.last
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
-- @tparam table known from dqlite.sql
-- @tparam table settings of the call
-- @treturn boolean
function Multiplexer:takes(known, settings)
  return known.plain and known.kind == "read" and settings.consistency ~= "linearizable"
    and not self.pool.own.setup and loops.runs_any(self.pool.loop)
end

function Multiplexer:take_read()
  local read = self.spare
  if not read then return new_read(self.pool.loop) end
  self.spare = read.spare
  return read
end

function Multiplexer:give_read(read)
  read.params, read.answer, read.err = false, false, false
  read.done, read.served, read.has_raised = false, true, false
  read.finalizing, read.preparing = 0, false
  self.spare, read.spare = read, self.spare
end

local function late(known)
  return errors.new {
    kind = "timeout",
    message = "the deadline has passed",
    sql = known.text,
    retryable = true,
  }
end

-- Answers as run. A read whose coroutine was told of its end is as good as a new one.
local function conclude(self, read, was_told)
  local answer, err, was_served, has_raised = read.answer, read.err, read.served, read.has_raised
  if was_told then self:give_read(read) end
  if has_raised then error(err, 0) end
  if not err then return true, answer end
  if err.misuse then errors.misuse(err.misuse) end
  return was_served, nil, err
end

--- Runs a read, as a call of that shape does on a connection.
-- @tparam table pool
-- @tparam number now of the loop
-- @tparam number deadline likewise
-- @tparam table shape of result.shapes
-- @tparam table known from dqlite.sql
-- @tparam table settings of the call
-- @param ... parameters as a user gives them
-- @return whether there was a connection, and the answer, or nil and the error
function multiplex.run(pool, now, deadline, shape, known, settings, ...)
  local self = pool.multiplexer
  local read = self:take_read()
  read.shape, read.known, read.settings, read.began = shape, known, settings, now
  read.params, read.n = { ... }, type((...)) == "table" and 1 or select("#", ...)
  push(self, read)
  local woken, kind, reason = read.cond:wait(deadline)
  if read.done then return conclude(self, read, woken) end
  read.left = true
  if kind == "misuse" then errors.misuse(reason) end
  return true, nil, late(known)
end

return multiplex
