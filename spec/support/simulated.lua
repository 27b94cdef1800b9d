--- A server that behaves as dqlite does where a client's care matters: it gives
-- out statement ids, keeps the transaction, counts parameters and speaks as one
-- version, "1.11.1", "1.14" (any of 1.12 to 1.14) or "1.18.6".
--
--    local conn, server = simulated.open "1.11.1"
--    server:on("SELECT a FROM t", { scripted.failure(1, "no such table: t") })
--
-- Where a real server would die, lose a write or misread, the connection is
-- closed and the spec fails, once `after_each(simulated.verify)` looks.
-- `server.applied` has the texts whose writes are durable. What it cannot know
-- it makes up: a query answers one row { a = 1 }, a write affects one row.
local scripted = require "spec.support.scripted"
local text_of = require "spec.support.sql_text"
local control = require "spec.support.simulated_control"

local simulated = {}

local violations = {}

--- Fails the spec in which a server would have suffered.
function simulated.verify()
  local found = table.concat(violations, "\n")
  violations = {}
  if found ~= "" then error("a real server would have suffered:\n" .. found, 0) end
end

--- What was noted since the last look, for specs of this file itself.
function simulated.violations()
  local found = violations
  violations = {}
  return found
end

local Server = {}

local function suffers(what, request)
  violations[#violations + 1] = ("%s: %s %s"):format(what, request.name,
    request.text or tostring(request.stmt or ""))
  return { "close" }
end

-- ---- running a text ----

local READS = { SELECT = true, VALUES = true, EXPLAIN = true, PRAGMA = true }

--- Ends the transaction as INSERT OR ROLLBACK does.
function Server:roll_back()
  control.roll_back(self)
end

