--- Options: their names, what values they take, and their defaults.
-- @module dqlite.options

local core = require "dqlite.core"
local errors = require "dqlite.error"
local later = require "dqlite.later"
local must = require "dqlite.must"

local policy = later.require "dqlite.policy"
local tls = later.require "dqlite.tls"

local options = {}

local MIB = 1024 * 1024

local in_nginx = rawget(_G, "ngx") ~= nil

-- ---- the tables ----

local CALL = {
  timeout = must.seconds,
  busy_timeout = must.seconds_or_none,
  null = must.anything,
  int64 = must.int64,
  blobs = must.one_of("string", "wrap"),
  dates = must.one_of("null", "raw"),
  array_mt = must.metatable,
  max_rows = must.count,
  max_result_bytes = must.bytes,
  row_types = must.flag,
}

local CONNECT = {
  database = must.text,
  connect_timeout = must.seconds,
  statement_cache = must.count_or_none,
  loop = must.loop,
  max_message_size = must.frame_bytes,
  direct = must.flag,
  redirect = must.redirect,
  dial = must.fn,
  translate = must.fn,
  on_event = must.fn,
  slow_query = must.seconds,
  shared_dict = must.shared_dict,
  pool = must.kept_text,
  pool_size = must.kept_count,
  backlog = must.kept_count_or_none,
  tls = function(value) return tls.problem(value) end,
}
for name, check in pairs(CALL) do CONNECT[name] = check end
CONNECT.row_types = nil

local CLUSTER = { refresh = must.flag }
for name, check in pairs(CONNECT) do CLUSTER[name] = check end

-- Beside those of a connection. What they say is for the pool alone.
local POOL = {
  min_size = must.count_or_none,
  max_size = must.count,
  acquire_timeout = must.seconds,
  idle_timeout = must.seconds,
  max_lifetime = must.seconds,
  init = must.fn,
  setup = must.fn,
  retries = must.count_or_none,
  multiplex = must.flag,
  debug = must.flag,
}

-- Of the calls that fetch, give rows in several shapes, or one at a time.
local SHAPES = {
  fetch = { consistency = must.one_of("leader", "linearizable") },
  rows = {
    consistency = must.one_of("leader", "linearizable"),
    arrays = must.flag,
    reuse = must.flag,
  },
  pipeline = { arrays = must.flag },
}
for shape, known in pairs(SHAPES) do
  for name, check in pairs(CALL) do known[name] = check end
  known.row_types = shape == "fetch" and known.row_types or nil
end
-- limits of a whole result
SHAPES.rows.max_rows, SHAPES.rows.max_result_bytes = nil, nil

local TRANSACTION = {
  mode = must.one_of("immediate", "deferred", "exclusive", "read"),
  on_error = must.one_of("rollback", "commit"),
}

local POOL_TRANSACTION = { retries = must.count_or_none }
for name, check in pairs(TRANSACTION) do POOL_TRANSACTION[name] = check end

-- Where nginx keeps the connections.
local NGINX_POOL = { backlog = must.count_or_none }
for _, name in ipairs { "max_size", "acquire_timeout", "idle_timeout", "init", "setup",
  "retries" } do
  NGINX_POOL[name] = POOL[name]
end

local ACQUIRE = { timeout = must.seconds }

local RETRY = { timeout = must.seconds, retries = must.count_or_none, loop = must.loop }

-- Options that are known, and out of place.
local ELSEWHERE = {
  consistency = "is for a fetch call",
  backlog = "is for nginx",
}

options.DEFAULTS = {
  database = "default",
  timeout = 15,
  connect_timeout = 2,
  busy_timeout = 5,
  int64 = "string",
  blobs = "string",
  dates = "null",
  max_rows = math.huge,
  max_result_bytes = 256 * MIB,
  max_message_size = 64 * MIB,
  direct = false,
  row_types = false,
  slow_query = 1,
  tls = false,
}

