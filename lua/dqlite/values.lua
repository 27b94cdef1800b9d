--- SQL values that Lua has no type for; see dqlite.
-- @module dqlite.values

local core = require "dqlite.core"
local errors = require "dqlite.error"

local values = {
  null = core.null,
  blob = core.blob,
  real = core.real,
  int64 = core.int64,
}

--- See dqlite.list.
function values.list(list)
  if type(list) ~= "table" then
    errors.misuse("a list is a table, not a " .. type(list))
  end
  local ok, text = pcall(core.list, list)
  if ok then return text end
  return errors.raised(text)
end

--- See dqlite.quote_name.
function values.quote_name(name)
  if type(name) ~= "string" then
    errors.misuse("a name is a string, not a " .. type(name))
  end
  if name:find("\0", 1, true) then errors.misuse("a NUL in a name cannot travel") end
  return '"' .. name:gsub('"', '""') .. '"'
end

-- LuaJIT's 64-bit integers can be told apart and made only from Lua.
if rawget(_G, "jit") then
  local ok, ffi = pcall(require, "ffi")
  if ok then
    local int64, uint64 = ffi.typeof "int64_t", ffi.typeof "uint64_t"
    core.set_cdata(function(high, low)
      return int64(high) * int64(4294967296) + int64(low)
    end, function(value)
      if ffi.istype(int64, value) then return 1 end
      if ffi.istype(uint64, value) then return 2 end
    end)
  end
end

return values
