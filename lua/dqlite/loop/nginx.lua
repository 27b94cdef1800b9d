--- The loop of nginx: cosockets, which belong to the request that connects them, and
-- go back to nginx for the next one. Waits are ngx_lua's own: no C function here
-- yields, and nothing blocks the worker.
--
-- A context, below, is a request or a timer: what one has opened the others cannot use.
-- @module dqlite.loop.nginx

local core = require "dqlite.core"
local cosocket = require "dqlite.loop.cosocket"
local handshake = require "dqlite.loop.handshake"
local phases = require "dqlite.loop.phases"
local semaphore = require "ngx.semaphore"

local spawn = ngx.thread.spawn
local now = core.now

local nginx = { name = "nginx", speaks_tls = true }

local DAY = 86400

--- Seconds of a clock that never goes back.
nginx.now = now

--- Why nobody can wait here, in words: the phase has no cosockets. nil where one can.
nginx.refusal = phases.refusal

--- Waits.
-- @tparam number seconds how long
nginx.sleep = ngx.sleep

-- ---- beside the caller ----

--- Runs a function in a light thread, at once up to its first wait. The request does
-- not end before it.
nginx.start = spawn

--- The same for what is done behind the program's back; where there are no light
-- threads it fails at its first wait.
function nginx.background(fn)
  if phases.refusal() then return fn() end
  spawn(fn)
end

--- Seconds of silence after which the rest of an abandoned result is given up: whoever
-- reads it holds up the end of a request.
nginx.SILENCE = 1

--- Runs a function in a context of its own, which nobody waits for. Where nginx has no
-- timer left it runs in the caller's.
function nginx.detach(fn)
  local begun = ngx.timer.at(0, fn)
  if not begun then spawn(fn) end
end

local Cond = {}
Cond.__index = Cond

--- A condition to wait on, first come, first served, also from several contexts.
function nginx.cond()
  return setmetatable({ sem = semaphore.new(0) }, Cond)
end

--- Lets one that waits go on; without any, the next that waits.
function Cond:signal()
  if self.sem:count() < 1 then self.sem:post(1) end
end

--- Waits for a signal.
-- @tparam[opt] number deadline of now()
-- @treturn boolean false when the deadline passed
function Cond:wait(deadline)
  local left = deadline and deadline - now() or DAY
  return self.sem:wait(math.max(0, math.min(left, DAY))) or false
end

-- ---- connect ----

local FULL = "too many waiting connect operations" -- in the words of ngx_lua

local function connect_error(err, host)
  if err == "timeout" then return nil, "timeout", "no answer in time" end
  if err == FULL then return nil, "pool", "all connections are in use" end
  if err:find("no resolver", 1, true) then
    return nil, "connect", ("nginx looks up names with the directive `resolver`, and there is none:"
      .. " set one, or give the address of %s as a number"):format(host)
  end
  return nil, "connect", err
end

local function parse(address)
  local kind, host, port = core.parse_address(address)
  if kind == "tcp" then return host:find(":", 1, true) and "[" .. host .. "]" or host, port end
  if kind == "unix" then return "unix:" .. host end
  return nil, nil, "nginx cannot connect to an abstract socket: use a path or a port"
end

local last = {} -- the address that was dialled last, as nginx wants it

local function target(address)
  if address == last.address then return last.host, last.port end
  local host, port, wrong = parse(address)
  if host then last.address, last.host, last.port = address, host, port end
  return host, port, wrong
end

-- Of who asks for no pool: nothing is ever given back to it, so all of it is new.
local UNKEPT = { pool = "dqlite" }

local function dial_to(sock, host, port, keeping)
  if port then return sock:connect(host, port, keeping) end
  return sock:connect(host, keeping)
end

--- Dials an address. Names are looked up by nginx' `resolver`.
-- @tparam string address as in dqlite.connect
-- @tparam number deadline of now()
-- @tparam[opt] function hold not used: a cosocket that connects cannot be closed
-- @tparam[opt] table keeping `pool`, `pool_size`, `backlog` as of a cosocket's connect;
-- without it a new connection is made
-- @tparam[opt] table|boolean tls what is asked for (dqlite.tls); false: nothing
-- @return a stream, or nil with the kind of the error and its reason
function nginx.connect(address, deadline, hold, keeping, tls) -- luacheck: ignore hold
  local left = deadline - now()
  if left <= 0 then return nil, "timeout", "no answer in time" end
  local host, port, wrong = target(address)
  if not host then return nil, "unsupported", wrong end
  local sock = ngx.socket.tcp()
  local ms = cosocket.milliseconds(left)
  sock:settimeouts(ms, ms, ms)
  local connected, err = dial_to(sock, host, port, keeping or UNKEPT)
  if not connected then return connect_error(err, host) end
  local doubt
  -- what nginx has kept has that behind it
  if tls and sock:getreusedtimes() == 0 then
    local shaken, kind, reason = handshake.run(sock, tls, deadline)
    if not shaken then
      sock:close()
      return nil, kind, reason
    end
    doubt = handshake.doubt(tls)
  end
  return cosocket.stream(sock, keeping ~= nil, doubt)
end

return nginx
