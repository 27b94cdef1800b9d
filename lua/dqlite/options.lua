--- Options: their names, what values they take, and their defaults.
-- @module dqlite.options

local core = require "dqlite.core"
local errors = require "dqlite.error"
local policy = require "dqlite.policy"

local options = {}

local MIB = 1024 * 1024

-- ---- what a value must be: nil, or what it should have been ----

local function seconds(value)
  if type(value) ~= "number" or not (value > 0) then
    return "a positive number of seconds"
  end
end

local function seconds_or_none(value)
  if type(value) ~= "number" or not (value >= 0) then
    return "a number of seconds, 0 for none"
  end
end

local function count_or_none(value)
  if type(value) ~= "number" or value < 0 or value % 1 ~= 0 then
    return "a whole number, 0 for none"
  end
end

local function bytes(value)
  if type(value) ~= "number" or value < 8 or value % 1 ~= 0 then
    return "a whole number of bytes"
  end
end

local function frame_bytes(value)
  if bytes(value) or value > 1024 * MIB then
    return "a whole number of bytes up to 1 GiB"
  end
end

local function count(value)
  if type(value) ~= "number" or value < 1 or value % 1 ~= 0 then
    return "a positive whole number"
  end
end

local function text(value)
  if type(value) ~= "string" then return "a string" end
end

local function flag(value)
  if type(value) ~= "boolean" then return "true or false" end
end

local function metatable(value)
  if type(value) ~= "table" then return "a table" end
end

local function fn(value)
  if type(value) ~= "function" then return "a function" end
end

local function redirect(value)
  local _, wanted = policy.of(value)
  return wanted
end

local function anything() end

local function one_of(...)
  local names = { ... }
  return function(value)
    for _, name in ipairs(names) do
      if value == name then return nil end
    end
    return "one of \"" .. table.concat(names, "\", \"") .. "\""
  end
end

local int64_policy = one_of("string", "cdata", "number", "string-all")

local function int64(value)
  if value == "cdata" and not rawget(_G, "jit") then
    return "another policy: cdata needs LuaJIT"
  end
  return int64_policy(value)
end

local function loop(value)
  if type(value) == "table" then
    if value.connect and value.now and value.sleep then return nil end
    return "a table with connect, now and sleep"
  end
  return one_of("blocking", "luv", "nginx", "cqueues")(value)
end

-- ---- the tables ----

local CALL = {
  timeout = seconds,
  busy_timeout = seconds_or_none,
  null = anything,
  int64 = int64,
  blobs = one_of("string", "wrap"),
  dates = one_of("null", "raw"),
  array_mt = metatable,
  max_rows = count,
  max_result_bytes = bytes,
  row_types = flag,
}

local CONNECT = {
  database = text,
  connect_timeout = seconds,
  statement_cache = count_or_none,
  loop = loop,
  max_message_size = frame_bytes,
  direct = flag,
  redirect = redirect,
  dial = fn,
  translate = fn,
}
for name, check in pairs(CALL) do CONNECT[name] = check end
CONNECT.row_types = nil

local CLUSTER = { refresh = flag }
for name, check in pairs(CONNECT) do CLUSTER[name] = check end

-- Of the calls that give rows in several shapes, or one at a time.
local SHAPES = {
  rows = { arrays = flag, reuse = flag },
  pipeline = { arrays = flag },
}
for _, known in pairs(SHAPES) do
  for name, check in pairs(CALL) do known[name] = check end
  known.row_types = nil
end
-- limits of a whole result
SHAPES.rows.max_rows, SHAPES.rows.max_result_bytes = nil, nil

local TRANSACTION = {
  mode = one_of("immediate", "deferred", "exclusive", "read"),
  on_error = one_of("rollback", "commit"),
}

local LATER = { tls = true, on_event = true, consistency = true }

options.DEFAULTS = {
  database = "default",
  timeout = 15,
  connect_timeout = 2,
  busy_timeout = 5,
  statement_cache = 64,
  int64 = "string",
  blobs = "string",
  dates = "null",
  max_rows = math.huge,
  max_result_bytes = 256 * MIB,
  max_message_size = 64 * MIB,
  direct = false,
  row_types = false,
}

local function check(given, known)
  if type(given) ~= "table" then
    errors.misuse(("options are a table, not a %s"):format(type(given)))
  end
  for name, value in pairs(given) do
    local wanted
    if known[name] then
      wanted = known[name](value)
    elseif LATER[name] then
      errors.misuse(("option '%s' is unsupported yet"):format(name))
    else
      errors.misuse(("unknown option '%s'"):format(tostring(name)))
    end
    if wanted then
      errors.misuse(("option '%s' must be %s"):format(name, wanted))
    end
  end
end

-- One value stands for NULL in both shapes, or each has its own.
local function settle_null(settings)
  if settings.null == nil then
    settings.null_by_name, settings.null_by_position = nil, core.null
  else
    settings.null_by_name = settings.null
    settings.null_by_position = settings.null
  end
  return settings
end

-- In one piece: a table that grows name by name is made anew again and again.
local function copy(from)
  return {
    array_mt = from.array_mt,
    arrays = from.arrays,
    blobs = from.blobs,
    busy_timeout = from.busy_timeout,
    connect_timeout = from.connect_timeout,
    database = from.database,
    dates = from.dates,
    dial = from.dial,
    direct = from.direct,
    int64 = from.int64,
    loop = from.loop,
    max_message_size = from.max_message_size,
    max_result_bytes = from.max_result_bytes,
    max_rows = from.max_rows,
    null = from.null,
    null_by_name = nil, -- the value that stands for NULL in a row by name
    null_by_position = nil, -- and in one by position
    redirect = from.redirect, -- a function
    refresh = from.refresh,
    reuse = from.reuse,
    row_types = from.row_types,
    statement_cache = from.statement_cache,
    timeout = from.timeout,
    translate = from.translate,
  }
end

local function merge(given, base)
  local settings = copy(base)
  for name, value in pairs(given) do settings[name] = value end
  return settle_null(settings)
end

--- The settings of a connection. Raises unknown names and bad values.
-- @tparam[opt] table given the user's options
-- @treturn table all settings, defaults included
function options.connect(given)
  check(given or {}, CONNECT)
  return merge(given or {}, options.DEFAULTS)
end

local function with_policy(settings)
  if settings.redirect then settings.redirect = policy.of(settings.redirect) end
  return settings
end

--- The settings of a cluster. Raises as `connect`.
-- @tparam[opt] table given options of a connection, and `refresh`
-- @treturn table all settings, defaults included
function options.cluster(given)
  check(given or {}, CLUSTER)
  return with_policy(merge(given or {}, options.DEFAULTS))
end

--- The settings of a connection that a cluster makes.
-- @tparam table given the user's options
-- @tparam table settings the cluster's
-- @treturn table all settings
function options.over(given, settings)
  check(given, CONNECT)
  return with_policy(merge(given, settings))
end

--- The settings of one call.
-- @tparam table given the call's options
-- @tparam table settings the connection's
-- @tparam[opt] string shaped "rows" or "pipeline", which have options of their
-- own
-- @treturn table all settings
function options.call(given, settings, shaped)
  check(given, SHAPES[shaped] or CALL)
  return merge(given, settings)
end

--- The settings of a transaction.
-- @tparam[opt] table given `mode` and `on_error`
-- @treturn table
function options.transaction(given)
  check(given or {}, TRANSACTION)
  given = given or {}
  return { mode = given.mode or "immediate", on_error = given.on_error or "rollback" }
end

return options
