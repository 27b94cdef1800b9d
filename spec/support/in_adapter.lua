-- Where specs run with DQLITE_LOOP=MODULE: on the loop of one's own that this module answers,
-- with a function `run(fn, ...)` in it, and perhaps `run_out` and `left` as of
-- spec/support/in_cqueues.lua.

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

--- Makes what spec/support/in_loop.lua wants.
-- @tparam string name of the module
return function(name)
  local adapter = require(name)
  prefer(adapter)
  return {
    name = adapter.name or name,
    is_concurrent = adapter.start ~= nil,
    option = adapter,
    module = function() return adapter end,
    run = adapter.run,
    run_out = adapter.run_out,
    left = adapter.left,
  }
end
