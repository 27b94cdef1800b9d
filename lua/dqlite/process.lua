--- The process that something belongs to: what is open is useless in a process that
-- was forked since, and harmful, as both would use the same sockets. Remember
-- `process.current()` in what is made, and check it where it is used.
-- @module dqlite.process

local core = require "dqlite.core"
local errors = require "dqlite.error"

local process = {}

--- The process that runs, as a number that a fork changes in the child. It costs no
-- system call. Only forks since the library was loaded are noticed.
-- @treturn number
process.current = core.forks

--- Was it left here by a process that has forked this one?
-- @tparam number owner what current() was there
-- @treturn boolean
function process.is_inherited(owner)
  return owner ~= core.forks()
end

--- Raises misuse in a process that was forked since.
-- @tparam number owner what current() was there
-- @tparam string what belongs to it: "the connection"
-- @tparam[opt] string remedy what to do in place of that
function process.check(owner, what, remedy)
  if owner == core.forks() then return end
  errors.misuse(("%s belongs to the process that has forked this one, and cannot be used here:"
    .. " %s"):format(what, remedy or "connect anew in this process, after the fork"))
end

return process
