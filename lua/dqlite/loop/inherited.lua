--- luv's loop in a process that was forked: parent and child have one set of watched
-- descriptors in the kernel (epoll_ctl(2)), and what one removes is gone for the
-- other. So the child leaves that loop alone, and its polls.
-- @module dqlite.loop.inherited

local core = require "dqlite.core"

local inherited = {}

-- core.forks() of the process where luv was first seen: luv makes its loop when it is
-- loaded
local maker = package.loaded.luv and core.forks() or nil

--- Is the loop of luv another process's? To be asked wherever a loop is chosen, so
-- that luv is seen before a fork.
-- @treturn boolean false also where luv is not loaded
function inherited.is_loop()
  if not package.loaded.luv then return false end
  local process = core.forks()
  maker = maker or process
  return maker ~= process
end

--- Why nobody may use it, in words.
inherited.REFUSAL = "luv's loop belongs to the process that has forked this one, and cannot be"
  .. " used here: connect with loop = \"blocking\", or let the new process exec a program"

return inherited
