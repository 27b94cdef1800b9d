--- The statements that one connection has prepared by itself. A text goes as
-- text when it is first seen; the second time PREPARE goes beside it; from the
-- third on it goes by its id. No id is used that was not answered, and none
-- that was finalized (hazards.md, Requests that kill).
-- @module dqlite.cache

local Cache = {}
Cache.__index = Cache

local cache = {}

local LONGEST = 4096 -- bytes of a text; longer ones are hardly sent often

--- Makes an empty cache.
-- @tparam number size how many texts it knows; 0 turns it off
function cache.new(size)
  return setmetatable({
    size = size,
    count = 0,
    clock = 0, -- counts the uses
    entries = {}, -- by text
    doomed = {}, -- ids to finalize with the next request
    closed = {}, -- those of statements that were closed during a call
    owes = false, -- is there one of either?
  }, Cache)
end

local function oldest(entries)
  local found
  for _, entry in pairs(entries) do
    if not found or entry.used < found.used then found = entry end
  end
  return found
end

--- Gives up an id: it is finalized with the next request.
function Cache:doom(id)
  self.doomed[#self.doomed + 1], self.owes = id, true
end

--- The same for the id of a statement that was closed, whose call may be under way.
function Cache:close(id)
  self.closed[#self.closed + 1], self.owes = id, true
end

--- Forgets an entry; its id is finalized with the next request.
function Cache:drop(entry)
  self.entries[entry.text] = nil
  self.count = self.count - 1
  entry.dropped = true
  if entry.id then self:doom(entry.id) end
  entry.id = nil
end

local function is_wanted(self, known)
  return known.cacheable and self.size > 0 and #known.text <= LONGEST
end

local function add(self, known)
  self.clock = self.clock + 1
  if self.count == self.size then self:drop(oldest(self.entries)) end
  local entry = {
    text = known.text,
    params = known.params,
    id = nil, -- once STMT was read
    asked = false, -- PREPARE was sent
    dropped = false,
    used = self.clock,
  }
  self.entries[known.text] = entry
  self.count = self.count + 1
  return entry
end

--- How a statement goes.
-- @tparam table known from dqlite.sql
-- @treturn number|nil its id; nil: as text
-- @treturn table|nil the entry to send PREPARE for, beside the text
function Cache:route(known)
  local entry = self.entries[known.text]
  if not entry then
    if is_wanted(self, known) then add(self, known) end
    return nil
  end
  self.clock = self.clock + 1
  entry.used = self.clock
  if entry.id or entry.asked then return entry.id end
  return nil, entry
end

--- What a statement is sent as, where nothing goes beside it.
-- @tparam table known from dqlite.sql
-- @treturn number|string|nil its id or its text; nil: see `route`
function Cache:find(known)
  local entry = self.entries[known.text]
  if not entry then return not is_wanted(self, known) and known.text or nil end
  self.clock = self.clock + 1
  entry.used = self.clock
  return entry.id
end

--- The entry of a statement that is about to be prepared whatever its use so
-- far; nil where it is not to be cached.
function Cache:claim(known)
  local entry = self.entries[known.text]
  if entry then return entry end
  return is_wanted(self, known) and add(self, known) or nil
end

--- Ids of closed statements are finalized from the next call on: the one under
-- way may be the statement's own, and send its id again.
function Cache:give_up()
  for i = #self.closed, 1, -1 do
    self:doom(table.remove(self.closed, i))
  end
end

--- The next id to finalize; whoever takes it sends that.
-- @treturn number|nil
function Cache:take_doomed()
  local id = table.remove(self.doomed)
  if not id then self.owes = self.closed[1] ~= nil end
  return id
end

--- Is there nothing to forget, and nothing to finalize?
-- @treturn boolean
function Cache:is_empty()
  return self.count == 0 and not self.owes
end

--- Forgets all texts; their ids are finalized with the next request.
function Cache:clear()
  self:give_up()
  for _, entry in pairs(self.entries) do self:drop(entry) end
end

--- The answer to an entry's PREPARE. A count of parameters other than ours
-- means that we read the text otherwise than the server does: such an id is
-- never used.
-- @tparam table entry from route or claim
-- @tparam number id
-- @tparam number params the server's count
function Cache:learn(entry, id, params)
  if entry.dropped or params ~= entry.params then
    self:doom(id)
  else
    entry.id = id
  end
end

return cache
