--- What is left of a result when its link ends: it is read, up to a bound, since a
-- server of 1.18 whose connection is closed meanwhile never gives that up, nor a write
-- lock that it holds (hazards.md, Waiting). Methods of dqlite.link.
-- @module dqlite.leftovers

local loops = require "dqlite.loops"

local leftovers = {}

-- What is read of an abandoned result before its connection is closed
-- instead, and how long a server that is sending one may be silent.
local DRAIN_BYTES, DRAIN_SECONDS, SILENCE = 64 * 1024 * 1024, 5, 10

-- One reply that nobody waits for, or some bytes of it; what was not sent stays
-- here. Returns its size, 0 when more is to come, or nil and why there is none.
local function drop_reply(self, stream, deadline)
  local session = self.core
  local name, ended, detail = session:next()
  if name == "FAILURE" then self.dropped = self:failure() end
  if name then return detail end
  if ended then return nil, detail end
  local patience = math.min(deadline, self.loop.now() + (self.loop.SILENCE or SILENCE))
  local done, _, reason = self:wait(stream, "recv", patience)
  return done and 0, reason
end

--- Reads the rest of what is on its way and drops it. Up to a bound in bytes
-- and seconds; where the server may hold the write lock only silence ends it.
-- The error of a FAILURE in it is then `dropped`.
-- @tparam table self the link
-- @tparam[opt] number limit deadline of whoever waits for this
-- @treturn true|nil
-- @treturn string|nil why something is left
function leftovers.drain(self, limit)
  local stream, bounded, size = self.stream or self.abandoned, not self.holds_lock, 0
  local deadline = bounded and self.loop.now() + DRAIN_SECONDS or math.huge
  if limit then deadline = math.min(deadline, limit) end
  self.dropped = nil
  while self.core:awaits() do
    local more, why = drop_reply(self, stream, deadline)
    if not more then return nil, why end
    size = size + more
    if bounded and size > DRAIN_BYTES then return nil, "it is too large to be read" end
  end
  if self.core:outstanding() == 0 then return true end
  return nil, "not all that was asked for had left"
end

-- ---- behind the program's back ----

-- Reads the rest of what is on its way while the program goes on, and closes.
local function drain_behind(self)
  self.draining = true
  self.loop.background(function()
    pcall(self.drain, self)
    self.draining = false
    self:close()
    if self.holder then self.holder:free(self.held) end
  end)
end

--- A result is on its way: leaves it to the loop, or to who closes the link.
-- @tparam table self the link
-- @tparam[opt] table cause the error that ended it
function leftovers.abandon(self, cause)
  if cause and not self.cause then self.cause = cause end
  self.abandoned, self.stream, self.owner = self.stream, false, false
  if not self.loop.background then return end
  self.abandoned:interrupt(cause and cause.message
    or "the connection was closed by another coroutine")
  drain_behind(self)
end

--- Are rows due that it would be wrong to leave to the server?
-- @tparam table self the link
-- @treturn boolean
function leftovers.are_due(self)
  return self.stream and self.yields_rows and self.core:awaits()
end

-- ---- the end ----

-- Closes where nothing runs behind the program's back: reads the rest itself,
-- unless it would have to take it from a call that is under way.
local function quit_here(self, limit)
  local stream = self.stream or self.abandoned
  local free = stream and self.yields_rows and not self.owner and not self.broken
  if free and loops.can_wait(self.loop) then
    self:enter()
    local drained = self:drain(limit)
    if not drained and limit and self.loop.now() >= limit then return self:leave() end
  end
  self:close()
end

--- Closes once no result is on its way any more; a loop that can do so reads it
-- behind the program's back. A call that waits in another coroutine ends with
-- "closed".
-- @tparam table self the link
-- @tparam[opt] number limit deadline of a call that comes upon the end of the link:
-- what it has no time for is left to the next
function leftovers.quit(self, limit)
  if self:is_inherited() then return self:close() end
  if not self.loop.background then return quit_here(self, limit) end
  if leftovers.are_due(self) then leftovers.abandon(self) end
  if not self.draining then self:close() end
end

--- The same for a link that takes a place: while a result is read behind the program's
-- back its connection is still there, and the place is freed afterwards. Not so where
-- another node leads by now: nobody there has the connection any more.
-- @tparam table self the link
-- @tparam table holder its `free` is called then
-- @param held is given to that
-- @treturn boolean is it so?
function leftovers.quit_holding(self, holder, held)
  self:quit()
  if not self.draining or self.overtaken then return false end
  self.holder, self.held = holder, held
  return true
end

return leftovers
