--- What is the same in the loops whose coroutines wait in places of one kind, for our own
-- descriptors: the contract of DEVELOPMENT.md ("A loop of one's own") out of these.
-- @module dqlite.loop.assemble

local core = require "dqlite.core"
local dial = require "dqlite.loop.dial"
local new_cond = require "dqlite.loop.cond"
local parking = require "dqlite.loop.parking"
local streams = require "dqlite.loop.stream"

--- Gives a loop what it lacks but `sleep`.
-- @tparam table loop
-- @tparam table waits as dqlite.loop.steps and dqlite.loop.scheduled make them
-- @tparam table Stream a class, see dqlite.loop.stream
-- @tparam function lookup `(host, deadline)` -> list of numeric addresses, or nil with the
-- kind of an error and its reason
return function(loop, waits, Stream, lookup)
  local function new_stream(sock)
    return streams.new(Stream, waits, sock, waits.new())
  end
  loop.now, loop.report, loop.refusal = core.now, parking.report, waits.refusal
  loop.start = loop.start or waits.start

  --- A condition that coroutines wait for, first come, first served.
  -- @tparam[opt] function on_close called when a coroutine is closed while it waits
  function loop.cond(on_close) return new_cond(waits, on_close) end

  --- Dials an address; of a host name every address that it has.
  -- @tparam string address as in dqlite.connect
  -- @tparam number deadline of now()
  -- @tparam[opt] function hold called with the stream that is being connected, which can be
  -- closed then
  -- @return a stream, or nil with the kind of the error and its reason
  function loop.connect(address, deadline, hold)
    return dial(address, deadline, lookup, function(ip, until_then)
      return streams.connect(ip, until_then, hold, new_stream)
    end)
  end
end
