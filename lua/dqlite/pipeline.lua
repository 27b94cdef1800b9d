--- Statements sent without waiting for the answers to the ones before them,
-- each with a result or an error of its own.
-- @module dqlite.pipeline

local ahead = require "dqlite.ahead"
local call = require "dqlite.call"
local core = require "dqlite.core"
local errors = require "dqlite.error"
local exchange = require "dqlite.exchange"
local features = require "dqlite.features"
local helpers = require "dqlite.helpers"
local options = require "dqlite.options"
local result = require "dqlite.result"
local schema = require "dqlite.schema"
local scopes = require "dqlite.scope"
local sql = require "dqlite.sql"
local window = require "dqlite.window"

local pipeline = {}

-- What an empty pipeline is, and what a call begins with.
local ANY = sql.examine "SELECT 1"

local unpack = table.unpack or rawget(_G, "unpack")

local FEW_PARAMS = 50 -- go one by one

-- ---- the entries ----

-- The parameters as exchange.write takes them: one by one, or many in a table.
local function params_of(entry, n)
  if n <= FEW_PARAMS then return unpack(entry, 2, n + 1) end
  local list = { n = n }
  for i = 1, n do list[i] = entry[i + 1] end
  return list
end

local function refusal(conn, known)
  if known.problem then return known.problem, known.reason end
  if known.control then
    return "value", known.verb .. " in a pipeline: what is behind it would be sent anyway"
  end
  local wrong = helpers.check_reads_only(conn, known)
  if wrong then return wrong.kind, wrong.message end
end

local function indexed(i, kind, reason, known)
  local err = errors.new { kind = kind, message = errors.visible(reason), sql = known.text }
  err.index = i
  return err
end

-- What a pipeline asks for as a whole is told by these of its statements.
local TRAITS = { "writes", "fails", "returning", "returns_star", "rollback" }

-- A statement that is new to the batch.
local function add_statement(batch, i, known)
  for _, trait in ipairs(TRAITS) do
    if known[trait] and not batch.first[trait] then batch.first[trait] = i end
  end
  if known.params > batch.most.params then batch.most = known end
  batch.seen[known] = true
end

-- An entry as it is sent; everything that can be known to be wrong with it is
-- found here, before the first one leaves.
local function add_entry(batch, conn, i)
  local text, n = batch.texts[i], batch.counts[i]
  if not text then
    errors.misuse(("entry %d of a pipeline is a table whose first value is the statement")
      :format(i))
  end
  local known = batch.knowns[i - 1]
  if not known or batch.texts[i - 1] ~= text then known = sql.examine(text) end
  batch.knowns[i] = known
  if not batch.seen[known] then
    local kind, reason = refusal(conn, known)
    if kind then return indexed(i, kind, reason, known) end
    add_statement(batch, i, known)
  end
  if n == 0 and known.params == 0 then return nil end
  if not n then errors.misuse(("entry %d of a pipeline: n is a count"):format(i)) end
  local _, kind, reason = core.check_params(known.numbering, params_of(batch.entries[i], n))
  if kind == "misuse" then errors.misuse(("entry %d of a pipeline: %s"):format(i, reason)) end
  return kind and indexed(i, kind, reason, known)
end

-- The list itself, but for one with a metatable, which may hold other entries than
-- are in it.
local function plain(list)
  if type(list) ~= "table" then
    errors.misuse("a pipeline is a list of entries, not a " .. type(list))
  end
  if not getmetatable(list) then return list end
  helpers.check_list(list, "a pipeline")
  local copy = {}
  for i, entry in ipairs(list) do copy[i] = entry end
  return copy
end

-- The whole list, as `Run` needs it.
local function read_entries(conn, given)
  local list = plain(given)
  local batch = {
    entries = list,
    texts = {},
    counts = {}, -- how many parameters each has
    knowns = {}, -- what is known of each statement
    seen = {}, -- set of these
    first = {}, -- by trait: the index of the first entry with it
    most = ANY, -- the statement that takes most parameters
  }
  local count = core.entries(list, batch.texts, batch.counts)
  if not count then errors.misuse "a pipeline with a hole" end
  for i = 1, count do
    local err = add_entry(batch, conn, i)
    if err then return nil, err end
  end
  return batch
end

-- ---- what the server and the transaction allow ----

local function unsupported(conn, batch, i, what, reason)
  local err = errors.new {
    kind = "unsupported",
    message = what .. " in a pipeline, outside of a transaction: " .. reason,
    address = conn.address,
    sql = batch.knowns[i].text,
  }
  err.index = i
  return err
end

-- Outside of a transaction no OR FAIL (dqlite.call), no RETURNING before 1.15
-- (hazards.md), and none with a `*`, since the schema could change before it
-- (dqlite.schema).
local function check_alone(conn, batch)
  if conn.state.surely_open then return true end
  local first = batch.first
  if first.fails then
    return nil, unsupported(conn, batch, first.fails, "OR FAIL", "use execute")
  end
  if not first.returning then return true end
  if first.returns_star then
    return nil, unsupported(conn, batch, first.returns_star, "RETURNING *", "name the columns")
  end
  local can, err = features.statement_tail(conn)
  if can then return true end
  return nil, err
    or unsupported(conn, batch, first.returning, "RETURNING", "not on this server (before 1.15)")
end

-- nil: as many as the window takes; 1: one by one, up to the first failure
local function how_many(conn, batch)
  local first = batch.first
  if not conn.state.surely_open or not first.writes then return nil end
  if first.rollback then return 1 end
  local safe, err = ahead.is_safe(conn)
  if safe and first.returning then safe, err = features.statement_tail(conn) end
  return not safe and 1 or nil, err
