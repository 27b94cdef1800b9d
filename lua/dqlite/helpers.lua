--- The calls that connections and prepared statements share: execute, the
-- fetch helpers, query. Each takes the connection, what is known of the
-- statement, its id when it is prepared, and the parameters as a user gives
-- them: one by one, or one table that options may follow.
-- @module dqlite.helpers

local call = require "dqlite.call"
local core = require "dqlite.core"
local errors = require "dqlite.error"
local exchange = require "dqlite.exchange"
local loops = require "dqlite.loops"
local options = require "dqlite.options"

local helpers = {}

local query, exec = core.session_methods.query, core.session_methods.exec

-- ---- what every public call begins with ----

-- A transaction(fn) belongs to the coroutine that runs fn.
local function check_level(conn)
  local level = conn.level
  if not level or not level.scoped or level.owner == loops.running() then return end
  if not loops.is_dead(level.owner) then
    errors.misuse("the connection is in a transaction of another coroutine: wait for its end,"
      .. " or use a connection of your own")
  end
  conn.link:fail("closed", "a transaction was broken off")
end

--- Raises after one's own close, and in a coroutine that the transaction is not
-- of. After another coroutine's close the call answers an error.
function helpers.check_usable(conn)
  local closed = conn.closed
  if closed == "released" then
    errors.misuse("the connection was given back to its pool: acquire another one")
  end
  if closed and closed == loops.running() then errors.misuse("the connection is closed") end
  check_level(conn)
end

--- Is control of the transaction by a statement out of place here?
function helpers.check_control(conn, known)
  local level = conn.level
  if not level or not level.scoped or not known.control then return end
  if known.kind == "begin" or known.kind == "commit" or known.kind == "rollback" then
    errors.misuse(known.verb .. " inside transaction(): return, or raise")
  end
end

--- The error of a statement that is not sent.
function helpers.refuse(kind, reason, known)
  return errors.new { kind = kind, message = reason, sql = known.text }
end
local refuse = helpers.refuse

--- The error of rows that are asked of a statement without any; nil for others.
function helpers.check_yields_rows(known)
  if known.problem or known.yields_rows ~= false then return nil end
  return refuse("value", known.verb .. " yields no rows: use execute", known)
end

--- The error of a write in a transaction that only reads; nil for others.
function helpers.check_reads_only(conn, known)
  local level = conn.level
  if not level or not level.read_only or not known.writes or known.control then return end
  return refuse("policy", known.verb .. " in a transaction that only reads", known)
end

--- Remembers the first failure at a transaction's level: unless somebody cares
-- it is rolled back.
-- @treturn nil
-- @treturn table the error
function helpers.failed(conn, err)
  local level = conn.level
  if level and not level.failed then level.failed = err end
  return nil, err
end

--- The settings of a call from its arguments: parameters one by one, or one
-- table that options may follow.
-- @tparam table conn the connection
-- @tparam[opt] string shaped as for options.call
-- @tparam number n how many arguments there are
-- @param first of them
-- @param opts the second
-- @treturn table
function helpers.settings(conn, shaped, n, first, opts)
  if type(first) ~= "table" then return conn.settings end
  if n > 2 then
    errors.misuse("behind a table of parameters come only the options")
  end
  if opts == nil then return conn.settings end
  return options.call(opts, conn.settings, shaped)
end

--- COMMIT or ROLLBACK as text ends a transaction that has a handle, too, and so
-- does their failure where there is none any more.
function helpers.end_handle(conn, known)
  local level = conn.level
  if not level or level.scoped then return end
  if known.kind == "commit" or known.kind == "rollback" then
    level.handle.done = true
    conn.level = false
  end
end

--- Raises for a list with a hole, whose rest nobody would see.
function helpers.check_list(list, what)
  local highest, found = 0, 0
  for key in pairs(list) do
    if type(key) == "number" then
      found = found + 1
      if key > highest then highest = key end
    end
  end
  if found ~= highest then errors.misuse(what .. " with a hole") end
end

-- ---- one statement ----

-- What a close, a transaction of the library's, or a want of rows has to say first.
local function check(conn, known, read)
  helpers.check_usable(conn)
  local wrong = read and helpers.check_yields_rows(known)
  if wrong then return wrong end
  helpers.check_control(conn, known)
  return helpers.check_reads_only(conn, known)
end

--- Raises where a barrier makes no sense: a write goes through the log itself.
function helpers.check_consistency(settings, known, read)
  if settings.consistency and (not read or known.writes) then
    errors.misuse("option 'consistency' is for reads")
  end
end

-- A call with all that may have to be done before and behind it.
local function run_fully(conn, known, id, shape, ...)
  local read = shape.read
  local wrong = (conn.closed or conn.level or read and known.yields_rows == false)
    and check(conn, known, read)
  if wrong then return helpers.failed(conn, wrong) end
  local settings, first = conn.settings, (...)
  local answer, err
  if type(first) == "table" then
    settings = helpers.settings(conn, "fetch", select("#", ...), ...)
    helpers.check_consistency(settings, known, read)
    answer, err = call.perform(conn, settings, known, id, read, shape.limit, first)
  else
    answer, err = call.perform(conn, settings, known, id, read, shape.limit, ...)
  end
  if known.control and not conn.state.maybe_open then helpers.end_handle(conn, known) end
  if not answer then return helpers.failed(conn, err) end
  return shape.finish(answer, settings, known)
end

-- Is a transaction that is surely open in the way of a statement?
local function is_in_the_way(level)
  return level.read_only or level.scoped and level.owner ~= loops.running()
end

--- A whole call. Most have nothing to do but to send their statement and to read the
-- answer.
-- @tparam table conn the connection
-- @tparam table known from dqlite.sql
-- @tparam[opt] number id of a prepared statement
-- @tparam table shape of result.shapes
-- @param ... parameters as a user gives them
-- @return what the user gets
function helpers.run(conn, known, id, shape, ...)
  local link, level, cache = conn.link, conn.level, conn.cache
  local is_simple = known.simple and conn.reading == conn.settings and not (conn.closed
    or conn.live or conn.working or cache.owes or shape.read and known.yields_rows == false
    or level and (not conn.state.surely_open or is_in_the_way(level)))
  local what = is_simple and (id or cache:find(known))
  local now = what and link:begin_at_once()
  if not now then return run_fully(conn, known, id, shape, ...) end
  local send = shape.read and query or exec
  local queued = send(link.core, what, known.numbering, ...)
  if not queued then
    link.owner = false
    return run_fully(conn, known, id, shape, ...) -- which says what is wrong
  end
  local answer, err = exchange.take(conn, known, shape, now, queued)
  if err then answer, err = exchange.again(conn, known, what, shape, err, ...) end
  link.owner = false
  if conn.observer then conn.observer:ended(conn, err) end
  if err then return helpers.failed(conn, err) end
  return answer
end

return helpers
