--- SQL values that Lua has no type for (api.md, Values).
-- @module dqlite.values

local core = require "dqlite.core"

local values = {
  --- SQL's NULL, equal to ngx.null and cjson.null.
  null = core.null,
  --- blob(s): the bytes of a string, to be bound as a BLOB.
  blob = core.blob,
  --- real(x): a number to be bound as a REAL, also when it is whole.
  real = core.real,
  --- int64(digits): an integer of 64 bits, from decimal digits or a number.
  int64 = core.int64,
}

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
