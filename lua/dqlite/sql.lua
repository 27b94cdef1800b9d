--- What can be told from the text of a statement before it is sent: whether it
-- may be, which way it goes, and what its answer means. The scanner in C says
-- what the text is; here is what follows from that.
-- @module dqlite.sql

local core = require "dqlite.core"
local errors = require "dqlite.error"

local sql = {}

-- More of them need a server that can count them (dqlite.features).
sql.COUNTED_IN_A_BYTE = 255

local CONTROL = {
  begin = true, commit = true, rollback = true,
  rollback_to = true, savepoint = true, release = true,
}

-- PRAGMAs that yield rows though they are given a value, and the one that never
-- does.
local PRAGMA_ROWS = { shrink_memory = false }
for name in ([[secure_delete mmap_size max_page_count analysis_limit threads
  journal_size_limit soft_heap_limit hard_heap_limit table_info table_xinfo index_info
  index_xinfo index_list foreign_key_list foreign_key_check integrity_check
  quick_check]]):gmatch "%S+" do
  PRAGMA_ROWS[name] = true
end

local function pragma_yields_rows(found)
  local name = found.text:lower():match "^pragma%s+([%w_.]+)"
  local known = PRAGMA_ROWS[name and name:match "[%w_]*$"]
  if known == nil and not found.setter then return true end
  return known
end

-- Nil, for most PRAGMAs with a value and for what we do not know, leaves it to
-- the call: fetch asks for rows, execute does not.
local function yields_rows(found)
  if found.explain or found.returning or found.kind == "read" then return true end
  if found.kind == "unknown" then return nil end
  if found.kind == "pragma" then return pragma_yields_rows(found) end
  return false
end

-- Kinds that change nothing, whatever becomes of their answer.
local HARMLESS = {
  read = true, begin = true, rollback = true, rollback_to = true,
  savepoint = true, detach = true, empty = true,
}

local function may_write(found)
  if found.explain or HARMLESS[found.kind] then return false end
  if found.kind ~= "pragma" then return true end
  return found.setter and not pragma_yields_rows(found)
end

-- SELECT, VALUES, WITH, INSERT, UPDATE, DELETE, REPLACE, and no `*`, whose
-- columns a prepared statement would keep after they changed (hazards.md,
-- Silent wrong answers).
local function can_prepare(found)
  return not found.explain and (found.kind == "read" or found.kind == "change")
end

-- Kind and reason of the error that takes the place of sending it.
local function problem(text, found)
  if found.refusal then return "unsupported", found.refusal end
  if found.kind == "empty" then return "value", "the statement is empty" end
  if text:find("\0", 1, true) then
    return "value", "a NUL in the statement: its end for the server"
  end
  if found.misnumbered then
    return "value", "parameters are numbered from ?1 to ?32766"
  end
end

local function examine(text, found)
  local kind, reason = problem(text, found)
  local inserts = found.verb == "INSERT" or found.verb == "REPLACE"
  local preparable = can_prepare(found)
  local known = {
    problem = kind, -- of the error when it is not sent, else nil
    reason = reason,
    kind = found.kind, -- as in core.scan
    verb = found.verb,
    text = found.text, -- what to send
    numbering = found.numbering, -- of its parameters
    params = found.params,
    yields_rows = yields_rows(found), -- nil: the call decides
    returning = found.returning and not found.explain,
    rollback = found.rollback, -- the keyword is in it
    -- may fail and keep rows: outside of a transaction that takes 1.18 down
    fails = found.fails and found.kind == "change" and not found.explain,
    counts = found.kind == "change" and not found.explain, -- has rows_affected
    inserts = inserts and not found.explain, -- has last_insert_id
    writes = may_write(found), -- could it have, if its answer is lost?
    control = CONTROL[found.kind] and not found.explain or false,
    preparable = preparable,
    cacheable = preparable and not found.star,
    -- names of its columns follow the schema: see dqlite.schema
    unstable = found.star and found.kind == "read" and not found.explain,
    returns_star = found.star and found.returning and not found.explain,
    plain = false, -- nothing has to be asked or sent ahead of it
    simple = false, -- nor is anything to be concluded from how it ends
  }
  known.plain = not (kind or known.returning or known.unstable or known.fails
    or known.params > sql.COUNTED_IN_A_BYTE)
  known.simple = known.plain and not known.control
  return known
end

-- Programs send few texts often. When it is full it starts anew.
local CACHE_MAX, LONGEST = 512, 4096
local cached = 0

local function remember(examined, text, known)
  if #text > LONGEST then return known end
  if cached == CACHE_MAX then
    for each in pairs(examined) do examined[each] = nil end
    cached = 0
  end
  rawset(examined, text, known)
  cached = cached + 1
  return known
end

local function examine_one(text)
  if type(text) ~= "string" then
    errors.misuse("the statement is a string, not a " .. type(text))
  end
  local found = core.scan(text, 1)
  local known = examine(text, found)
  if found.more and not known.problem then
    known.problem = "value"
    known.reason = "several statements in one text: use script"
  end
  return known
end

--- By a text that must be one statement, what is known of it. Raises what is no text.
-- @field text `problem` and `reason` of a refusal, and what the constructor above lists
sql.examined = setmetatable({}, {
  __index = function(examined, text) return remember(examined, text, examine_one(text)) end,
})

--- The same as a function.
-- @tparam string text
-- @treturn table
function sql.examine(text)
  return sql.examined[text]
end

--- Examines a text of several statements.
-- @tparam string text
-- @treturn {table,...} one as `examine` gives for each; a text without any
-- has none
function sql.split(text)
  local list, at = {}, 1
  while at <= #text do
    local found = core.scan(text, at)
    if found.kind == "empty" then break end
    list[#list + 1] = examine(found.text, found)
    at = found.next
  end
  return list
end

return sql
