--- The loop of libuv, by way of luv: our own descriptors, watched by its polls.
-- Only coroutines wait.
--
-- A poll keeps its interest in reading from answer to answer, since to start and
-- stop it costs more than an answer does; a callback that finds nobody waiting
-- stops it. Polls are never a reason for the loop to go on, coroutines that wait
-- are. (design.md, The loop contract; luv's documentation of uv_poll_t.)
-- @module dqlite.loop.luv

local core = require "dqlite.core"
local dial = require "dqlite.loop.dial"
local new_cond = require "dqlite.loop.cond"
local parking = require "dqlite.loop.parking"
local sleep = require "dqlite.loop.sleep"
local streams = require "dqlite.loop.stream"
local uv = require "luv"
local waits = require "dqlite.loop.waits"

local luv = {
  name = "luv",
  now = core.now,
  refusal = waits.refusal,
  start = waits.start,
  background = waits.background,
  later_finalize = waits.later_finalize,
  report = waits.report,
  is_running = waits.is_running,
  run = waits.run,
  stop = waits.stop,
}

local DAY = 86400 -- seconds; luv's timers know no infinity

--- Waits.
-- @tparam number seconds how long; 0 gives the others a turn
-- @treturn true|nil nil with "misuse" and a reason, after a foreign resume
function luv.sleep(seconds)
  return sleep(waits, seconds)
end

-- ---- conditions ----

--- A condition that coroutines wait for, first come, first served.
-- @tparam[opt] function on_close called when a coroutine is closed while it waits
function luv.cond(on_close)
  return new_cond(waits, on_close)
end

-- ---- streams ----

local Stream = streams.class()

local call, react = parking.call, waits.react

local function stop_watching(stream)
  if not stream.watched then return end
  stream.watched = nil
  stream.poll:stop()
end

-- libuv answers any error of a socket with EBADF, and has stopped the poll then:
-- what is wrong is for the socket to say.
local function break_off(stream, err)
  stream.problem, stream.watched = err, nil
  waits.react(stream.wait)
end

-- The poll and what it holds: a connection that its user drops stays whole until
-- the loop has closed it.
local function new_stream(sock)
  local poll, reason = uv.new_poll(sock:fd())
  if not poll then return nil, reason end
  poll:unref()
  waits.hold()
  local stream = streams.new(Stream, waits, sock, waits.plain())
  stream.poll = poll
  stream.on_event = function(err)
    if err then
      call(break_off, stream, err)
    elseif not react(stream.wait) then
      call(stop_watching, stream)
    end
  end
  return stream
end

--- Wakes who waits here once the socket is ready, until a callback finds nobody.
-- @tparam string events "r", "w" or "rw"
-- @return true, or nil with the kind of the error and its reason
function Stream:watch(events)
  if waits.is_inherited() then return nil, "misuse", waits.refusal() end -- start stops, too
  local started, reason = self.poll:start(events, self.on_event)
  if not started then return nil, "closed", reason end
  self.watched = events
  return true
end

--- Stops that before the descriptor is closed.
function Stream:unwatch()
  local poll = self.poll
  self.poll = nil
  waits.close(poll)
  waits.let_go()
end

-- ---- connect ----

local function numbers(answers)
  local ips = {}
  for i, each in ipairs(answers) do ips[i] = each.addr end
  return ips
end

-- A pool of threads looks names up; one that takes too long is not waited for.
local function lookup(host, deadline)
  local request, wrong
  local wait = waits.new(function() uv.cancel(request) end)
  request, wrong = uv.getaddrinfo(host, nil, { socktype = "stream" },
    waits.protect(function(err, answers)
      if not err then return waits.wake(wait, numbers(answers)) end
      waits.wake(wait, nil, "connect", ("the name was not found (%s)"):format(err))
    end))
  if not request then return nil, "connect", wrong end
  local ips, kind, reason = waits.park(wait, math.min(deadline, core.now() + DAY))
  if ips then return ips end
  if kind == "timeout" then reason = "its name was not found in time" end
  uv.cancel(request)
  return nil, kind, reason
end

--- Dials an address; of a host name every address that it has.
-- @tparam string address as in dqlite.connect
-- @tparam number deadline of now()
-- @tparam[opt] function hold called with the stream that is being connected, which
-- can be closed then
-- @return a stream, or nil with the kind of the error and its reason
function luv.connect(address, deadline, hold)
  return dial(address, deadline, lookup, function(ip, until_then)
    return streams.connect(ip, until_then, hold, new_stream)
  end)
end

return luv
