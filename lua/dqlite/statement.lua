--- A statement that the server has prepared: the helpers of a connection
-- without the text.
--
-- After another connection has changed a table, the first answer to a prepared
-- `SELECT *` or `RETURNING *` has the old column names over the new values
-- (hazards.md, Silent wrong answers): name the columns.
-- @module dqlite.statement

local call = require "dqlite.call"
local errors = require "dqlite.error"
local exchange = require "dqlite.exchange"
local features = require "dqlite.features"
local helpers = require "dqlite.helpers"
local many = require "dqlite.many"
local rows = require "dqlite.rows"

local statement = {}

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

for _, name in ipairs { "execute", "fetch", "fetchall", "fetchone", "fetchval", "fetchcol",
  "query" } do
  local helper = helpers[name]
  Statement[name] = function(self, ...)
    check_open(self)
    return helper(self.conn, self.known, self.id, ...)
  end
end

Statement.fetch_arrays = Statement.fetchall

--- As Connection:rows.
function Statement:rows(...)
  check_open(self)
  return rows.open(self.conn, self.known, self.id, ...)
end

--- As Connection:executemany.
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
    conn.cache.closed[#conn.cache.closed + 1] = id
  end
  return true
end

Statement.__close = Statement.close

function Statement:__tostring()
  return ("dqlite statement (%s)"):format(self.id and "open" or "closed")
end

return statement
