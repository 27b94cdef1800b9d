--- Has busted run specs where DQLITE_LOOP says: on the blocking loop, with DQLITE_LOOP=luv
-- inside of dqlite.run, with =host on a loop of dqlite.host, with =cqueues in a controller
-- of it; or on that of a module (spec/support/in_adapter.lua).
--
-- But for the blocking loop every body of a live spec (it, before_each, after_each, setup,
-- teardown, finally) runs in a coroutine of its own under that loop, and each
-- file gets a last spec: that nothing is left open.
local selection = require "spec.support.selection"

local in_loop = {}

local PATIENCE = 10 -- seconds; for what the loop still has to do behind a spec

-- Modules of one form: `name`; `is_concurrent`: do coroutines run there while another one
-- waits?; `option`: what the option `loop` takes for it; `module()`: the loop itself;
-- `run(fn, ...)`: runs a function there, returns or raises what that does; optional,
-- `run_out(seconds)`: goes on until nothing is left to do, or that time is over, and `left()`:
-- a list of what is left.
local OURS = { blocking = true, luv = true, host = true, cqueues = true }

local DQLITE_LOOP = os.getenv "DQLITE_LOOP" or "blocking"
local LOOP = OURS[DQLITE_LOOP] and require("spec.support.in_" .. DQLITE_LOOP)
  or require "spec.support.in_adapter" (DQLITE_LOOP)

in_loop.name, in_loop.is_concurrent, in_loop.option = LOOP.name, LOOP.is_concurrent, LOOP.option
in_loop.module, in_loop.run = LOOP.module, LOOP.run

local function nothing() return {} end

in_loop.left = LOOP.left or nothing

-- ---- what a file leaves ----

local descriptors -- when the file began

-- Runs outside of the loop: inside, its own wait would have a handle.
local function leaves_nothing_open()
  local assert = require "luassert"
  local process = require "spec.support.process"
  for _ = 1, 2 do -- what is collected first may hold what is collected then
    require "spec.support.collect" ();
    (LOOP.run_out or nothing)(PATIENCE)
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

local function live_path(file)
  return file and selection.live_path(file.name)
end

-- Do its bodies run inside of the loop?
local function is_inside(file)
  local path = live_path(file)
  return path ~= nil and not selection.is_alone(path)
end

-- A file adds its specs when it is run.
local function load_file(busted, file)
  local reason = selection.reason_against(file.name, LOOP)
  if reason then
    if not selection.is_partial then print(("\n%s: %s"):format(file.name, reason)) end
    return
  end
  local looks = LOOP.name ~= "blocking" and live_path(file)
  if looks then descriptors = require "spec.support.process".descriptors() end
  file.run()
  if looks then
    busted.executors.it(live_path(file) .. " leaves nothing open", leaves_nothing_open)
  end
end

-- As busted.safe: all of that is inside, for its tracebacks. What running it
-- raises is then raised by an empty body.
local function safe_in_loop(busted, safe, descriptor, run, element)
  local ok, status = pcall(LOOP.run, safe, descriptor, run, element)
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

-- Each file loads luv anew, and its loop goes with what was loaded first (seen in
-- LuaJIT and Lua 5.1 with 1.44.2), which is held here.
local first_luv

-- Loaded here, these outlive the file that uses them: one loop for all files, and luv's
-- for what specs do with it.
local function load_loop()
  require "dqlite"
  local uv = require "luv"
  uv.new_tcp():close() -- the first one opens /dev/null, for good
  uv.run "nowait"
end

--- Makes busted run live specs so, before it is loaded.
function in_loop.install()
  selection.check_paths()
  first_luv = require "luv"
  local stays = LOOP.name ~= "blocking"
  package.loaded.luv = stays and first_luv or nil
  if stays then load_loop() end
  local new_busted = require "busted.core"
  package.loaded["busted.core"] = function() return wrap(new_busted()) end
end

return in_loop
