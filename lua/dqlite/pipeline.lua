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

-- The most that a statement takes, and that go one by one.
local MOST_PARAMS, FEW_PARAMS = 32766, 50

-- ---- the entries ----

-- How many parameters follow the text; `n` counts trailing nils.
local function count_of(entry)
  local highest = 1
  for key in pairs(entry) do
    if type(key) == "number" and key > highest then highest = key end
  end
  local n = entry.n == nil and highest - 1 or entry.n
  local whole = type(n) == "number" and n >= 0 and n <= MOST_PARAMS and n % 1 == 0
  return whole and n or nil
end

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

local function new_item(i, known, entry, n)
  return {
    index = i,
    known = known,
    entry = entry,
    n = n, -- parameters
    rows = false, -- it is sent as a query
    lead = 0, -- answers that come before its own, as in dqlite.schema
    doubt = false, -- would a lost answer leave it in doubt?
    refused = nil, -- the error, when it could not be sent
    finalizing = 0, -- answers that come behind
    preparing = nil, -- the cache's entry, when one of them is to its PREPARE
  }
end

-- An entry as it is sent; everything that can be known to be wrong with it is
-- found here, before the first one leaves.
local function read_entry(conn, i, entry)
  if type(entry) ~= "table" or type(entry[1]) ~= "string" then
    errors.misuse(("entry %d of a pipeline is a table whose first value is the statement")
      :format(i))
  end
  local known = sql.examine(entry[1])
  local kind, reason = refusal(conn, known)
  if kind then return nil, indexed(i, kind, reason, known) end
  local n = count_of(entry)
  if not n then errors.misuse(("entry %d of a pipeline: n is a count"):format(i)) end
  local _, wrong, why = core.check_params(known.numbering, params_of(entry, n))
  if not wrong then return new_item(i, known, entry, n) end
  kind, reason = wrong, why
  if kind == "misuse" then errors.misuse(("entry %d of a pipeline: %s"):format(i, reason)) end
  return nil, indexed(i, kind, reason, known)
end

local function read_entries(conn, list)
  if type(list) ~= "table" then
    errors.misuse("a pipeline is a list of entries, not a " .. type(list))
  end
  helpers.check_list(list, "a pipeline")
  local items = {}
  for i, entry in ipairs(list) do
    local item, err = read_entry(conn, i, entry)
    if not item then return nil, err end
    items[i] = item
  end
  return items
end

-- ---- what the server and the transaction allow ----

local function most_params(items)
  local most = ANY
  for _, item in ipairs(items) do
    if item.known.params > most.params then most = item.known end
  end
  return most
end

-- The first entry with it.
local function any(items, field)
  for _, item in ipairs(items) do
    if item.known[field] then return item end
  end
end

local function unsupported(conn, item, what, reason)
  local err = errors.new {
    kind = "unsupported",
    message = what .. " in a pipeline, outside of a transaction: " .. reason,
    address = conn.address,
    sql = item.known.text,
  }
  err.index = item.index
  return err
end

-- Outside of a transaction no OR FAIL (dqlite.call), no RETURNING before 1.15
-- (hazards.md), and none with a `*`, since the schema could change before it
-- (dqlite.schema).
local function check_alone(conn, items)
  if conn.state.surely_open then return true end
  local fails, returning = any(items, "fails"), any(items, "returning")
  if fails then return nil, unsupported(conn, fails, "OR FAIL", "use execute") end
  if not returning then return true end
  local star = any(items, "returns_star")
  if star then return nil, unsupported(conn, star, "RETURNING *", "name the columns") end
  local can, err = features.statement_tail(conn)
  if can then return true end
  return nil, err or unsupported(conn, returning, "RETURNING", "not on this server (before 1.15)")
end

-- nil: as many as the window takes; 1: one by one, up to the first failure
local function how_many(conn, items)
  if not conn.state.surely_open or not any(items, "writes") then return nil end
  if any(items, "rollback") then return 1 end
  local safe, err = ahead.is_safe(conn)
  if safe and any(items, "returning") then safe, err = features.statement_tail(conn) end
  return not safe and 1 or nil, err
end

-- ---- one run ----

local Run = {}
Run.__index = Run

