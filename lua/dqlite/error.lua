--- Error values: what a call answers beside nil, and what iterators raise.
-- `tostring(err)` is one line, and `"text: " .. err` works.
--
-- Kinds: "connect" (a node was not reached), "timeout", "closed" (the connection ended),
-- "protocol" (an answer that makes no sense, or is too large), "sql", "busy" (another one
-- writes), "constraint", "not_leader", "no_leader", "policy" (refused by an option), "pool" (no
-- connection came free, or it is closed), "value" (a value or an address that cannot be sent),
-- "unsupported" (by this server).
-- @classmod dqlite.error

--- The fields.
-- @table fields
-- @tfield string kind
-- @tfield string message what has happened, safe to print
-- @tfield bool fatal the connection is gone
-- @tfield bool retryable it was certainly not applied; inside of a transaction: none of that
-- @tfield bool ambiguous a write was sent and may have been applied
-- @tfield[opt] int code SQLite's extended code, or the node's
-- @tfield[opt] string name of the code, as "SQLITE_CONSTRAINT_UNIQUE"
-- @tfield[opt] string raw the server's message as it came, 4 KiB at most
-- @tfield[opt] string address of the node
-- @tfield[opt] string sql the statement, capped; never parameters
-- @tfield[opt] string leader who leads by now, where that has ended the call
-- @tfield[opt] int index which of several statements or sets it is about

local errors = {}

local MESSAGE_MAX = 1024 -- bytes of a server's text that are shown
local RAW_MAX = 4096
local SQL_MAX = 500

local KINDS = {
  connect = true, timeout = true, closed = true, protocol = true, sql = true,
  busy = true, constraint = true, not_leader = true, no_leader = true,
  policy = true, pool = true, value = true, unsupported = true,
}

-- What a server's code means. `outcome` is "refused" where the statement
-- certainly was not applied, and "unknown" where it may have been: that is
-- retryable for a read and ambiguous for a write. Codes are never masked: 10250 is
-- not 10.
local REFUSED, UNKNOWN = "refused", "unknown"
local CODES = {
  [0] = { name = "SQLITE_OK", kind = "sql" },
  [1] = { name = "SQLITE_ERROR", kind = "sql" },
  [2] = { name = "SQLITE_INTERNAL", kind = "sql" },
  [3] = { name = "SQLITE_PERM", kind = "sql" },
  [4] = { name = "SQLITE_ABORT", kind = "sql" },
  [5] = { name = "SQLITE_BUSY", kind = "busy", outcome = REFUSED },
  [261] = { name = "SQLITE_BUSY_RECOVERY", kind = "busy", outcome = REFUSED },
  [517] = { name = "SQLITE_BUSY_SNAPSHOT", kind = "busy", outcome = REFUSED },
  [773] = { name = "SQLITE_BUSY_TIMEOUT", kind = "busy", outcome = REFUSED },
  [6] = { name = "SQLITE_LOCKED", kind = "busy", outcome = REFUSED },
  [262] = { name = "SQLITE_LOCKED_SHAREDCACHE", kind = "busy", outcome = REFUSED },
  [518] = { name = "SQLITE_LOCKED_VTAB", kind = "busy", outcome = REFUSED },
  [7] = { name = "SQLITE_NOMEM", kind = "sql" },
  [8] = { name = "SQLITE_READONLY", kind = "sql" },
  [9] = { name = "SQLITE_INTERRUPT", kind = "sql", outcome = UNKNOWN, fatal = true },
  [10] = { name = "SQLITE_IOERR", kind = "sql", outcome = UNKNOWN, fatal = true },
  [11] = { name = "SQLITE_CORRUPT", kind = "sql" },
  [12] = { name = "SQLITE_NOTFOUND", kind = "sql" },
  [13] = { name = "SQLITE_FULL", kind = "sql" },
  [14] = { name = "SQLITE_CANTOPEN", kind = "sql" },
  [15] = { name = "SQLITE_PROTOCOL", kind = "sql" },
  [16] = { name = "SQLITE_EMPTY", kind = "sql" },
  [17] = { name = "SQLITE_SCHEMA", kind = "sql" },
  [18] = { name = "SQLITE_TOOBIG", kind = "sql" },
  [19] = { name = "SQLITE_CONSTRAINT", kind = "constraint" },
  [275] = { name = "SQLITE_CONSTRAINT_CHECK", kind = "constraint" },
  [531] = { name = "SQLITE_CONSTRAINT_COMMITHOOK", kind = "constraint" },
  [787] = { name = "SQLITE_CONSTRAINT_FOREIGNKEY", kind = "constraint" },
  [1043] = { name = "SQLITE_CONSTRAINT_FUNCTION", kind = "constraint" },
  [1299] = { name = "SQLITE_CONSTRAINT_NOTNULL", kind = "constraint" },
  [1555] = { name = "SQLITE_CONSTRAINT_PRIMARYKEY", kind = "constraint" },
  [1811] = { name = "SQLITE_CONSTRAINT_TRIGGER", kind = "constraint" },
  [2067] = { name = "SQLITE_CONSTRAINT_UNIQUE", kind = "constraint" },
  [2323] = { name = "SQLITE_CONSTRAINT_VTAB", kind = "constraint" },
  [2579] = { name = "SQLITE_CONSTRAINT_ROWID", kind = "constraint" },
  [2835] = { name = "SQLITE_CONSTRAINT_PINNED", kind = "constraint" },
  [3091] = { name = "SQLITE_CONSTRAINT_DATATYPE", kind = "constraint" },
  [20] = { name = "SQLITE_MISMATCH", kind = "sql" },
  [21] = { name = "SQLITE_MISUSE", kind = "sql" },
  [22] = { name = "SQLITE_NOLFS", kind = "sql" },
  [23] = { name = "SQLITE_AUTH", kind = "sql" },
  [24] = { name = "SQLITE_FORMAT", kind = "sql" },
  [25] = { name = "SQLITE_RANGE", kind = "sql" },
  [26] = { name = "SQLITE_NOTADB", kind = "sql" },
  [100] = { name = "SQLITE_ROW", kind = "sql" },
  [1001] = { name = "DQLITE_PROTO", kind = "protocol" },
  [1002] = { name = "DQLITE_NOTFOUND", kind = "sql" },
  [1005] = { name = "DQLITE_PARSE", kind = "protocol" },
  [8202] = { name = "SQLITE_IOERR_NOT_LEADER", kind = "not_leader",
    outcome = REFUSED, fatal = true },
  [10250] = { name = "SQLITE_IOERR_NOT_LEADER", kind = "not_leader",
    outcome = REFUSED, fatal = true },
  [8458] = { name = "SQLITE_IOERR_LEADERSHIP_LOST", kind = "not_leader",
    outcome = UNKNOWN, fatal = true },
  [10506] = { name = "SQLITE_IOERR_LEADERSHIP_LOST", kind = "not_leader",
    outcome = UNKNOWN, fatal = true },
}
errors.codes = CODES

