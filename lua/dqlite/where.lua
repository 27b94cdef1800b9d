--- Where to connect to, as users give it: an address, a list of addresses, or a
-- store.
-- @module dqlite.where

local errors = require "dqlite.error"
local member = require "dqlite.member"
local stores = require "dqlite.store"

local wheres = {}

local function list_of(where)
  if type(where) == "string" then return { where } end
  if type(where) == "table" and where.get == nil and where[1] ~= nil then return where end
end

local function is_store(where)
  local kind = type(where)
  return (kind == "table" or kind == "userdata") and type(where.get) == "function"
end

local function problem_of(address)
  local valid, reason = member.address(address)
  if valid then return nil end
  return errors.new {
    kind = "value",
    message = ("'%s': %s"):format(errors.visible(tostring(address)), reason),
  }
end

--- Looks at what is given; raises what is none of these.
-- @param where
-- @treturn table|nil an error of kind "value" for a malformed address
function wheres.problem(where)
  if type(where) == "string" then return problem_of(where) end
  local list = list_of(where)
  if not list and not is_store(where) then
    errors.misuse("where to connect to is an address, a list of addresses, a store or a cluster,"
      .. " not a " .. type(where))
  end
  for _, address in ipairs(list or {}) do
    local wrong = problem_of(address)
    if wrong then return wrong end
  end
end

--- The store that it stands for.
-- @param where without a problem
-- @treturn table a store
-- @treturn string|boolean the address, where it is one node's alone
function wheres.store(where)
  local list = list_of(where)
  if not list then return where, false end
  return stores.memory(list), type(where) == "string" and where
end

--- What is the same for the same addresses.
-- @param where without a problem
-- @treturn string|nil nil for a store
function wheres.key(where)
  local list = list_of(where)
  return list and type(where) .. "\n" .. table.concat(list, "\n")
end

return wheres
