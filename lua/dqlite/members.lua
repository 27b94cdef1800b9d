--- Lists of nodes: what a store holds.
-- @module dqlite.members

local errors = require "dqlite.error"
local member = require "dqlite.member"

local members = {}

members.MAX = 10000 -- nodes of a list

local SHOWN = 80 -- bytes of a wrong address

--- How long a list is: keys 1 to n and no others. Calls nothing of the user's.
-- @tparam table list
-- @treturn number|nil nil when it is no list
-- @treturn string|nil what it is
function members.count(list)
  local n = 0
  for _ in next, list do
    n = n + 1
    if n > members.MAX then return nil, ("it has more than %d entries"):format(members.MAX) end
  end
  for i = 1, n do
    if rawget(list, i) == nil then return nil, "it is no list" end
  end
  return n
end

local function about(i, value, reason)
  local address = type(value) == "table" and rawget(value, "address") or value
  local text = type(address) == "string" and (" (%s)"):format(errors.visible(address:sub(1, SHOWN)))
  return ("entry %d%s: %s"):format(i, text or "", reason)
end

--- Reads a list of nodes; of those with the same address the first is taken.
-- @param list of what member.read takes
-- @treturn table|nil a new list of new tables: id (or nil), address, role
-- @treturn string|nil what is wrong with it
function members.read(list)
  if type(list) ~= "table" then return nil, "it is a " .. type(list) .. ", not a list" end
  local count, wrong = members.count(list)
  if not count then return nil, wrong end
  local read, seen = {}, {}
  for i = 1, count do
    local each, reason = member.read(rawget(list, i))
    if not each then return nil, about(i, rawget(list, i), reason) end
    local key = member.canonical(each.address)
    if not seen[key] then
      seen[key] = true
      read[#read + 1] = each
    end
  end
  return read
end

--- Copies what members.read has given.
-- @tparam table list
-- @treturn table
function members.copy(list)
  local copied = {}
  for i, each in ipairs(list) do
    copied[i] = { id = each.id, address = each.address, role = each.role }
  end
  return copied
end

return members
