--- Proxies that end TLS in front of servers: nginx with its stream module.
--
--    local proxies = tls_proxies.start(made, { good = { to = "127.0.0.1:9001", shows = "node" } })
--    proxies.addresses.good
--
-- They end with nginx.stop_all.
local nginx = require "spec.support.nginx"
local nodes = require "spec.support.nodes"
local ports = require "spec.support.ports"

local tls_proxies = {}

local Proxies = {}
Proxies.__index = Proxies

local HOST = "127.0.0.1"

-- The log has a line for each connection that has ended.
local STREAM = [[
stream {
  log_format spec "$server_port $status $ssl_protocol";
  access_log %s/ended spec;
  %s
}]]

local SERVER = [[
  server {
    listen %s ssl;
    ssl_certificate %s;
    ssl_certificate_key %s;
    ssl_protocols %s;
    %s
    %s
    proxy_pass %s;
  }]]

local DEMAND = "ssl_verify_client on; ssl_client_certificate %s;"

local function block(made, proxy, address)
  local demand = proxy.demands and DEMAND:format(made:path(proxy.demands)) or ""
  return SERVER:format(address, made:path(proxy.shows), made:key_path(proxy.shows),
    proxy.protocols or "TLSv1.2 TLSv1.3", demand, proxy.more or "", proxy.to)
end

local function try_start(self, made, wanted)
  local blocks = {}
  for name, proxy in pairs(wanted) do
    local address = ("%s:%d"):format(HOST, ports.free(HOST))
    self.addresses[name] = address
    blocks[#blocks + 1] = block(made, proxy, address)
  end
  self.server = nginx.start {
    workers = 1,
    modules = { "ngx_stream_module" },
    main = STREAM:format(made.dir, table.concat(blocks, "\n")),
  }
end

--- Starts them.
-- @tparam table made from spec/support/certificates.lua
-- @tparam table wanted by name: `to` (an address), `shows` (name of a certificate),
-- `demands` (name of the authority of the clients' certificates), `protocols`, `more` (text
-- for nginx.conf)
-- @treturn table `addresses` by name
function tls_proxies.start(made, wanted)
  local self = setmetatable({ dir = made.dir, addresses = {}, server = nil }, Proxies)
  for tries = 1, 5 do
    local ok, err = pcall(try_start, self, made, wanted)
    if ok then return self end
    -- a port that was free is taken, or was chosen twice
    local is_taken = tostring(err):find("bind()", 1, true) or tostring(err):find "duplicate"
    if tries == 5 or not is_taken then error(err, 0) end
  end
end

--- The connections that have ended: of one proxy.
-- @tparam string name
-- @treturn number
function Proxies:ended(name)
  local port, count = self.addresses[name]:match ":(%d+)$", 0
  for line in nodes.read_file(self.dir .. "/ended"):gmatch "[^\n]+" do
    if line:match "^%d+" == port then count = count + 1 end
  end
  return count
end

return tls_proxies