-- A session whose node lost the leadership and got it back.
local SESSION_GONE = { name = "SQLITE_NOTFOUND", kind = "not_leader",
  outcome = REFUSED, fatal = true }

-- 1.11.1 answers raft's own number where the entry was refused at once: 7 is
-- RAFT_NOTLEADER there, and the text is what SQLite says of a
-- statement that is done. Out of memory it says something else.
local REFUSED_BY_RAFT = { name = "RAFT_NOTLEADER", kind = "not_leader",
  outcome = REFUSED, fatal = true }

-- 1.18 says this of one statement when it could not begin, whatever the reason:
-- mostly another connection's lock. It has not run.
local NOT_BEGUN = { name = "SQLITE_ERROR", kind = "busy", outcome = REFUSED }

local function meaning(code, text, about)
  if about.one_statement and code == 1 and text == "nonempty statement tail" then
    return NOT_BEGUN
  end
  if code == 7 and text == "no more rows available" then return REFUSED_BY_RAFT end
  if code == 12 and text:lower():find("no database opened", 1, true) then
    return SESSION_GONE
  end
  if CODES[code] then return CODES[code] end
  if code % 256 == 10 then return CODES[10] end
  return { name = "code " .. code, kind = "sql" }
end

-- ---- texts ----

-- What can forge or hide parts of a line: control characters of both sets,
-- line and paragraph separators, zero-width, bidi and byte-order marks.
local HIDDEN = {
  "[%z\1-\31\127]",
  "\194[\128-\159]",
  "\216\156",
  "\226\128[\139-\143\168-\174]",
  "\226\129[\160-\175]",
  "\239\187\191",
}

local function escape(bytes)
  return (bytes:gsub(".", function(byte)
    return ("\\x%02x"):format(byte:byte())
  end))
end

local SEQUENCES = {
  "^[\194-\223][\128-\191]",
  "^[\224-\239][\128-\191][\128-\191]",
  "^[\240-\244][\128-\191][\128-\191][\128-\191]",
}

