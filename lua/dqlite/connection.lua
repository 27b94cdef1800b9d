--- A connection to one database, for one coroutine at a time.
--
-- Calls answer `nil, err` for what can be expected to fail and raise misuse at
-- the caller's line. Parameters are given one by one, or as one table (`n`
-- counts trailing nils) that the call's options may follow:
-- `conn:fetch(sql, a, b)`, `conn:fetch(sql, {a, b}, {timeout = 1})`.
-- @module dqlite.connection

local errors = require "dqlite.error"
local open = require "dqlite.open"
local options = require "dqlite.options"
local statement = require "dqlite.statement"

local Connection = {}
Connection.__index = Connection
Connection.__name = "dqlite.connection"

local connection = {}

--- Connects (see dqlite.connect).
-- @tparam string address of one node
-- @tparam[opt] table opts options
-- @treturn table|nil the connection
-- @treturn table|nil the error
function connection.connect(address, opts)
  local settings = options.connect(opts)
  local link, err = open(address, settings)
  if not link then return nil, err end
  return setmetatable({
    address = address,
    database = settings.database,
    settings = settings,
    link = link,
    reading = nil, -- the settings that the session reads by
    closed = false, -- by its user
    sql = nil, -- of the current call, for its errors
    write = false, -- could it change the database?
  }, Connection)
end

-- ---- sending ----

local function check_statement(self, sql)
  if self.closed then errors.misuse("the connection is closed") end
  if type(sql) ~= "string" then
    errors.misuse("the statement is a string, not a " .. type(sql))
  end
  return statement.examine(sql)
end

local function refuse(kind, reason, sql)
  return errors.new { kind = kind, message = reason, sql = sql }
end

local function unsent(self, kind, reason)
  if kind == "misuse" then errors.misuse(reason) end
  if kind == "value" or kind == "unsupported" then
    return refuse(kind, reason, self.sql)
  end
  return self.link:fail(kind, reason)
end

local function check_arguments(n, opts, settings)
  if n > 2 then
    errors.misuse("behind a table of parameters come only the options")
  end
  if opts == nil then return settings end
  return options.call(opts, settings)
end

local function use_reading(self, settings)
  if self.reading == settings then return end
  self.link.core:reading(settings.int64, settings.blobs == "wrap",
    settings.dates == "raw")
  self.reading = settings
end

-- Queues a request of the session's method ("exec_sql", "query_sql").
-- Returns the settings of the call and its deadline, or nil and the error.
local function queue(self, method, text, ...)
  local session, settings = self.link.core, self.settings
  local first, second = ...
  local listed = type(first) == "table"
  if listed then
    settings = check_arguments(select("#", ...), second, settings)
  end
  local deadline = self.link.loop.now() + settings.timeout
  local sent, kind, reason
  if listed then
    sent, kind, reason = session[method](session, text, first)
  else
    sent, kind, reason = session[method](session, text, ...)
  end
  if not sent then return nil, unsent(self, kind, reason) end
  use_reading(self, settings)
  return settings, deadline
end

-- Begins a call with the statement that `known` tells about; link:leave ends
-- it. Returns as queue does.
local function begin(self, method, known, sql, ...)
  if known.kind then return nil, refuse(known.kind, known.reason, sql) end
  if method == "query_sql" and known.yields_none then
    return nil, refuse("value", known.verb .. " yields no rows: use execute", sql)
  end
  local free, err = self.link:check()
  if not free then return nil, err end
  self.sql, self.write = sql, known.may_write
  local settings, deadline = queue(self, method, known.text, ...)
  if settings then self.link:enter() end
  return settings, deadline
end

-- ---- receiving ----

local function read_result(self, deadline, known)
  local link = self.link
  local name, err = link:reply(deadline, self)
  if not name then return nil, err end
  if name == "FAILURE" then return nil, link:failure(self) end
  if not known.changes_rows then return {} end
  local id, affected = link.core:result()
  return { rows_affected = affected, last_insert_id = id }
end

local function too_large(self, what)
  return errors.new {
    kind = "policy",
    message = "the result exceeds " .. what,
    address = self.address,
    sql = self.sql,
  }
end

-- Reads a whole result. `read(session, list, n, limit, settings)` takes the
-- rows of one frame; what is beyond `limit` rows is dropped, and beyond the
-- settings' limits it is an error once the result is drained.
local function collect(self, settings, deadline, read, limit)
  local link, session = self.link, self.link.core
  local most = limit or settings.max_rows
  local list, n, size, exceeded = {}, 0, 0, nil
  while true do
    local name, last = link:reply(deadline, self)
    if not name then return nil, last end
    if name == "FAILURE" then return nil, link:failure(self) end
    size = size + session:body_size()
    if size > settings.max_result_bytes then exceeded = "max_result_bytes" end
    if not exceeded then
      local now, left, reason = read(session, list, n, most, settings)
      if not now then return nil, link:fail(left, reason, self) end
      n = now
      if left and not limit then exceeded = "max_rows" end
    end
    if last and exceeded then return nil, too_large(self, exceeded) end
    if last then return list end
  end
end

local function by_name(session, list, n, limit, settings)
  list.columns = list.columns or session:columns()
  return session:rows_by_name(list, n, limit, settings.null_by_name,
    list.columns)
end

local function by_position(session, list, n, limit, settings)
  return session:rows_by_position(list, n, limit, settings.null_by_position)
end

local function first_values(session, list, n, limit, settings)
  return session:first_values(list, n, limit, settings.null_by_position)