options.NGINX_POOL_DEFAULTS = { max_size = 10, backlog = 1000, idle_timeout = 300, retries = 3 }

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
    local wanted, inside
    if known[name] then
      wanted, inside = known[name](value)
    elseif ELSEWHERE[name] then
      errors.misuse(("option '%s' %s"):format(name, ELSEWHERE[name]))
    else
      errors.misuse(("unknown option '%s'"):format(tostring(name)))
    end
    if wanted then
      if inside then name = name .. "." .. inside end
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
    backlog = from.backlog,
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
    pool = from.pool,
    pool_size = from.pool_size,
    redirect = from.redirect, -- a function
    refresh = from.refresh,
    reuse = from.reuse,
    shared_dict = from.shared_dict,
    row_types = from.row_types,
    slow_query = from.slow_query,
    statement_cache = from.statement_cache,
    timeout = from.timeout,
    tls = from.tls,
    translate = from.translate,
  }
end

local function merge(given, base)
  local settings = copy(base)
  for name, value in pairs(given) do settings[name] = value end
  return settle_null(settings)
end

-- Under nginx results are lists for cjson, where it is loaded and of a version that can
-- mark them: empty ones, too.
local function from_defaults(given)
  local settings = merge(given, options.DEFAULTS)
  if settings.array_mt == nil and in_nginx then
    local cjson = package.loaded.cjson or package.loaded["cjson.safe"]
    settings.array_mt = cjson and cjson.array_mt
  end
  return settings
end

local function settle_tls(settings, base)
  if not (settings.tls or base and base.tls) then return settings end
  return tls.settle(settings, base)
end

--- The settings of a connection. Raises unknown names and bad values.
-- @tparam[opt] table given the user's options
-- @treturn table all settings, defaults included
function options.connect(given)
  check(given or {}, CONNECT)
  return settle_tls(from_defaults(given or {}))
end

local function with_policy(settings)
  if settings.redirect then settings.redirect = policy.of(settings.redirect) end
  return settings
end

-- ---- the same again ----

-- Most programs connect with the same few options each time: the last that were given, and
-- what came of them, which nobody changes. Not those with tables and functions, which
-- should not be kept alive here; nor what depends on more than the options (array_mt).
local recent = { given = {}, count = 0, settings = nil }

local PLAIN = { string = true, number = true, boolean = true }

local function is_recent(given)
  local last, count = recent.given, 0
  for name, value in pairs(given) do
    if last[name] ~= value then return false end
    count = count + 1
  end
  return count == recent.count and recent.settings ~= nil
end

local function remember(given, settings)
  local copied, count = {}, 0
  for name, value in pairs(given) do
    if not PLAIN[type(value)] then return end
    copied[name] = value
    count = count + 1
  end
  if not in_nginx then recent = { given = copied, count = count, settings = settings } end
end

local NONE = {}

--- The settings of a cluster. Raises as `connect`.
-- @tparam[opt] table given options of a connection, and `refresh`
-- @treturn table all settings, defaults included; not to be changed
function options.cluster(given)
  given = given or NONE
  if type(given) == "table" and is_recent(given) then return recent.settings end
  check(given, CLUSTER)
  local settings = with_policy(settle_tls(from_defaults(given)))
  remember(given, settings)
  return settings
end

--- The settings of a connection that a cluster makes.
-- @tparam table given the user's options
-- @tparam table settings the cluster's
-- @treturn table all settings
function options.over(given, settings)
  check(given, CONNECT)
  return with_policy(settle_tls(merge(given, settings), settings))
end

-- The user's options of a pool in two: those of its connections, and its own.
local function split(given)
  local for_connections, own = {}, {}
  for name, value in pairs(given) do
    local into = (POOL[name] or NGINX_POOL[name]) and own or for_connections
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

-- Options of a pool that mean nothing where nginx keeps the connections.
local function check_nginx_pool(given)
  for name in pairs(given) do
    if POOL[name] and not NGINX_POOL[name] or name == "statement_cache" or name == "pool_size" then
      errors.misuse(("option '%s' means nothing under nginx, which keeps the connections itself:"
        .. " max_size, backlog and idle_timeout are what it can do"):format(name))
    end
  end
end

--- The options of a pool under nginx. Raises as `connect`.
-- @tparam[opt] table given the user's options
-- @return as options.pool
function options.nginx_pool(given)
  if given ~= nil and type(given) ~= "table" then check(given, POOL) end
  check_nginx_pool(given or {})
  local for_connections, own = split(given or {})
  check(own, NGINX_POOL)
  for name, value in pairs(options.NGINX_POOL_DEFAULTS) do
    if own[name] == nil then own[name] = value end
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
