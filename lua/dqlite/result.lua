--- Answers to statements, read off a link as Lua values: the counts of an EXEC,
-- the rows of a QUERY in the shape that a call asks for.
--
-- A reader takes the rows of one frame: `read(session, list, n, limit, settings,
-- conn)` puts rows into list[n + 1] and on up to list[limit], and answers how
-- many there are now and whether the frame has more; or nil, the kind of an
-- error and its reason.
-- @module dqlite.result

local core = require "dqlite.core"
local errors = require "dqlite.error"

local result = {}

--- Reads the answer to an EXEC.
-- @tparam table conn the connection: link, deadline
-- @tparam table known from dqlite.sql
-- @treturn table|nil `rows_affected` and `last_insert_id` where the statement
-- has them: other answers repeat those of an earlier one (protocol.md 2.4)
-- @treturn table|nil the error
function result.counts(conn, known)
  return result.counts_of(conn, known, conn.link:reply(conn.deadline, conn))
end

--- The same, of a reply that is there.
-- @return as counts
function result.counts_of(conn, known, name, err)
  local link = conn.link
  if not name then return nil, err end
  if name == "FAILURE" then return nil, link:failure(conn) end
  if not known.counts then return {} end
  local id, affected = link.core:result()
  if not known.inserts or affected == 0 then id = nil end
  return { rows_affected = affected, last_insert_id = id }
end

-- What a RETURNING outside of a transaction has written stays.
local function too_large(conn, what)
  return errors.new {
    kind = "policy",
    message = "the result exceeds " .. what,
    address = conn.address,
    sql = conn.sql,
    ambiguous = conn.write,
  }
end

--- Reads a whole result. Rows beyond `limit` are dropped; beyond the limits of
-- the settings it is an error, once the result is drained.
-- @tparam table conn the connection: link, deadline
-- @tparam table settings of the call
-- @tparam function read one of the readers below
-- @tparam[opt] number limit how many rows are wanted
-- @treturn table|nil the list
-- @treturn table|nil the error
function result.rows(conn, settings, read, limit)
  return result.rows_from(conn, settings, read, limit, conn.link:reply(conn.deadline, conn))
end

--- The same from a first reply on, which is there.
-- @return as rows
function result.rows_from(conn, settings, read, limit, name, last, bytes)
  local link, session = conn.link, conn.link.core
  local most = limit or settings.max_rows
  local list, n, size, exceeded = {}, 0, 0, nil
  while true do
    if not name then return nil, last end
    if name == "FAILURE" then return nil, link:failure(conn) end
    size = size + bytes
    if size > settings.max_result_bytes then exceeded = "max_result_bytes" end
    if not exceeded then
      local now, left, reason = read(session, list, n, most, settings, conn)
      if not now then return nil, link:fail(left, reason, conn) end
      n = now
      if left and not limit then exceeded = "max_rows" end
    end
    if last and exceeded then return nil, too_large(conn, exceeded) end
    if last then return list end
    name, last, bytes = link:reply(conn.deadline, conn)
  end
end

-- ---- readers ----

--- The names of the current frame's columns, the connection's last ones where
-- they are the same: a list that nobody changes.
function result.columns(conn)
  local columns = conn.link.core:columns(conn.columns)
  conn.columns = columns
  return columns
end

function result.by_name(session, list, n, limit, settings, conn)
  return session:rows_by_name(list, n, limit, settings.null_by_name, result.columns(conn))
end

function result.by_position(session, list, n, limit, settings)
  return session:rows_by_position(list, n, limit, settings.null_by_position)
end

--- First columns, for a list without holes.
function result.first_values(session, list, n, limit, settings)
  return session:first_values(list, n, limit, settings.null_by_position)
end

--- The first column of one row.
function result.first_value(session, list, n, limit, settings)
  return session:first_values(list, n, limit, settings.null_by_name)
end

--- No rows, but how many there were, as `list.count`.
function result.count(session, list)
  local now, kind, reason = session:count_rows()
  if not now then return nil, kind, reason end
  list.count = (list.count or 0) + now
  return 0, false
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

--- Rows by position, with `columns`, `types`, and `row_types` when asked for.
function result.lossless(session, list, n, limit, settings)
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
  return result.by_position(session, list, n, limit, settings)
end

--- Turns what a reader collected into the list that a caller gets.
function result.finished(list, settings)
  if settings.array_mt then setmetatable(list, settings.array_mt) end
  return list
end

-- ---- shapes ----

local methods = core.session_methods

local function first(list)
  return list[1]
end

local function same(answer)
  return answer
end

local function counted(list, _, known)
  return known.returning and { rows_affected = list.count } or {}
end

--- What the helpers make of an answer: `read` (nil: it is that to an EXEC), `limit` of
-- rows, and `finish(list, settings, known)`; `only(session, null)` takes the one row
-- that counts straight from a frame that is the whole answer: the value, or nil with the
-- kind of an error and its reason.
result.shapes = {
  execute = { read = nil, limit = nil, finish = same },
  count = { read = result.count, limit = nil, finish = counted },
  fetch = { read = result.by_name, limit = nil, finish = result.finished },
  fetchall = { read = result.by_position, limit = nil, finish = result.finished },
  fetchone = {
    read = result.by_name,
    limit = 1,
    finish = first,
    only = methods.only_by_name,
  },
  fetchval = {
    read = result.first_value,
    limit = 1,
    finish = first,
    only = methods.only_value,
  },
  fetchcol = { read = result.first_values, limit = nil, finish = result.finished },
  query = { read = result.lossless, limit = nil, finish = same },
}

--- Reads a whole answer by a shape, from its first reply on.
-- @return what the caller gets, or nil and the error
function result.take(conn, settings, known, shape, name, last, bytes)
  local read, only = shape.read, shape.only
  if not read then return result.counts_of(conn, known, name, last) end
  if only and name == "ROWS" and last and bytes <= settings.max_result_bytes then
    local value, kind, reason = only(conn.link.core, settings.null_by_name)
    if kind then return nil, conn.link:fail(kind, reason, conn) end
    return value
  end
  local list, err = result.rows_from(conn, settings, read, shape.limit, name, last, bytes)
  if not list then return nil, err end
  return shape.finish(list, settings, known)
end

return result
