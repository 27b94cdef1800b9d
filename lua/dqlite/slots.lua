--- The slots of a pool: how many connections it may have, which of them are idle,
-- and who waits for one. All of its accounting, and nothing that dials, sends or
-- closes. A slot is reserved before anything waits; one that comes back goes to who
-- has waited longest, and nobody overtakes those that wait.
--
-- A slot: `state` ("reserved", "used", "idle", "gone"), `turn` (which use of it this
-- is), and what the pool keeps there: `conn`, `link`, `dies`, `since`, `stale`,
-- `owner`, `calling`, `left`.
-- @module dqlite.slots

local loops = require "dqlite.loops"

local slots = {}

local Slots = {}
Slots.__index = Slots

--- Makes slots, none of them in use.
-- @tparam number most how many there may be
-- @tparam function discard closes a slot's connection and frees it, without a wait
-- @treturn table
function slots.new(most, discard)
  local self = setmetatable({
    loop = nil, -- from the first use on
    most = most,
    discard = discard,
    size = 0, -- slots that are not gone
    all = {}, -- those, as keys
    idle = {}, -- from the one that was idle longest; false behind the last
    idle_count = 0,
    dies = math.huge, -- before that none of those is too old
    used_count = 0,
    waiters = {}, -- a ring of them: `next` of this is who has waited longest
    waiting = 0, -- how many
    spare = false, -- a waiter that is free for the next wait; its `spare` is another one
    looked = -math.huge, -- when somebody looked for slots that were left behind
    closed = false,
    has_left = false, -- is one of them `left`?
    emptied = nil, -- likewise; signalled once it is closed and all slots are gone
  }, Slots)
  self.waiters.next, self.waiters.previous = self.waiters, self.waiters
  return self
end

--- Begins their use.
-- @tparam table loop
function Slots:bind(loop)
  self.loop, self.emptied = loop, loops.cond(loop)
end

-- ---- who waits ----

local function join(self, waiter)
  local last = self.waiters.previous
  waiter.previous, waiter.next = last, self.waiters
  last.next, self.waiters.previous = waiter, waiter
  self.waiting = self.waiting + 1
end

local function leave(self, waiter)
  if not waiter.next then return end
  waiter.previous.next, waiter.next.previous = waiter.next, waiter.previous
  waiter.next, waiter.previous = false, false
  self.waiting = self.waiting - 1
end

local function first_waiter(self)
  local waiter = self.waiters.next
  return waiter ~= self.waiters and waiter or nil
end

-- ---- states ----

-- Any but "used": see use.
local function set_state(self, slot, state)
  if slot.state == "used" then self.used_count = self.used_count - 1 end
  slot.state = state
end

-- A new use of it begins: who had it before has it no more.
local function reserve(self, slot)
  slot.turn = slot.turn + 1
  set_state(self, slot, "reserved")
  return slot
end

local function hand_over(self, slot, waiter)
  leave(self, waiter)
  slot.owner = waiter.owner
  waiter.slot = reserve(self, slot)
  waiter.cond:signal()
end

local function add(self, owner)
  local slot = {
    state = "reserved",
    turn = 1,
    conn = false, -- its connection, while nobody uses that
    link = false, -- the one of it
    dies = 0, -- when that is too old, of the loop's now()
    since = 0, -- when its connection was made, or came back
    stale = false, -- it is to be closed once it comes back
    owner = owner, -- the coroutine that has reserved it, or uses it for a call
    calling = false, -- and runs a function of the program meanwhile
    left = false, -- the lease of who has dropped its connection in use
  }
  self.all[slot] = true
  self.size = self.size + 1
  return slot
end

-- Its owner comes first: what fails for want of memory then belongs to somebody.
local function remove_idle(self, i, owner)
  local slot = self.idle[i]
  slot.owner = owner
  for k = i, self.idle_count do self.idle[k] = self.idle[k + 1] or false end
  self.idle_count = self.idle_count - 1
  return reserve(self, slot)
end

-- ---- taking one ----

-- A coroutine that is closed while it waits, or wakes by something else, passes on
-- what it was given.
local function give_up(self, waiter)
  leave(self, waiter)
  local slot = waiter.slot
  waiter.slot = false
  if not slot then return end
  if not slot.conn or self.closed then return self.discard(slot) end
  self:put(slot, self.loop.now())
end

local function new_waiter(self)
  local waiter = { slot = false, owner = false, next = false, previous = false, spare = false }
  waiter.cond = loops.cond(self.loop, function() give_up(self, waiter) end)
  return waiter