-- Bytes above 127: those that are no UTF-8 are control characters to some
-- terminals.
local function escape_strays(bytes)
  local parts, i = {}, 1
  while i <= #bytes do
    local sequence
    for _, pattern in ipairs(SEQUENCES) do
      sequence = sequence or bytes:match(pattern, i)
    end
    parts[#parts + 1] = sequence or escape(bytes:sub(i, i))
    i = i + (sequence and #sequence or 1)
  end
  return table.concat(parts)
end

--- Makes a text from the network safe to print: what would not show is
-- escaped, and its length is capped.
-- @tparam string text any bytes
-- @treturn string one line
-- @local
function errors.visible(text)
  local capped = text:sub(1, MESSAGE_MAX):gsub("[\128-\255]+", escape_strays)
  for _, pattern in ipairs(HIDDEN) do capped = capped:gsub(pattern, escape) end
  return #text > MESSAGE_MAX and capped .. "..." or capped
end

--- What any error value says, of which the program may have made anything.
-- @param value that was raised
-- @treturn string
-- @local
function errors.describe(value)
  if type(value) == "string" then return value end
  local ok, text = pcall(tostring, value)
  if ok and type(text) == "string" then return text end
  return "an error value that cannot be shown, a " .. type(value)
end

-- ---- values ----

local Error = {}
Error.__index = Error
Error.__name = "dqlite.error"

function Error:__tostring()
  local parts = { self.kind, ": ", self.message }
  if self.name then
    parts[#parts + 1] = (" (%s, %s)"):format(self.name, tostring(self.code))
  end
  if self.address then parts[#parts + 1] = " at " .. errors.visible(self.address) end
  return table.concat(parts)
end

function Error.__concat(a, b)
  return tostring(a) .. tostring(b)
end

--- Is it the name of a kind of error?
-- @local
function errors.is_kind(name)
  return KINDS[name] or false
end

--- Is it an error value of this library?
-- @local
function errors.is_error(value)
  return getmetatable(value) == Error
end

--- A text of a statement as it is shown: capped, and safe to print.
-- @tparam[opt] string text
-- @treturn string|nil
-- @local
function errors.shown_sql(text)
  return text and errors.visible(text:sub(1, SQL_MAX))
end

--- Makes an error value.
-- @tparam table fields `kind` and `message`, and what else is known; the
-- three booleans are false where they are left out
-- @treturn table the error
-- @local
function errors.new(fields)
  assert(KINDS[fields.kind], "unknown kind of error")
  local err = {
    kind = fields.kind,
    message = fields.message,
    code = fields.code,
    name = fields.name,
    raw = fields.raw,
    address = fields.address,
    sql = errors.shown_sql(fields.sql),
    leader = fields.leader,
    fatal = fields.fatal or false,
    retryable = fields.retryable or false,
    ambiguous = fields.ambiguous or false,
  }
  return setmetatable(err, Error)
end

--- Makes the error of a FAILURE that a server answered.
-- @tparam number code as it came
-- @tparam string text as it came
-- @tparam table about `address`, `sql`, `write`: could the request have changed
-- the database? and `one_statement`: is it sure to hold but one?
-- @treturn table the error
-- @local
function errors.from_failure(code, text, about)
  local means = meaning(code, text, about)
  local unknown = means.outcome == UNKNOWN
  return errors.new {
    kind = means.kind,
    message = errors.visible(text),
    code = code,
    name = means.name,
    raw = text:sub(1, RAW_MAX),
    address = about.address,
    sql = about.sql,
    fatal = means.fatal,
    retryable = means.outcome == REFUSED or unknown and not about.write,
    ambiguous = unknown and about.write,
  }
end

--- Makes the error of a request whose answer will never come.
-- @tparam string kind "timeout", "closed" or "protocol"
-- @tparam string message what happened
-- @tparam table about as in from_failure, and `leader`: who leads by now
-- @treturn table the error
-- @local
function errors.lost(kind, message, about)
  return errors.new {
    kind = kind,
    message = message,
    address = about.address,
    sql = about.sql,
    leader = about.leader,
    fatal = true,
    retryable = not about.write,
    ambiguous = about.write,
  }
end

-- ---- misuse ----

local LIBRARY = debug.getinfo(1, "S").source:gsub("error%.lua$", "")

-- "file:line: " of the innermost function that is not the library's.
local function caller()
  for level = 3, 50 do
    local info = debug.getinfo(level, "Sl")
    if not info then return "" end
    local ours = info.source:sub(1, #LIBRARY) == LIBRARY
    if info.currentline > 0 and not ours then
      return ("%s:%d: "):format(info.short_src, info.currentline)
    end
  end
  return ""
end

--- Raises a mistake of the program at the line that called the library.
-- @tparam string message what is wrong
-- @local
function errors.misuse(message)
  error(caller() .. message, 0)
end

--- Raises again what a C function raised: its misuse at the caller's line,
-- anything else unchanged.
-- @param raised what pcall gave
-- @local
function errors.raised(raised)
  if type(raised) ~= "string" or raised:find("not enough memory", 1, true) then
    error(raised, 0)
  end
  errors.misuse(raised)
end

return errors
