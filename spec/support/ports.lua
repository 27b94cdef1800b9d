--- Ports for servers of specs: of those that the kernel gives to nobody's outgoing
-- connections, since one that is free now is somebody's connection in a moment, where
-- thousands are made.
local core = require "dqlite.core"

local ports = {}

local FIRST, LAST = 20000, 32000 -- below net.ipv4.ip_local_port_range
local TRIES = 100

--- A port that nobody listens on.
-- @tparam[opt] string ip "127.0.0.1"
-- @treturn number
function ports.free(ip)
  for _ = 1, TRIES do
    local port = FIRST + math.floor(core.random() * (LAST - FIRST))
    if core.unused_port(ip or "127.0.0.1", port) then return port end
  end
  error "no port is free"
end

return ports
