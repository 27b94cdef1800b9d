--- What the server at the other end can do. No message tells its version, so
-- it is asked what answers differently (protocol.md 3.3), when the answer is
-- needed and once for each connection: a node may restart as another version.
--
-- The functions work inside a call: the link is entered, `conn.deadline` set.
-- @module dqlite.features

local features = {}

local PARSE_ERROR = 1005 -- DQLITE_PARSE

--- Does an error say that the server does not know what it was asked?
function features.is_unknown(err)
  return err.code == PARSE_ERROR
    or err.message == "unrecognized schema version"
end

-- Answers to one request: its name and whether it was refused as unknown.
local function ask(conn, send)
  local link = conn.link
  link.yields_rows, conn.write = false, false
  send(link.core)
  local name, err = link:reply(conn.deadline, conn)
  if not name then return nil, err end
  if name ~= "FAILURE" then return name, false end
  local failed = link:failure(conn)
  if not features.is_unknown(failed) then return nil, failed end
  return name, true
end

--- More than 255 parameters: 1.12 or later, which does not know format 2 of
-- CLUSTER; before that the format was not looked at.
-- @treturn boolean|nil
-- @treturn table|nil the error
function features.params_32bit(conn)
  local found = conn.found
  if found.params_32bit == nil then
    local name, refused = ask(conn, function(session)
      session:send("CLUSTER", { format = 2 })
    end)
    if not name then return nil, refused end
    found.params_32bit = refused
  end
  return found.params_32bit
end

--- The offset of what follows a statement, from PREPARE: 1.15 or later. The
-- same versions run RETURNING outside of a transaction.
-- @treturn boolean|nil
-- @treturn table|nil the error
function features.statement_tail(conn)
  local found = conn.found
  if found.statement_tail == nil then
    local name, refused = ask(conn, function(session)
      session:prepare("SELECT 1", 1)
    end)
    if not name then return nil, refused end
    if refused then
      found.statement_tail = false
    else
      local id, _, tail = conn.link.core:statement()
      conn.cache:doom(id)
      found.statement_tail = tail ~= nil
    end
  end
  return found.statement_tail
end

-- A NULL in a BOOLEAN column arrives as false from servers that lose it
-- (hazards.md, Silent wrong answers). A table of this connection's own shows.
local TYPED_NULL = {
  "DROP TABLE IF EXISTS temp.dqlite_typed_null",
  "CREATE TEMP TABLE dqlite_typed_null (value BOOLEAN)",
  "INSERT INTO temp.dqlite_typed_null VALUES (NULL)",
}

--- Whether NULL keeps its type in BOOLEAN and date columns.
-- @tparam table conn the connection
-- @tparam function control runs a statement of ours: true, or nil and an error
-- @tparam function lookup runs a query of ours: its rows
-- @treturn boolean|nil
-- @treturn table|nil the error
function features.typed_null(conn, control, lookup)
  local found = conn.found
  if found.typed_null ~= nil then return found.typed_null end
  for _, text in ipairs(TYPED_NULL) do
    local done, err = control(conn, text)
    if not done then return nil, err end
  end
  local list, err = lookup(conn, "SELECT value FROM temp.dqlite_typed_null")
  if not list then return nil, err end
  local dropped, failed = control(conn, "DROP TABLE temp.dqlite_typed_null")
  if not dropped then return nil, failed end
  found.typed_null = list[1][1] ~= false
  return found.typed_null
end

return features
