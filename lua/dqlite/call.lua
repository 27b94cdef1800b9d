--- A call on a connection, from its begin to its end: what has to be done before
-- a statement may leave. Rows that are still being read are ended, a transaction
-- that may be gone is asked for, the server is asked what it can do, and before
-- 1.15 a RETURNING gets a transaction of its own.
--
-- A connection here has, beside what dqlite.exchange needs: `found` (features),
-- `level` (of its transaction), `live` (rows that are read), `working` (what
-- sends ahead).
-- @module dqlite.call

local barrier = require "dqlite.barrier"
local core = require "dqlite.core"
local errors = require "dqlite.error"
local exchange = require "dqlite.exchange"
local features = require "dqlite.features"
local loops = require "dqlite.loops"
local options = require "dqlite.options"
local schema = require "dqlite.schema"
local scopes = require "dqlite.scope"
local sql = require "dqlite.sql"
local states = require "dqlite.state"

local call = {}

-- What may run though the transaction that it is about may be gone.
local UNDOES = { rollback = true, rollback_to = true }

-- A transaction of the library's, after a failure that may have ended it: what
-- comes next must not run by itself and stay. BEGIN tells (hazards.md,
-- Transactions and writes).
local function confirm_open(conn)
  local level = conn.level
  if level.gone then return nil, level.gone end
  local began, err = exchange.control(conn, "BEGIN")
  if not began then
    if states.says_open(err) then return true end
    return nil, err
  end
  exchange.control(conn, "ROLLBACK")
  level.gone = errors.new {
    kind = "sql",
    message = "an earlier failure has ended the transaction: all of it was rolled back",
    address = conn.address,
    sql = conn.sql,
  }
  return nil, level.gone
end

local function check_features(conn, known)
  if known.params <= sql.COUNTED_IN_A_BYTE then return true end
  local can, err = features.params_32bit(conn)
  if err then return nil, err end
  if can then return true end
  return nil, errors.new {
    kind = "unsupported",
    message = ("%d parameters: this server takes 255 at most (before 1.12)"):format(
      known.params),
    address = conn.address,
    sql = conn.sql,
  }
end

--- How the session reads values from now on.
function call.use_reading(conn, settings)
  conn.link.core:reading(settings.int64, settings.blobs == "wrap",
    settings.dates == "raw")
  conn.reading = settings
end

-- Rows that nobody will read: theirs to know, ours to get out of the way.
local function end_rows(conn, deadline)
  local live, link = conn.live, conn.link
  conn.live = false
  local drained, why = link:drain(deadline)
  if link.dropped then conn.state:failed(live.known, link.dropped) end
  if drained then return true end
  conn.write = false
  local kind = link.loop.now() >= deadline and "timeout" or "closed"
  return nil, link:fail(kind, "a result was abandoned, and " .. why)
end

local function check_working(conn)
  local owner = conn.link.owner
  if owner and not loops.is_dead(owner) then
    errors.misuse("the connection is in use by " .. conn.working .. " that is under way: wait for"
      .. " its end, or use another connection")
  end
  conn.working = false
end

--- Can a call begin? Raises where the connection is in use.
-- @tparam table conn the connection
-- @tparam number patience seconds that the call may take
-- @treturn true|nil
-- @treturn table|nil the error of a connection that has ended
function call.check(conn, patience)
  if conn.working then check_working(conn) end
  return conn.link:check(patience)
end

-- The link is ours from before the first wait.
local function enter(conn, now, deadline)
  local link = conn.link
  if conn.working then check_working(conn) end
  local ready, err = link:begin(now, deadline - now)
  if ready and conn.live then ready, err = end_rows(conn, deadline) end
  if not ready or link.core:outstanding() == 0 then return ready, err end
  return nil, link:fail("protocol", "an answer that an earlier call has left")
end

