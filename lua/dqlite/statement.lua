--- What can be told from the text of a statement before it is sent. Crude for
-- now: it looks at words, not at syntax, and refuses where it cannot be sure.
-- @module dqlite.statement

local statement = {}

local YIELDS_ROWS = { SELECT = true, VALUES = true, EXPLAIN = true }

local CHANGES_ROWS = {
  INSERT = true, REPLACE = true, UPDATE = true, DELETE = true, WITH = true,
}

local YIELDS_NONE = {
  INSERT = true, REPLACE = true, UPDATE = true, DELETE = true, CREATE = true,
  ALTER = true, DROP = true, BEGIN = true, COMMIT = true, END = true,
  ROLLBACK = true, SAVEPOINT = true, RELEASE = true, VACUUM = true,
  ANALYZE = true, REINDEX = true, DETACH = true,
}

-- Whose answer, when it is lost, leaves nothing in doubt.
local HARMLESS = {
  SELECT = true, VALUES = true, EXPLAIN = true,
  BEGIN = true, SAVEPOINT = true, ROLLBACK = true,
}

-- RETURNING through EXEC takes a server down, some PRAGMAs and ATTACH destroy
-- a database (hazards.md). A literal that holds such a word is refused as
-- well: it can travel as a parameter.
local DANGEROUS = { "RETURNING", "PRAGMA", "ATTACH" }

local WRITES = { "INSERT", "REPLACE", "UPDATE", "DELETE" }

-- Drops white space, semicolons and comments in front.
local function skip_blank(sql)
  local at = 1
  while true do
    local start = sql:find("[^%s;]", at)
    if not start then return "" end
    if sql:sub(start, start + 1) == "--" then
      at = (sql:find("\n", start, true) or #sql) + 1
    elseif sql:sub(start, start + 1) == "/*" then
      local _, stop = sql:find("*/", start + 2, true)
      at = (stop or #sql) + 1
    else
      return sql:sub(start)
    end
  end
end

--- The first word of a statement in capitals.
-- @tparam string sql the text
-- @treturn string|nil nil where there is none
function statement.verb(sql)
  local verb = sql:match("^%s*(%a+)") or skip_blank(sql):match("^%a+")
  return verb and verb:upper()
end

local function word_of(sql, words)
  local upper = sql:upper()
  for _, word in ipairs(words) do
    if upper:find("%f[%w_]" .. word .. "%f[^%w_]") then return word end
  end
end

--- Why a statement is not sent.
-- @tparam string sql the text
-- @tparam boolean wants_rows is it sent as a query?
-- @treturn string|nil kind of the error, nil when it may be sent
-- @treturn string|nil the reason
function statement.refusal(sql, wants_rows)
  if skip_blank(sql) == "" then return "value", "the statement is empty" end
  local word = word_of(sql, DANGEROUS)
  if word then
    return "unsupported", word .. " is not supported yet, and a text that "
      .. "holds the word must be bound as a parameter"
  end
  local verb = statement.verb(sql)
  if wants_rows and YIELDS_NONE[verb] then
    return "value", verb .. " yields no rows: use execute"
  end
end

--- Does a statement that begins so yield rows?
-- @tparam string|nil verb
-- @treturn boolean
function statement.yields_rows(verb)
  return YIELDS_ROWS[verb] or false
end

--- Does its RESULT count rows? That of others repeats older numbers
-- (protocol.md 2.4).
-- @tparam string|nil verb
-- @treturn boolean
function statement.changes_rows(verb)
  return CHANGES_ROWS[verb] or false
end

--- Could it have changed the database, if its answer is lost?
-- @tparam string sql the text
-- @tparam string|nil verb its verb
-- @treturn boolean
function statement.may_write(sql, verb)
  if verb == "WITH" then return word_of(sql, WRITES) ~= nil end
  return not HARMLESS[verb]
end

--- Without the blanks and semicolons at its end, behind which 1.11.1 answers
-- with counts of 0 (protocol.md 2.3).
-- @tparam string sql the text
-- @treturn string
function statement.trimmed(sql)
  return (sql:gsub("[%s;]+$", ""))
end

return statement
