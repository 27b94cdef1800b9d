--- Where specs run: on the blocking loop or, with DQLITE_LOOP=luv, inside of
-- dqlite.run; with DQLITE_LOOP=host, on a loop of dqlite.host.
--
-- There every body of a live spec (it, before_each, after_each, setup, teardown,
-- finally) runs in a coroutine of its own under that loop, and each file gets a
-- last spec: that nothing is left open.
local luas = require "spec.support.luas"

local in_loop = {}

local PATIENCE = 10 -- seconds; for what the loop still has to do behind a spec

-- Each has `run(fn, ...)`, and where coroutines run beside each other `load()`, before any
-- file, and `run_out()`, until nothing is left to do, or patience is over.
local LOOPS = { blocking = {}, luv = {}, host = {} }

--- "blocking", "luv" or "host".
in_loop.name = os.getenv "DQLITE_LOOP" or "blocking"
local LOOP = assert(LOOPS[in_loop.name], "DQLITE_LOOP names no loop: " .. in_loop.name)

--- Do coroutines run beside each other in this one?
in_loop.is_concurrent = in_loop.name ~= "blocking"

-- Files that run on one loop only, and why; `alone`: they begin it themselves.
local ONLY = {
  ["spec/live/many_coroutines_spec.lua"] = { "luv", "on another loop nothing runs at once",
    alone = true },
  ["spec/live/node_fork_spec.lua"] = { "blocking",
    "the embedded node has no loop, and luv's is not for a forked child" },
  ["spec/live/node_options_spec.lua"] = { "blocking", "the embedded node has no loop" },
  ["spec/live/node_recover_spec.lua"] = { "blocking", "the embedded node has no loop" },
  ["spec/live/node_spec.lua"] = { "blocking", "the embedded node has no loop" },
  ["spec/live/pool_cancel_spec.lua"] = { "luv host", "on another loop no coroutine waits" },
  ["spec/live/pool_many_spec.lua"] = { "luv host", "on another loop nothing runs at once" },
  ["spec/live/pool_waits_spec.lua"] = { "luv host", "on another loop nothing runs at once" },
}

local function set_of_files(folder, names)
  local set = {}
  for name in names:gmatch "%S+" do set[("spec/%s_spec.lua"):format(folder .. name)] = true end
  return set
end

-- Files about coroutines that wait, which those of Lua 5.1 cannot wherever the library
-- does. What there is instead, spec/unit/coroutines_spec.lua says.
local WAITING = set_of_files("", [[unit/behaviours_leader unit/behaviours_opening
  unit/behaviours_sharing unit/busy_connection unit/cancel_abandoned unit/cancel_luv
  unit/host_connection unit/host_loop unit/luv unit/misuse unit/pool_broken_off unit/pool_closed
  unit/pool_schedules unit/search unit/task unit/virtual_loop unit/waits regress/abandoned_wait
  regress/late_loop regress/queue_place]])

-- Files about servers and clusters, and others that take long, in which the Lua matters
-- little: in Lua 5.4 on the blocking loop, in LuaJIT on luv's. EVERYWHERE=1 runs them in
-- each Lua on each loop, and so does make test-long.
local CLUSTERS = set_of_files("live/", [[admin behaviours_flip demo_cluster failover harness leader
  leader_trouble linearizable pool_leader watch]])
local LONG = set_of_files("live/",
  "busy executemany fork large once returning rows_stream system_calls")
local USUAL = { ["Lua 5.4"] = "blocking", LuaJIT = "luv" }
local LUA = rawget(_G, "jit") and "LuaJIT" or _VERSION

-- PART=clusters runs these files alone, PART=servers the others.
local PART = os.getenv "PART"
assert(not PART or PART == "clusters" or PART == "servers", "PART is neither clusters nor servers")

-- ---- the loops ----

function LOOPS.blocking.run(fn, ...)
  return fn(...)
end

function LOOPS.luv.run(fn, ...)
  return require "dqlite".run(fn, ...)
end

-- Loaded here, these outlive the file that uses them: one loop for all files, and luv's
-- for what specs do with it.
function LOOPS.luv.load()
  require "dqlite"
  local uv = require "luv"
  uv.new_tcp():close() -- the first one opens /dev/null, for good
  uv.run "nowait"
end

LOOPS.host.load = LOOPS.luv.load

function LOOPS.luv.run_out()
  local uv = require "luv"
  local guard = uv.new_timer()
  guard:start(PATIENCE * 1000, 0, function() uv.stop() end)
  guard:unref()
  uv.run()
  guard:close()
  uv.run "nowait"
end

local function host()
  LOOPS.host.loop = LOOPS.host.loop or require "spec.support.host_driver".new()
  return LOOPS.host.loop
end

