--- How a connection leaves a pool and comes back: dialled where there is none, looked
-- at where there is one, rolled back, or dropped.
--
-- A lease says whose a slot is: `pool`, `slot`, `turn` (the slot's, when it was
-- given), `trace` (where). It is with the connection, and ready beforehand: from the
-- moment that a slot is in use nothing here needs memory.
-- @module dqlite.checkout

local connection = require "dqlite.connection"
local core = require "dqlite.core"
local dropping = require "dqlite.dropping"
local errors = require "dqlite.error"
local finalizer = require "dqlite.finalizer"
local guarded = require "dqlite.guarded"
local loops = require "dqlite.loops"
local process = require "dqlite.process"

local checkout = {}

-- Seconds without use after which a connection is looked at first. It costs a system
-- call.
local IDLE = 0.005

-- Seconds after which those that wait look again for slots that were left behind.
local LOOK = 0.05

-- ---- leases ----

-- A connection in use is dropped by everybody: from its finalizer. The loop is asked
-- for only where it has work already: at the end of the program it may be no more.
local function collected(lease)
  local pool, slot = lease.pool, lease.slot
  if not slot or slot.turn ~= lease.turn or slot.state ~= "used" then return end
  if process.is_inherited(pool.process) then return end
  lease.slot, slot.left, pool.slots.has_left = false, lease, true
  local is_urgent = pool.slots.waiting > 0 or slot.link and slot.link:is_open()
  if not pool.loop.later_finalize or not is_urgent then return end -- the next call finds it
  pool.loop.later_finalize(function() dropping.reclaim(pool) end)
end

local function prepare_lease(pool, conn)
  local lease = { pool = pool, slot = false, turn = 0, trace = false }
  conn.guard = finalizer(function() collected(lease) end)
  conn.lease = lease
end

--- Begins the use of a slot's connection. Where its user drops it without a word the
-- collector frees the slot.
-- @tparam table pool
-- @tparam table slot from take
-- @tparam boolean is_own is it for a call of the pool, which nobody else sees?
-- @treturn table the connection
function checkout.lease(pool, slot, is_own)
  local conn = slot.conn
  if not is_own then slot.owner = false end
  conn.lease.slot, conn.lease.turn = slot, slot.turn
  slot.conn = false
  pool.slots:use(slot)
  pool.meter.acquires = pool.meter.acquires + 1
  return conn
end

-- ---- leaving ----

--- Calls a function of the program: what it answers as `nil, err` is an error.
-- @tparam function fn
-- @tparam table conn
-- @treturn true|nil
-- @return the error
function checkout.run_user(fn, conn)
  local done, err = fn(conn)
  if done == nil and err ~= nil then return nil, err end
  return true
end

--- Calls `setup`, if there is one.
-- @tparam table pool
-- @tparam table conn in use
-- @treturn true|nil
-- @return what it answers as the error
function checkout.set_up(pool, conn)
  if not pool.own.setup then return true end
  return checkout.run_user(pool.own.setup, conn)
end

-- Is it good for a call as far as is known here, without a look at it?
local function is_sound(slot, now)
  return not slot.stale and now <= slot.dies and slot.link.stream
end

local function is_usable(pool, slot, now)
  if not is_sound(slot, now) then return false end
  if now - slot.since <= IDLE or slot.link.stream:alive() then return true end
  pool.cluster:forget(slot.link.name)
  return false
end

-- The last tenth of its time is drawn by lot: those that were made together do not
-- all end at once.
local function life_of(pool)
  return pool.own.max_lifetime * (1 - core.random() / 10)
end

local function dial(pool, slot, deadline)
  local began = pool.loop.now()
  local link, err = pool.cluster:reach(pool.settings, true, deadline)
  if not link then
    pool.observer:unconnected()
    return nil, err
  end
  slot.link, slot.stale = link, false
  local now = pool.loop.now()
  slot.since, slot.dies = now, now + life_of(pool)
  slot.conn = connection.new(link, pool.settings, pool.observer)
  pool.observer:connected(link, now - began)
  if pool.slots.closed then return nil, checkout.closed_error() end
  if not pool.own.init then return true end
  slot.conn.limit, slot.calling = deadline, true
  local done, failed = checkout.run_user(pool.own.init, slot.conn)
  slot.calling = false
  return done, failed
end

local function fill(pool, slot, deadline)
  if pool.slots.closed then return nil, checkout.closed_error() end
  if slot.conn and not is_usable(pool, slot, pool.loop.now()) then
    slot.link:quit()
    slot.conn, slot.link = false, false
  end
  if not slot.conn then
    local function drop() dropping.drop(pool, slot) end
    local done, err = guarded(drop, dial, pool, slot, deadline)
    if not done then return nil, err end
  end
  if not slot.conn.lease then prepare_lease(pool, slot.conn) end
  return true
