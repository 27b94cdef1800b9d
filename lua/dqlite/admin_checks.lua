--- What administration is given, looked at before a byte leaves: a server takes an
-- id of 0, and some die of it (hazards.md, Requests that kill).
-- @module dqlite.admin_checks

local core = require "dqlite.core"
local errors = require "dqlite.error"
local member = require "dqlite.member"
local options = require "dqlite.options"

local checks = {}

local EXACT = 2 ^ 53

--- An id of a node; raises what is none.
-- @treturn string decimal digits
function checks.id(value)
  local id, reason = member.id(value)
  if id == "0" then reason = "the id 0 stands for no node" end
  if not id or id == "0" then errors.misuse(reason) end
  return id
end

--- A role; raises what is none.
-- @treturn string
function checks.role(value)
  local role, reason = member.role(value)
  if not role then errors.misuse(reason) end
  return role
end

--- An address of a node.
-- @treturn string|nil
-- @treturn string|nil what is wrong with it
function checks.address(value)
  local address, reason = member.address(value)
  if address then return address end
  return nil, ("'%s': %s"):format(errors.visible(tostring(value)), reason)
end

--- A weight; raises what is none.
-- @treturn number
function checks.weight(value)
  if type(value) ~= "number" or not (value >= 0) or value % 1 ~= 0 or value > EXACT then
    errors.misuse("a weight is a whole number, 0 or more")
  end
  return math.floor(value)
end

local ADDED = { id = true, address = true, role = true }

--- What `add` is given; raises what is wrong with it.
-- @treturn table id, address, role ("spare" where it was left out)
function checks.added(given)
  if type(given) ~= "table" then
    errors.misuse("add takes a table with id, address and role, not a " .. type(given))
  end
  for name in pairs(given) do
    if not ADDED[name] then errors.misuse(("unknown field '%s'"):format(tostring(name))) end
  end
  local address, reason = checks.address(given.address)
  if not address then errors.misuse(reason) end
  local role = given.role == nil and "spare" or checks.role(given.role)
  return { id = checks.id(given.id), address = address, role = role }
end

local MIB = 1024 * 1024
local DUMP_SIZE, DUMP_MAX = 256 * MIB, 1023 * MIB -- of the files
local REST = 64 * 1024 -- of it that is no file; what comes before it fits into that

local DUMP = { to = "string", max_size = "number", address = "string" }

local function check_dump(database, opts)
  if type(database) ~= "string" then
    errors.misuse("the name of a database is a string, not a " .. type(database))
  end
  if type(opts) ~= "table" then
    errors.misuse("options are a table, not a " .. type(opts))
  end
  for name, value in pairs(opts) do
    local wanted = DUMP[name]
    if not wanted then errors.misuse(("unknown option '%s'"):format(tostring(name))) end
    if type(value) ~= wanted then
      errors.misuse(("option '%s' must be a %s"):format(name, wanted))
    end
  end
  if opts.to == "" then errors.misuse("option 'to' must be a directory") end
  if opts.to and opts.to:find "%z" then errors.misuse("option 'to' has a NUL in it") end
  local size = opts.max_size
  if size and (not (size >= 8) or size > DUMP_MAX or size % 1 ~= 0) then
    errors.misuse("option 'max_size' must be a whole number of bytes up to 1023 MiB")
  end
end

--- What `dump` is given; raises what is wrong with it.
-- @tparam table settings from dqlite.options
-- @tparam string database
-- @tparam[opt] table opts `to`, `max_size`, `address`
-- @treturn table|nil settings for its connection
-- @treturn number|nil how many bytes the files may have
-- @treturn table|nil an error of kind "value" for a name that no database has, or no
-- file can have
function checks.dump(settings, database, opts)
  if opts == nil then opts = {} end
  check_dump(database, opts)
  local _, _, reason = core.session(DUMP_MAX):send("OPEN", { database = database })
  if opts.to and database:find "/" then
    reason = "a name with a slash is no name of a file: dump without `to`"
  end
  if reason then return nil, nil, errors.new { kind = "value", message = reason } end
  local size = opts.max_size or DUMP_SIZE
  local ours = options.over({ max_message_size = size + REST }, settings)
  return ours, size
end

return checks
