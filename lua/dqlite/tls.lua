--- The option `tls`: connections to nodes behind proxies that end TLS. What it may say,
-- and what it means for an address; the loop shakes hands.
-- @module dqlite.tls

local core = require "dqlite.core"
local errors = require "dqlite.error"
local loops = require "dqlite.loops"
local must = require "dqlite.must"

local tls = {}

-- ---- what it may say ----

local NAME_MOST = 253 -- bytes of a name in the DNS

local function is_name(host)
  return host:find "^[%w_][%w%-%._]*$" ~= nil and not host:find "^[%d.]+$" and #host <= NAME_MOST
end

local function host_name(value)
  if type(value) ~= "string" or not is_name(value) then
    return "the name of a host, for which the certificate is: no number, no port"
  end
end

-- Whether it can be used turns out at the handshake: OpenSSL belongs to nginx.
local function pem(label)
  local first = "%-%-%-%-%-BEGIN [%u%d ]*" .. label .. "%-%-%-%-%-"
  return function(value)
    if type(value) ~= "string" or not value:find(first) then
      return ("PEM text with a %s in it: what the file says, not its name"):format(label)
    end
  end
end

local certificate, private_key = pem "CERTIFICATE", pem "PRIVATE KEY"

-- OpenSSL would ask for the passphrase at the terminal.
local function plain_key(value)
  if type(value) == "string" and value:find("ENCRYPTED", 1, true) then
    return "a key that is not encrypted"
  end
  return private_key(value)
end

local INSIDE = {
  verify = must.flag,
  server_name = host_name,
  cert = certificate,
  key = plain_key,
}

local function problem_inside(value)
  for name, each in pairs(value) do
    if not INSIDE[name] then
      return ("a table of verify, server_name, cert and key, without '%s'"):format(tostring(name))
    end
    local wanted = INSIDE[name](each)
    if wanted then return wanted, name end
  end
  if value.cert and not value.key then return "given along with 'tls.cert'", "key" end
  if value.key and not value.cert then return "given along with 'tls.key'", "cert" end
end

--- Looks at a value of the option.
-- @param value
-- @treturn string|nil what it must be
-- @treturn string|nil which name inside of it is meant
function tls.problem(value)
  if type(value) == "table" then return problem_inside(value) end
  if type(value) ~= "boolean" then return "true, false or a table" end
end

-- ---- what it means ----

local UNSUPPORTED = "option 'tls' is unsupported %s: so far it works under nginx alone, where"
  .. " cosockets speak TLS. Elsewhere the option 'dial' can give streams that do"

--- Raises where a loop cannot do what was asked for: nothing is sent in plain text then.
-- @tparam table settings from dqlite.options
-- @tparam table loop
function tls.check_loop(settings, loop)
  if settings.tls and not loop.speaks_tls then
    errors.misuse(UNSUPPORTED:format "with this loop")
  end
end

local function digest(given)
  if not given.cert then return "" end
  return ngx.encode_base64(ngx.sha1_bin(given.cert .. "\n" .. given.key))
end

local function identity(verify, server_name, certificates)
  return ("%s,%s,%s"):format(verify and "verified" or "unverified", server_name or "", certificates)
end

-- Where nothing is asked for.
local NONE = { identity = "" }

local function normal(given)
  if not given then return false end
  if given == true then given = {} end
  local certificates = digest(given)
  local verify = given.verify ~= false
  return {
    verify = verify,
    server_name = given.server_name,
    cert = given.cert,
    key = given.key,
    certificates = certificates, -- a digest
    identity = identity(verify, given.server_name, certificates),
  }
end

--- What settings say, in one form. Raises where they contradict themselves.
-- @tparam table settings whose `tls` is as the user has given it; changed
-- @tparam[opt] table base settings of the cluster, whose search and watch use theirs
-- @treturn table settings
function tls.settle(settings, base)
  local given = settings.tls
  if given and not loops.is_nginx(settings.loop) then
    errors.misuse(UNSUPPORTED:format "here")
  elseif given and settings.dial then
    errors.misuse("options 'tls' and 'dial' exclude each other: what 'dial' gives speaks TLS, or"
      .. " does not")
  end
  if base and given == base.tls then return settings end
  settings.tls = normal(given)
  if base and tls.identity(settings) ~= tls.identity(base) then
    errors.misuse("option 'tls' is for all that a cluster does: make another cluster")
  end
  return settings
end

--- What is the same for settings that are of the same security.
-- @tparam table settings from dqlite.options
-- @treturn string "" without TLS
function tls.identity(settings)
  return (settings.tls or NONE).identity
end

-- The host of an address, where certificates can be for it.
local function name_in(address)
  local kind, host = core.parse_address(address)
  if kind ~= "tcp" then return nil end
  host = host:gsub("%.$", "")
  return is_name(host) and host or nil
end

local NAMELESS = "a certificate is verified for a name, and '%s' has none: the option"
  .. " tls.server_name gives it (tls = { server_name = \"...\" }), or tls.verify = false does"
  .. " without"

--- What is asked for of a connection.
-- @tparam table settings from dqlite.options
-- @tparam string address to dial
-- @tparam string name that the cluster knows the node by
-- @treturn table|boolean|nil `verify`, `server_name`, `cert`, `key`, and `identity`: what
-- connections have in common that may stand in for each other; false: no TLS
-- @treturn string|nil why there can be none
function tls.towards(settings, address, name)
  local given = settings.tls
  if not given then return false end
  local server_name = given.server_name or name_in(address) or name_in(name)
  if given.verify and not server_name then
    return nil, NAMELESS:format(errors.visible(address))
  end
  return {
    verify = given.verify,
    server_name = server_name,
    cert = given.cert,
    key = given.key,
    identity = identity(given.verify, server_name, given.certificates),
  }
end

return tls
