--- A process of its own that asks nodes who leads, and notes when it knows: by the
-- clock of dqlite.core, which is one for all processes.
local eventually = require "spec.support.eventually"
local leashed = require "spec.support.leashed"
local nodes = require "spec.support.nodes"

local unpack = unpack or table.unpack

local observers = {}

local Observer = {}
Observer.__index = Observer

-- HOW, then where each node listens and its name. Prints when, and which of them
-- leads by its own word ("first"), or by that of all of them ("all").
local PROGRAM = [[
  local ask, core = require "spec.support.ask", require "dqlite.core"
  local how, count = arg[1], (#arg - 1) / 2
  local function look()
    local claimed, votes = nil, {}
    for i = 2, #arg, 2 do
      local answer = ask(arg[i], "LEADER")
      local name = answer and answer.address or ""
      if name == arg[i + 1] then claimed = name end
      votes[name] = (votes[name] or 0) + 1
    end
    return claimed and (how == "first" or votes[claimed] == count) and claimed
  end
  print "ready"
  io.stdout:flush()
  local leader = look()
  while not leader do
    core.sleep(0.001)
    leader = look()
  end
  print(("%.6f %s"):format(core.now(), leader))]]

--- Begins; watches these nodes from when this returns.
-- @tparam table place for files, of spec.support.scratch
-- @tparam table list of nodes
-- @tparam string how "first": until one says that it leads; "all": until all name it
-- @treturn table
function observers.start(place, list, how)
  local program, words = place:fresh "observer", { how }
  nodes.write(program, PROGRAM)
  for _, node in ipairs(list) do
    words[#words + 1] = node.inner
    words[#words + 1] = node.address
  end
  local command = nodes.lua_command(program, unpack(words)):gsub("^exec ", "")
  local self = setmetatable({ process = leashed.start(command, place:fresh "log") }, Observer)
  eventually("the observer is ready", function() return self.process:output():find "ready" end)
  return self
end

--- Waits until it has seen one.
-- @treturn table `at` (of core.now()), `leader` (address)
function Observer:seen()
  local seconds, address
  eventually("a new leader was seen", function()
    seconds, address = self.process:output():match "([%d.]+) (%S+)\n"
    return seconds
  end)
  return { at = tonumber(seconds), leader = address }
end

--- Ends it. Again does nothing.
function Observer:stop()
  self.process:kill()
end

return observers