end

local function take_waiter(self)
  local waiter = self.spare
  if not waiter then return new_waiter(self) end
  self.spare, waiter.spare = waiter.spare, false
  return waiter
end

-- One whose condition has been signalled, and has told, is as good as a new one.
local function give_waiter(self, waiter)
  local slot = waiter.slot
  waiter.slot, waiter.owner = false, false
  waiter.spare, self.spare = self.spare, waiter
  return slot
end

local function wait(self, deadline, owner)
  local waiter = take_waiter(self)
  waiter.owner = owner
  join(self, waiter)
  local ok, woken, kind, reason = pcall(waiter.cond.wait, waiter.cond, deadline)
  if ok and waiter.slot and kind ~= "misuse" then return give_waiter(self, waiter) end
  give_up(self, waiter)
  if not ok then error(woken, 0) end
  return nil, kind, reason
end

--- Takes a slot without a wait: an idle one, or a new one.
-- @param owner the coroutine
-- @treturn table|nil the slot, reserved; without `conn` its connection is to be made
function Slots:take_free(owner)
  if self.closed then return nil end
  if self.idle_count > 0 then return remove_idle(self, self.idle_count, owner) end
  if self.size < self.most then return add(self, owner) end
end

--- Waits for a slot that comes back, where there is no other.
-- @tparam number deadline of the loop's now()
-- @param owner the coroutine
-- @treturn table|nil as take_free
-- @treturn string|nil "misuse" after a foreign resume, and the reason in words
function Slots:wait(deadline, owner)
  if self.closed then return nil end
  return wait(self, deadline, owner)
end

--- Takes a slot if there may be one more.
-- @param owner the coroutine
-- @treturn table|nil the slot, reserved
function Slots:add(owner)
  if not self.closed and self.size < self.most then return add(self, owner) end
end

--- Takes an idle slot, of several the one that was idle longest.
-- @tparam function is_wanted called with a slot
-- @param owner the coroutine
-- @treturn table|nil the slot, reserved
function Slots:take_idle(is_wanted, owner)
  for i = 1, self.idle_count do
    if is_wanted(self.idle[i]) then return remove_idle(self, i, owner) end
  end
end

--- Finds out when one of the idle slots is too old.
function Slots:look_for_old()
  self.dies = math.huge
  for i = 1, self.idle_count do self.dies = math.min(self.dies, self.idle[i].dies) end
end

--- The slot that was idle longest, where it is.
-- @treturn table|nil
function Slots:oldest()
  return self.idle[1] or nil
end

-- ---- giving one back ----

--- The connection of a slot that was reserved is in use.
function Slots:use(slot)
  slot.state, self.used_count = "used", self.used_count + 1
end

--- Its connection is on the way back.
function Slots:reserve(slot, owner)
  slot.owner = owner
  set_state(self, slot, "reserved")
end

--- Gives back a slot whose `conn` can be used again.
-- @tparam table slot
-- @tparam number now of the loop
function Slots:put(slot, now)
  slot.since = now
  local waiter = first_waiter(self)
  if waiter then return hand_over(self, slot, waiter) end
  self.idle[self.idle_count + 1] = slot
  self.idle_count = self.idle_count + 1
  slot.owner = false
  if slot.dies < self.dies then self.dies = slot.dies end
  set_state(self, slot, "idle")
end

--- Gives up a slot whose connection is gone: to who waits, to make another one.
function Slots:free(slot)
  slot.conn, slot.link, slot.stale, slot.calling, slot.left = false, false, false, false, false
  local waiter = not self.closed and first_waiter(self)
  if waiter then return hand_over(self, slot, waiter) end
  set_state(self, slot, "gone")
  self.all[slot] = nil
  self.size = self.size - 1
  if self.closed and self.size == 0 then self.emptied:signal() end
end

-- ---- the end ----

--- Nobody gets a slot any more; who waits is told.
function Slots:close()
  self.closed = true
  local waiter = first_waiter(self)
  while waiter do
    leave(self, waiter)
    waiter.cond:signal()
    waiter = first_waiter(self)
  end
end

--- Waits, once it is closed, until all slots are gone.
-- @tparam number deadline of the loop's now()
-- @treturn boolean are they?
-- @treturn string|nil "misuse" after a foreign resume, and the reason in words
function Slots:wait_empty(deadline)
  if self.size == 0 then return true end
  local _, kind, reason = self.emptied:wait(deadline)
  if self.size == 0 then self.emptied:signal() end -- for the next that waits
  return self.size == 0, kind, reason
end

return slots
