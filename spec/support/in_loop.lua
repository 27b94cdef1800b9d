--- Where specs run: on the blocking loop or, with DQLITE_LOOP=luv, inside of
-- dqlite.run; with DQLITE_LOOP=host on a loop of dqlite.host, with DQLITE_LOOP=cqueues
-- inside of a controller of it. DQLITE_LOOP is as well
-- the name of any module that answers a loop of one's own with a function `run(fn, ...)`
-- in it, and perhaps `run_out` and `left` as of spec/support/in_cqueues.lua.
--
-- But for the blocking loop every body of a live spec (it, before_each, after_each, setup,
-- teardown, finally) runs in a coroutine of its own under that loop, and each
-- file gets a last spec: that nothing is left open.
local luas = require "spec.support.luas"

local in_loop = {}

local DQLITE_LOOP = os.getenv "DQLITE_LOOP" or "blocking"
local OURS = { blocking = true, luv = true, host = true, cqueues = true }

-- A loop of one's own, with `run`.
local adapter = not OURS[DQLITE_LOOP] and require(DQLITE_LOOP) or nil

--- "blocking", "luv", "host", "cqueues" or the adapter's.
in_loop.name = adapter and (adapter.name or DQLITE_LOOP) or DQLITE_LOOP

--- Do coroutines run there while another one waits?
in_loop.is_concurrent = in_loop.name ~= "blocking" and not (adapter and not adapter.start)

-- Files that run on some loops only, and why: on "concurrent" ones, or on that one; `alone`:
-- they begin it themselves; `lua`: in that Lua only.
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
  unit/pool_broken_off unit/pool_closed unit/pool_schedules unit/scheduled unit/search unit/task
  unit/virtual_loop unit/waits regress/abandoned_wait regress/late_loop regress/queue_place]])

-- Files about servers and clusters, and others that take long, in which the Lua matters
-- little: in Lua 5.4 on the blocking loop, in LuaJIT on luv's, in each on other loops.
-- EVERYWHERE=1 runs them in each Lua on each loop, and so does make test-long.
local CLUSTERS = set_of_files("live/", [[admin behaviours_flip demo_cluster failover harness leader
  leader_trouble linearizable pool_leader watch]])
local LONG = set_of_files("live/",
  "busy executemany fork large once returning rows_stream system_calls")
local LUA = rawget(_G, "jit") and "LuaJIT" or _VERSION
local USUAL = { ["Lua 5.4"] = "blocking", LuaJIT = "luv" }
local HAS_USUAL = { blocking = true, luv = true } -- loops

-- PART=clusters runs these files alone, PART=servers the others.
local PART = os.getenv "PART"
assert(not PART or PART == "clusters" or PART == "servers", "PART is neither clusters nor servers")

local PATIENCE = 10 -- seconds; for what the loop still has to do behind a spec

-- Runs luv's loop until nothing is left to do, or patience is over.
local function run_luv_out(patience)
  local uv = require "luv"
  local guard = uv.new_timer()
  guard:start(patience * 1000, 0, function() uv.stop() end)
  guard:unref()
  uv.run()
  guard:close()
  uv.run "nowait"
end

local function nothing() return {} end

-- How the specs of each loop run, and what is left of it.
local RUNNERS = {
  blocking = function()
    return { run = function(fn, ...) return fn(...) end }
  end,
  luv = function()
    return {
      run = require "dqlite".run,
      run_out = run_luv_out,
      left = function() return require "spec.support.process".handles() end,
    }
  end,
  host = function() return require "spec.support.in_host" end,
  cqueues = function() return require "spec.support.in_cqueues" end,
}

local runner

local function get_runner()
  if adapter then return adapter end
  runner = runner or RUNNERS[in_loop.name]()
  return runner
end

--- Runs a function where this run's calls wait: for programs of their own.
-- @return what it returns
function in_loop.run(fn, ...)
  return get_runner().run(fn, ...)
end

--- What the option `loop` takes for it.
function in_loop.option()
  return adapter or get_runner().loop or in_loop.name
end

--- What is left of the loop: a list, of what it has.
function in_loop.left()
  return (get_runner().left or nothing)()
end

--- The loop itself.
function in_loop.module()
  return adapter or get_runner().loop or require("dqlite.loop." .. in_loop.name)
end

-- Takes an adapter wherever no loop is named, but for a forked child: the library does that
-- for its own loops.
local function prefer(loop)
  local loops, forks = require "dqlite.loops", require "dqlite.core".forks
  local select_other, beside_other, process = loops.select, loops.beside, forks()
  loop.report = loop.report or require "dqlite.loop.parking".report
  function loops.select(name)
    select_other "blocking" -- for luv's loop to be seen before a fork
    if name == nil and forks() == process then return loop end
    return select_other(name) -- without us in between, where it raises
  end
  function loops.beside()
    if forks() == process then return loop end
    return beside_other()
  end
end

if adapter then prefer(adapter) end

-- ---- what a file leaves ----

local descriptors -- when the file began

-- Runs outside of the loop: inside, its own wait would have a handle.
local function leaves_nothing_open()
  local assert = require "luassert"
  local process = require "spec.support.process"
  local runs = get_runner()
  for _ = 1, 2 do -- what is collected first may hold what is collected then
    require "spec.support.collect" ();
    (runs.run_out or nothing)(PATIENCE)
  end
  assert.same({}, in_loop.left())
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
  local is_here = only and (only[1]:find(in_loop.name, 1, true)
    or only[1] == "concurrent" and in_loop.is_concurrent)
  if only and not is_here then return ("on the %s loop only: %s"):format(only[1], only[2]) end
  local other_lua = only and only.lua and only.lua ~= LUA
  if other_lua then return ("in %s only: %s"):format(only.lua, only[2]) end
  local is_long = CLUSTERS[path] or LONG[path]
  local is_usual = in_loop.name == USUAL[LUA] or not HAS_USUAL[in_loop.name]
  if not is_long or is_usual or os.getenv "EVERYWHERE" then return end
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
  local looks = in_loop.name ~= "blocking" and live_path(file)
  if looks then descriptors = require "spec.support.process".descriptors() end
  file.run()
  if looks then
    busted.executors.it(live_path(file) .. " leaves nothing open", leaves_nothing_open)
  end
end

-- As busted.safe: all of that is inside, for its tracebacks. What running it
-- raises is then raised by an empty body.
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

-- Loaded here, these outlive the file that uses them: one loop for all files, and luv's
-- for what specs do with it.
local function load_loop()
  require "dqlite"
  get_runner()
  local uv = require "luv"
  uv.new_tcp():close() -- the first one opens /dev/null, for good
  uv.run "nowait"
end

--- Makes busted run live specs so, before it is loaded.
function in_loop.install()
  check_paths()
  first_luv = require "luv"
  local stays = in_loop.name ~= "blocking"
  package.loaded.luv = stays and first_luv or nil
  if stays then load_loop() end
  local new_busted = require "busted.core"
  package.loaded["busted.core"] = function() return wrap(new_busted()) end
end

return in_loop