--- Runs a write.
function Server:apply(text)
  local list = self.in_transaction and self.pending or self.applied
  list[#list + 1] = text
  self.last_id = self.last_id + 1
end

--- Is it the question whether a schema holds what may roll back?
function simulated.asks_for_triggers(text)
  return text:find "sqlite_schema" and text:lower():find "'%%?rollback%%?'" ~= nil
end

local function made_up(self, request, verb, as_query)
  local text = request.text
  if simulated.asks_for_triggers(text) then
    return { scripted.rows { columns = { "1" }, self.triggers and { 1 } or nil } }
  end
  if not READS[verb] then self:apply(text) end
  if as_query then return { scripted.rows { columns = { "a" }, { 1 } } } end
  return { scripted.result(self.last_id, 1) }
end

-- Before 1.15 a RETURNING that commits by itself is not replicated.
local function check_returning(self, text, as_query)
  if not text_of.has_word(text, "RETURNING") then return nil end
  if not as_query then return "RETURNING through EXEC" end
  if self.old and not self.in_transaction then return "RETURNING outside of a transaction" end
end

-- 1.18 loses its way when a write by itself fails and keeps rows.
local function check_fail(self, text)
  if self.old or self.in_transaction or READS[text_of.verb(text)] then return nil end
  if text_of.has_word(text, "FAIL") then return "OR FAIL outside of a transaction" end
end

local function check_params(self, request)
  local given = request.params and request.params.n or 0
  local wanted = text_of.count_params(request.text)
  if request.schema == 1 and self.version == "1.11.1" then
    return "parameters of schema 1 before 1.12"
  end
  if given ~= wanted then return ("%d parameters for %d"):format(given, wanted) end
end

-- A server takes the names of the columns before SQLite sees that the schema
-- was changed by another connection; reading the schema makes it see. Prepared
-- statements are their owner's to mind.
local function check_names(self, request)
  local text = request.text
  if text:find "sqlite_schema" then self.stale = false end
  if self.stale and request.sql and text_of.has_star(text) then
    return "old names over new values"
  end
end

local function run(self, request, as_query)
  local text = request.text
  if self.restless and not self.in_transaction then self.stale = true end
  local wrong = text_of.danger(text) or check_returning(self, text, as_query)
    or check_fail(self, text)
    or check_params(self, request) or as_query and check_names(self, request)
  if wrong then return suffers(wrong, request) end
  local planned = self.planned[text]
  if type(planned) == "function" then planned = planned(request, as_query) end
  if planned then return planned end
  local verb = text_of.verb(text)
  if control[verb] then return control[verb](self, text) end
  return made_up(self, request, verb, as_query)
end

-- ---- statement ids ----

local NEVER_PREPARED = { PRAGMA = true, EXPLAIN = true, CREATE = true, DROP = true,
  ALTER = true, ATTACH = true, DETACH = true, VACUUM = true, REINDEX = true, ANALYZE = true }

local function lowest_free(slots)
  local id = 0
  while slots[id] do id = id + 1 end
  return id
end

local function prepare(self, request, stream)
  local text = request.sql
  request.text = text
  local verb = text_of.verb(text)
  if NEVER_PREPARED[verb] or control[verb] then return suffers("PREPARE of " .. verb, request) end
  local wrong = text_of.danger(text)
  if wrong then return suffers(wrong, request) end
  if request.schema == 1 and self.version == "1.14" then
    return { scripted.failure(1005, "unrecognized schema version") }
  end
  local planned = self.unpreparable[text]
  if planned then return planned end
  local id = lowest_free(self.slots)
  self.slots[id] = { text = text, stream = stream, frame = stream.queued + 1 }
  return { scripted.frame("STMT", {
    schema = self.old and 0 or request.schema,
    stmt = id,
    params = self.miscount or text_of.count_params(text),
    tail = not self.old and request.schema == 1 and #text or nil,
  }) }
end

-- The statement behind an id; or what is wrong with using it now.
local function statement(self, request)
  local slot = self.slots[request.stmt]
  if not slot then return nil, "an id that was finalized or never given" end
  if slot.stream.taken < slot.frame then return nil, "an id whose STMT was not read" end
  request.text = slot.text
  return slot
end

local function by_id(as_query)
  return function(self, request)
    local slot, wrong = statement(self, request)
    if not slot then return suffers(wrong, request) end
    return run(self, request, as_query)
  end
end

local function by_text(as_query)
  return function(self, request)
    request.text = request.sql
    return run(self, request, as_query)
  end
end

local function finalize(self, request)
  local slot, wrong = statement(self, request)
  if not slot then return suffers(wrong, request) end
  self.slots[request.stmt] = nil
  return { scripted.frame("EMPTY", {}) }
end

local function cluster(self, request)
  if request.format > 1 and self.version ~= "1.11.1" then
    return { scripted.failure(1005, "unrecognized cluster format") }
  end
  return { scripted.frame("SERVERS", { servers = {} }) }
end

local HANDLERS = {
  PREPARE = prepare,
  FINALIZE = finalize,
  CLUSTER = cluster,
  EXEC = by_id(false),
  QUERY = by_id(true),
  EXEC_SQL = by_text(false),
  QUERY_SQL = by_text(true),
}

-- ---- the public face ----

--- Plans the answer to a text: frames, or a function of the request and of
-- whether it came as a query that returns some; nil: what is made up.
function Server:on(text, answer)
  self.planned[text] = answer
end

--- Plans one answer after the other; behind the last one comes what is made up.
function Server:sequence(text, ...)
  local list, n = { ... }, 0
  self.planned[text] = function()
    n = n + 1
    return list[n]
  end
end

--- Plans the failure of a PREPARE.
function Server:on_prepare(text, answer)
  self.unpreparable[text] = answer
end

local function show(request)
  local text = request.text
  if request.name == "EXEC" or request.name == "QUERY" then
    text = ("%d %s"):format(request.stmt, text or "?")
  elseif request.name == "FINALIZE" then
    text = tostring(request.stmt)
  end
  return text and request.name .. " " .. text or request.name
end

--- The requests since it was opened, or since an earlier look: "EXEC_SQL text",
-- "QUERY id text", "PREPARE text", "FINALIZE id". With `true` one list for each
-- write of the client.
function Server:log(by_write)
  local list, write = {}, nil
  for i = self.seen + 1, #self.sent do
    local request = self.sent[i]
    if by_write and request.write ~= write then
      list[#list + 1], write = {}, request.write
    end
    local into = by_write and list[#list] or list
    into[#into + 1] = show(request)
  end
  self.seen = #self.sent
  return list
end

--- A server of a version; "1.18.6" when it is left out.
function simulated.server(version)
  local self = scripted.server()
  for name, method in pairs(Server) do self[name] = method end
  for name, handler in pairs(HANDLERS) do
    self.answers[name] = function(request, stream) return handler(self, request, stream) end
  end
  self.version = version or "1.18.6"
  self.old = self.version ~= "1.18.6" -- before 1.15
  self.slots = {} -- statements by id
  self.planned, self.unpreparable = {}, {} -- answers by text
  self.miscount = nil -- the number of parameters that STMT claims
  self.triggers = false -- does the schema hold the word ROLLBACK?
  self.restless = false -- do others change the schema whenever they can?
  self.stale = false -- have they, since it was read here?
  self.in_transaction = false
  self.pending, self.savepoints = {}, {}
  self.applied = {}
  self.last_id = 0
  self.seen = 0 -- requests that log has shown
  return self
end

--- A connection to such a server, and the server.
-- @tparam[opt] string version
-- @tparam[opt] table opts of the connection
function simulated.open(version, opts)
  local conn, server = scripted.connect(simulated.server(version), opts)
  server:log()
  return conn, server
end

return simulated
