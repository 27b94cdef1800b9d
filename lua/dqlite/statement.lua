--- What can be told from the text of a statement before it is sent. Crude for
-- now: it looks at words, not at syntax, and refuses where it cannot be sure.
-- @module dqlite.statement

local statement = {}

local YIELDS_ROWS = { SELECT = true, VALUES = true, EXPLAIN = true }

local YIELDS_NONE = {
  INSERT = true, REPLACE = true, UPDATE = true, DELETE = true, CREATE = true,
  ALTER = true, DROP = true, BEGIN = true, COMMIT = true, END = true,
  ROLLBACK = true, SAVEPOINT = true, RELEASE = true, VACUUM = true,
  ANALYZE = true, REINDEX = true, DETACH = true,
}

-- Those of others repeat older counts (protocol.md 2.4).
local CHANGES_ROWS = {
  INSERT = true, REPLACE = true, UPDATE = true, DELETE = true, WITH = true,
}

-- Whose answer, when it is lost, leaves nothing in doubt.
local HARMLESS = {
  SELECT = true, VALUES = true, EXPLAIN = true,
  BEGIN = true, SAVEPOINT = true, ROLLBACK = true,
}

-- RETURNING through EXEC takes a server down, some PRAGMAs and ATTACH destroy
-- a database (hazards.md). A literal that holds such a word is refused as
-- well: it can travel as a parameter. A word may follow a digit: SQLite reads
-- "?1RETURNING" as two tokens.
local DANGEROUS = {
  RETURNING = "%f[%a_]RETURNING%f[^%w_]",
  PRAGMA = "%f[%a_]PRAGMA%f[^%w_]",
  ATTACH = "%f[%a_]ATTACH%f[^%w_]",
}

-- What makes a WITH one that writes.
local WRITES = {
  "%f[%a_]INSERT%f[^%w_]", "%f[%a_]REPLACE%s+INTO%f[^%w_]",
  "%f[%a_]UPDATE%f[^%w_]", "%f[%a_]DELETE%f[^%w_]",
}

local CLOSING = { ["'"] = "'", ['"'] = '"', ["`"] = "`", ["["] = "]" }

-- Where the literal, quoted name or comment that begins at `start` ends, and
-- the byte that takes its place; nothing where there is none.
local function skipped(sql, start)
  local closing = CLOSING[sql:sub(start, start)]
  if closing then return sql:find(closing, start + 1, true) or #sql, "\1" end
  local two = sql:sub(start, start + 1)
  if two == "--" then return sql:find("\n", start, true) or #sql, " " end
  if two == "/*" then
    local _, stop = sql:find("*/", start + 2, true)
    return stop or #sql, " "
  end
end

-- The text in capitals, its literals and quoted names as \1, its comments as
-- blanks, every other byte where it was.
local function outline(sql)
  local parts, from, at = {}, 1, 1
  while true do
    local start = sql:find("['\"`%[/%-]", at)
    if not start then break end
    local stop, filler = skipped(sql, start)
    if stop then
      parts[#parts + 1] = sql:sub(from, start - 1)
      parts[#parts + 1] = filler:rep(stop - start + 1)
      from = stop + 1
    end
    at = (stop or start) + 1
  end
  parts[#parts + 1] = sql:sub(from)
  return table.concat(parts):upper()
end

local function has_any(text, patterns)
  for _, pattern in ipairs(patterns) do
    if text:find(pattern) then return true end
  end
  return false
end

local function dangerous_word(sql)
  local upper = sql:upper()
  for word, pattern in pairs(DANGEROUS) do
    if upper:find(pattern) then return word end
  end
end

local function problem(sql, text, verb)
  if text == "" then return "value", "the statement is empty" end
  local word = dangerous_word(sql)
  if word then
    return "unsupported", word .. " is not supported yet, and a text that "
      .. "holds the word must be bound as a parameter"
  end
  local trigger = verb == "CREATE" and text:find("%f[%a_]TRIGGER%f[^%w_]")
  if text:find(";", 1, true) and not trigger then
    return "unsupported", "several statements in one text: send them one by one"
  end
end

local function examine(sql)
  local text = outline(sql)
  local first = text:find("[^%s;]") or #text + 1
  -- Behind blanks and semicolons 1.11.1 answers with counts of 0
  -- (protocol.md 2.3).
  local last = text:match("^.*()[^%s;]") or 0
  text = text:sub(first, last)
  local verb = text:match("^%a+")
  local kind, reason = problem(sql, text, verb)
  local writes = not HARMLESS[verb]
  if verb == "WITH" then writes = has_any(text, WRITES) end
  return {
    kind = kind, -- of the error when it is not sent, else nil
    reason = reason,
    verb = verb, -- the first word in capitals; nil where there is none
    text = sql:sub(first, last), -- what to send
    yields_rows = YIELDS_ROWS[verb] or verb == "WITH" and not writes,
    yields_none = YIELDS_NONE[verb] or false,
    changes_rows = CHANGES_ROWS[verb] or false, -- does RESULT count rows?
    may_write = writes, -- could it have, if its answer is lost?
  }
end

-- Programs send few texts often. When it is full it starts anew.
local CACHE_MAX, LONGEST = 256, 4096
local cache, cached = {}, 0

--- Examines a statement.
-- @tparam string sql the text
-- @treturn table `kind` and `reason` of a refusal, `verb`, `text`,
-- `yields_rows`, `yields_none`, `changes_rows`, `may_write`
function statement.examine(sql)
  local known = cache[sql]
  if known then return known end
  known = examine(sql)
  if #sql > LONGEST then return known end
  if cached == CACHE_MAX then cache, cached = {}, 0 end
  cache[sql], cached = known, cached + 1
  return known
end

return statement
