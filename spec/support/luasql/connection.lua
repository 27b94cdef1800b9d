--- Cases of connections: statements, and what else but transactions they do.
local case = require "spec.support.luasql.case"

local NIL, raises, column, people = case.NIL, case.raises, case.column, case.people

-- What is returned where there is a cursor.
local function shown(cur, err)
  if cur == nil then return err end
  return tostring(cur):match "cursor" or cur
end

-- Integers and floats are told apart on 5.3 and 5.4.
local kind_of = math.type or type

local WHOLE = math.type and "integer" or "number"

return {
  -- ---- what execute answers ----

  { "execute answers how many rows have changed", function(it)
    local conn = it.conn
    local created = conn:execute "CREATE TABLE t (a)"
    local one = conn:execute "INSERT INTO t VALUES (1)"
    local two = conn:execute "INSERT INTO t VALUES (2), (3)"
    return created, one, two, conn:execute "UPDATE t SET a = a WHERE a > 1",
      conn:execute "UPDATE t SET a = a WHERE a > 9", (conn:execute "DELETE FROM t")
  end, gives = { 0, 1, 2, 2, 0, 3 } },

  { "that is a whole number", function(it)
    it.conn:execute "CREATE TABLE t (a)"
    return kind_of(it.conn:execute "INSERT INTO t VALUES (1)")
  end, gives = { WHOLE }, luasql = math.type and { "float" },
    because = "a program that prints it should print 1, not 1.0" },

  { "what changes no rows answers 0", function(it)
    it.conn:execute "CREATE TABLE t (a)"
    it.conn:execute "INSERT INTO t VALUES (1), (2)"
    return it.conn:execute "CREATE TABLE u (a)", (it.conn:execute "PRAGMA user_version = 3")
  end, gives = { 0, 0 }, luasql = { 2, 2 },
    because = "SQLite's driver repeats the number of the INSERT" },

  { "a cursor stands for what has columns", function(it)
    local conn = it.conn
    conn:execute "CREATE TABLE t (a)"
    return shown(conn:execute "SELECT 1"), shown(conn:execute "SELECT 1 WHERE 0"),
      shown(conn:execute "VALUES (1)"), shown(conn:execute "WITH x AS (SELECT 1) SELECT * FROM x"),
      shown(conn:execute "PRAGMA user_version"), shown(conn:execute "PRAGMA table_info(t)"),
      shown(conn:execute "EXPLAIN SELECT 1"),
      shown(conn:execute "INSERT INTO t VALUES (1) RETURNING a"),
      shown(conn:execute "DELETE FROM t WHERE a > 9 RETURNING a")
  end, gives = { "cursor", "cursor", "cursor", "cursor", "cursor", "cursor", "cursor", "cursor",
    "cursor" } },

  { "a RETURNING has its rows, and has been applied", function(it)
    it.conn:execute "CREATE TABLE t (a INTEGER PRIMARY KEY, b)"
    local id, b = it.conn:execute("INSERT INTO t (b) VALUES ('x') RETURNING a, b"):fetch()
    return id, b, column(it.conn, "SELECT b FROM t")
  end, gives = { 1, "x", "x" }, luasql = { 2, "x", "x,x" },
    because = "SQLite's driver takes a first step to see what it is, and then runs it again" },

  { "comments and a semicolon are part of a statement", function(it)
    return it.conn:execute("-- a comment\n SELECT 7; "):fetch()
  end, gives = { 7 } },

  -- ---- what it refuses ----

  { "an error is SQLite's text", function(it)
    local conn = it.conn
    conn:execute "CREATE TABLE t (a UNIQUE)"
    conn:execute "INSERT INTO t VALUES (1)"
    local function text(sql)
      local answer, err = conn:execute(sql)
      return answer == nil and err
    end
    return text "SELEC 1", text "SELECT * FROM nobody", text "INSERT INTO t VALUES (1)",
      text "SELECT b FROM t"
  end, gives = { 'LuaSQL: near "SELEC": syntax error', "LuaSQL: no such table: nobody",
    "LuaSQL: UNIQUE constraint failed: t.a", "LuaSQL: no such column: b" } },

  { "a statement is a string, or a number", function(it)
    local conn = it.conn
    local answer, err = conn:execute(12)
    return raises("string expected", conn.execute, conn),
      raises("string expected", conn.execute, conn, {}), answer, err
  end, gives = { true, true, NIL, 'LuaSQL: near "12": syntax error' } },

  { "an empty statement fails", function(it)
    local answer, err = it.conn:execute " -- nothing"
    return answer, err
  end, gives = { NIL, "LuaSQL: the statement is empty" },
    luasql = { NIL, "LuaSQL: not an error" }, because = "SQLite's driver has no text for it" },

  { "only one statement is run", function(it)
    it.conn:execute "CREATE TABLE t (a)"
    local answer = it.conn:execute "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)"
    return answer, column(it.conn, "SELECT a FROM t")
  end, gives = { NIL, "" }, luasql = { 1, "1" },
    because = "SQLite's driver forgets the second without a word; here nothing is run" },

  -- ---- parameters ----

  { "what follows a text without parameters is ignored", function(it)
    return it.conn:execute(("SELECT %d AS n"):gsub("%%d", "7")):fetch()
  end, gives = { 7 } },

  { "parameters are bound", function(it)
    it.conn:execute "CREATE TABLE t (a, b)"
    it.conn:execute("INSERT INTO t VALUES (?, ?)", "it's", nil)
    it.conn:execute("INSERT INTO t VALUES (:a, :b)", { a = 2, b = 3 })
    return column(it.conn, "SELECT a || coalesce(b, '-') FROM t")
  end, gives = { "it's-,23" }, luasql = { "" },
    because = "an addition: LuaSQL has no parameters, and takes NULL for all" },

  { "a parameter that is missing fails", function(it)
    it.conn:execute "CREATE TABLE t (a)"
    local answer = it.conn:execute "INSERT INTO t VALUES (?)"
    return answer
  end, gives = { NIL }, luasql = { 1 }, because = "LuaSQL inserts a NULL that nobody meant" },

  -- ---- the rest ----

  { "escape doubles quotes", function(it)
    local conn = it.conn
    local text = conn:escape "it's 'so' \\ \" %"
    return text, conn:execute("SELECT '" .. text .. "'"):fetch(), conn:escape "", conn:escape(12)
  end, gives = { "it''s ''so'' \\ \" %", "it's 'so' \\ \" %", "", "12" } },

  { "escape needs a text", function(it)
    return raises("string expected", it.conn.escape, it.conn),
      raises("string expected", it.conn.escape, it.conn, {})
  end, gives = { true, true } },

  { "escape and a NUL", function(it)
    local text = it.conn:escape "a\0b"
    local cur = it.conn:execute("SELECT '" .. text .. "'")
    return text, cur and cur:fetch()
  end, gives = { "a\0b", NIL }, luasql = { "a", "a" },
    because = "what cannot be sent is refused by execute; LuaSQL cuts it" },

  { "getlastautoid is the id of what was inserted last", function(it)
    local conn, ids = it.conn, {}
    local function run(sql)
      conn:execute(sql)
      ids[#ids + 1] = ("%d"):format(conn:getlastautoid())
    end
    run "CREATE TABLE t (a INTEGER PRIMARY KEY, b UNIQUE)"
    run "INSERT INTO t (b) VALUES ('x')"
    run "INSERT INTO t VALUES (7, 'y'), (9, 'z')"
    run "INSERT INTO t (b) VALUES ('x')"
    run "INSERT OR IGNORE INTO t (b) VALUES ('x')"
    run "UPDATE t SET b = b"
    run "INSERT INTO t (b) VALUES ('u') RETURNING a"
    run "DELETE FROM t"
    run "SELECT 1"
    run "WITH x AS (SELECT 20 AS a) INSERT INTO t SELECT a, a FROM x"
    run "REPLACE INTO t VALUES (12, 1)"
    return table.concat(ids, " ")
  end, gives = { "0 1 9 9 9 9 10 10 10 20 12" } },

  { "a connection closes once", function(it)
    return it.conn:close(), it.conn:close(), tostring(it.conn):match "connection %(closed%)"
  end, gives = { true, false, "connection (closed)" } },

  { "nothing but escape goes with a closed one", function(it)
    local conn, refusal = it.conn, "LuaSQL: connection is closed"
    conn:close()
    return raises(refusal, conn.execute, conn, "SELECT 1"), raises(refusal, conn.commit, conn),
      raises(refusal, conn.rollback, conn), raises(refusal, conn.getlastautoid, conn),
      raises(refusal, conn.setautocommit, conn, true), conn:escape "it's"
  end, gives = { true, true, true, true, true, "it''s" } },

  { "it does not close while cursors are open", function(it)
    local conn = it.conn
    local cur, other = conn:execute "SELECT 1", conn:execute "SELECT 2"
    local first = raises("LuaSQL: there are open cursors", conn.close, conn)
    local value = cur:fetch()
    cur:fetch() -- the end closes it
    local second = raises("LuaSQL: there are open cursors", conn.close, conn)
    other:close()
    return first, value, second, conn:close()
  end, gives = { true, 1, true, true } },

  { "a cursor that was dropped is not open", function(it)
    it.conn:execute "SELECT 1"
    collectgarbage()
    collectgarbage()
    return it.conn:close()
  end, gives = { true } },

  { "a failure leaves it usable", function(it)
    people(it.conn)
    it.conn:execute "SELECT nothing"
    return column(it.conn, "SELECT name FROM people ORDER BY id")
  end, gives = { "Ada,Blaise,Carl" } },
}
