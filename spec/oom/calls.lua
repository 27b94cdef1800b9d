--- What scenarios about a connection share: a simulated server with answers to
-- the texts used, and the look at the connection afterwards.
local dqlite = require "dqlite"
local harness = require "spec.oom.harness"
local quiet = require "spec.oom.quiet"
local scripted = require "spec.support.scripted"
local simulated = require "spec.support.simulated"

local calls = {}

local ALIVE = { scripted.rows { columns = { "alive" }, { 7 } } }

--- A server that plans answers, text -> frames, and one to what is asked
-- afterwards.
function calls.server(answers, version)
  local server = quiet.server(simulated.server(version))
  for text, answer in pairs(answers or {}) do server:on(text, answer) end
  server:on("SELECT alive", ALIVE)
  return server
end

--- A function that opens a connection to one, for `open` of a scenario.
function calls.opener(answers, opts, version)
  return function()
    local server = calls.server(answers, version)
    local settings = { loop = server.loop }
    for name, value in pairs(opts or {}) do settings[name] = value end
    return assert(dqlite.connect(server.address, settings)), server
  end
end

-- ---- afterwards ----

-- A connection that says it is lost must mean it.
local function check_lost(conn, err)
  if err.kind ~= "closed" or not err.fatal then
    return "the next call answers " .. tostring(err)
  end
  if conn:is_open() then return "it is open, and the next call finds it lost" end
end

local function check_usable(conn, server)
  local list, err = conn:fetchall "SELECT alive"
  if not list then return check_lost(conn, err) end
  if not harness.same(list, { { 7 } }) then return "the next call has the answer of another" end
  if server.in_transaction and not conn:in_transaction() then
    return "a transaction is open, and the connection does not know"
  end
  if conn:in_transaction() then
    local back, failed = conn:rollback()
    if not back then return check_lost(conn, failed) end
    if server.in_transaction or conn:in_transaction() then return "ROLLBACK did nothing" end
  end
  local done, refused = conn:execute "DELETE FROM alive"
  if not done or done.rows_affected ~= 1 then
    return "the write afterwards answers " .. tostring(refused)
  end
end

local function check_closed(conn, server)
  conn:close()
  if server.closed ~= server.connects then return "the stream is open" end
  local suffered = simulated.violations()
  if suffered[1] then return "a real server would have suffered: " .. suffered[1] end
end

--- `after` of a scenario: the connection works or is lost; then it is closed.
function calls.after(_, conn, server)
  local wrong = check_usable(conn, server)
  return wrong or check_closed(conn, server)
end

--- The same where no transaction may be left, and the writes (without that of
-- the look itself) are all of `writes` or none.
function calls.all_or_nothing(writes)
  return function(ok, conn, server)
    conn:fetchval "SELECT alive" -- ends what was broken off
    if conn:is_open() and (conn:in_transaction() or server.in_transaction) then
      return "a transaction was left open"
    end
    local wrong = check_usable(conn, server) or check_closed(conn, server)
    if wrong then return wrong end
    local applied = server.applied
    if applied[#applied] == "DELETE FROM alive" then applied[#applied] = nil end
    if harness.same(applied, writes) or not ok and #applied == 0 then return nil end
    return ("%d writes of %d were applied"):format(#applied, #writes)
  end
end

--- A scenario of one call on a connection.
-- @tparam string name
-- @tparam table|function open answers, or a function that opens
-- @tparam function run
-- @tparam table|function want results, or a function that looks at them
-- @tparam[opt] function after
-- @treturn table
function calls.scenario(name, open, run, want, after)
  return {
    name = name,
    open = type(open) == "function" and open or calls.opener(open),
    run = run,
    want = type(want) == "table" and want or nil,
    check = type(want) == "function" and want or nil,
    after = after or calls.after,
  }
end

--- A scenario with one field more.
function calls.with(field, scenario)
  scenario[field] = true
  return scenario
end

--- The results of a call, as `want` of a scenario.
function calls.gives(...)
  return { n = select("#", ...), ... }
end

--- Looks for an error of a kind, as `want` of a scenario.
-- @tparam string kind
-- @tparam[opt] table fields that it has
function calls.fails(kind, fields)
  return function(result, err)
    if result ~= nil then return "it succeeds" end
    if err.kind ~= kind then return "the error is " .. tostring(err) end
    for name, value in pairs(fields or {}) do
      if err[name] ~= value then return ("its %s is %s"):format(name, tostring(err[name])) end
    end
  end
end

return calls
