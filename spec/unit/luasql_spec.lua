-- What dqlite.luasql sends, and to whom. What it answers is in spec/live/luasql_spec.lua.
local assert_raises = require "spec.support.raises"
local dqlite = require "dqlite"
local luasql = require "dqlite.luasql"
local scripted = require "spec.support.scripted"
local simulated = require "spec.support.simulated"

local load_text = rawget(_G, "loadstring") or load

-- A connection to a server, and the server.
local function open(server, opts)
  server = server or simulated.server()
  local env = luasql.dqlite(server.address, { loop = server.loop })
  local conn = assert(env:connect("people.db", opts))
  server:log()
  return conn, server
end

local function databases(server)
  local names = {}
  for _, request in ipairs(server.sent) do
    if request.name == "OPEN" then names[#names + 1] = request.database end
  end
  return table.concat(names, " ")
end

describe("a source name of dqlite.luasql", function()
  after_each(simulated.verify)

  -- Whom connecting asks first, and the database that it opens.
  local function connect(source, ...)
    local server = simulated.server()
    local env = luasql.dqlite(nil, { loop = server.loop })
    local conn, err = env:connect(source, ...)
    if not conn then return err end
    assert.is_true(conn:close())
    return server.dialled[1], databases(server):match "%S+"
  end

  it("has nodes and a database", function()
    for source, expected in pairs {
      ["127.0.0.1:9001"] = { "127.0.0.1:9001", "default" },
      ["127.0.0.1:9001/people.db"] = { "127.0.0.1:9001", "people.db" },
      ["127.0.0.1:9001/a/b"] = { "127.0.0.1:9001", "a/b" },
      ["[::1]:9001/people"] = { "[::1]:9001", "people" },
      ["127.0.0.1:9001,127.0.0.1:9002/people"] = { "127.0.0.1:9001", "people" },
      [" 127.0.0.1:9001, 127.0.0.1:9002 "] = { "127.0.0.1:9001", "default" },
      ["/run/dqlite,socket"] = { "/run/dqlite,socket", "default" },
      ["@abstract/name"] = { "@abstract/name", "default" },
    } do
      assert.same(expected, { connect(source) }, source)
    end
  end)

  it("is what else dqlite.connect takes", function()
    local _, database = connect({ "127.0.0.1:9001" }, { database = "inventory" })
    assert.equal("inventory", database)
  end)

  it("has options behind it, in any place", function()
    assert.equal("a", select(2, connect("127.0.0.1:9001", { database = "a" })))
    assert.equal("b", select(2, connect("127.0.0.1:9001", "user", "password", { database = "b" })))
    assert.equal("c", select(2, connect("127.0.0.1:9001/c", nil, nil, { database = "d" })))
  end)

  it("is refused where it is malformed", function()
    assert.equal("LuaSQL: 'people.db': the port is missing", connect "people.db")
    assert.equal("LuaSQL: '': the address is empty", connect "")
    assert.matches("^LuaSQL: .*database", connect "127.0.0.1:9001/")
  end)

  it("is the database's alone where the environment knows the nodes", function()
    local server = simulated.server()
    local env = luasql.sqlite3(" 127.0.0.1:9001,127.0.0.1:9002", { loop = server.loop })
    assert(env:connect "people.db")
    assert(env:connect("/var/lib/app/people.db", "user", "password"))
    assert.equal("people.db /var/lib/app/people.db", databases(server))
    assert_raises("string expected", function() env:connect() end)
  end)
end)

describe("a mistake with dqlite.luasql", function()
  after_each(simulated.verify)

  it("is raised where it was made", function()
    local conn, server = open()
    local env = luasql.dqlite(nil, { loop = server.loop })
    local cur = assert(conn:execute "SELECT a FROM t")
    assert_raises("options are a table", function() luasql.dqlite(nil, "people.db") end)
    assert_raises("where to connect to", function() env:connect {} end)
    assert_raises("unknown option 'tiemout'", function() env:connect("a:1", { tiemout = 1 }) end)
    assert_raises("bad argument #1 to 'execute' %(string", function() conn:execute {} end)
    assert_raises("#1 to 'fetch' %(dqlite cursor expected, got table", function() cur.fetch {} end)
    assert_raises("bad argument #2 to 'fetch'", function() cur:fetch({}, {}) end)
    assert_raises("there are open cursors", function() conn:close() end)
    assert.is_true(cur:close())
    assert_raises("LuaSQL: cursor is closed", function() cur:fetch() end)
    assert.is_true(conn:close())
    assert_raises("LuaSQL: connection is closed", function() conn:commit() end)
  end)
end)

describe("a statement of dqlite.luasql", function()
  after_each(simulated.verify)

  it("is a query where it has columns, and a cursor then is beside the connection", function()
    local conn, server = open()
    server:on("SELECT a FROM t", { scripted.rows { columns = { "a" }, { 1 }, { 2 } } })
    local cur = assert(conn:execute "SELECT a FROM t")
    assert.equal(1, conn:execute "DELETE FROM t")
    assert.equal(0, conn:execute "CREATE TABLE u (a)")
    assert.equal(0, conn:execute "PRAGMA user_version = 3")
    assert.equal(1, cur:fetch())
    assert.equal(2, cur:numrows())
    assert.same({ "QUERY_SQL SELECT a FROM t", "EXEC_SQL DELETE FROM t",
      "EXEC_SQL CREATE TABLE u (a)", "EXEC_SQL PRAGMA user_version = 3" }, server:log())
  end)

  it("has parameters, and options behind a table of them", function()
    local conn, server = open()
    assert.equal(1, conn:execute("DELETE FROM t WHERE a = ? AND b IS ?", 7, nil))
    assert.same({ 7, dqlite.null, n = 2, types = { "INTEGER", "NULL" } },
      server.sent[#server.sent].params)
    local cur = assert(conn:execute("SELECT a FROM t", {}, { timeout = 1 }))
    assert.equal(1, cur:fetch())
    assert_raises("tiemout", function() conn:execute("SELECT 1", {}, { tiemout = 1 }) end)
    assert.equal(1, conn:execute("DELETE FROM t", 12))
  end)

  it("answers the error itself behind its text", function()
    local conn, server = open()
    server:on("DELETE FROM t", { scripted.failure(2067, "UNIQUE constraint failed: t.a") })
    local answer, text, err = conn:execute "DELETE FROM t"
    assert.is_nil(answer)
    assert.equal("LuaSQL: UNIQUE constraint failed: t.a", text)
    assert.equal("SQLITE_CONSTRAINT_UNIQUE", err.name)
  end)

  it("fails for good once the connection is lost, which then closes", function()
    local conn, server = open()
    server:on("DELETE FROM t", { "close" })
    local answer, text, err = conn:execute "DELETE FROM t"
    assert.is_nil(answer)
    assert.matches("^LuaSQL: .* at 127%.0%.0%.1:9001$", text)
    assert.is_true(err.fatal and err.ambiguous)
    answer, text, err = conn:execute "SELECT 1"
    assert.is_nil(answer)
    assert.matches("^LuaSQL: ", text)
    assert.is_true(err.fatal)
    assert.is_true(conn:close())
  end)

  it("fails where its result is too large", function()
    local conn, server = open(nil, { max_rows = 1 })
    server:on("SELECT a FROM t", { scripted.rows { columns = { "a" }, { 1 }, { 2 } } })
    local cur, text = conn:execute "SELECT a FROM t"
    assert.is_nil(cur)
    assert.equal("LuaSQL: the result exceeds max_rows at 127.0.0.1:9001", text)
  end)

  it("is asked for the last id only where the answers have not told", function()
    local conn, server = open()
    assert(conn:execute "INSERT INTO t VALUES (1)")
    server:log()
    assert.equal(1, conn:getlastautoid())
    assert.same({}, server:log())
    assert(conn:execute "DELETE FROM t")
    server:on("SELECT last_insert_rowid()", { scripted.rows { columns = { "x" }, { 9 } } })
    server:log()
    assert.equal(9, conn:getlastautoid())
    assert.equal(9, conn:getlastautoid())
    assert.same({ "QUERY_SQL SELECT last_insert_rowid()" }, server:log())
  end)
end)

describe("a transaction of dqlite.luasql", function()
  after_each(simulated.verify)

  it("begins with the first statement, for writing where that writes", function()
    local conn, server = open()
    assert.is_true(conn:setautocommit(false))
    assert.is_true(conn:commit())
    assert.is_true(conn:rollback())
    assert.same({}, server:log())
    assert(conn:execute "DELETE FROM t")
    assert(conn:execute "SELECT a FROM t")
    assert.is_true(conn:commit())
    assert.same({ "EXEC_SQL BEGIN IMMEDIATE", "EXEC_SQL DELETE FROM t",
      "QUERY_SQL SELECT a FROM t", "EXEC_SQL COMMIT" }, server:log())
    assert(conn:execute "SELECT b FROM t")
    assert.is_true(conn:rollback())
    assert.same({ "EXEC_SQL BEGIN", "QUERY_SQL SELECT b FROM t", "EXEC_SQL ROLLBACK" },
      server:log())
    assert.is_true(conn:setautocommit(true))
    assert(conn:execute "DELETE FROM u")
    assert.same({ "EXEC_SQL DELETE FROM u" }, server:log())
    assert.same({ "DELETE FROM t", "DELETE FROM u" }, server.applied)
  end)

  it("does not begin for a statement that is not sent", function()
    local conn, server = open()
    conn:setautocommit(false)
    assert.is_nil((conn:execute ""))
    assert.is_nil((conn:execute "SELECT 1; SELECT 2"))
    assert.same({}, server:log())
  end)

  it("is tried again by the next statement where it could not begin", function()
    local conn, server = open(nil, { busy_timeout = 0 })
    server:sequence("BEGIN IMMEDIATE", { scripted.failure(5, "database is locked") })
    conn:setautocommit(false)
    local answer, text = conn:execute "DELETE FROM t"
    assert.is_nil(answer)
    assert.equal("LuaSQL: database is locked", text)
    assert(conn:execute "DELETE FROM t")
    assert.is_true(conn:rollback())
    assert.same({}, server.applied)
  end)

  it("stays open where COMMIT is refused, and is followed by the next one", function()
    local conn, server = open()
    conn:setautocommit(false)
    assert(conn:execute "DELETE FROM t")
    server:on("COMMIT", { scripted.failure(787, "FOREIGN KEY constraint failed") })
    local done, text = conn:commit()
    assert.is_nil(done)
    assert.equal("LuaSQL: FOREIGN KEY constraint failed", text)
    assert(conn:execute "DELETE FROM u")
    assert.is_true(conn:rollback())
    server:on("COMMIT", nil)
    assert(conn:execute "DELETE FROM v")
    assert.is_true(conn:commit())
    assert.same({ "DELETE FROM v" }, server.applied)
  end)

  it("never goes on by itself, in part, where the server has ended it", function()
    local conn, server = open()
    conn:setautocommit(false)
    server:on("DELETE FROM u", function()
      server:roll_back()
      return { scripted.failure(19, "no") }
    end)
    assert(conn:execute "DELETE FROM t")
    assert.is_nil((conn:execute "DELETE FROM u"))
    assert.is_nil((conn:execute "DELETE FROM v"))
    assert.is_nil((conn:commit()))
    assert(conn:execute "DELETE FROM w")
    assert.is_true(conn:commit())
    assert.same({ "DELETE FROM w" }, server.applied)
  end)
end)

describe("objects of dqlite.luasql", function()
  after_each(simulated.verify)

  it("are closed at the end of a block, where Lua has that", function()
    local conn, server = open()
    local close = debug.getmetatable(conn).__close
    local text = _VERSION == "Lua 5.4" and [[
      local conn <close> = ...
      local cur <close> = conn:execute "SELECT a FROM t"
      local left = conn:execute "SELECT a FROM t"
      error(left, 0)]] or "error(..., 0)"
    assert.is_false((pcall(load_text(text), conn)))
    close(conn)
    assert.equal("dqlite connection (closed)", tostring(conn))
    assert.equal(server.connects, server.closed)
  end)
end)
