--- Whole conversations with a server, for the hostile one to spoil: for every
-- kind of call what the server is asked and what it answers.
--
-- A talk has `name`, `call(conn)` (true, or nil and the error), and `steps`:
-- how many requests come, then the frames that answer them. A frame is its
-- bytes and what it means for the call that this frame is all right and the rest
-- never comes: "again" (nothing can have happened), "doubt" (a write may have
-- been applied), "done" (the call needs no more); then the kind of the error
-- where it is a later call's, for which the connection was lost before. `raw`:
-- the connection is a session that has opened nothing.
local dqlite = require "dqlite"
local scripted = require "spec.support.scripted"

local frame, rows = scripted.frame, scripted.rows

local AGAIN, DOUBT, DONE = "again", "doubt", "done"
local LATER = "closed"

local RESULT = scripted.result(1, 1)
local ROW = rows { columns = { "a", "b" }, { 1, "x" } }
local NO_ROWS = rows { columns = { "1" } }
local FRAMES = {
  rows { columns = { "a", "b" }, { 1, "x" }, more = true },
  rows { columns = { "a", "b" }, { 2, "y" }, more = true },
  rows { columns = { "a", "b" } },
}
local function stmt(params, id)
  return frame("STMT", { schema = 1, stmt = id or 0, params = params, tail = 9 })
end
local EMPTY = frame("EMPTY", {})
local SERVERS = frame("SERVERS", { servers = {
  { id = "1", address = "a:1", role = 0 }, { id = "2", address = "b:2", role = 1 },
} })
local UNKNOWN = scripted.failure(1005, "unrecognized cluster format")
local OPEN_ALREADY = scripted.failure(1, "cannot start a transaction within a transaction")

local talks = {}

