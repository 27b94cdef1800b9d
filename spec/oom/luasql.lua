-- LuaSQL's calls: no row is passed over, and nothing runs outside of a transaction that was
-- to be in one.
local calls = require "spec.oom.calls"
local luasql = require "dqlite.luasql"
local scripted = require "spec.support.scripted"

local scenario = calls.scenario

local SELECT, INSERT = "SELECT a, b FROM t WHERE a > 0", "INSERT INTO t VALUES ('x')"

local ANSWERS = {
  [SELECT] = {
    scripted.rows { columns = { "a", "b" }, { 1, "one" }, more = true },
    scripted.rows { columns = { "a", "b" }, { 2, require "dqlite".null } },
  },
  ["DELETE FROM broken"] = { scripted.failure(1, "no such table: broken") },
  ["SELECT last_insert_rowid()"] = { scripted.rows { columns = { "x" }, { 9 } } },
}

local function environment(server)
  return luasql.dqlite(server.address, { loop = server.loop, timeout = 0.05 })
end

-- A connection, its server, and what `prepare` makes of it.
local function opener(prepare)
  return function()
    local server = calls.server(ANSWERS)
    local conn = assert(environment(server):connect "people.db")
    return conn, server, prepare and prepare(conn) or nil
  end
end

local function check_closed(conn, server)
  return calls.after(nil, conn.handle, server)
end

-- With autocommit off the next statement is in a transaction as well.
local function check_owed(conn, server)
  local before = #server.applied
  local done, _, err = conn:execute "DELETE FROM alive"
  if done and (not server.in_transaction or #server.applied > before) then
    return "the next statement is outside of a transaction"
  end
  if not done and not err.fatal then return "the next statement answers " .. tostring(err) end
  return check_closed(conn, server)
end

-- The same, and of the writes all were committed, or none.
local function all_or_nothing(writes)
  return function(ok, conn, server)
    local n = #server.applied
    if n ~= writes and (ok or n > 0) then return ("%d writes were applied"):format(n) end
    return check_owed(conn, server)
  end
end

local function call(name, run, want, prepare, after)
  return scenario("luasql: " .. name, opener(prepare), run, want, after
    or function(_, conn, server) return check_closed(conn, server) end)
end

local function executes(text, want, ...)
  local list, n = { ... }, select("#", ...)
  return call(text, function(conn)
    return conn:execute(text, (table.unpack or rawget(_G, "unpack"))(list, 1, n))
  end, want)
end

-- All rows, in one text.
local function read(conn, modes)
  local cur, err = conn:execute(SELECT)
  if not cur then return nil, err end
  local rows, row = {}, cur:fetch({}, modes)
  while row do
    rows[#rows + 1] = row
    row = cur:fetch({}, modes)
  end
  return rows, cur:close()
end

local function cursor_of(conn)
  return assert(conn:execute(SELECT))
end

-- A row that was not given is the next one's turn.
local function passes_over_nothing(name, run, want)
  return call(name, function(_, _, cur) return run(cur) end, want, cursor_of,
    function(ok, conn, server, cur)
      if cur:fetch() ~= (ok and 2 or 1) then return "a row was passed over" end
      return check_closed(conn, server)
    end)
end

local function off(conn)
  conn:setautocommit(false)
end

local function written(conn)
  off(conn)
  assert(conn:execute(INSERT))
end

local function fails(text)
  return function(result, err)
    if result ~= nil or err ~= text then return "it answers " .. tostring(err) end
  end
end

return {
  scenario("luasql: connect", function() return calls.server() end, function(server)
    local conn, err = environment(server):connect(server.address .. ",b:1/people.db")
    if not conn then return nil, err end
    server.conn = conn.handle
    return tostring(conn):match "dqlite connection"
  end, { "dqlite connection" }, function(_, server)
    if server.conn then return calls.after(nil, server.conn, server) end
  end),

  executes(INSERT, { 1 }),
  executes("INSERT INTO t VALUES (?)", { 1 }, "x"),
  executes("CREATE TABLE u (a)", { 0 }),
  executes("DELETE FROM broken", fails "LuaSQL: no such table: broken"),
  executes("", fails "LuaSQL: the statement is empty"),
  call("rows by position", function(conn) return read(conn) end,
    { { { 1, "one" }, { 2 } }, false }),
  call("rows by name", function(conn) return read(conn, "an") end,
    { { { 1, "one", a = 1, b = "one" }, { 2, a = 2 } }, false }),
  calls.with("free", passes_over_nothing("fetch", function(cur) return cur:fetch() end,
    { 1, "one" })),
  passes_over_nothing("fetch into a table", function(cur) return cur:fetch({}, "an") end,
    { { 1, "one", a = 1, b = "one" } }),
  call("what a cursor tells", function(_, _, cur)
    local shown = tostring(cur):match "dqlite cursor"
    return shown, cur:getcolnames(), cur:getcoltypes(), cur:numrows(), cur:close()
  end, { "dqlite cursor", { "a", "b" }, { "INTEGER", "TEXT" }, 2, true }, cursor_of),
  calls.with("free", call("escape", function(conn) return conn:escape "it's" end,
    { "it''s" })),
  call("getlastautoid", function(conn) return conn:getlastautoid() end, { 9 },
    function(conn) assert(conn:execute "DELETE FROM t") end),

  call("a transaction", function(conn)
    conn:setautocommit(false)
    local done, err = conn:execute(INSERT)
    if not done then return nil, err end
    return conn:commit()
  end, { true }, nil, function(ok, conn, server)
    if conn.autocommit then return check_closed(conn, server) end
    return all_or_nothing(1)(ok, conn, server)
  end),
  call("its first statement", function(conn) return conn:execute(INSERT) end, { 1 }, off,
    all_or_nothing(0)),
  call("commit", function(conn) return conn:commit() end, { true }, written, all_or_nothing(1)),
  call("rollback", function(conn) return conn:rollback() end, { true }, written,
    all_or_nothing(0)),
  call("setautocommit(true)", function(conn) return conn:setautocommit(true) end, { true },
    written),

  calls.with("free", call("close", function(conn) return conn:close() end, { true }, nil,
    function(_, conn, server)
      conn:close()
      if server.closed ~= server.connects then return "the stream is open" end
    end)),
  calls.with("raises", call("close with an open cursor", function(conn)
    local ok, raised = pcall(conn.close, conn)
    error(ok and "it closes" or raised:match "LuaSQL: .*" or raised, 0)
  end, { "LuaSQL: there are open cursors" }, cursor_of)),
}
