--- A controller of cqueues beside luv's loop, where servers of specs run
-- (spec/support/luv_server.lua): while one waits the other goes on.
local cqueues = require "cqueues"
local handles = require "spec.support.handles"
local uv = require "luv"

local beside_luv = {}

local unpack = table.unpack or rawget(_G, "unpack")

-- luv's descriptors, as cqueues waits for an object.
local LUV = { pollfd = function() return uv.backend_fd() end, events = "r" }

local function turn()
  while true do
    handles.turn(1)
    cqueues.poll(LUV, 0.005)
  end
end

--- A controller in which luv's loop gets its turns, by one coroutine.
function beside_luv.new()
  local controller = cqueues.new()
  controller:wrap(turn)
  return controller
end

--- Runs a controller until a function is done that it begins.
-- @return what the function returns; raises what it raises, or any coroutine
function beside_luv.run(controller, fn, ...)
  local args, outcome = { n = select("#", ...), ... }, nil
  local function note(...) outcome = { n = select("#", ...), ... } end
  controller:wrap(function() note(pcall(fn, unpack(args, 1, args.n))) end)
  while not outcome do
    local done, err = controller:step(10)
    if not done then error("the controller: " .. tostring(err), 0) end
  end
  if not outcome[1] then error(outcome[2], 0) end
  return unpack(outcome, 2, outcome.n)
end

--- Runs it until nothing else is left in it, and closes it.
-- @treturn number how many coroutines are left all the same
function beside_luv.close(controller)
  for _ = 1, 200 do
    if controller:count() <= 1 then break end
    controller:step(0.01)
  end
  local left = controller:count() - 1
  controller:close()
  return left
end

return beside_luv
