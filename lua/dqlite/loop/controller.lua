--- Which controller of cqueues runs here, without a need to load cqueues. In a process
-- that was forked, parent and child have one set of watched descriptors in the kernel
-- (epoll_ctl(2)), and an event for one of them can be told the other: so the child leaves
-- alone what was seen in its parent.
-- @module dqlite.loop.controller

local core = require "dqlite.core"

local controller = {}

-- core.forks() of the process where each was first seen
local makers = setmetatable({}, { __mode = "k" })

--- The controller that runs this coroutine. To be asked wherever a loop is chosen, so that
-- it is seen before a fork.
-- @return the controller; nil where none runs
-- @treturn boolean does it resume this coroutine itself? Else one of the program's is in
-- between
function controller.current()
  local cqueues = package.loaded.cqueues
  if not cqueues then return nil end
  local running, is_own = cqueues.running()
  if running and not makers[running] then makers[running] = core.forks() end
  return running, is_own
end

--- Is it another process's, that has forked this one?
-- @param running of `current`
-- @treturn boolean
function controller.is_inherited(running)
  return makers[running] ~= core.forks()
end

--- Why nobody may use it then, in words.
controller.REFUSAL = "this controller of cqueues belongs to the process that has forked this one,"
  .. " and cannot be used here: run a new one (cqueues.new), connect with loop = \"blocking\","
  .. " or let the new process exec a program"

return controller
