--- Notices that a coroutine is closed in the middle of a call, which Lua 5.4 alone can
-- do: nothing that was to be done after the call is done then.
-- @module dqlite.guarded

local running = coroutine.running
local knows_close = rawget(coroutine, "close") ~= nil

local Guard = {}

-- Lua closes it on every exit.
function Guard.__close(guard, err)
  if guard.is_open and err == nil then guard.on_close(guard[1]) end
end

local function once(guard)
  return true, guard.fn(guard[1], guard[2], guard[3], guard[4])
end

-- Can somebody close the coroutine that runs?
local function is_closable()
  if not knows_close then return false end
  local _, is_main = running()
  return not is_main
end

--- Calls a function.
-- @tparam function on_close called with the first of the arguments when the coroutine is
-- closed meanwhile; must not wait
-- @tparam function fn
-- @param ... four arguments at most
-- @return what it returns, three values at most
return function(on_close, fn, ...)
  if not is_closable() then return fn(...) end
  local guard = setmetatable({ is_open = true, on_close = on_close, fn = fn, ... }, Guard)
  -- The loop is there for its fourth value, which Lua 5.4 closes.
  for _, first, second, third in once, guard, nil, guard do -- luacheck: ignore 512
    guard.is_open = false
    return first, second, third
  end
end
