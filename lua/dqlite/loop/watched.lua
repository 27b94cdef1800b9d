--- The descriptors that coroutines wait for, as lists for poll(2). To begin and to end a
-- wait costs the same however many there are.
--
-- A wait is a table of which `fd` and `wanted` ("r", "w", "rw") are read, and `place` (in
-- the lists; false: it is not there) is ours.
-- @module dqlite.loop.watched

local core = require "dqlite.core"

local Watched = {}
Watched.__index = Watched

local READ, WRITE = core.POLL_READ, core.POLL_WRITE
local BITS = { r = READ, w = WRITE, rw = READ + WRITE }
local LETTERS = { [READ] = "r", [WRITE] = "w", [READ + WRITE] = "rw" }

local function put(self, i, fd, bits, wait)
  self.fds[i], self.events[i], self.waits[i] = fd, bits, wait
end

--- Adds a wait that is not there.
function Watched:add(wait)
  local n = self.n + 1
  self.by_fd[wait.fd] = wait
  put(self, n, wait.fd, BITS[wait.wanted], wait)
  wait.place, self.n = n, n
end

--- Removes one, if it is there.
function Watched:remove(wait)
  local i, n = wait.place, self.n
  if not i then return end
  local last = self.waits[n]
  put(self, i, self.fds[n], self.events[n], last)
  put(self, n, nil, nil, nil)
  last.place, self.n = i, n - 1
  wait.place = false
  if self.by_fd[wait.fd] == wait then self.by_fd[wait.fd] = nil end
end

--- Who waits for a descriptor.
-- @treturn table|nil the wait
function Watched:find(fd)
  local wait = self.by_fd[fd]
  return wait and wait.place and wait or nil
end

--- Waits until one of them is ready.
-- @tparam number seconds at most; it may end early, after a signal
-- @treturn table descriptors that are ready, the same table each time
-- @treturn number how many of its entries count
function Watched:poll(seconds)
  local ready = self.ready
  if self.n == 0 and seconds <= 0 then return ready, 0 end
  return ready, core.poll_fds(self.fds, self.events, self.n, seconds, ready) or 0
end

--- The same lists for people.
-- @treturn table entries `fd`, `events`; the same table each time
function Watched:entries()
  local list = self.list
  for i = 1, self.n do
    local entry = list[i] or {}
    list[i], entry.fd, entry.events = entry, self.fds[i], LETTERS[self.events[i]]
  end
  for i = #list, self.n + 1, -1 do list[i] = nil end
  return list
end

--- Makes an empty set.
return function()
  return setmetatable({
    n = 0,
    fds = {},
    events = {}, -- bits of poll(2), beside these
    waits = {}, -- likewise
    by_fd = {},
    ready = {},
    list = {},
  }, Watched)
end
