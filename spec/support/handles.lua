--- What of luv's loop is left: handles, descriptors. Those of the specs' own
-- servers do not count.
local assert = require "luassert"
local uv = require "luv"

local handles = {}

-- Every file of specs has its own copy of this module, and all have one loop.
local KEY = "handles of the specs' own servers"
local registry = debug.getregistry()
registry[KEY] = registry[KEY] or setmetatable({}, { __mode = "k" })
local excepted = registry[KEY]

--- Takes a handle out of the count, and keeps the loop from waiting for it.
function handles.except(handle)
  excepted[handle] = true
  handle:unref()
  return handle
end

local forgotten = false

--- Takes what an earlier spec has left out of the count: it has failed for that.
function handles.forget()
  uv.walk(function(handle)
    if excepted[handle] or handle:is_closing() then return end
    excepted[handle], forgotten = true, true
  end)
end

--- Has the loop no reason to go on?
function handles.is_idle()
  return forgotten or not uv.loop_alive()
end

local function type_of(handle)
  return tostring(handle):match "uv_(%a+)_t" or tostring(handle)
end

--- The types of the handles that are open, sorted: { "poll", "timer" }.
function handles.list()
  local list = {}
  uv.walk(function(handle)
    if excepted[handle] or handle:is_closing() then return end
    list[#list + 1] = type_of(handle)
  end)
  table.sort(list)
  return list
end

--- How many of a type are open.
function handles.count(wanted)
  local n = 0
  for _, name in ipairs(handles.list()) do n = n + (name == wanted and 1 or 0) end
  return n
end

--- Turns of the loop, even if nothing keeps it running.
function handles.turn(n)
  local reason = handles.except(uv.new_idle()) -- else the loop looks at nothing
  reason:ref()
  reason:start(function() end)
  for _ = 1, n do uv.run "nowait" end
  reason:close()
  uv.run "nowait"
end

--- A program's idle time: turns of the loop, and the collector where those do not
-- do, until nothing is left.
-- @tparam[opt] function is_done has something else ended as well?
function handles.settle(is_done)
  for round = 1, 12 do
    if round > 1 then collectgarbage() end
    if round > 4 then uv.sleep(1) end -- a look-up has a thread of its own
    handles.turn(2)
    local empty = #handles.list() == 0 and handles.is_idle()
    if empty and (not is_done or is_done()) then return end
  end
end

--- Asserts that nothing is left: no handle, and no reason for the loop to go on.
-- @tparam[opt] function is_done as for settle
function handles.verify(is_done)
  handles.settle(is_done)
  assert.same({}, handles.list())
  assert.is_true(handles.is_idle())
end

--- How many descriptors the process has open.
function handles.descriptors()
  local scan = assert(uv.fs_scandir "/proc/self/fd")
  local count = -1 -- the look itself
  while uv.fs_scandir_next(scan) do count = count + 1 end
  return count
end

return handles