--- Begins a call; `finish` ends it, and so does a failing `begin`.
-- @tparam table conn the connection
-- @tparam table settings of the call
-- @tparam table known from dqlite.sql
-- @tparam[opt] number deadline of the loop's now(); else from the settings
-- @treturn true|nil
-- @treturn table|nil the error
function call.begin(conn, settings, known, deadline)
  if known.problem then
    return nil, errors.new {
      kind = known.problem,
      message = known.reason,
      sql = known.text,
    }
  end
  local link, now = conn.link, conn.link.loop.now()
  deadline = deadline or now + settings.timeout
  local limit = conn.limit
  if limit and limit < deadline then deadline = limit end
  local ready, err = enter(conn, now, deadline)
  if not ready then return nil, err end
  conn.begun, conn.deadline, conn.busy_until = now, deadline, false
  conn.sql = known.text
  if conn.cache.closed[1] then conn.cache:give_up() end
  if conn.reading ~= settings then call.use_reading(conn, settings) end
  if conn.level and not conn.state.surely_open and not UNDOES[known.kind] then
    ready, err = confirm_open(conn)
  end
  if ready and not known.plain then ready, err = check_features(conn, known) end
  if ready and settings.consistency == "linearizable" then ready, err = barrier.pass(conn) end
  if not ready then link:leave() end
  if ready and conn.observer then conn.observer:started(conn) end
  return ready, err
end

--- Ends a call.
-- @tparam table conn the connection
-- @tparam[opt] table err of the call; misuse is raised
function call.finish(conn, err)
  conn.link:leave()
  if conn.observer then conn.observer:ended(conn, err) end
  if err and err.misuse then errors.misuse(err.misuse) end
end

-- ---- transactions around one statement ----

local function is_limited(settings)
  local usual = options.DEFAULTS
  return settings.max_rows < usual.max_rows
    or settings.max_result_bytes < usual.max_result_bytes
end

-- What must not run outside of a transaction. Before 1.15 a RETURNING is not
-- replicated then, and the next write aborts the node (hazards.md, Requests that
-- kill); with a `*` it needs one on every server (dqlite.schema), and so it does
-- to leave nothing behind when it exceeds a limit that was set. OR FAIL takes
-- 1.18 down: the rows that it keeps are neither replicated nor rolled back.
local function must_wrap(conn, settings, known)
  if conn.state.surely_open then return false end
  if known.fails then return true end
  if not known.returning then return false end
  if known.returns_star or is_limited(settings) then return true end
  local can, err = features.statement_tail(conn)
  if err then return nil, err end
  return not can
end

-- Inside of a transaction.
local function run_inside(conn, settings, known, id, read, limit, ...)
  if known.returns_star then
    local looked, err = exchange.lookup(conn, schema.LOOK)
    if not looked then return nil, err end
  end
  return exchange.run(conn, settings, known, id, read, limit, ...)
end

local function run_wrapped(conn, settings, known, id, read, limit, ...)
  local scope, refused = scopes.open(conn, "BEGIN IMMEDIATE", "join")
  if scope == nil then return nil, refused end
  local answer, err = run_inside(conn, settings, known, id, read, limit, ...)
  if not scope then return answer, err end
  local kept, failed
  if answer or known.fails and conn.link.stream then
    kept, failed = scopes.keep(conn, scope)
  end
  if kept then return answer, err end
  scopes.undo(conn, scope)
  return nil, err or failed
end

-- ---- the whole ----

--- Runs a statement inside a call.
-- @return as exchange.run
function call.run(conn, settings, known, id, read, limit, ...)
  local wrap, err = must_wrap(conn, settings, known)
  if wrap == nil then return nil, err end
  local run = wrap and run_wrapped or run_inside
  return run(conn, settings, known, id, read, limit, ...)
end

-- Is something sent ahead of the statement?
local function asks_first(conn, known)
  return not known.plain or conn.level and not conn.state.surely_open
end

--- Finds wrong parameters before anything else is sent; where nothing is, the
-- statement itself is refused.
-- @treturn table|nil the error; misuse raises
function call.refusal(conn, known, ...)
  if known.problem or not asks_first(conn, known) then return nil end
  local fine, kind, reason = core.check_params(known.numbering, ...)
  if fine then return nil end
  if kind == "misuse" then errors.misuse(reason) end
  return errors.new { kind = kind, message = errors.visible(reason), sql = known.text }
end

--- A whole call: begin, run, finish.
-- @return as run
function call.perform(conn, settings, known, id, read, limit, ...)
  local wrong = (conn.level or not known.plain) and call.refusal(conn, known, ...)
  if wrong then return nil, wrong end
  local ready, refused = call.begin(conn, settings, known)
  if not ready then return nil, refused end
  local run = known.plain and exchange.run or call.run
  local answer, err = run(conn, settings, known, id, read, limit, ...)
  call.finish(conn, err)
  return answer, err
end

return call
