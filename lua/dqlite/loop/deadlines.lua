--- Deadlines of many waits, for one timer: a heap whose entries follow late. A
-- wait that ends leaves its entry behind, and the same wait begun again with a
-- later deadline needs no other: so a connection that waits for answer after
-- answer costs nothing here.
--
-- A wait is a table of which `deadline` (nil: it has ended) and `key` (its
-- place in the heap) are ours. Where the key is not later than a deadline, to
-- begin the wait it is enough to set that.
-- @module dqlite.loop.deadlines

local Deadlines = {}
Deadlines.__index = Deadlines

local FEW = 64 -- entries that are not worth a look

-- ---- the heap: keys, and beside them waits ----

local function rise(self, i, key, wait)
  local keys, waits = self.keys, self.waits
  while i > 1 do
    local parent = (i - i % 2) / 2
    if keys[parent] <= key then break end
    keys[i], waits[i] = keys[parent], waits[parent]
    i = parent
  end
  keys[i], waits[i] = key, wait
end

local function sink(self, i, key, wait)
  local keys, waits, n = self.keys, self.waits, self.n
  while 2 * i <= n do
    local child = 2 * i
    if child < n and keys[child + 1] < keys[child] then child = child + 1 end
    if key <= keys[child] then break end
    keys[i], waits[i] = keys[child], waits[child]
    i = child
  end
  keys[i], waits[i] = key, wait
end

-- Where memory runs out the heap is as before.
local function push(self, key, wait)
  local n = self.n + 1
  self.waits[n] = wait
  self.keys[n] = key
  wait.key, self.n = key, n
  rise(self, n, key, wait)
end

local function pop(self)
  local keys, waits, n = self.keys, self.waits, self.n
  local key, wait = keys[1], waits[1]
  local last_key, last_wait = keys[n], waits[n]
  keys[n], waits[n] = nil, nil
  self.n = n - 1
  if n > 1 then sink(self, 1, last_key, last_wait) end
  return key, wait
end

-- Drops what waits have left behind, once the heap has doubled.
local function sweep(self)
  local swept = { keys = {}, waits = {}, n = 0 }
  for i = 1, self.n do
    local key, wait = self.keys[i], self.waits[i]
    if wait.key == key and wait.deadline then
      push(swept, key, wait)
    elseif wait.key == key then
      wait.key = nil
    end
  end
  self.keys, self.waits, self.n = swept.keys, swept.waits, swept.n
  self.limit = math.max(FEW, 2 * self.n)
end

-- ---- waits ----

--- Begins a wait, or moves its deadline.
-- @tparam table wait any table
-- @tparam number deadline seconds of any clock
function Deadlines:watch(wait, deadline)
  wait.deadline = deadline
  if wait.key and wait.key <= deadline then return end
  push(self, deadline, wait)
  if self.n > self.limit then sweep(self) end
end

--- When the heap has to be looked at next: not later than the first deadline.
-- @treturn number math.huge when there is nothing to look at
function Deadlines:first()
  return self.keys[1] or math.huge
end

--- Ends a wait whose deadline has passed.
-- @tparam number now of the same clock
-- @treturn table|nil that wait
function Deadlines:expired(now)
  while self.n > 0 and self.keys[1] <= now do
    local key, wait = pop(self)
    if wait.key == key then
      wait.key = nil
      local deadline = wait.deadline
      if deadline and deadline <= now then
        wait.deadline = nil
        return wait
      elseif deadline then
        push(self, deadline, wait)
      end
    end
  end
end

--- Forgets what waits have left behind, where none is left.
function Deadlines:clear()
  for i = 1, self.n do
    self.waits[i].key = false
    self.keys[i], self.waits[i] = nil, nil
  end
  self.n, self.limit = 0, FEW
end

--- Makes an empty set of deadlines.
return function()
  return setmetatable({ keys = {}, waits = {}, n = 0, limit = FEW }, Deadlines)
end
