-- The functions of dqlite.core that nothing else here is alone with.
local calls = require "spec.oom.calls"
local core = require "dqlite.core"
local dqlite = require "dqlite"

local function nothing() end

-- Calls `run` of what `open` makes.
local function scenario(name, open, run, want)
  return { name = name, open = open or nothing, run = run, want = want, after = nothing }
end

local NAMES = {}
for i = 1, 40 do NAMES[i] = ":name_" .. i end
local TEXT = "SELECT " .. table.concat(NAMES, ", ")

local function numbering()
  return core.scan(TEXT, 1).numbering
end

local VALUES = {}
for i = 1, 40 do VALUES["name_" .. i] = "value " .. i end

local function session_with_rows()
  local session = core.session(1024 * 1024)
  session:query("SELECT a", 0)
  session:take()
  session:feed(core.encode("ROWS", { rows = { columns = { "a", "b" }, { 1, "x" }, { 2, "y" } } }))
  assert(session:next() == "ROWS")
  return session
end

return {
  scenario("scan", nil, function()
    local found = core.scan(TEXT .. "; SELECT 1", 1)
    return found.kind, found.params, found.text, found.more
  end, { "read", 40, TEXT, true }),
  scenario("check_params", numbering, function(found)
    return core.check_params(found, VALUES)
  end, { true }),
  scenario("check_params: a wrong one", numbering, function(found)
    return core.check_params(found, { name_1 = 1 })
  end, { nil, "value", "no value for ':name_2' (dqlite.null stands for NULL)", n = 3 }),
  scenario("list", nil, function()
    return core.list { 1, 0.1, ("x"):rep(600), dqlite.null }
  end, { "[1,0.1,\"" .. ("x"):rep(600) .. "\",null]" }),
  calls.with("free", scenario("parse_address", nil, function()
    return core.parse_address "[::1]:9001"
  end, { "tcp", "::1", 9001 })),
  scenario("lookup", nil, function() return core.lookup "127.0.0.1" end, { { "127.0.0.1" } }),
  scenario("a session's bytes", function() return core.session(1024 * 1024) end,
    function(session)
      session:send("LEADER", {})
      session:prepare("SELECT 1", 0)
      session:exec(1, 2, "x", "y")
      session:finalize(1)
      return #session:take(), session:outstanding()
    end, { 112, 4 }),
  scenario("a session's rows", session_with_rows, function(session)
    local first = session:next_row(session:begin_rows(), dqlite.null)
    local types, columns = session:types(), session:columns()
    return first, types, columns, session:rows_by_name({}, 0, 9, nil, columns)
  end, { { 1, "x" }, { "INTEGER", "TEXT" }, { "a", "b" }, 1, false }),
  scenario("a session's message", session_with_rows, function(session)
    local message = session:message()
    return message.name, message.rows[2][2]
  end, { "ROWS", "y" }),
}