end

local function first_value(session, list, n, limit, settings)
  return session:first_values(list, n, limit, settings.null_by_name)
end

local function with_row_types(session, list, n, limit, settings)
  local null = settings.null_by_position
  local now, left, why = session:rows_by_position(list, n, n, null)
  while now and left and now < limit do
    local types, kind, reason = session:types()
    if kind then return nil, kind, reason end
    list.row_types[now + 1] = types
    now, left, why = session:rows_by_position(list, now, now + 1, null)
  end
  return now, left, why
end

local function lossless(session, list, n, limit, settings)
  list.columns = list.columns or session:columns()
  if not list.types then
    local types, kind, reason = session:types()
    if kind then return nil, kind, reason end
    list.types = types
  end
  if settings.row_types then
    list.row_types = list.row_types or {}
    return with_row_types(session, list, n, limit, settings)
  end
  return by_position(session, list, n, limit, settings)
end

local function marked(list, settings)
  list.columns = nil
  if settings.array_mt then setmetatable(list, settings.array_mt) end
  return list
end

-- Sends a statement and reads its rows.
local function query(self, read, limit, sql, ...)
  local known = check_statement(self, sql)
  local settings, deadline = begin(self, "query_sql", known, sql, ...)
  if not settings then return nil, deadline end
  local list, failed = collect(self, settings, deadline, read, limit)
  self.link:leave()
  if not list then return nil, failed end
  return list, settings
end

local function execute(self, known, sql, ...)
  local settings, deadline = begin(self, "exec_sql", known, sql, ...)
  if not settings then return nil, deadline end
  local result, failed = read_result(self, deadline, known)
  self.link:leave()
  return result, failed
end

-- ---- the public face ----

--- Runs a statement. One that yields rows is run and its rows are dropped.
-- @tparam string sql one statement
-- @param ... parameters
-- @treturn table|nil `rows_affected` and `last_insert_id`, which are absent for
-- statements that have none (protocol.md 2.4)
-- @treturn table|nil the error; `ambiguous` when the statement may have been
-- applied
function Connection:execute(sql, ...)
  local known = check_statement(self, sql)
  if not known.yields_rows then
    local result, failed = execute(self, known, sql, ...)
    return result, failed
  end
  local list, err = query(self, by_position, 1, sql, ...)
  if not list then return nil, err end
  return {}
end

--- Fetches all rows by column name; of duplicate names the last wins.
-- @tparam string sql one statement that yields rows
-- @param ... parameters
-- @treturn table|nil list of rows
-- @treturn table|nil the error
function Connection:fetch(sql, ...)
  local list, settings = query(self, by_name, nil, sql, ...)
  if not list then return nil, settings end
  return marked(list, settings)
end

--- Fetches all rows by position.
-- @tparam string sql one statement that yields rows
-- @param ... parameters
-- @treturn table|nil list of lists; NULL is dqlite.null, so none has a hole
-- @treturn table|nil the error
function Connection:fetchall(sql, ...)
  local list, settings = query(self, by_position, nil, sql, ...)
  if not list then return nil, settings end
  return marked(list, settings)
end

Connection.fetch_arrays = Connection.fetchall

--- Fetches the first row by column name.
-- @tparam string sql one statement that yields rows
-- @param ... parameters
-- @treturn table|nil the row; nil without an error when there is none
-- @treturn table|nil the error
function Connection:fetchone(sql, ...)
  local list, err = query(self, by_name, 1, sql, ...)
  if not list then return nil, err end
  return list[1]
end

--- Fetches the first column of the first row.
-- @tparam string sql one statement that yields rows
-- @param ... parameters
-- @return the value; nil for NULL and when there is no row
-- @treturn table|nil the error
function Connection:fetchval(sql, ...)
  local list, err = query(self, first_value, 1, sql, ...)
  if not list then return nil, err end
  return list[1]
end

--- Fetches the first column of all rows.
-- @tparam string sql one statement that yields rows
-- @param ... parameters
-- @treturn table|nil list of values; NULL is dqlite.null
-- @treturn table|nil the error
function Connection:fetchcol(sql, ...)
  local list, settings = query(self, first_values, nil, sql, ...)
  if not list then return nil, settings end
  return marked(list, settings)
end

--- Fetches everything there is to know about a result.
-- @tparam string sql one statement that yields rows
-- @param ... parameters; the option `row_types` gives the types of each row
-- @treturn table|nil the rows by position, `columns` (names), `types` (of the
-- first row, as in protocol.md 1.4; nil without a row) and `row_types`
-- @treturn table|nil the error
function Connection:query(sql, ...)
  local list, err = query(self, lossless, nil, sql, ...)
  if not list then return nil, err end
  return list
end

--- Asks the node for a sign of life, through the open database.
-- @treturn true|nil
-- @treturn table|nil the error
function Connection:ping()
  local list, err = query(self, by_position, 1, "SELECT 1")
  if not list then return nil, err end
  return true
end

--- Closes. A transaction that is open is rolled back by the server. Again
-- does nothing.
-- @treturn true
function Connection:close()
  self.closed = true
  self.link:close()
  return true
end

Connection.__close = Connection.close

--- Can statements be sent?
-- @treturn boolean
function Connection:is_open()
  return not self.closed and self.link:is_open()
end

function Connection:__tostring()
  local state = self.closed and "closed" or self:is_open() and "open" or "lost"
  return ("dqlite connection to %s (%s)"):format(self.address, state)
end

return connection
