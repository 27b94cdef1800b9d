--- One statement with many sets of parameters, all or nothing: in a transaction
-- of its own, or in a savepoint of the one that is open.
-- @module dqlite.many

local ahead = require "dqlite.ahead"
local call = require "dqlite.call"
local errors = require "dqlite.error"
local exchange = require "dqlite.exchange"
local features = require "dqlite.features"
local helpers = require "dqlite.helpers"
local options = require "dqlite.options"
local result = require "dqlite.result"
local scopes = require "dqlite.scope"
local window = require "dqlite.window"

local many = {}

-- ---- the statement ----

-- Its id, so that the text goes out once; nil where it is not to be cached.
local function prepare(conn, known)
  local entry = conn.cache:claim(known)
  if not entry or entry.id then return entry and entry.id end
  for _ = 1, 2 do -- again with schema 0 where 1 is not known
    if entry.id or entry.asked then break end
    conn.write, conn.link.yields_rows = false, false
    if not conn.link.core:prepare(entry.text, conn.prepare_schema) then break end
    entry.asked = true
    if not exchange.read_prepared(conn, entry) then break end
  end
  return entry.id
end

-- May requests be sent before the ones before them are answered?
local function is_ahead(conn, known)
  if known.rollback then return false end
  local safe, err = ahead.is_safe(conn)
  if not safe or not known.returning then return safe, err end
  return features.statement_tail(conn)
end

-- ---- the parameters ----

-- The list, where several sets can be taken at once. One with a metatable may be
-- no plain list.
local function plain(list)
  return type(list) == "table" and not getmetatable(list) and list
end

-- Answers the i-th set of parameters, the next one, nil at the end; or nil and what a user's
-- iterator raised.
local function sets_of(list)
  if type(list) == "table" then
    helpers.check_list(list, "a list of sets of parameters")
    return function(i) return list[i] end
  end
  if type(list) ~= "function" then
    errors.misuse("sets of parameters are a list or an iterator, not a " .. type(list))
  end
  return function()
    local ok, set = pcall(list)
    if ok then return set end
    return nil, { raised = set }
  end
end

-- One run: what it needs, and what became of it.
local Run = {}
Run.__index = Run

-- Sends no more. What is to be raised is raised later: what is on its way has
-- to be answered first.
function Run:stop(i, err, raised)
  if not self.failure then
    self.failure = { index = i, err = err, raised = raised }
  end
  return 0
end

local function send_one(self, i)
  local conn, known = self.conn, self.known
  local set, broken = self.next_set(i)
  if broken then return self:stop(i, nil, broken) end
  if set == nil then return 0 end
  if type(set) ~= "table" then
    return self:stop(i, nil, { misuse = "it is a table, not a " .. type(set) })
  end
  local sent, err = exchange.write(conn, known, self.id, known.returning, set)
  if sent then return 1 end
  if err.misuse then return self:stop(i, nil, err) end
  return self:stop(i, err)
end

function Run:send(i, most)
  if self.failure then return 0 end
  local id, known = self.id, self.known
  if id and self.list and not known.returning then
    local n = self.conn.link.core:exec_sets(id, known.numbering, self.list, i, most)
    if n > 0 then return n end
  end
  return send_one(self, i)
end

function Run:receive(i)
  local conn, known = self.conn, self.known
  if not known.returning then
    local n, rows = conn.link.core:results()
    self.total = self.total + rows
    if n > 0 then return n, true end
  end
  if not conn.link.stream then
    self:stop(i, conn.link:ended())
    return 1, false
  end
  local answer, err
  if known.returning then
    answer, err = result.rows(conn, self.settings, result.count)
    self.total = self.total + (answer and answer.count or 0)
  else
    answer, err = result.counts(conn, known)
    self.total = self.total + (answer and answer.rows_affected or 0)
  end
  if answer then return 1, true end
  conn.state:failed(known, err)
  self:stop(i, err)
  return 1, false
end

local function run_all(self)
  local conn, link = self.conn, self.conn.link
  local pipelined, err = is_ahead(conn, self.known)
  if err then return self:stop(nil, err) end
  self.id = self.id or prepare(conn, self.known)
  if not link.stream then return self:stop(nil, link.cause or link:ended()) end
  conn.write, link.yields_rows, link.holds_lock = false, self.known.returning, true
  window.run(conn, "executemany", not pipelined and 1 or nil, self)
end

local function finish(self, scope)
  local conn, failure = self.conn, self.failure
  if not failure then
    local kept, err = scopes.keep(conn, scope)
    if kept then return { rows_affected = self.total } end
    scopes.undo(conn, scope)
    return nil, err
  end
  scopes.undo(conn, scope)
  if failure.err then failure.err.index = failure.index end
  return nil, failure.err
end

local function raise(index, raised)
  if not raised.misuse then error(raised.raised, 0) end
  errors.misuse(("set %d of the parameters: %s"):format(index, raised.misuse))
end

local function perform(conn, settings, known, id, list, next_set)
  local ready, refused = call.begin(conn, settings, known)
  if not ready then return nil, refused end
  local scope, err = scopes.open(conn, "BEGIN IMMEDIATE", "savepoint")
  if not scope then
    call.finish(conn, err)
    return nil, err
  end
  local self = setmetatable({
    conn = conn,
    settings = settings,
    known = known,
    id = id, -- of the prepared statement; nil: as text
    list = plain(list), -- of sets; else they come one by one
    next_set = next_set,
    total = 0, -- rows affected
    failure = nil, -- the first one: `index`, `err` or `raised`
  }, Run)
  run_all(self)
  local answer, failed = finish(self, scope)
  call.finish(conn, failed)
  local failure = self.failure
  if failure and failure.raised then raise(failure.index, failure.raised) end
  return answer, failed
end

local function check(conn, known)
  if known.problem then return nil end -- call.begin says it
  if known.counts then return helpers.check_reads_only(conn, known) end
  return helpers.refuse("value",
    known.verb .. " in executemany: it is for INSERT, REPLACE, UPDATE, DELETE", known)
end

--- See Connection:executemany.
function many.execute(conn, known, id, list, opts)
  helpers.check_usable(conn)
  local settings = opts == nil and conn.settings or options.call(opts, conn.settings)
  local next_set = sets_of(list)
  local wrong = check(conn, known)
  if wrong then return helpers.failed(conn, wrong) end
  local answer, err = perform(conn, settings, known, id, list, next_set)
  if not answer then return helpers.failed(conn, err) end
  return answer
end

return many
