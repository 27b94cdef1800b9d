--- Collects all garbage. What LuaJIT has compiled holds objects that it was compiled for
-- (seen with connections that nothing else held): that is dropped first.
local jit = rawget(_G, "jit")

return function()
  if jit then jit.flush() end
  collectgarbage()
  collectgarbage() -- what has had a finalizer
end
