--- Which files of specs run on which loop, and in which Lua.
local luas = require "spec.support.luas"

local selection = {}

-- Files that run on some loops only, and why; "concurrent": on all in which coroutines run
-- beside each other. `alone`: they begin it themselves; `lua`: in that Lua only.
local AT_ONCE = "on another loop nothing runs at once"
local ONLY = {
  ["spec/live/http_server_spec.lua"] = { "blocking",
    "it asks a program with a loop of its own, by Debian's lua-http", lua = "LuaJIT" },
  ["spec/live/many_coroutines_spec.lua"] = { "concurrent", AT_ONCE, alone = true },
  ["spec/live/node_fork_spec.lua"] = { "blocking",
    "the embedded node has no loop, and a parent's is not for a forked child" },
  ["spec/live/node_options_spec.lua"] = { "blocking", "the embedded node has no loop" },
  ["spec/live/node_recover_spec.lua"] = { "blocking", "the embedded node has no loop" },
  ["spec/live/node_spec.lua"] = { "blocking", "the embedded node has no loop" },
  ["spec/live/pool_cancel_spec.lua"] = { "luv host",
    "what another loop runs is not for others to close, or to resume" },
  ["spec/live/pool_many_spec.lua"] = { "concurrent", AT_ONCE },
  ["spec/live/pool_waits_spec.lua"] = { "concurrent", AT_ONCE },
}

local function set_of_files(folder, names)
  local set = {}
  for name in names:gmatch "%S+" do set[("spec/%s_spec.lua"):format(folder .. name)] = true end
  return set
end

-- Files about coroutines that wait, which those of Lua 5.1 cannot wherever the library
-- does. What there is instead, spec/unit/coroutines_spec.lua says.
local WAITING = set_of_files("", [[unit/adapter unit/behaviours_leader unit/behaviours_opening
  unit/behaviours_sharing unit/busy_connection unit/cancel_abandoned unit/cancel_luv unit/cqueues
  unit/cqueues_controllers unit/host_connection unit/host_loop unit/luv unit/misuse unit/names
  unit/pool_broken_off unit/pool_closed unit/pool_schedules unit/scheduled unit/search
  unit/stream_ask unit/task unit/virtual_loop unit/waits regress/abandoned_wait regress/late_loop
  regress/queue_place]])

-- Files about servers and clusters, and others that take long, in which the Lua matters
-- little: on each loop of ours in one Lua. EVERYWHERE=1 runs them in each Lua on each loop,
-- and so does make test-long.
local CLUSTERS = set_of_files("live/", [[admin behaviours_flip demo_cluster failover harness leader
  leader_trouble linearizable pool_leader watch]])
local LONG = set_of_files("live/",
  "busy executemany fork large once returning rows_stream system_calls")
local LUA = rawget(_G, "jit") and "LuaJIT" or _VERSION
local USUAL = { blocking = "Lua 5.4", cqueues = "Lua 5.4", luv = "LuaJIT", host = "LuaJIT" }

-- PART=clusters runs these files alone, PART=servers the others.
local PART = os.getenv "PART"
assert(not PART or PART == "clusters" or PART == "servers", "PART is neither clusters nor servers")

-- The path of a live spec's file; nil for others.
local function live_path(name)
  return name:match "spec/live/[^/]*$"
end

selection.live_path = live_path

--- Does a live spec begin the loop itself?
function selection.is_alone(path)
  return ONLY[path] ~= nil and ONLY[path].alone == true
end

local function is_on(words, loop)
  for word in words:gmatch "%S+" do
    if word == loop.name or word == "concurrent" and loop.is_concurrent then return true end
  end
  return false
end

local function reason_against_only(only, loop)
  if not is_on(only[1], loop) then
    return ("on these loops only, %s: %s"):format(only[1], only[2])
  end
  if only.lua and only.lua ~= LUA then return ("in %s only: %s"):format(only.lua, only[2]) end
end

local function reason_against_live(path, loop)
  if PART and (PART == "clusters") ~= (CLUSTERS[path] or false) then
    return "not one of the " .. PART
  end
  local reason = ONLY[path] and reason_against_only(ONLY[path], loop)
  if reason then return reason end
  local is_long = CLUSTERS[path] or LONG[path]
  local is_usual = (USUAL[loop.name] or LUA) == LUA
  if not is_long or is_usual or os.getenv "EVERYWHERE" then return end
  return ("not in %s on the %s loop, without EVERYWHERE=1"):format(LUA, loop.name)
end

--- Why a file is not run, in words; nil where it is.
-- @tparam string name of the file
-- @tparam table loop `name`, `is_concurrent`
function selection.reason_against(name, loop)
  local path = live_path(name)
  if path then return reason_against_live(path, loop) end
  if not luas.waits and WAITING[name:match "spec/%l+/[^/]*$"] then
    return "in Lua 5.1 coroutines cannot wait"
  end
end

--- Is one part alone to be run? Most files are none of it then, which needs no word.
selection.is_partial = PART ~= nil

--- Raises for a file that is not there.
function selection.check_paths()
  for _, list in ipairs { ONLY, CLUSTERS, LONG, WAITING } do
    for path in pairs(list) do assert(io.open(path), "no such file: " .. path):close() end
  end
end

return selection
