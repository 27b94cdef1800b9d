--- Notices that the garbage collector takes something.
-- @module dqlite.finalizer

local new_proxy = rawget(_G, "newproxy") -- Lua 5.1 has no __gc for tables

local Guard = {
  __gc = function(guard) guard.fn() end,
}

--- Makes an object whose collection calls a function. The call comes in between
-- any two steps of the program, and must neither wait nor raise.
-- @tparam function fn
-- @return the object, to be kept by what is watched
return function(fn)
  if not new_proxy then return setmetatable({ fn = fn }, Guard) end
  local proxy = new_proxy(true)
  getmetatable(proxy).__gc = fn
  return proxy
end
