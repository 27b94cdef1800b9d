-- Many statements in one call.
local calls = require "spec.oom.calls"
local dqlite = require "dqlite"
local scripted = require "spec.support.scripted"

local scenario = calls.scenario

local INSERT, RETURNING = "INSERT INTO t VALUES (?)", "INSERT INTO t VALUES (?) RETURNING a"
local REFUSED = { [INSERT] = { scripted.failure(2067, "UNIQUE constraint failed: t.a") } }

local function times(n, text)
  local list = {}
  for i = 1, n do list[i] = text end
  return list
end

-- An iterator of sets 1 to n.
local function sets(n)
  local i = 0
  return function()
    i = i + 1
    if i <= n then return { i } end
  end
end

local function in_transaction(answers)
  local open = calls.opener(answers)
  return function()
    local conn, server = open()
    assert(conn:begin())
    return conn, server
  end
end

-- The places of a pipeline, errors by their kinds.
local function places(results, err)
  if not results then return nil, err end
  for i, result in ipairs(results) do
    if result.error then results[i] = result.error.kind end
  end
  return results
end

local LIST = {
  { "SELECT a FROM t" },
  { INSERT, 1 },
  { "DELETE FROM broken" },
  { "SELECT * FROM t WHERE a = ?", "x" },
  { RETURNING, dqlite.null },
}

local PIPELINE = { ["DELETE FROM broken"] = { scripted.failure(1, "no such table: broken") } }

local SCRIPT = [[
  CREATE TABLE u (a);
  BEGIN; INSERT INTO u VALUES (1); SELECT * FROM u; DELETE FROM u; COMMIT ]]

return {
  scenario("executemany", {}, function(conn)
    return conn:executemany(INSERT, { { 1 }, { 2 }, { 3 } })
  end, { { rows_affected = 3 } }, calls.all_or_nothing(times(3, INSERT))),
  scenario("executemany: an iterator", calls.opener({}, nil, "1.14"), function(conn)
    return conn:executemany(INSERT, sets(3))
  end, { { rows_affected = 3 } }, calls.all_or_nothing(times(3, INSERT))),
  scenario("executemany: RETURNING", {}, function(conn)
    return conn:executemany(RETURNING, { { 1 }, { 2 } })
  end, { { rows_affected = 2 } }, calls.all_or_nothing(times(2, RETURNING))),
  scenario("executemany: in a transaction", in_transaction {}, function(conn)
    return conn:executemany(INSERT, { { 1 }, { 2 } })
  end, { { rows_affected = 2 } }),
  scenario("executemany: a failure", REFUSED, function(conn)
    return conn:executemany(INSERT, { { 1 }, { 2 } })
  end, calls.fails("constraint", { index = 1 }), calls.all_or_nothing {}),
  scenario("executemany: a failure in a transaction", in_transaction(REFUSED), function(conn)
    return conn:executemany(INSERT, { { 1 }, { 2 } })
  end, calls.fails("constraint", { index = 1 })),

  scenario("pipeline", PIPELINE, function(conn)
    return places(conn:pipeline(LIST))
  end, { { { { a = 1 } }, { rows_affected = 1, last_insert_id = 1 }, "sql", { { a = 1 } },
    { { a = 1 } } } }),
  scenario("pipeline: in a transaction", in_transaction(PIPELINE), function(conn)
    return places(conn:pipeline(LIST, { arrays = true }))
  end, { { { { 1 } }, { rows_affected = 1, last_insert_id = 1 }, "sql", { { 1 } },
    { { 1 } } } }),
  scenario("pipeline: cut off", { ["DELETE FROM broken"] = { "close" } }, function(conn)
    return places(conn:pipeline(LIST))
  end, { { { { a = 1 } }, { rows_affected = 1, last_insert_id = 1 }, "closed", "closed",
    "closed" } }),
  scenario("pipeline: refused", {}, function(conn)
    return conn:pipeline { { "SELECT 1" }, { "COMMIT" } }
  end, calls.fails("value", { index = 2 })),

  scenario("script", {}, function(conn) return conn:script(SCRIPT) end, { 6 }),
  scenario("script: a transaction", {}, function(conn)
    return conn:script "BEGIN; INSERT INTO u VALUES (1); DELETE FROM u; COMMIT"
  end, { 4 }, calls.all_or_nothing { "INSERT INTO u VALUES (1)", "DELETE FROM u" }),
  scenario("script: a failure", { ["DELETE FROM u"] = { scripted.failure(1, "no such table") } },
    function(conn)
      return conn:script "BEGIN; INSERT INTO u VALUES (1); DELETE FROM u; COMMIT"
    end, calls.fails("sql", { index = 3 }), calls.all_or_nothing {}),
}
