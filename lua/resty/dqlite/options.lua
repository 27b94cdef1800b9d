--- The options of `db:connect` of resty.dqlite, as those of dqlite.connect.
-- @module resty.dqlite.options

local dqlite = require "dqlite"
local options = require "dqlite.options"

local resty_options = {}

local OWN = {
  host = "string", port = "number", path = "string", cluster = "table",
  compact_arrays = "boolean", max_packet_size = "number",
  ssl = "boolean", ssl_verify = "boolean", ssl_server_name = "string",
}

local PASSED = {
  database = true, direct = true, pool = true, pool_size = true, backlog = true,
  shared_dict = true, array_mt = true,
}

-- Of lua-resty-mysql, without a meaning here: dqlite has no users, and texts are UTF-8.
local IGNORED = { user = true, password = true, charset = true }

local function problem(opts)
  if type(opts) ~= "table" then return "connect takes a table of options" end
  for name, value in pairs(opts) do
    local wanted = OWN[name]
    if wanted and type(value) ~= wanted then
      return ("option '%s' must be a %s"):format(name, wanted)
    elseif not (wanted or PASSED[name] or IGNORED[name]) then
      return ("unknown option '%s'"):format(tostring(name))
    end
  end
end

local function where_of(opts)
  if opts.cluster then return opts.cluster end
  if opts.path then return (opts.path:gsub("^unix:", "")) end
  local host, port = opts.host, opts.port
  if not (host and port) then return nil, "connect takes host and port, path, or cluster" end
  if port % 1 ~= 0 then return nil, "option 'port' must be a whole number" end
  if host:find(":", 1, true) and host:sub(1, 1) ~= "[" then host = "[" .. host .. "]" end
  return ("%s:%d"):format(host, port)
end

-- Certificates are verified, unless that is refused in so many words.
local function tls_of(opts)
  if not opts.ssl then return nil end
  return { verify = opts.ssl_verify ~= false, server_name = opts.ssl_server_name }
end

-- A node that is given alone may take all of the time; of several, one may hang.
local function translated(opts, seconds)
  local one_node = options.DEFAULTS.connect_timeout
  local given = {
    null = dqlite.null,
    timeout = seconds,
    connect_timeout = opts.cluster and math.min(seconds, one_node) or seconds,
    max_message_size = opts.max_packet_size,
    tls = tls_of(opts),
  }
  for name in pairs(PASSED) do given[name] = opts[name] end
  return given
end

--- Reads them.
-- @param opts as the user has given them
-- @tparam number seconds that connecting may take
-- @return where to connect to, or nil
-- @treturn table|string the options of dqlite.connect, or what is wrong
function resty_options.read(opts, seconds)
  local wrong = problem(opts)
  if wrong then return nil, wrong end
  local where, missing = where_of(opts)
  if not where then return nil, missing end
  return where, translated(opts, seconds)
end

return resty_options
