--- dqlite for OpenResty, in the manner of lua-resty-mysql and lua-resty-redis: their names,
-- milliseconds, `ngx.null`, and `nil, err` for whatever goes wrong, misuse included.
--
--    local dqlite = require "resty.dqlite"
--    local db = dqlite:new()
--    db:set_timeout(1000)
--    local ok, err = db:connect { host = "10.0.0.1", port = 9001, database = "shop" }
--    local rows, err, errcode, name = db:query("SELECT name FROM items WHERE id = ?", 7)
--    db:set_keepalive(10000, 100)
--
-- An object is for one request: it keeps a socket, which nginx lends to nobody else. What
-- the module `dqlite` has beyond this (transactions that roll back by themselves, pools,
-- retries) is a `require "dqlite"` away.
--
-- `err` is a string of one line. What to do about it tells `last_error`.
-- @module resty.dqlite

local core = require "dqlite.native".load "dqlite.core"
local deferred = require "dqlite.deferred"
local dqlite = require "dqlite"
local errors = require "dqlite.error"
local options = require "dqlite.options"
local resty_options = require "resty.dqlite.options"
local result = require "dqlite.result"
local sql = require "dqlite.sql"

local resty = { _VERSION = dqlite._VERSION }
resty.__index = resty
resty.__name = "resty.dqlite"

-- What a connection can be in, in the words of an error.
local NEW, CLOSED = "not initialized", "closed"
local IDLE, SENT, READING = "nothing was sent", "a result is unread", "a result is being read"

-- ---- failures ----

local HERE = debug.getinfo(1, "S").short_src .. ":"