function LOOPS.host.run(fn, ...)
  return require "spec.support.host_driver".run(host(), fn, ...)
end

function LOOPS.host.run_out()
  require "spec.support.host_driver".drive(host(), function() return false end, PATIENCE)
  require "luassert".is_true(host():is_idle())
end

--- Runs a function where this run's calls wait: for programs of their own.
-- @return what it returns
in_loop.run = LOOP.run

--- The loop itself.
-- @treturn table
function in_loop.module()
  return in_loop.name == "host" and host() or require("dqlite.loop." .. in_loop.name)
end

--- What names the loop as an option.
-- @treturn string|table
function in_loop.option()
  return in_loop.name == "host" and host() or in_loop.name
end

-- ---- what a file leaves ----

local descriptors -- when the file began

-- Runs outside of the loop: inside, its own wait would have a handle.
local function leaves_nothing_open()
  local assert = require "luassert"
  local process = require "spec.support.process"
  for _ = 1, 2 do -- what is collected first may hold what is collected then
    collectgarbage()
    LOOP.run_out()
  end
  assert.same({}, process.handles())
  assert.equal(descriptors, process.descriptors())
end

-- ---- busted ----

local BODIES = {
  it = true,
  before_each = true,
  after_each = true,
  strict_setup = true,
  strict_teardown = true,
  lazy_setup = true,
  lazy_teardown = true,
}

-- The path of a live spec's file; nil for others.
local function live_path(file)
  return file and file.name:match "spec/live/[^/]*$"
end

-- Do its bodies run inside of the loop?
local function is_inside(file)
  local path = live_path(file)
  return path ~= nil and not (ONLY[path] and ONLY[path].alone)
end

-- Why a live spec's file is not run here, in words.
local function reason_against_live(path)
  if PART and (PART == "clusters") ~= (CLUSTERS[path] or false) then
    return "not one of the " .. PART
  end
  local only = ONLY[path]
  if only and not only[1]:find(in_loop.name, 1, true) then
    return ("on these loops only, %s: %s"):format(only[1], only[2])
  end
  local is_long = CLUSTERS[path] or LONG[path]
  if not is_long or in_loop.name == USUAL[LUA] or os.getenv "EVERYWHERE" then return end
  return ("not in %s on the %s loop, without EVERYWHERE=1"):format(LUA, in_loop.name)
end

-- Why a file is not run here, in words.
local function reason_against(file)
  if live_path(file) then return reason_against_live(live_path(file)) end
  if not luas.waits and WAITING[file.name:match "spec/%l+/[^/]*$"] then
    return "in Lua 5.1 coroutines cannot wait"
  end
end

-- A file adds its specs when it is run.
local function load_file(busted, file)
  local reason = reason_against(file)
  if reason then
    if not PART then print(("\n%s: %s"):format(file.name, reason)) end
    return
  end
  local looks = LOOP.run_out and live_path(file)
  if looks then descriptors = require "spec.support.process".descriptors() end
  file.run()
  if looks then
    busted.executors.it(live_path(file) .. " leaves nothing open", leaves_nothing_open)
  end
end

-- As busted.safe: all of that is inside, for its tracebacks. What the loop
-- itself raises is then raised by an empty body.
local function safe_in_loop(busted, safe, descriptor, run, element)
  local ok, status = pcall(in_loop.run, safe, descriptor, run, element)
  if ok then return status end
  if busted.context.get() == element then busted.context.pop() end
  return safe(descriptor, function() error(status, 0) end, element)
end

local function wrap(busted)
  local safe = busted.safe
  function busted.safe(descriptor, run, element)
    if descriptor == "file" and run == element.run then
      return safe(descriptor, function() load_file(busted, element) end, element)
    end
    local is_body = run == element.run and BODIES[descriptor] or descriptor == "finally"
    if is_body and run ~= leaves_nothing_open and is_inside(busted.getFile(element)) then
      return safe_in_loop(busted, safe, descriptor, run, element)
    end
    return safe(descriptor, run, element)
  end
  return busted
end

local function check_paths()
  for _, list in ipairs { ONLY, CLUSTERS, LONG, WAITING } do
    for path in pairs(list) do assert(io.open(path), "no such file: " .. path):close() end
  end
end

-- Each file loads luv anew, and its loop goes with what was loaded first (seen in
-- LuaJIT and Lua 5.1 with 1.44.2), which is held here.
local first_luv

--- Makes busted run live specs so, before it is loaded.
function in_loop.install()
  check_paths()
  first_luv = require "luv"
  package.loaded.luv = LOOP.load and first_luv or nil
  if LOOP.load then LOOP.load() end
  local new_busted = require "busted.core"
  package.loaded["busted.core"] = function() return wrap(new_busted()) end
end

return in_loop
