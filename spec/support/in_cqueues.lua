-- Where specs run with DQLITE_LOOP=cqueues: a controller for all of them.
local cqueues = require "cqueues"
local core = require "dqlite.core"

local in_cqueues = { name = "cqueues", is_concurrent = true, option = "cqueues" }

local PATIENCE = 60 -- seconds without anything that happens

local unpack = table.unpack or rawget(_G, "unpack")

local controller = cqueues.new()
controller:alert() -- its descriptors are open from here on
controller:step(0)

local function step(seconds)
  local done, err, _, thread = controller:step(seconds)
  if not done then
    error(debug.traceback(thread, "a coroutine of the controller ended: " .. tostring(err)), 0)
  end
end

function in_cqueues.module() return require "dqlite.loop.cqueues" end

--- Runs a function in a coroutine of the controller; those that it has begun stand still
-- afterwards.
-- @return what it returns; raises what it raises
function in_cqueues.run(fn, ...)
  local args, outcome = { n = select("#", ...), ... }, nil
  local function note(...) outcome = { n = select("#", ...), ... } end
  controller:wrap(function() note(pcall(fn, unpack(args, 1, args.n))) end)
  local silent = core.now() + PATIENCE
  repeat
    local before = core.now()
    step(PATIENCE)
    if core.now() - before < PATIENCE then silent = core.now() + PATIENCE end
    if core.now() > silent then error("the function waits, and nothing happens", 0) end
  until outcome
  if not outcome[1] then error(outcome[2], 0) end
  return unpack(outcome, 2, outcome.n)
end

--- Goes on until nothing is left to do, or patience is over.
-- @tparam number patience seconds
function in_cqueues.run_out(patience)
  local deadline = core.now() + patience
  while not controller:empty() and core.now() < deadline do step(deadline - core.now()) end
end

--- What is left: coroutines.
-- @treturn table a list
function in_cqueues.left()
  local left = {}
  for i = 1, controller:count() do left[i] = "a coroutine" end
  return left
end

return in_cqueues
