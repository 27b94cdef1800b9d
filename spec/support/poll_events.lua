--- Counts the callbacks of polls, whoever starts them.
require "luv"

local poll_events = { count = 0 }

local methods, real

--- Begins to count; `stop` ends it.
function poll_events.start()
  methods = debug.getregistry().uv_poll.__index -- where luv keeps them
  real = methods.start
  poll_events.count = 0
  methods.start = function(handle, events, callback)
    return real(handle, events, function(...)
      poll_events.count = poll_events.count + 1
      return callback(...)
    end)
  end
end

function poll_events.stop()
  methods.start = real
end

return poll_events
