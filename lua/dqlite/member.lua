--- What describes a node of a cluster: its id, role and address. Ids use all 64
-- bits, so they are decimal strings on every Lua.
-- @module dqlite.member

local core = require "dqlite.core"
local ip = require "dqlite.ip"

local member = {}

local LARGEST = "18446744073709551615" -- 2^64 - 1
local EXACT = 2 ^ 53

local accepted = 0 / 0 -- the last address that was found to be one; at first equal to nothing

local ROLES = { voter = "voter", standby = "standby", ["stand-by"] = "standby", spare = "spare" }

-- Other types may have a __tostring of the user's.
local function digits_of_cdata(value)
  local ffi = require "ffi"
  if not ffi.istype("int64_t", value) and not ffi.istype("uint64_t", value) then return nil end
  return (tostring(value):gsub("U?LL$", ""))
end

-- A number that Lua has, or LuaJIT's int64_t and uint64_t, in decimal digits.
local function digits_of(value)
  local kind = type(value)
  if kind == "string" then return value end
  if kind == "cdata" then return digits_of_cdata(value) end
  if kind ~= "number" then return nil end
  if math.type and math.type(value) == "integer" then return tostring(value) end
  if value % 1 ~= 0 or value < 0 or value > EXACT then return nil end
  return ("%.0f"):format(value)
end

--- Reads an id.
-- @param value a decimal string without sign or leading zeros, a whole number of
-- Lua's (a float up to 2^53), or an int64_t or uint64_t of LuaJIT
-- @treturn string|nil decimal digits
-- @treturn string|nil what is wrong with it
function member.id(value)
  local digits = digits_of(value)
  if not digits or not digits:find "^%d+$" or digits:find "^0%d" then
    return nil, "an id is a whole number from 0 to 2^64 - 1, or such a number as a string"
  end
  if #digits > #LARGEST or #digits == #LARGEST and digits > LARGEST then
    return nil, "an id is less than 2^64"
  end
  return digits
end

--- Reads a role.
-- @param value "voter", "standby" (or "stand-by") or "spare"
-- @treturn string|nil one of the first three
-- @treturn string|nil what is wrong with it
function member.role(value)
  if type(value) == "string" and ROLES[value] then return ROLES[value] end
  return nil, 'a role is "voter", "standby" or "spare"'
end

--- Reads an address that can be dialled.
-- @param value "host:port", "[::1]:9001", "/path/to/socket" or "@abstract": at most
-- 256 bytes without blanks and control characters
-- @treturn string|nil the same
-- @treturn string|nil what is wrong with it
function member.address(value)
  if value == accepted then return value end
  if type(value) ~= "string" then return nil, "an address is a string, not a " .. type(value) end
  local kind, reason, port = core.parse_address(value)
  if not kind then return nil, reason end
  if port == 0 then return nil, "the port is 0" end
  accepted = value
  return value
end

local function canonical_host(host)
  host = host:gsub("(.)%.$", "%1")
  local bytes, zone = ip.parse(host)
  if not bytes then return host:lower() end
  if zone then return ip.format(bytes) .. "%" .. zone end
  if #bytes == 16 and ip.begins(bytes, ip.MAPPED) then bytes = ip.last(bytes) end
  return ip.format(bytes)
end

--- An address in the form to compare: a name in lower case without the dot at its
-- end, one spelling of a number and of the port. Two names of one host stay two.
-- @tparam string address
-- @treturn string the same, where it is none or a socket's path
function member.canonical(address)
  local kind, host, port = core.parse_address(address)
  if kind ~= "tcp" then return address end
  host = canonical_host(host)
  return (host:find(":", 1, true) and "[%s]:%d" or "%s:%d"):format(host, port)
end

--- Are two addresses the same?
-- @tparam string a
-- @tparam string b
-- @treturn boolean
function member.same(a, b)
  return a == b or member.canonical(a) == member.canonical(b)
end

local function read_table(value)
  local id, address, role = rawget(value, "id"), rawget(value, "address"), rawget(value, "role")
  if address == nil then return nil, "the address is missing" end
  local valid, wrong = member.address(address)
  local read, wrong_id, wrong_role = { address = valid }, nil, nil
  if id ~= nil then read.id, wrong_id = member.id(id) end
  if role ~= nil then read.role, wrong_role = member.role(role) end
  wrong = wrong or wrong_id or wrong_role
  if wrong then return nil, wrong end
  return read
end

--- Reads a node, as stores have them. Calls nothing of the user's.
-- @param value an address, whose role is not known, or a table of `address`, `id`
-- and `role` (both may be missing); other fields do not matter
-- @treturn table|nil a new one: id (or nil), address, role (or nil)
-- @treturn string|nil what is wrong with it
function member.read(value)
  if type(value) == "string" then
    local address, wrong = member.address(value)
    if not address then return nil, wrong end
    return { address = address }
  end
  if type(value) ~= "table" then
    return nil, "a node is an address or a table, not a " .. type(value)
  end
  return read_table(value)
end

return member
