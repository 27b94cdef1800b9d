-- The addresses that a node can advertise and those that it can listen on.
-- Every function answers nil, err for one that cannot be used.

local core = require "dqlite.core"
local errors = require "dqlite.error"
local library = require "dqlite.node.library"

local address = {}

local function refused(message, text)
  return nil, errors.new { kind = "value", message = message, address = text }
end

local function is_ipv6(host)
  return host:find(":", 1, true) ~= nil
end

local function is_ipv4(host)
  if not host:find "^%d+%.%d+%.%d+%.%d+$" then return false end
  for part in host:gmatch "%d+" do
    if #part > 3 or tonumber(part) > 255 then return false end
  end
  return true
end

-- Always with a port (libdqlite would take 8080), IPv6 in brackets.
local function join(host, port)
  if is_ipv6(host) then host = "[" .. host .. "]" end
  return string.format("%s:%d", host, port)
end

-- What a node can be dialled by: TCP, by number or name, or "@name".
-- Answers kind ("tcp" or "abstract"), host, port.
function address.parse(text)
  local kind, host, port = core.parse_address(text)
  if not kind then
    return refused(host, text)
  elseif kind == "unix" then
    return refused("libdqlite listens on TCP and on abstract sockets (@name) only", text)
  elseif kind == "tcp" and is_ipv6(host) and not library.features.ipv6 then
    return nil, library.unsupported "ipv6"
  end
  return kind, host, port
end

-- What it can listen on.
local function parse_listen(text)
  local kind, host, port = address.parse(text)
  if kind == "tcp" and not is_ipv6(host) and not is_ipv4(host) then
    return refused("libdqlite resolves no names: a numeric address is needed", text)
  end
  return kind, host, port
end

local function resolve_pair(text, bind)
  local kind, host, port = address.parse(text)
  if not kind then return nil, host end
  if port == 0 then return refused("port 0 works only without bind_address", text) end
  if kind == "tcp" then text = join(host, port) end
  if bind == "@" then return text, bind end -- any name that is free
  local bind_kind, bind_host, bind_port = parse_listen(bind)
  if not bind_kind then return nil, bind_host end
  if bind_port == 0 then return refused("bind_address needs a port", bind) end
  if bind_kind == "tcp" then bind = join(bind_host, bind_port) end
  return text, bind
end

-- Answers the address to advertise and the one to bind, in libdqlite's form.
-- Port 0 becomes one that is free now.
function address.resolve(text, bind)
  if bind then return resolve_pair(text, bind) end
  local kind, host, port = parse_listen(text)
  if not kind then return nil, host end
  if kind == "abstract" then return text, text end
  if port == 0 then
    local free, message = core.unused_port(host)
    if not free then
      return nil, errors.new { kind = "connect", message = message, address = text }
    end
    port = free
  end
  local joined = join(host, port)
  return joined, joined
end

return address
