--- Dialling: from an address to a connected stream, for the loops that own a
-- file descriptor.
-- @module dqlite.loop.dial

local core = require "dqlite.core"

local direct -- the last address that was found to need no look-up

local function is_number(host)
  return host:find(":", 1, true) or host:find "^[%d.]+$"
end

local function with_port(ip, port)
  return (ip:find(":", 1, true) and "[%s]:%d" or "%s:%d"):format(ip, port)
end

-- What the other addresses are not tried after: a foreign resume, an interrupt.
local FINAL = { misuse = true, closed = true }

-- Every address of a name, each with a fair share of the time that is left.
local function dial_any(ips, port, deadline, connect_to)
  local reasons, kind = {}, nil
  for i, ip in ipairs(ips) do
    local now = core.now()
    local share = (deadline - now) / (#ips - i + 1)
    local stream, problem, reason = connect_to(with_port(ip, port), now + share)
    if stream or FINAL[problem] then return stream, problem, reason end
    kind = problem
    reasons[i] = #ips > 1 and ip .. ": " .. reason or reason
  end
  return nil, kind, table.concat(reasons, "; ")
end

--- Dials an address; of a host name every address that it has.
-- @tparam string address as in dqlite.connect
-- @tparam number deadline of now()
-- @tparam function lookup `(name, deadline)` -> list of numeric addresses, or
-- nil with the kind of the error and its reason
-- @tparam function connect_to `(numeric address, deadline)` -> stream, or nil
-- with kind and reason
-- @return a stream, or nil with the kind of the error and its reason
return function(address, deadline, lookup, connect_to)
  if address == direct then return connect_to(address, deadline) end
  local kind, host, port = core.parse_address(address)
  if not kind then return nil, "value", host end
  if kind ~= "tcp" or is_number(host) then
    direct = address
    return connect_to(address, deadline)
  end
  local ips, problem, reason = lookup(host, deadline)
  if not ips then return nil, problem, reason end
  if not ips[1] then return nil, "connect", "the name has no address" end
  return dial_any(ips, port, deadline, connect_to)
end
