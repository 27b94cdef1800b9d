-- Connecting, calls of one statement, what a connection says of itself.
local calls = require "spec.oom.calls"
local dqlite = require "dqlite"
local quiet = require "spec.oom.quiet"
local scripted = require "spec.support.scripted"
local simulated = require "spec.support.simulated"

local scenario, gives, fails = calls.scenario, calls.gives, calls.fails

local ROWS = {
  ["SELECT a, b FROM t WHERE a > ?"] = {
    scripted.rows { columns = { "a", "b" }, { 1, "one" }, { 2, "two" }, more = true },
    scripted.rows { columns = { "a", "b" }, { 3, "three" } },
  },
}

local function failing(...)
  return { ["DELETE FROM t"] = { ... } }
end

-- One call of a fetch helper, and what it gives.
local function fetches(name, want)
  return scenario(name, ROWS, function(conn)
    return conn[name](conn, "SELECT a, b FROM t WHERE a > ?", 0)
  end, want)
end

local function delete(conn)
  return conn:execute "DELETE FROM t"
end

-- So long that what was found out about it is not kept.
local UNKNOWN = "SELECT :a, :b, $c" .. (" "):rep(4100) .. "FROM t"

-- ---- connect ----

local function connect(server)
  local conn, err = dqlite.connect(server.address, { loop = server.loop, timeout = 0.05 })
  if not conn then return nil, err end
  server.conn = conn
  return conn:is_open()
end

local function after_connect(_, server)
  if server.conn then return calls.after(nil, server.conn, server) end
end

local function connects(name, answers, want)
  return scenario(name, function()
    return quiet.server(scripted.server(answers))
  end, connect, want, function() end)
end

-- ---- close ----

local function after_close(_, conn, server)
  if not conn:close() then return "close answers nothing" end
  if conn:is_open() or server.closed ~= 1 then return "it is not closed" end
end

-- ---- features ----

local function features(version, want)
  return scenario("features of " .. version, calls.opener({}, nil, version),
    function(conn) return conn:features() end, { want })
end