-- What was raised for misuse names a line of this file: the caller's is not known.
local function without_line(text)
  if text:sub(1, #HERE) ~= HERE then return text end
  return (text:sub(#HERE + 1):gsub("^%d+: ", ""))
end

-- Calls the library; what it raises is an error, too.
local function attempt(fn, ...)
  local ok, done, err = pcall(fn, ...)
  if ok then return done, err end
  return nil, without_line(errors.describe(done))
end

-- An error value, or words for what never got as far as that.
local function fail(self, err)
  local known = errors.is_error(err) and err or nil
  self.failure = known
  if self.conn and not self.conn:is_open() then self.state = CLOSED end
  if not known then return nil, err end
  return nil, tostring(err), known.code, known.name
end

-- ---- what calls begin with ----

-- Is there no connection?
local function is_ended(self)
  return self.state == NEW or self.state == CLOSED
end

-- Why nothing can be sent or given back now.
local function refusal(self, doing)
  if self.state == IDLE then return nil end
  if is_ended(self) then return self.state end
  return ("cannot %s in the current context: %s"):format(doing, self.state)
end

local function is_milliseconds(value)
  return type(value) == "number" and value >= 0
end

-- The settings of a call.
local function settings_of(self)
  if not self.settings then
    self.settings = options.call({ timeout = self.read_ms / 1000 }, self.conn.settings)
  end
  return self.settings
end

local function forget(self)
  local conn = self.conn
  self.conn, self.request, self.settings = nil, nil, nil
  if not conn then return true end
  return attempt(conn.close, conn)
end

-- ---- statements ----

-- A number behind a text without parameters is lua-resty-mysql's estimate of rows.
local function is_estimate(known, n, first)
  return n == 1 and known.params == 0 and (first == nil or type(first) == "number")
end

-- As EXEC goes what is not sure to yield rows: servers refuse a query without any.
local function reader_of(self, known)
  if not known.yields_rows then return nil end
  return self.compact and result.by_position or result.by_name
end

local function send(self, known, ...)
  if select("#", ...) > 1 and type((...)) == "table" then
    return nil, "parameters are given one by one, or as one table"
  end
  if not known.problem then
    local fine, kind, reason = core.check_params(known.numbering, ...)
    if not fine and kind == "misuse" then return nil, reason end
    if not fine then
      return nil, errors.new { kind = kind, message = errors.visible(reason), sql = known.text }
    end
  end
  local read = reader_of(self, known)
  return attempt(deferred.send, self.conn, settings_of(self), known, read,
    self.send_ms / 1000, ...)
end

local function examine(text)
  if type(text) ~= "string" then
    return nil, "the statement is a string, not a " .. type(text)
  end
  return sql.examine(text)
end

-- Sends; nil where that is done, or the error.
local function begin(self, text, ...)
  local wrong = refusal(self, "send query")
  if wrong then return wrong end
  local known, bad = examine(text)
  if not known then return bad end
  local request, err
  if is_estimate(known, select("#", ...), (...)) then
    request, err = send(self, known)
  else
    request, err = send(self, known, ...)
  end
  if not request then return err end
  self.request, self.state, self.failure = request, SENT, nil
end

-- The answer as lua-resty-mysql has it.
local function shaped(request, answer, settings)
  if request.read then return result.finished(answer, settings) end
  return { affected_rows = answer.rows_affected or 0, insert_id = answer.last_insert_id or 0 }
end

-- ---- the methods ----

--- Makes an object, without a connection.
-- @treturn table
function resty.new()
  return setmetatable({
    conn = nil, -- of dqlite
    state = NEW,
    request = nil, -- whose answer is to be read
    settings = nil, -- of calls, by the options and timeouts that are set
    failure = nil, -- of last_error
    compact = false,
    connect_ms = options.DEFAULTS.timeout * 1000,
    send_ms = options.DEFAULTS.timeout * 1000,
    read_ms = options.DEFAULTS.timeout * 1000,
  }, resty)
end

--- Connects to the leader, over a socket that nginx has kept if there is one.
-- @tparam table opts `host` and `port`, or `path` of a unix socket, of any node, which is
-- asked who leads; or `cluster`: a list of addresses ("10.0.0.1:9001") of which some may be
-- down, a store, or a dqlite.cluster. `database` ("default"). `direct`: exactly that node.
-- `compact_arrays`: rows by position. `pool_size`: how many sockets to that node and
-- database a worker keeps; `backlog`: how many calls wait where there are as many; `pool`: a
-- name that keeps connections apart from others to the same database. `max_packet_size`:
-- bytes of a frame. `shared_dict`, `array_mt`: as of dqlite.connect. `user`, `password`,
-- `charset` are ignored: dqlite has no users. `ssl`: speaks TLS, and verifies the server's
-- certificate unless `ssl_verify` is false; `ssl_server_name`: the name that it must have
-- @treturn number|nil 1
-- @treturn string|nil the error
-- @treturn number|nil its code, where the server has given one
function resty:connect(opts)
  forget(self)
  self.state = NEW
  local where, given = resty_options.read(opts, self.connect_ms / 1000)
  if not where then return fail(self, given) end
  local conn, err = attempt(dqlite.connect, where, given)
  if not conn then return fail(self, err) end
  if opts.compact_arrays ~= nil then self.compact = opts.compact_arrays end
  self.conn, self.state, self.failure = conn, IDLE, nil
  return 1
end

--- Sets how long connecting, sending and reading may take, each.
-- @tparam number ms milliseconds; 0: the default, 15 seconds
-- @treturn nil
-- @treturn string|nil the error
function resty:set_timeout(ms)
  return self:set_timeouts(ms, ms, ms)
end

--- Sets how long each may take. Unlike a cosocket's these are for the whole: for the
-- search for the leader too, and for all of an answer.
-- @tparam number connect milliseconds; 0: the default
-- @tparam number send_ms likewise
-- @tparam number read likewise, from `read_result` on
-- @treturn nil
-- @treturn string|nil the error
function resty:set_timeouts(connect, send_ms, read)
  if not (is_milliseconds(connect) and is_milliseconds(send_ms) and is_milliseconds(read)) then
    return fail(self, "timeouts are numbers of milliseconds")
  end
  local default = options.DEFAULTS.timeout * 1000
  self.connect_ms = connect > 0 and connect or default
  self.send_ms = send_ms > 0 and send_ms or default
  self.read_ms = read > 0 and read or default
  self.settings = nil
end

--- Should rows come by position? Names are only in rows that come by name.
-- @tparam boolean value of the queries from now on
function resty:set_compact_arrays(value)
  self.compact = value and true or false
end

--- Sends a statement without waiting for its answer, which `read_result` reads. Where
-- something has to be asked ahead of it (RETURNING, OR FAIL, more than 255 parameters), and
-- beyond 32 KiB, `read_result` does all of it.
-- @tparam string text one statement
-- @param ... parameters: one by one, or one table, a list or by name, that stays as it is
-- until the answer is read. One number for a statement without any is ignored
-- @treturn number|nil bytes of the statement
-- @treturn string|nil the error
-- @treturn number|nil its code
-- @treturn string|nil its name
function resty:send_query(text, ...)
  local err = begin(self, text, ...)
  if err then return fail(self, err) end
  return #text
end

--- Reads the answer to what `send_query` has sent.
-- @treturn table|nil the rows: by column name, or by position; NULL is ngx.null. Of
-- statements that have none `affected_rows` and `insert_id`, 0 where they mean nothing
-- @treturn string|nil the error. "timeout: ..." and others that end the connection leave
-- it closed
-- @treturn number|nil its code, an extended one of SQLite: 2067
-- @treturn string|nil its name: "SQLITE_CONSTRAINT_UNIQUE"
function resty:read_result()
  if self.state ~= SENT then
    return fail(self, is_ended(self) and self.state
      or "cannot read result in the current context: " .. self.state)
  end
  local request, settings = self.request, settings_of(self)
  self.request, self.state = nil, READING
  local answer, err = attempt(request.receive, request, settings)
  if self.state == READING then self.state = IDLE end
  if answer == nil then return fail(self, err) end
  self.failure = nil
  return shaped(request, answer, settings)
end

--- Runs a statement: `send_query` and `read_result`.
-- @tparam string text one statement
-- @param ... as of send_query
-- @return as read_result
function resty:query(text, ...)
  local err = begin(self, text, ...)
  if err then return fail(self, err) end
  return self:read_result()
end

--- Gives the socket to nginx for who connects next to the same node and database; the
-- object is closed then, and can connect again. Where a transaction is open the socket is
-- closed instead.
-- @tparam[opt] number idle milliseconds that it is kept without use; 0: for ever
-- @tparam[opt] number size how many are kept, for who does it first
-- @treturn number|nil 1
-- @treturn string|nil the error: "closed" where the connection has ended
function resty:set_keepalive(idle, size)
  local wrong = refusal(self, "keep the connection")
  if wrong then return fail(self, wrong) end
  if idle ~= nil and not is_milliseconds(idle) then
    return fail(self, "set_keepalive takes milliseconds")
  end
  local conn = self.conn
  if not conn:is_open() then return fail(self, CLOSED) end
  local kept, err = attempt(conn.set_keepalive, conn, idle and idle / 1000, size)
  if not kept then return fail(self, err) end
  self.conn, self.settings, self.state, self.failure = nil, nil, CLOSED, nil
  return 1
end

--- How often the socket was kept for somebody; 0 for a new one.
-- @treturn number|nil
-- @treturn string|nil the error
function resty:get_reused_times()
  if is_ended(self) then return fail(self, self.state) end
  local times, err = attempt(self.conn.get_reused_times, self.conn)
  if not times then return fail(self, err) end
  return times
end

--- Closes the connection; a transaction that is open is rolled back by the server.
-- @treturn number|nil 1
-- @treturn string|nil the error
function resty:close()
  local was_ended = is_ended(self)
  local closed, err = forget(self)
  if was_ended then return fail(self, self.state) end
  self.state, self.failure = CLOSED, nil
  if not closed then return fail(self, err) end
  return 1
end

--- The error of the last call, if that failed, as the module `dqlite` has it: `kind`
-- ("busy", "constraint", "timeout", "not_leader"...), `retryable` (certainly not applied),
-- `ambiguous` (a write that may have been applied), `fatal` (the connection has ended).
-- @treturn table|nil nil where nothing has failed, or what was asked for made no sense
function resty:last_error()
  return self.failure
end

return resty
