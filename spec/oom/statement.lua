-- Prepared statements.
local calls = require "spec.oom.calls"
local scripted = require "spec.support.scripted"

local SELECT, INSERT = "SELECT a, b FROM t WHERE a > :low", "INSERT INTO t VALUES (?, ?)"
local ANSWERS = {
  [SELECT] = {
    scripted.rows { columns = { "a", "b" }, { 1, "one" }, more = true },
    scripted.rows { columns = { "a", "b" }, { 2, "two" } },
  },
}

local function opener(text, version)
  local open = calls.opener(ANSWERS, nil, version)
  return function()
    local conn, server = open()
    return conn, server, assert(conn:prepare(text))
  end
end

-- A call of a method of a statement.
local function method(name, text, run, want, after)
  return calls.scenario("statement:" .. name, opener(text),
    function(_, _, statement) return run(statement) end, want, after)
end

local function fetches(name, want)
  return method(name, SELECT, function(statement)
    return statement[name](statement, { low = 0 })
  end, want)
end

local function prepares(version)
  return calls.scenario("prepare on " .. version, calls.opener(ANSWERS, nil, version),
    function(conn)
      local statement, err = conn:prepare(SELECT)
      if not statement then return nil, err end
      return statement.nparams, statement:fetchval(0)
    end, { 1, 1 })
end

return {
  prepares "1.11.1",
  prepares "1.14",
  prepares "1.18.6",
  calls.scenario("prepare: refused", {}, function(conn)
    return conn:prepare "CREATE TABLE t (a)"
  end, calls.fails "value"),

  method("execute", INSERT, function(statement) return statement:execute(1, 2) end,
    { { rows_affected = 1, last_insert_id = 1 } }, calls.all_or_nothing { INSERT }),
  fetches("fetch", { { { a = 1, b = "one" }, { a = 2, b = "two" } } }),
  fetches("fetchall", { { { 1, "one" }, { 2, "two" } } }),
  fetches("fetch_arrays", { { { 1, "one" }, { 2, "two" } } }),
  fetches("fetchone", { { a = 1, b = "one" } }),
  fetches("fetchval", { 1 }),
  fetches("fetchcol", { { 1, 2 } }),
  fetches("query",
    { { { 1, "one" }, { 2, "two" }, columns = { "a", "b" }, types = { "INTEGER", "TEXT" } } }),
  method("rows", SELECT, function(statement)
    local list = {}
    for row in statement:rows(0) do list[#list + 1] = row.b end
    return list
  end, { { "one", "two" } }),
  method("executemany", INSERT, function(statement)
    return statement:executemany { { 1, 2 }, { 3, 4 } }
  end, { { rows_affected = 2 } }, calls.all_or_nothing { INSERT, INSERT }),
  calls.scenario("statement:close", opener(SELECT), function(conn, _, statement)
    local closed = statement:close()
    return closed, conn:ping()
  end, { true, true }),
  calls.with("free", method("tostring", SELECT, tostring, { "dqlite statement (open)" })),
}