return {
  scenario("connect", function() return calls.server() end, connect, { true }, after_connect),
  connects("connect: no leader",
    { LEADER = { scripted.frame("SERVER", { id = "0", address = "" }) } }, fails "no_leader"),
  connects("connect: another leader",
    { LEADER = { scripted.frame("SERVER", { id = "2", address = "b:1" }) } }, { true }),
  connects("connect: refused", { OPEN = { scripted.failure(1, "no") } }, fails "sql"),
  connects("connect: closed", { LEADER = { "close" } }, fails "closed"),
  scenario("connect: a malformed address", function() end, function()
    return dqlite.connect("127.0.0.1:0")
  end, fails "value", function() end),

  scenario("execute", {}, function(conn)
    return conn:execute("INSERT INTO t VALUES (?)", 1)
  end, { { rows_affected = 1, last_insert_id = 1 } },
    calls.all_or_nothing { "INSERT INTO t VALUES (?)" }),
  scenario("execute: a query", ROWS, function(conn)
    return conn:execute("SELECT a, b FROM t WHERE a > ?", 0)
  end, { {} }),
  scenario("execute: RETURNING", {}, function(conn)
    return conn:execute("DELETE FROM t RETURNING a")
  end, { { rows_affected = 1 } }, calls.all_or_nothing { "DELETE FROM t RETURNING a" }),
  scenario("execute: RETURNING on an old server", calls.opener({}, nil, "1.11.1"), function(conn)
    return conn:execute("DELETE FROM t RETURNING a")
  end, { { rows_affected = 1 } }, calls.all_or_nothing { "DELETE FROM t RETURNING a" }),

  fetches("fetch", gives { { a = 1, b = "one" }, { a = 2, b = "two" }, { a = 3, b = "three" } }),
  fetches("fetchall", gives { { 1, "one" }, { 2, "two" }, { 3, "three" } }),
  fetches("fetchone", gives { a = 1, b = "one" }),
  fetches("fetchval", gives(1)),
  fetches("fetchcol", gives { 1, 2, 3 }),
  fetches("query", gives {
    { 1, "one" }, { 2, "two" }, { 3, "three" },
    columns = { "a", "b" }, types = { "INTEGER", "TEXT" },
  }),
  scenario("query: types of each row", ROWS, function(conn)
    local found = conn:query("SELECT a, b FROM t WHERE a > ?", { 0 }, { row_types = true })
    return found.row_types
  end, { { { "INTEGER", "TEXT" }, { "INTEGER", "TEXT" }, { "INTEGER", "TEXT" } } }),
  scenario("fetch: of a star", {}, function(conn) return conn:fetch "SELECT * FROM t" end,
    { { { a = 1 } } }),
  scenario("fetch: a text seen first", {}, function(conn)
    return conn:fetch(UNKNOWN, { a = 1, b = 2, c = 3 })
  end, { { { a = 1 } } }),
  scenario("fetch: a text seen again and again", ROWS, function(conn)
    local found
    for i = 1, 4 do found = conn:fetchall("SELECT a, b FROM t WHERE a > ?", i) end
    return found
  end, { { { 1, "one" }, { 2, "two" }, { 3, "three" } } }),
  scenario("fetch: more than max_rows", ROWS, function(conn)
    return conn:fetch("SELECT a, b FROM t WHERE a > ?", { 0 }, { max_rows = 1 })
  end, fails "policy"),

  scenario("an error", failing(scripted.failure(2067, "UNIQUE constraint failed: t.a")), delete,
    fails("constraint", { code = 2067, message = "UNIQUE constraint failed: t.a" })),
  scenario("an error in the middle", {
    ["SELECT a, b FROM t WHERE a > ?"] = {
      scripted.rows { columns = { "a", "b" }, { 1, "one" }, more = true },
      scripted.failure(1, "division by zero"),
    },
  }, function(conn) return conn:fetch("SELECT a, b FROM t WHERE a > ?", 0) end,
    fails("sql", { code = 1 })),
  scenario("an error that ends the connection", failing(scripted.failure(10250, "not leader")),
    delete, fails("not_leader", { retryable = true, fatal = true })),
  scenario("BUSY, and then not", function()
    local conn, server = calls.opener {}()
    server:sequence("DELETE FROM t", { scripted.failure(5, "database is locked") },
      { scripted.failure(5, "database is locked") })
    return conn, server
  end, delete, { { rows_affected = 1 } }, calls.all_or_nothing { "DELETE FROM t" }),
  scenario("no answer", calls.opener(failing(), { timeout = 1 }), delete,
    fails("timeout", { ambiguous = true })),
  scenario("the end of the connection", failing "close", delete,
    fails("closed", { ambiguous = true })),
  scenario("an answer that cannot be read", failing "\1\0\0\0\6\0\0\0\0\0\0\0\0\0\0\0", delete,
    fails "protocol"),
  scenario("a refused statement", {}, function(conn) return conn:execute "SELECT 1; SELECT 2" end,
    fails "value"),

  scenario("ping", {}, function(conn) return conn:ping() end, { true }),
  features("1.11.1",
    { params_32bit = false, statement_tail = false, returning = false, typed_null = true }),
  features("1.14",
    { params_32bit = true, statement_tail = false, returning = false, typed_null = true }),
  features("1.18.6",
    { params_32bit = true, statement_tail = true, returning = true, typed_null = true }),
  calls.with("free", scenario("tostring", {}, tostring,
    { "dqlite connection to 127.0.0.1:9001 (open)" })),
  calls.with("free", scenario("tostring of an error", function()
    local conn, server = simulated.open()
    server:on("DELETE FROM t", { scripted.failure(1, "no") })
    local _, err = conn:execute "DELETE FROM t"
    conn:close()
    return err
  end, function(err) return "error: " .. err end,
    { "error: sql: no (SQLITE_ERROR, 1) at 127.0.0.1:9001" }, function() end)),
  calls.with("free", scenario("close", function()
    local conn, server = calls.opener(ROWS)()
    conn:rows("SELECT a, b FROM t WHERE a > ?", 0)()
    return conn, server
  end, function(conn) return conn:close() end, { true }, after_close)),
}
