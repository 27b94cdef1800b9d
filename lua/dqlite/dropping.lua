--- Which connections of a pool are closed before anybody asks for it: those to a node
-- that leads no more, those that are too old or were idle for too long, and those whose
-- users are dead.
-- @module dqlite.dropping

local loops = require "dqlite.loops"

local dropping = {}

--- Closes a slot's connection and frees the slot, without a wait under an event loop:
-- at once, or when a result that is still on its way has been read.
-- @tparam table pool
-- @tparam table slot reserved or used; who has it has it no more
function dropping.drop(pool, slot)
  local link = slot.link
  slot.conn, slot.link = false, false
  slot.turn = slot.turn + 1
  if link then
    pool.slots:reserve(slot, loops.running())
    local ok, held = pcall(link.quit_holding, link, pool.slots, slot)
    if ok and held then
      slot.owner = false
      return
    end
  end
  pool.slots:free(slot)
end

-- Idle connections go at once, the others when they come back.
local function drop_idle(pool, is_useless)
  local me = loops.running()
  local slot = pool.slots:take_idle(is_useless, me)
  while slot do
    dropping.drop(pool, slot)
    slot = pool.slots:take_idle(is_useless, me)
  end
end

local function is_any()
  return true
end

local function is_stale(slot)
  return slot.stale
end

local function is_dead(slot)
  return not slot.link.stream or not slot.link.stream:alive()
end

--- A node leads: connections to any other are of no use.
-- @tparam table pool
-- @tparam string name of the leader
function dropping.leader_found(pool, name)
  for slot in pairs(pool.slots.all) do
    if slot.link and slot.link.leader_name ~= name then slot.stale = true end
  end
  drop_idle(pool, is_stale)
end

--- A node may not lead any more.
-- @tparam table pool
-- @tparam string name of the node
-- @tparam boolean surely it has said so itself; else its connections are looked at
function dropping.leader_lost(pool, name, surely)
  if not surely then return drop_idle(pool, is_dead) end
  for slot in pairs(pool.slots.all) do
    if slot.link and slot.link.name == name then slot.stale = true end
  end
  drop_idle(pool, is_stale)
end

local LOST = "a connection of the pool was collected without release"

local function report(pool, lease)
  pool.observer:leaked(lease.trace and LOST .. "; it was acquired at " .. lease.trace or LOST)
end

-- Has its owner left it behind? A coroutine that is dead has; one that begins anew as
-- well: it ran out of memory even for giving it back.
local function is_left(slot, me)
  if slot.left then return true end
  if not slot.owner or slot.calling then return false end
  return loops.is_dead(slot.owner) or slot.owner == me and slot.state ~= "used"
end

--- Frees the slots that their owners have left behind.
-- @tparam table pool
function dropping.reclaim(pool)
  local me = loops.running()
  pool.slots.has_left = false
  for slot in pairs(pool.slots.all) do
    if is_left(slot, me) then
      local lease = slot.left
      slot.left = false
      dropping.drop(pool, slot)
      if lease and not pool.slots.closed then report(pool, lease) end
    end
  end
end

--- Drops all idle connections.
-- @tparam table pool
function dropping.drop_all(pool)
  dropping.reclaim(pool)
  drop_idle(pool, is_any)
end

--- Drops connections that were idle for too long, as long as there are enough, and
-- those that are too old.
-- @tparam table pool
-- @tparam number now of the loop
function dropping.sweep(pool, now)
  local slots = pool.slots
  local oldest = slots:oldest()
  while oldest and slots.size > pool.own.min_size
    and now - oldest.since > pool.own.idle_timeout do
    dropping.drop(pool, slots:take_idle(is_any, loops.running()))
    oldest = slots:oldest()
  end
  if now <= slots.dies then return end
  drop_idle(pool, function(slot) return now > slot.dies end)
  slots:look_for_old()
end

return dropping
