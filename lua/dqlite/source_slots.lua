--- Where the connections of a pool come from that it keeps itself: slots, filled when
-- they are needed (dqlite.slots, dqlite.checkout).
-- @module dqlite.source_slots

local checkout = require "dqlite.checkout"
local dropping = require "dqlite.dropping"
local errors = require "dqlite.error"
local loops = require "dqlite.loops"
local process = require "dqlite.process"
local new_slots = require "dqlite.slots".new

local source = {
  sweep = dropping.sweep,
  take = checkout.take,
  lease = checkout.lease,
  give = checkout.give,
}

-- The first connections, at once where the loop can do that.
local function warm_up(pool, deadline)
  local missing, failure, raised = pool.own.min_size, nil, nil
  local done = loops.cond(pool.loop)
  local function add()
    local ok, added, err = pcall(checkout.add, pool, deadline)
    if not ok then raised = raised or { added } end
    if not added then failure = failure or err end
    missing = missing - 1
    done:signal()
  end
  if missing == 1 or not loops.runs_any(pool.loop) then
    while missing > 0 and not failure and not raised do add() end
  else
    for _ = 1, missing do pool.loop.start(add) end
    while missing > 0 do
      local _, kind, reason = done:wait()
      if kind == "misuse" then raised, missing = { reason }, 0 end
    end
  end
  if raised then pool:close(0) end
  if raised then error(raised[1], 0) end
  return failure
end

--- Begins: makes the first connections.
-- @treturn table|nil the error of these; the pool is closed then
function source.begin(pool)
  local own = pool.own
  pool.slots = new_slots(own.max_size, function(slot) dropping.drop(pool, slot) end)
  pool.cluster.pools[pool] = true
  if own.min_size == 0 then return nil end
  source.bind(pool)
  local failure = warm_up(pool, pool.loop.now() + pool.patience)
  if failure then pool:close(0) end
  return failure
end

--- Binds the pool to a loop, see Pool:bind.
function source.bind(pool)
  process.check(pool.process, "the pool", "make one in this process, after the fork")
  if pool.loop then
    -- what a name stands for is the same as before, in this process
    pool.cluster:check(pool.settings, pool.settings.loop and pool.loop)
    if pool.slots.has_left then dropping.reclaim(pool) end
    return
  end
  pool.cluster:bind(pool.settings)
  pool.slots:bind(pool.cluster.loop)
  pool.loop = pool.cluster.loop
end

--- What there is, and who waits, see Pool:stats.
function source.add_stats(pool, stats)
  local slots = pool.slots
  if slots.has_left and not process.is_inherited(pool.process) then dropping.reclaim(pool) end
  stats.size, stats.max_size, stats.min_size = slots.size, slots.most, pool.own.min_size
  stats.idle, stats.in_use, stats.waiting = slots.idle_count, slots.used_count, slots.waiting
  stats.connecting = slots.size - slots.idle_count - slots.used_count
end

-- In a process that was forked since: descriptors are closed, nothing else happens.
local function close_inherited(pool)
  pool.slots.closed = true
  for slot in pairs(pool.slots.all) do
    if slot.link then slot.link:close() end
  end
end

-- In use, and on the way there or back: in `init`, or while it is rolled back. Who is at
-- that gives the slot back.
local function cut_all(pool)
  for slot in pairs(pool.slots.all) do
    if slot.link then slot.link:fail("closed", "the pool was closed") end
  end
end

--- Closes, see Pool:close.
-- @tparam table pool
-- @tparam number timeout seconds
function source.close(pool, timeout)
  if process.is_inherited(pool.process) then return close_inherited(pool) end
  local slots = pool.slots
  slots:close()
  dropping.drop_all(pool)
  if slots.size == 0 then return end
  local deadline = pool.loop.now() + timeout
  if pool.loop.now() < deadline and loops.can_wait(pool.loop) then
    local _, kind, reason = slots:wait_empty(deadline)
    if kind == "misuse" then errors.misuse(reason) end
  end
  cut_all(pool)
end

function source.is_closed(pool)
  return pool.slots.closed
end

--- How many there are, in words.
function source.describe(pool)
  local slots = pool.slots
  return ("%d of %d connections, %d in use"):format(slots.size, slots.most, slots.used_count)
end

return source
