--- A statement that the server has prepared, by `conn:prepare`: the helpers of a
-- connection without the text.
--
-- `statement.nparams` is how many parameters it takes.
--
-- After another connection has changed a table, the first answer to a prepared
-- `SELECT *` or `RETURNING *` has the old column names over the new values: name the
-- columns.
-- @classmod dqlite.statement

local call = require "dqlite.call"
local errors = require "dqlite.error"
local exchange = require "dqlite.exchange"
local features = require "dqlite.features"
local helpers = require "dqlite.helpers"
local later = require "dqlite.later"
local result = require "dqlite.result"
local rows = require "dqlite.rows"

local many = later.require "dqlite.many"

local statement = {}

local run, shapes = helpers.run, result.shapes

local Statement = {}
Statement.__index = Statement
Statement.__name = "dqlite.statement"

-- ---- prepare ----

local function check(known)
  -- what we do not know the server refuses, and says why
  if known.problem or known.preparable or known.kind == "unknown" then return nil end
  return helpers.refuse("value",
    known.verb .. " is not prepared: it may act when it is. Use execute or fetch", known)
end

local function disagrees(conn, known, params)
  return errors.new {
    kind = "unsupported",
    message = ("the server counts %s parameters in it, not %d"):format(params, known.params),
    address = conn.address,
    sql = known.text,
  }
end

local function read_answer(conn, known)
  local link = conn.link
  local name, err = link:reply(conn.deadline, conn)
  if not name then return nil, err end
  if name == "FAILURE" then return nil, link:failure(conn) end
  local id, params = link.core:statement()
  if params == known.params then return id end
  conn.cache:doom(id)
  return nil, disagrees(conn, known, params)
end

-- Sends PREPARE and reads its answer.
local function request(conn, known)
  local link = conn.link
  conn.write, link.yields_rows = false, false
  local sent, kind, reason = link.core:prepare(known.text, conn.prepare_schema)
  if not sent then return nil, exchange.unsent(conn, kind, reason) end
  local finalizing = exchange.ride(conn)
  local id, err = read_answer(conn, known)
  exchange.read_riders(conn, finalizing)
  return id, err
end

local function prepare(conn, known)
  local id, err = request(conn, known)
  if id or conn.prepare_schema == 0 or not features.is_unknown(err) then
    return id, err
  end
  conn.prepare_schema = 0
  return request(conn, known)
end

--- See Connection:prepare.
-- @local
function statement.prepare(conn, known)
  helpers.check_usable(conn)
  local wrong = check(known)
  if wrong then return helpers.failed(conn, wrong) end
  local ready, refused = call.begin(conn, conn.settings, known)
  if not ready then return helpers.failed(conn, refused) end
  local id, err = prepare(conn, known)
  call.finish(conn, err)
  if not id then
    conn.state:failed(known, err)
    return helpers.failed(conn, err)
  end
  conn.statements = conn.statements or {}
  conn.statements[id] = true
  return setmetatable({
    conn = conn,
    known = known,
    id = id, -- nil once it is closed
    nparams = known.params,
  }, Statement)
end

-- ---- the public face ----

local function check_open(self)
  if not self.id then errors.misuse("the statement is closed") end
end

--- Runs it. See `conn:execute`.
-- @function Statement:execute
-- @param ... parameters
-- @treturn table|nil `rows_affected`, `last_insert_id`
-- @treturn dqlite.error|nil the error

--- Fetches all rows by column name. See `conn:fetch`.
-- @function Statement:fetch
-- @param ... parameters
-- @treturn table|nil list of rows
-- @treturn dqlite.error|nil the error

--- Fetches all rows by position. See `conn:fetchall`.
-- @function Statement:fetchall
-- @param ... parameters
-- @treturn table|nil list of lists
-- @treturn dqlite.error|nil the error

--- Fetches the first row by column name. See `conn:fetchone`.
-- @function Statement:fetchone
-- @param ... parameters
-- @treturn table|nil the row; nil without an error when there is none
-- @treturn dqlite.error|nil the error

--- Fetches the first column of the first row. See `conn:fetchval`.
-- @function Statement:fetchval
-- @param ... parameters
-- @return the value; nil for NULL and when there is no row
-- @treturn dqlite.error|nil the error

--- Fetches the first column of all rows. See `conn:fetchcol`.
-- @function Statement:fetchcol
-- @param ... parameters
-- @treturn table|nil list of values
-- @treturn dqlite.error|nil the error

--- Fetches everything there is to know about a result. See `conn:query`.
-- @function Statement:query
-- @param ... parameters
-- @treturn table|nil rows by position, `columns`, `types`
-- @treturn dqlite.error|nil the error

function Statement:execute(...)
  local id, known = self.id, self.known
  if not id then check_open(self) end
  return run(self.conn, known, id, known.yields_rows and shapes.count or shapes.execute, ...)
end

for _, name in ipairs { "fetch", "fetchall", "fetchone", "fetchval", "fetchcol", "query" } do
  local shape = shapes[name]
  Statement[name] = function(self, ...)
    local id = self.id
    if not id then check_open(self) end
    return run(self.conn, self.known, id, shape, ...)
  end
end

--- The same as `fetchall`.
-- @function Statement:fetch_arrays
-- @param ... parameters
-- @treturn table|nil list of lists
-- @treturn dqlite.error|nil the error
Statement.fetch_arrays = Statement.fetchall

--- Iterates over rows, in the memory of a frame. See `conn:rows`.
-- @param ... parameters
-- @treturn function iterator. Raises the error of a failure
function Statement:rows(...)
  check_open(self)
  return rows.open(self.conn, self.known, self.id, ...)
end

--- Runs it for each set of parameters, all or nothing. See `conn:executemany`.
-- @tparam table|function list sets (tables), or an iterator that answers them
-- @tparam[opt] table opts options
-- @treturn table|nil `rows_affected`, of all of them
-- @treturn dqlite.error|nil the error; `index` tells the set
function Statement:executemany(list, opts)
  check_open(self)
  return many.execute(self.conn, self.known, self.id, list, opts)
end

--- Closes. The server hears of it with the connection's next request; the id
-- is not used again. Again does nothing.
-- @treturn true
function Statement:close()
  local conn, id = self.conn, self.id
  self.id = nil
  if id and conn.statements and conn.statements[id] then
    conn.statements[id] = nil
    conn.cache:close(id)
  end
  return true
end

Statement.__close = Statement.close

function Statement:__tostring()
  return ("dqlite statement (%s)"):format(self.id and "open" or "closed")
end

return statement
