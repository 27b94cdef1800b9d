--- A TCP proxy in front of one address, in a process of its own that ends with
-- this one. Each call has taken effect when it returns; it waits for a
-- millisecond and does not yield, on either loop.
--
--    local front = proxy.start(node.address)
--    dqlite.connect(front.address)
--    front:black_hole()
--
-- Bytes keep their order and none is lost but by cut, cut_after and half_close: what is held
-- back is carried once that is over. `proxy_process.lua` is the other side.
local nodes = require "spec.support.nodes"

local proxy = {}

local Proxy = {}
Proxy.__index = Proxy

local running = {}

local function remove(path)
  assert(os.remove(path))
end

-- The answers come through a fifo, which is gone as soon as both ends have it.
local function launch(self, target)
  local fifo = os.tmpname()
  remove(fifo)
  nodes.output_of("mkfifo " .. nodes.quote(fifo))
  self.control = assert(io.popen(("%s >%s"):format(
    nodes.lua_command("spec/support/proxy_process.lua", target), nodes.quote(fifo)), "w"))
  self.answers = assert(io.open(fifo))
  remove(fifo)
end

local function await_answer(self)
  local answer = self.answers:read "*l"
  return assert(answer, "the proxy has ended")
end

local function command(self, ...)
  assert(self.control, "the proxy is stopped")
  self.control:write(table.concat({ ... }, " "), "\n")
  self.control:flush()
  local answer = await_answer(self)
  return answer:match "^ok (.*)$" or error("the proxy: " .. answer, 3)
end

--- Starts a proxy that carries everything.
-- @tparam string target the address that it dials for each connection
-- @treturn table its `address`
function proxy.start(target)
  local self = setmetatable({
    address = nil,
    control = nil, -- its input: it lives as long as that is open
    answers = nil,
  }, Proxy)
  launch(self, target)
  running[self] = true
  self.address = await_answer(self)
  return self
end

--- Stops it; clients are reset. Again does nothing.
function Proxy:stop()
  if not self.control then return end
  self.control:close()
  self.answers:close()
  self.control, self.answers, running[self] = nil, nil, nil
end

--- For after_each.
function proxy.stop_all()
  for each in pairs(running) do each:stop() end
end

-- ---- counting ----

--- How many connections clients have made, since the last reset.
function Proxy:count()
  return tonumber(command(self, "count"))
end

function Proxy:reset()
  command(self, "reset")
end

--- How many of them are open.
function Proxy:open_count()
  return tonumber(command(self, "open_count"))
end

-- ---- what is carried, of what is open and of what comes ----

--- Everything, at once: the end of delay, drip, black_hole and hang_after. Does
-- not end refuse and vanish.
function Proxy:pass()
  command(self, "pass")
end

--- Everything, this much later in each direction, ends of streams too.
function Proxy:delay(seconds)
  command(self, "delay", seconds)
end

--- Everything, in pieces of a few bytes, one in so many seconds.
function Proxy:drip(bytes, seconds)
  command(self, "drip", bytes, seconds)
end

--- Nothing in either direction, not even the end of a stream. Connections are
-- accepted.
function Proxy:black_hole()
  command(self, "black_hole")
end

--- Of each connection only so many more bytes from the server.
function Proxy:hang_after(bytes)
  command(self, "hang_after", bytes)
end

-- ---- connections that are open ----

--- Resets all (RST), on both sides.
function Proxy:cut()
  command(self, "cut")
end

--- Resets each, on both sides, when so many more bytes of its client have passed.
function Proxy:cut_after(bytes)
  command(self, "cut_after", bytes)
end

--- Ends the stream to each client (FIN); what the server still sends is dropped.
-- The other direction goes on.
function Proxy:half_close()
  command(self, "half_close")
end

-- ---- connections that would come ----

--- From now on those who connect are refused. Nobody else gets the port.
function Proxy:refuse()
  command(self, "refuse")
end

--- From now on those who connect get no answer at all, as if packets were
-- dropped.
function Proxy:vanish()
  command(self, "vanish")
end

--- Undoes refuse and vanish.
function Proxy:accept()
  command(self, "accept")
end

-- ---- addresses where nobody is ----

local function address_that(what)
  local self = proxy.start "127.0.0.1:1"
  self[what](self)
  return self.address
end

--- An address that refuses connections, until stop_all.
function proxy.unused_address()
  return address_that "refuse"
end

--- An address where connecting gets no answer at all, until stop_all.
function proxy.black_hole_address()
  return address_that "vanish"
end

return proxy
