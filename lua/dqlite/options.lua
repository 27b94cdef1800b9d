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
  on_event = fn,
  slow_query = seconds,
}
for name, check in pairs(CALL) do CONNECT[name] = check end
CONNECT.row_types = nil

local CLUSTER = { refresh = flag }
for name, check in pairs(CONNECT) do CLUSTER[name] = check end

-- Beside those of a connection. What they say is for the pool alone.
local POOL = {
  min_size = count_or_none,
  max_size = count,
  acquire_timeout = seconds,
  idle_timeout = seconds,
  max_lifetime = seconds,
  init = fn,
  setup = fn,
  retries = count_or_none,
  multiplex = flag,
  debug = flag,
}

-- Of the calls that fetch, give rows in several shapes, or one at a time.
local SHAPES = {
  fetch = { consistency = one_of("leader", "linearizable") },
  rows = { consistency = one_of("leader", "linearizable"), arrays = flag, reuse = flag },
  pipeline = { arrays = flag },
}
for shape, known in pairs(SHAPES) do
  for name, check in pairs(CALL) do known[name] = check end
  known.row_types = shape == "fetch" and known.row_types or nil
end
-- limits of a whole result
SHAPES.rows.max_rows, SHAPES.rows.max_result_bytes = nil, nil

local TRANSACTION = {
  mode = one_of("immediate", "deferred", "exclusive", "read"),
  on_error = one_of("rollback", "commit"),
}

local POOL_TRANSACTION = { retries = count_or_none }
for name, check in pairs(TRANSACTION) do POOL_TRANSACTION[name] = check end

local ACQUIRE = { timeout = seconds }

local RETRY = { timeout = seconds, retries = count_or_none, loop = loop }

-- Options that are known, and out of place.
local ELSEWHERE = {
  tls = "is unsupported yet",
  consistency = "is for a fetch call",
}

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
  slow_query = 1,
}

options.POOL_DEFAULTS = {
  min_size = 1,
  max_size = 10,
  idle_timeout = 300,
  max_lifetime = 3600,
  retries = 3,
  multiplex = false,
  debug = false,
}

local function check(given, known)
  if type(given) ~= "table" then
    errors.misuse(("options are a table, not a %s"):format(type(given)))
  end
  for name, value in pairs(given) do
    local wanted
    if known[name] then
      wanted = known[name](value)
    elseif ELSEWHERE[name] then
      errors.misuse(("option '%s' %s"):format(name, ELSEWHERE[name]))
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
    consistency = from.consistency,
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
    on_event = from.on_event,
    redirect = from.redirect, -- a function
    refresh = from.refresh,
    reuse = from.reuse,
    row_types = from.row_types,
    slow_query = from.slow_query,
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

-- The user's options of a pool in two: those of its connections, and its own.
local function split(given)
  local for_connections, own = {}, {}
  for name, value in pairs(given) do
    local into = POOL[name] and own or for_connections
    into[name] = value
  end
  return for_connections, own
end

--- The options of a pool. Raises as `connect`.
-- @tparam[opt] table given the user's options
-- @treturn table those of its connections, as they were given
-- @treturn table its own settings, defaults included
function options.pool(given)
  if given ~= nil and type(given) ~= "table" then check(given, POOL) end
  local for_connections, own = split(given or {})
  check(own, POOL)
  for name, value in pairs(options.POOL_DEFAULTS) do
    if own[name] == nil then own[name] = value end
  end
  if own.min_size > own.max_size then
    if given.min_size then errors.misuse("option 'min_size' must not exceed 'max_size'") end
    own.min_size = own.max_size
  end
  return for_connections, own
end

--- The options of an acquire.
-- @tparam[opt] table given `timeout`
-- @treturn table
function options.acquire(given)
  check(given or {}, ACQUIRE)
  return given or {}
end

--- The options of dqlite.retry.
-- @tparam[opt] table given `timeout`, `retries`, `loop`
-- @treturn table
function options.retry(given)
  check(given or {}, RETRY)
  given = given or {}
  return {
    timeout = given.timeout or options.DEFAULTS.timeout,
    retries = given.retries or math.huge,
    loop = given.loop,
  }
end

--- The options of pool:once.
-- @tparam[opt] table given `timeout`
-- @tparam number timeout of the pool
-- @treturn table
function options.once(given, timeout)
  return { timeout = options.acquire(given).timeout or timeout, retries = math.huge }
end

--- The settings of one call.
-- @tparam table given the call's options
-- @tparam table settings the connection's
-- @tparam[opt] string shaped "fetch", "rows" or "pipeline", which have options of
-- their own
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

--- The settings of a transaction of a pool.
-- @tparam[opt] table given `mode`, `on_error` and `retries`
-- @tparam number retries as the pool has it
-- @treturn table those for options.transaction
-- @treturn number
function options.pool_transaction(given, retries)
  check(given or {}, POOL_TRANSACTION)
  given = given or {}
  return { mode = given.mode, on_error = given.on_error }, given.retries or retries
end

return options
