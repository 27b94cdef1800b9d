--- Notices that a coroutine is closed in the middle of a call, which Lua 5.4 alone can
-- do: nothing that was to be done after the call is done then.
-- @module dqlite.guarded

local Guard = {}

-- Lua closes it on every exit.
function Guard.__close(guard, err)
  if guard.is_open and err == nil then guard.on_close() end
end

local function once(guard)
  return true, guard.fn(guard[1], guard[2], guard[3], guard[4])
end

--- Calls a function.
-- @tparam function on_close called when the coroutine is closed meanwhile; must not wait
-- @tparam function fn
-- @param ... four arguments at most
-- @return what it returns, three values at most
return function(on_close, fn, ...)
  local guard = setmetatable({ is_open = true, on_close = on_close, fn = fn, ... }, Guard)
  -- The loop is there for its fourth value, which Lua 5.4 closes.
  for _, first, second, third in once, guard, nil, guard do -- luacheck: ignore 512
    guard.is_open = false
    return first, second, third
  end
end