end

function checkout.closed_error()
  return errors.new { kind = "pool", message = "the pool is closed" }
end

local function timeout_error(pool, seconds)
  local slots = pool.slots
  return errors.new {
    kind = "pool",
    message = ("no connection came free in %.1f s: %d of %d are in use, %d others wait")
      :format(seconds, slots.used_count, slots.most, slots.waiting),
    retryable = true,
  }
end

-- Who has to wait looks whether a slot was left behind. Among many that wait not each one:
-- a look costs as much as an answer.
local function look(pool, now, me)
  local slots = pool.slots
  if slots.waiting > 0 and now - slots.looked < LOOK then return nil end
  slots.looked = now
  dropping.reclaim(pool)
  return slots:take_free(me)
end

-- Answers the slot, and what time it is by then; or nil and the error.
local function take(pool, began, deadline, me)
  local slots = pool.slots
  local slot = slots:take_free(me) or look(pool, began, me)
  if slot then return slot, began end
  local waited, kind, reason = slots:wait(deadline, me)
  local now = pool.loop.now()
  if not slots.closed then pool.observer:waited(now - began, waited ~= nil) end
  if waited then return waited, now end
  if kind == "misuse" then errors.misuse(reason) end
  if slots.closed then return nil, checkout.closed_error() end
  return nil, timeout_error(pool, now - began)
end

--- Takes a slot with a connection that works, as far as can be known here.
-- @tparam table pool
-- @tparam number began of the loop's now()
-- @tparam number deadline likewise
-- @treturn table|nil the slot
-- @treturn table|nil the error
function checkout.take(pool, began, deadline)
  local slot, now = take(pool, began, deadline, loops.running())
  if not slot then return nil, now end
  local was_used = slot.conn and slot.conn.lease and now - slot.since <= IDLE
  if was_used and is_sound(slot, now) then return slot end
  local ok, filled, failed = pcall(fill, pool, slot, deadline)
  if ok and filled and not pool.slots.closed then return slot end
  dropping.drop(pool, slot)
  if not ok then error(filled, 0) end
  return nil, failed or checkout.closed_error()
end

--- Makes connections before they are asked for.
-- @tparam table pool
-- @tparam number deadline of the loop's now()
-- @treturn true|nil
-- @treturn table|nil the error
function checkout.add(pool, deadline)
  local slot = pool.slots:add(loops.running())
  if not slot then return true end
  local ok, filled, failed = pcall(fill, pool, slot, deadline)
  if ok and filled then return checkout.put(pool, slot, slot.conn) end
  dropping.drop(pool, slot)
  if not ok then error(filled, 0) end
  return nil, failed
end

-- ---- coming back ----

-- Is nobody in the middle of a call on it, and nothing to be done before the next one gets it?
local function is_ready(conn)
  local link = conn.link
  return link.stream and not (link.owner or link.broken) and conn:is_clean()
end

-- Does what is to be done. Answers whether it can be used again.
local function clean(pool, conn)
  local link = conn.link
  if not link.stream then return false end
  if link.owner or link.broken then
    link:fail("closed", "it was given back to the pool in the middle of a call")
    return false
  end
  return loops.can_wait(pool.loop) and conn:reset() and link.stream
end

--- Puts a slot back whose connection is in order.
-- @treturn true
function checkout.put(pool, slot, conn)
  local slots, now = pool.slots, pool.loop.now()
  slot.conn = conn
  conn.limit = false
  if slots.closed or slot.stale or now > slot.dies then
    dropping.drop(pool, slot)
  else
    slots:put(slot, now)
  end
  return true
end

local function is_cleaned(pool, slot, conn)
  local function drop() dropping.drop(pool, slot) end
  if guarded(drop, clean, pool, conn) then return true end
  local link = conn.link
  if link.cause then pool.cluster:forget(link.name, link.cause.kind == "not_leader") end
  return false
end

local function put_back(pool, slot, conn, is_own)
  if not is_own then connection.retire(conn) end
  if not is_ready(conn) and not is_cleaned(pool, slot, conn) then return false end
  return checkout.put(pool, slot, is_own and conn or connection.renew(conn))
end

--- Ends the use of a connection. Again does nothing.
-- @tparam table pool
-- @tparam table conn
-- @tparam boolean is_own has nobody else seen it?
function checkout.give(pool, conn, is_own)
  local lease = conn.lease
  local slot = lease.slot
  if pool.process ~= process.current() then return conn.link:close() end
  if not slot or lease.turn ~= slot.turn then return end
  pool.slots:reserve(slot, loops.running())
  lease.slot = false
  local ok, put = pcall(put_back, pool, slot, conn, is_own)
  if ok and put then return end
  if slot.turn == lease.turn then dropping.drop(pool, slot) end
  if not ok then error(put, 0) end
end

return checkout