end

-- ---- one run ----

local Run = {}
Run.__index = Run

-- What rides behind a statement: FINALIZE, PREPARE.
local function ride(self, i, entry)
  local finalizing, preparing = exchange.ride(self.conn, entry)
  self.riders[i] = { finalizing = finalizing, preparing = preparing }
end

-- Answers how many bytes are pending then.
local function send_one(self, i)
  local conn, known, n = self.conn, self.knowns[i], self.counts[i]
  local as_query, lead = known.yields_rows ~= false, nil
  if known.unstable or known.returns_star then
    lead = schema.lead(conn)
    self.leads[i] = lead
  end
  local sent, entry
  if n == 0 then
    sent, entry = exchange.write(conn, known, nil, as_query)
  else
    sent, entry = exchange.write(conn, known, nil, as_query, params_of(self.entries[i], n))
  end
  if lead then schema.trail(conn, lead) end
  if not sent then
    self.refused[i] = entry
    return 0
  end
  if known.writes then self.doubts[i] = conn.state:in_doubt(known) end
  if as_query then conn.link.yields_rows = true end
  if entry or conn.cache.doomed[1] then ride(self, i, entry) end
  return sent
end

function Run:send(first, most)
  local n, knowns, pending = 0, self.knowns, 0
  if self.stopped then return 0 end
  while n < most and knowns[first + n] and pending < window.BYTES do
    pending = send_one(self, first + n)
    n = n + 1
  end
  return n
end

function Run:fail(i, err)
  self.results[i] = { error = err }
  self.failure = self.failure or err
end

local function read_answer(self, i, known)
  local conn = self.conn
  conn.sql, conn.write = known.text, self.doubts[i] or false
  if known.yields_rows == false then return result.counts(conn, known) end
  local list, err = result.rows(conn, self.settings, self.read)
  return list and result.finished(list, self.settings), err
end

-- What was sent and not answered before the connection died.
local function lost(self, i)
  local conn = self.conn
  local cause = conn.link.cause
  return errors.lost(cause and cause.kind or "closed",
    "the connection was lost before the answer came", {
      address = conn.address,
      sql = self.knowns[i].text,
      write = self.doubts[i] and not conn.link.unsent,
      leader = cause and cause.leader,
    })
end

-- The answer to an entry that others came ahead of.
local function read_behind(self, i, known, lead)
  local conn = self.conn
  local readable, wrong = schema.read_lead(conn, lead)
  local answer, err = nil, self.refused[i]
  if readable and not err then answer, err = read_answer(self, i, known) end
  schema.read_trail(conn, lead)
  if wrong then return nil, wrong end
  return answer, err
end

function Run:receive(i)
  local conn, known, lead = self.conn, self.knowns[i], self.leads[i]
  if not conn.link.stream then
    self:fail(i, lost(self, i))
    return 1, false
  end
  local answer, err = nil, self.refused[i]
  if lead then
    answer, err = read_behind(self, i, known, lead)
  elseif not err then
    answer, err = read_answer(self, i, known)
  end
  if answer then
    self.results[i] = answer
  else
    conn.state:failed(known, err)
    self:fail(i, err)
  end
  local riders = self.riders[i]
  if riders then exchange.read_riders(conn, riders.finalizing, riders.preparing) end
  if not conn.link.stream then return 1, false end
  self.stopped = not answer and self.most == 1
  return 1, not self.stopped
end

-- Every place is filled: these were not sent.
local function fill(self)
  for i, known in ipairs(self.knowns) do
    if not self.results[i] then
      local err = errors.new {
        kind = "closed",
        message = "not sent: one before it failed",
        address = self.conn.address,
        sql = known.text,
        fatal = not self.conn.link.stream,
        retryable = true,
      }
      self.results[i] = { error = err }
    end
  end
end

local function run(conn, settings, batch)
  local most, err = how_many(conn, batch)
  if err then return nil, err end
  local self = setmetatable({
    conn = conn,
    settings = settings,
    read = settings.arrays and result.by_position or result.by_name,
    entries = batch.entries,
    knowns = batch.knowns,
    counts = batch.counts,
    most = most, -- how many may be on their way; nil: as the window says
    -- of few entries, by their index:
    leads = {}, -- how many answers come before its own, as in dqlite.schema
    doubts = {}, -- would a lost answer leave it in doubt?
    refused = {}, -- the error, when it could not be sent
    riders = {}, -- what was sent behind it
    results = {},
    failure = nil, -- the first error
    stopped = false,
  }, Run)
  conn.link.yields_rows = false
  conn.link.holds_lock = conn.state.maybe_open or batch.first.returning ~= nil
  window.run(conn, "a pipeline", most, self)
  if self.failure then
    fill(self)
    helpers.failed(conn, self.failure)
  end
  return self.results
end

--- See Connection:pipeline.
function pipeline.run(conn, list, opts)
  helpers.check_usable(conn)
  local settings = opts == nil and conn.settings
    or options.call(opts, conn.settings, "pipeline")
  local batch, wrong = read_entries(conn, list)
  if not batch then return helpers.failed(conn, wrong) end
  if not batch.knowns[1] then return {} end
  local ready, err = call.begin(conn, settings, batch.most)
  if not ready then return helpers.failed(conn, err) end
  local results
  if batch.first.writes then ready, err = scopes.settle(conn) end
  if ready then ready, err = check_alone(conn, batch) end
  if ready then results, err = run(conn, settings, batch) end
  call.finish(conn, err)
  if not results then return helpers.failed(conn, err) end
  return results
end

return pipeline