local function add(name, call, steps, fields)
  local talk = { name = name, call = call, steps = steps }
  for key, value in pairs(fields or {}) do talk[key] = value end
  talks[#talks + 1] = talk
end

-- The iterator's end, or what it raised.
local function iterate(source, ...)
  local ok, err = pcall(function(...)
    for _ in source:rows(...) do end -- luacheck: ignore 542
  end, ...)
  if ok then return true end
  return nil, err
end

-- The result of the last of some calls, or the first failure.
local function in_turn(conn, ...)
  local answer, err
  for _, call in ipairs { ... } do
    answer, err = call(conn)
    if answer == nil then return nil, err end
  end
  return answer
end

-- ---- one statement ----

local SELECT = "SELECT a, b FROM t"

for _, name in ipairs { "fetch", "fetchall", "fetchone", "fetchval", "fetchcol", "query",
  "execute" } do
  local call = function(conn) return conn[name](conn, SELECT) end
  add(name .. " of a row", call, { { 1, { ROW, AGAIN } } })
end

for _, name in ipairs { "fetch", "fetchval", "query", "execute" } do
  add(name .. " of frames", function(conn) return conn[name](conn, SELECT) end,
    { { 1, { FRAMES[1], AGAIN }, { FRAMES[2], AGAIN }, { FRAMES[3], AGAIN } } })
end

add("rows", function(conn) return iterate(conn, SELECT) end,
  { { 1, { FRAMES[1], AGAIN }, { FRAMES[2], AGAIN }, { FRAMES[3], AGAIN } } })

add("a bare star", function(conn) return conn:fetch "SELECT * FROM t" end,
  { { 4, { RESULT, AGAIN }, { NO_ROWS, AGAIN }, { ROW, AGAIN }, { RESULT, DONE } } })

add("execute", function(conn) return conn:execute("INSERT INTO t VALUES (?)", 1) end,
  { { 1, { RESULT, DOUBT } } })

add("CREATE", function(conn) return conn:execute "CREATE TABLE t (a)" end,
  { { 1, { RESULT, DOUBT } } })

add("ping", function(conn) return conn:ping() end,
  { { 1, { rows { columns = { "1" }, { 1 } }, AGAIN } } })

add("an error", function(conn)
  local _, err = conn:execute "INSERT INTO t VALUES (1)"
  if err.code == 1555 then return true end
  return nil, err
end, { { 1, { scripted.failure(1555, "UNIQUE constraint failed: t.a"), DOUBT } } })

add("an error among rows", function(conn)
  local _, err = conn:fetch(SELECT)
  if err.code == 1 then return true end
  return nil, err
end, { { 1, { FRAMES[1], AGAIN }, { scripted.failure(1, "integer overflow"), AGAIN } } })

-- ---- what is asked of the server first ----

add("RETURNING", function(conn) return conn:fetch "INSERT INTO t VALUES (1) RETURNING a" end,
  { { 1, { stmt(0), AGAIN } }, { 2, { ROW, DOUBT }, { EMPTY, DONE } } })

add("many parameters", function(conn)
  local list = {}
  for i = 1, 300 do list[i] = i end
  return conn:execute("INSERT INTO t VALUES (?" .. (",?"):rep(299) .. ")", list)
end, { { 1, { UNKNOWN, AGAIN } }, { 1, { RESULT, DOUBT } } })

add("features", function(conn) return conn:features() end, {
  { 1, { UNKNOWN, AGAIN } }, { 1, { stmt(0), AGAIN } },
  { 2, { RESULT, AGAIN }, { EMPTY, AGAIN } }, { 1, { RESULT, AGAIN } }, { 1, { RESULT, AGAIN } },
  { 1, { rows { columns = { "value" }, { dqlite.null } }, AGAIN } },
  { 1, { RESULT, AGAIN } },
})

-- ---- prepared statements ----

add("the statement cache", function(conn)
  local function fetch() return conn:fetch("SELECT a FROM t WHERE a = ?", 1) end
  return in_turn(conn, fetch, fetch, fetch)
end, {
  { 1, { ROW, AGAIN } }, { 2, { ROW, AGAIN }, { stmt(1), AGAIN, LATER } }, { 1, { ROW, AGAIN } },
})

add("prepare", function(conn)
  local statement, err = conn:prepare "INSERT INTO t VALUES (?)"
  if not statement then return nil, err end
  return statement:execute(1)
end, { { 1, { stmt(1), AGAIN } }, { 1, { RESULT, DOUBT } } })

add("FINALIZE", function(conn)
  local statement, err = conn:prepare(SELECT)
  if not statement then return nil, err end
  statement:close()
  return conn:fetch(SELECT)
end, { { 1, { stmt(0), AGAIN } }, { 2, { ROW, AGAIN }, { EMPTY, DONE } } })

add("rows of a statement", function(conn)
  local statement, err = conn:prepare(SELECT)
  if not statement then return nil, err end
  return iterate(statement)
end, { { 1, { stmt(0), AGAIN } }, { 1, { FRAMES[1], AGAIN }, { FRAMES[3], AGAIN } } })

-- ---- many statements ----

add("executemany", function(conn)
  return conn:executemany("INSERT INTO t VALUES (?)", { { 1 }, { 2 } })
end, {
  { 1, { RESULT, AGAIN } }, { 1, { NO_ROWS, AGAIN } }, { 1, { stmt(1), AGAIN } },
  { 2, { RESULT, AGAIN }, { RESULT, AGAIN } }, { 1, { RESULT, DOUBT } },
})

add("pipeline of reads", function(conn)
  local results, err = conn:pipeline { { "SELECT 1" }, { "SELECT 2" } }
  if not results then return nil, err end
  for i = 1, 2 do
    if results[i].error then return nil, results[i].error end
  end
  return true
end, { { 2, { ROW, AGAIN }, { ROW, AGAIN } } })

add("pipeline of writes", function(conn)
  local results, err = conn:pipeline { { "INSERT INTO t VALUES (1)" }, { "DELETE FROM t" } }
  if not results then return nil, err end
  for i = 1, 2 do
    if results[i].error then return nil, results[i].error end
  end
  return true
end, { { 2, { RESULT, DOUBT }, { RESULT, DOUBT } } })

add("script", function(conn) return conn:script "INSERT INTO t VALUES (1); DELETE FROM t" end,
  { { 1, { RESULT, DOUBT } }, { 1, { RESULT, DOUBT } } })

-- ---- transactions ----

add("transaction", function(conn)
  return conn:transaction(function() return conn:execute "INSERT INTO t VALUES (1)" end)
end, { { 1, { RESULT, AGAIN } }, { 1, { RESULT, AGAIN } }, { 1, { RESULT, DOUBT } } })

add("nested transactions", function(conn)
  return conn:transaction(function()
    return conn:transaction(function() return conn:execute "INSERT INTO t VALUES (1)" end)
  end)
end, {
  { 1, { RESULT, AGAIN } }, { 1, { RESULT, AGAIN } }, { 1, { RESULT, AGAIN } },
  { 1, { RESULT, AGAIN } }, { 1, { RESULT, DOUBT } },
})

add("begin and commit", function(conn)
  local tx, err = conn:begin()
  if not tx then return nil, err end
  return tx:commit()
end, { { 1, { RESULT, AGAIN } }, { 1, { RESULT, DOUBT } } })

add("begin and rollback", function(conn)
  local tx, err = conn:begin()
  if not tx then return nil, err end
  return tx:rollback()
end, { { 1, { RESULT, AGAIN } }, { 1, { RESULT, AGAIN } } })

add("BEGIN inside of BEGIN", function(conn)
  return in_turn(conn, function() return conn:execute "BEGIN" end, function()
    local done, err = conn:execute "BEGIN"
    return done or err.code == 1 or nil, err
  end, function() return conn:execute "COMMIT" end)
end, { { 1, { RESULT, AGAIN } }, { 1, { OPEN_ALREADY, AGAIN } }, { 1, { RESULT, DOUBT } } })

-- ---- raw sessions: every response that there is ----

local function request(name, fields)
  return function(raw) return raw:request(name, fields) end
end

local RAW = { raw = true }

add("a raw LEADER", request("LEADER"),
  { { 1, { frame("SERVER", { id = "1", address = "127.0.0.1:9001" }), AGAIN } } }, RAW)
add("a raw CLIENT", request("CLIENT", { id = "7" }),
  { { 1, { frame("WELCOME", { heartbeat = 15000 }), AGAIN } } }, RAW)
add("a raw OPEN", request("OPEN", { database = "d" }), { { 1, { frame("DB", {}), AGAIN } } }, RAW)
add("a raw CLUSTER", request("CLUSTER", { format = 1 }), { { 1, { SERVERS, AGAIN } } }, RAW)
add("a raw DUMP", request("DUMP", { database = "d" }), { { 1, { frame("FILES",
  { files = { { name = "d", content = ("x"):rep(16) }, { name = "d-wal", content = "" } } }),
  AGAIN } } }, RAW)
add("a raw DESCRIBE", request("DESCRIBE"),
  { { 1, { frame("METADATA", { failure_domain = 1, weight = 2 }), AGAIN } } }, RAW)
add("a raw INTERRUPT", request("INTERRUPT"), { { 1, { EMPTY, AGAIN } } }, RAW)
add("a raw ADD", request("ADD", { id = "2", address = "b:2" }), { { 1, { EMPTY, DOUBT } } }, RAW)
add("a raw QUERY_SQL", request("QUERY_SQL", { sql = SELECT }),
  { { 1, { FRAMES[1], DOUBT }, { FRAMES[3], DOUBT } } }, RAW)
add("a raw PREPARE", request("PREPARE", { sql = SELECT }), { { 1, { stmt(0), AGAIN } } }, RAW)

return talks
