--- A text of several statements, run one by one.
-- @module dqlite.script

local call = require "dqlite.call"
local errors = require "dqlite.error"
local helpers = require "dqlite.helpers"
local options = require "dqlite.options"
local result = require "dqlite.result"
local scopes = require "dqlite.scope"
local sql = require "dqlite.sql"

local script = {}

local function indexed(i, err)
  err.index = i
  return err
end

local function problem(conn, known)
  if known.problem then return helpers.refuse(known.problem, known.reason, known) end
  if known.params > 0 then
    return helpers.refuse("value", "a script takes no parameters", known)
  end
  return helpers.check_reads_only(conn, known)
end

-- Everything that can be known to be wrong is found before the first one runs.
local function check(conn, list)
  if #list == 0 then
    return errors.new { kind = "value", message = "the script is empty" }
  end
  for i, known in ipairs(list) do
    helpers.check_control(conn, known)
    local wrong = problem(conn, known)
    if wrong then return indexed(i, wrong) end
  end
end

local function run_one(conn, settings, known, deadline)
  local ready, refused = call.begin(conn, settings, known, deadline)
  if not ready then return nil, refused end
  local read = known.yields_rows and result.count or nil
  local sure, answer, err = true, nil, nil
  -- one that opens a transaction is told from one inside of another
  if known.kind == "savepoint" then sure, err = scopes.settle(conn) end
  local was_open = conn.state.maybe_open
  if sure then answer, err = call.run(conn, settings, known, nil, read, nil) end
  call.finish(conn, err)
  return answer, err, was_open
end

-- Is a transaction open that the script itself has opened?
local function has_opened(known, before, was_open)
  if known.kind == "commit" or known.kind == "rollback" then return false end
  if known.kind == "begin" then return true end
  return before or known.kind == "savepoint" and not was_open
end

local function roll_back(conn, settings)
  local ready = call.begin(conn, settings, sql.examine "ROLLBACK")
  if not ready then return end
  scopes.undo(conn, "transaction")
  call.finish(conn)
end

local function run_all(conn, settings, list)
  local deadline = conn.link.loop.now() + settings.timeout
  local opened = false
  for i, known in ipairs(list) do
    local answer, err, was_open = run_one(conn, settings, known, deadline)
    if not answer then
      if opened and conn.state.maybe_open then roll_back(conn, settings) end
      return helpers.failed(conn, indexed(i, err))
    end
    opened = has_opened(known, opened, was_open)
    helpers.end_handle(conn, known)
  end
  return #list
end

--- See Connection:script.
function script.run(conn, text, opts)
  helpers.check_usable(conn)
  if type(text) ~= "string" then
    errors.misuse("a script is a string, not a " .. type(text))
  end
  local settings = opts == nil and conn.settings or options.call(opts, conn.settings)
  local list = sql.split(text)
  local wrong = check(conn, list)
  if wrong then return helpers.failed(conn, wrong) end
  return run_all(conn, settings, list)
end

return script