function Run:send(i)
  local conn, item = self.conn, self.items[i]
  if not item or self.stopped then return false end
  local known = item.known
  item.rows = known.yields_rows ~= false
  local unstable = known.unstable or known.returns_star
  item.lead = unstable and schema.lead(conn) or 0
  local sent, entry = exchange.write(conn, known, nil, item.rows,
    params_of(item.entry, item.n))
  if item.lead > 0 then schema.trail(conn, item.lead) end
  if not sent then
    item.refused = entry
    return true
  end
  item.doubt = known.writes and conn.state:in_doubt(known)
  if item.rows then conn.link.yields_rows = true end
  if entry or conn.cache.doomed[1] then
    item.finalizing, item.preparing = exchange.ride(conn, entry)
  end
  conn.link.queued = not self.received and conn.link.core:pending() or nil
  return true
end

function Run:fail(i, err)
  self.results[i] = { error = err }
  self.failure = self.failure or err
end

local function read_answer(self, item)
  local conn, known = self.conn, item.known
  conn.sql, conn.write = known.text, item.doubt
  if not item.rows then return result.counts(conn, known) end
  local read = self.settings.arrays and result.by_position or result.by_name
  local list, err = result.rows(conn, self.settings, read)
  return list and result.finished(list, self.settings), err
end

-- What was sent and not answered before the connection died.
local function lost(self, item)
  local cause = self.conn.link.cause
  return errors.lost(cause and cause.kind or "closed",
    "the connection was lost before the answer came", {
      address = self.conn.address,
      sql = item.known.text,
      write = item.doubt and not self.conn.link.unsent,
      leader = cause and cause.leader,
    })
end

function Run:receive(i)
  local conn, item = self.conn, self.items[i]
  self.received = true
  if not conn.link.stream then
    self:fail(i, lost(self, item))
    return false
  end
  local readable, wrong = true, nil
  if item.lead > 0 then readable, wrong = schema.read_lead(conn, item.lead) end
  local answer, err = nil, item.refused
  if readable and not err then answer, err = read_answer(self, item) end
  if item.lead > 0 then schema.read_trail(conn, item.lead) end
  if wrong then answer, err = nil, wrong end
  if answer then
    self.results[i] = answer
  else
    conn.state:failed(item.known, err)
    self:fail(i, err)
  end
  if item.preparing or item.finalizing > 0 then
    exchange.read_riders(conn, item.finalizing, item.preparing)
  end
  if not conn.link.stream then return false end
  self.stopped = not answer and self.most == 1
  return not self.stopped
end

-- Every place is filled: these were not sent.
local function fill(self)
  for i, item in ipairs(self.items) do
    if not self.results[i] then
      local err = errors.new {
        kind = "closed",
        message = "not sent: one before it failed",
        address = self.conn.address,
        sql = item.known.text,
        fatal = not self.conn.link.stream,
        retryable = true,
      }
      self.results[i] = { error = err }
    end
  end
end

local function run(conn, settings, items)
  local most, err = how_many(conn, items)
  if err then return nil, err end
  local self = setmetatable({
    conn = conn,
    settings = settings,
    items = items,
    most = most, -- how many may be on their way; nil: as the window says
    results = {},
    failure = nil, -- the first error
    received = false, -- an answer was waited for
    stopped = false,
  }, Run)
  conn.link.yields_rows = false
  conn.link.holds_lock = conn.state.maybe_open or any(items, "returning") ~= nil
  window.run(conn, "a pipeline", most,
    function(i) return self:send(i) end, function(i) return self:receive(i) end)
  fill(self)
  if self.failure then helpers.failed(conn, self.failure) end
  return self.results
end

--- See Connection:pipeline.
function pipeline.run(conn, list, opts)
  helpers.check_usable(conn)
  local settings = opts == nil and conn.settings
    or options.call(opts, conn.settings, "pipeline")
  local items, wrong = read_entries(conn, list)
  if not items then return helpers.failed(conn, wrong) end
  if #items == 0 then return {} end
  local ready, err = call.begin(conn, settings, most_params(items))
  if not ready then return helpers.failed(conn, err) end
  local results
  if any(items, "writes") then ready, err = scopes.settle(conn) end
  if ready then ready, err = check_alone(conn, items) end
  if ready then results, err = run(conn, settings, items) end
  call.finish(conn, err)
  if not results then return helpers.failed(conn, err) end
  return results
end

return pipeline
