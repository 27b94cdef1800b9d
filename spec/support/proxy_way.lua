--- One direction of a connection through the proxy: what was read on one socket
-- waits here until it is due on the other. A mode says what is carried:
--
-- * `hold`: nothing
-- * `delay`: seconds after it came
-- * `bytes`, `seconds`: pieces of so many bytes, each so long after the last
local uv = require "luv"

local Way = {}
Way.__index = Way

local proxy_way = {}

local ENOUGH = 256 * 1024 -- bytes waiting: no more are read

--- The mode that carries everything.
proxy_way.PASS = { hold = false, delay = 0, bytes = math.huge, seconds = 0 }

local function now()
  return uv.hrtime() / 1e9
end

--- @param from, to sockets
-- @tparam function broken called when either of them has failed
-- @tparam function ended called when the end of the stream was carried
function proxy_way.new(from, to, mode, broken, ended)
  return setmetatable({
    from = from,
    to = to,
    mode = mode,
    broken = broken,
    ended = ended,
    items = {}, -- each { came, bytes }; bytes = false: the end
    first = 1, -- the one that is due next
    last = 0,
    waiting = 0, -- bytes of them
    writing = 0, -- bytes given to the socket and not taken yet
    paused = false, -- not reading, for there is enough
    next_time = 0, -- of the next piece
    allowance = math.huge, -- bytes that may still pass
    doomed = false, -- broken once they have passed
    deaf = false, -- what comes is dropped
    timer = uv.new_timer(),
  }, Way)
end

local function receive(self, err, bytes)
  if err then return self.broken() end
  if self.deaf then return end
  self.last = self.last + 1
  self.items[self.last] = { came = now(), bytes = bytes or false }
  self.waiting = self.waiting + #(bytes or "")
  self:pump()
end

-- Reads unless there is enough.
local function read(self)
  local enough = self.waiting + self.writing > ENOUGH
  if enough == self.paused or self.from:is_closing() then return end
  self.paused = enough
  if enough then return self.from:read_stop() end
  self.from:read_start(function(err, bytes) receive(self, err, bytes) end)
end

--- Begins.
function Way:start()
  self.from:read_start(function(err, bytes) receive(self, err, bytes) end)
end

local function write(self, bytes)
  self.waiting = self.waiting - #bytes
  self.writing = self.writing + #bytes
  self.allowance = self.allowance - #bytes
  self.next_time = now() + self.mode.seconds
  self.to:write(bytes, function(err)
    self.writing = self.writing - #bytes
    if err or self.doomed and self.allowance <= 0 then return self.broken() end
    read(self)
  end)
end

-- Takes the first item, or as much of it as may pass.
local function take(self)
  local item = self.items[self.first]
  local most = math.min(self.mode.bytes, self.allowance)
  if item.bytes and #item.bytes > most then
    local piece = item.bytes:sub(1, most)
    item.bytes = item.bytes:sub(most + 1)
    return piece
  end
  self.items[self.first] = nil
  self.first = self.first + 1
  return item.bytes
end

-- Carries the first item. The end of the stream comes once only.
local function carry(self)
  local bytes = take(self)
  if bytes then return write(self, bytes) end
  self.to:shutdown(function() self.ended() end)
end

--- Carries what is due.
function Way:pump()
  self.timer:stop()
  while self.items[self.first] and not self.mode.hold and self.allowance > 0 do
    if self.to:is_closing() then return end
    local due = math.max(self.items[self.first].came + self.mode.delay, self.next_time)
    local wait = math.ceil((due - now()) * 1000)
    if wait > 0 then
      self.timer:start(wait, 0, function() self:pump() end)
      break
    end
    carry(self)
  end
  read(self)
end

--- Another mode; `allowance` bytes may pass.
function Way:set(mode, allowance)
  self.mode, self.allowance, self.next_time, self.doomed = mode, allowance, 0, false
  self:pump()
end

--- Is broken behind so many more bytes.
function Way:break_after(bytes)
  self.allowance, self.doomed = bytes, true
  self:pump()
end

--- Ends the stream to where it goes, whatever is waiting, and drops what comes.
function Way:end_early()
  self.items, self.first, self.last, self.waiting, self.deaf = {}, 1, 0, 0, true
  self.timer:stop()
  read(self)
  self.to:shutdown(function() self.ended() end)
end

function Way:close()
  if not self.timer:is_closing() then self.timer:close() end
end

return proxy_way
