--- Right names for a bare `*`. Servers take the names and the number of an
-- answer's columns before SQLite notices that another connection has changed
-- the schema: the first `SELECT *` after that, text or prepared, would come with
-- the old names over the new values (seen on 1.11.1 and 1.18.6). So a look at
-- the schema goes ahead of such a text, in the same write, and outside of a
-- transaction a savepoint around both, in which the schema cannot change.
-- @module dqlite.schema

local schema = {}

--- The look: SQLite reads the schema again where it has changed.
schema.LOOK = "SELECT 1 FROM sqlite_schema LIMIT 0"

local NAME = "dqlite_look"

--- Queues what goes ahead of the text: of one that reads, or in a transaction.
-- @tparam table conn the connection
-- @treturn number how many answers come before the text's
function schema.lead(conn)
  local session, answers = conn.link.core, 1
  if not conn.state.surely_open then
    session:exec("SAVEPOINT " .. NAME, 0)
    answers = 2
  end
  session:query(schema.LOOK, 0)
  return answers
end

--- Queues what goes behind the text. A RELEASE ends what its savepoint has begun
-- and nothing else: a COMMIT could end a transaction that we do not know of.
-- @tparam table conn the connection
-- @tparam number lead what `lead` answered
function schema.trail(conn, lead)
  if lead == 2 then conn.link.core:exec("RELEASE " .. NAME, 0) end
end

--- Reads the answers that come before the text's.
-- @treturn boolean can the text's answer be read?
-- @treturn table|nil the error, after which that is not to be used
function schema.read_lead(conn, lead)
  local link, failed = conn.link, nil
  for _ = 1, lead do
    local name, err = link:reply(conn.deadline, conn)
    if not name then return false, err end
    if name == "FAILURE" then failed = link:failure(conn) end
  end
  return link.stream ~= false, failed
end

--- Reads the answer that comes behind the text's. Only a SAVEPOINT that failed
-- can make it fail.
function schema.read_trail(conn, lead)
  local link = conn.link
  if lead == 2 and link.stream and link:reply(conn.deadline, conn) == "FAILURE" then
    link:failure(conn)
  end
end

return schema
