--- Cases of transactions.
local case = require "spec.support.luasql.case"

local NIL, column = case.NIL, case.column

local function table_t(conn)
  assert(conn:execute "CREATE TABLE t (a UNIQUE)")
end

local function insert(conn, value)
  return assert(conn:execute("INSERT INTO t VALUES (" .. value .. ")"))
end

local function values(conn)
  return column(conn, "SELECT a FROM t ORDER BY a")
end

return {
  { "without setautocommit each statement stays", function(it)
    table_t(it.conn)
    insert(it.conn, 1)
    return values(it.connect())
  end, gives = { "1" } },

  { "there is nothing to commit or to roll back then", function(it)
    local committed, why = it.conn:commit()
    local back, reason = it.conn:rollback()
    return committed, why, back, reason
  end, gives = { NIL, "LuaSQL: cannot commit - no transaction is active", NIL,
    "LuaSQL: cannot rollback - no transaction is active" } },

  { "setautocommit answers true", function(it)
    return it.conn:setautocommit(false), it.conn:setautocommit(true), it.conn:setautocommit()
  end, gives = { true, true, true } },

  { "commit makes others see what was done", function(it)
    local conn, other = it.conn, it.connect()
    table_t(conn)
    conn:setautocommit(false)
    insert(conn, 1)
    local before = values(other)
    return before, conn:commit(), values(other), values(conn)
  end, gives = { "", true, "1", "1" } },

  { "rollback undoes it", function(it)
    local conn = it.conn
    table_t(conn)
    conn:setautocommit(false)
    insert(conn, 1)
    local before = values(conn)
    return before, conn:rollback(), values(conn)
  end, gives = { "1", true, "" } },

  { "the next transaction begins by itself", function(it)
    local conn = it.conn
    table_t(conn)
    conn:setautocommit(false)
    insert(conn, 1)
    conn:commit()
    insert(conn, 2)
    conn:rollback()
    insert(conn, 3)
    conn:commit()
    return values(conn)
  end, gives = { "1,3" } },

  { "an empty transaction commits and rolls back", function(it)
    it.conn:setautocommit(false)
    return it.conn:commit(), it.conn:rollback(), it.conn:commit()
  end, gives = { true, true, true } },

  { "a table is created in a transaction as well", function(it)
    local conn = it.conn
    conn:setautocommit(false)
    table_t(conn)
    conn:rollback()
    local cur, err = conn:execute "SELECT * FROM t"
    return cur, err
  end, gives = { NIL, "LuaSQL: no such table: t" } },

  { "one that begins with a read can write", function(it)
    local conn = it.conn
    table_t(conn)
    conn:setautocommit(false)
    local before = values(conn)
    insert(conn, 1)
    return before, conn:commit(), values(it.connect())
  end, gives = { "", true, "1" } },

  { "a statement that fails leaves the rest", function(it)
    local conn = it.conn
    table_t(conn)
    conn:setautocommit(false)
    insert(conn, 1)
    local answer = conn:execute "INSERT INTO t VALUES (1)"
    insert(conn, 2)
    return answer, conn:commit(), values(conn)
  end, gives = { NIL, true, "1,2" } },

  { "setautocommit(true) rolls back", function(it)
    local conn = it.conn
    table_t(conn)
    conn:setautocommit(false)
    insert(conn, 1)
    local done = conn:setautocommit(true)
    local left = values(conn)
    insert(conn, 2)
    return done, left, values(it.connect())
  end, gives = { true, "", "2" } },

  { "setautocommit(false) once more", function(it)
    local conn = it.conn
    table_t(conn)
    conn:setautocommit(false)
    insert(conn, 1)
    local again = pcall(conn.setautocommit, conn, false)
    return again, conn:commit(), values(conn)
  end, gives = { true, true, "1" }, luasql = { false, true, "1" },
    because = "SQLite's driver raises that a transaction is open; here it stays as it is" },

  { "close rolls back", function(it)
    local conn = it.connect()
    table_t(it.conn)
    conn:setautocommit(false)
    insert(conn, 1)
    return conn:close(), values(it.conn)
  end, gives = { true, "" } },

  -- ---- transactions as text ----

  { "BEGIN and COMMIT are statements", function(it)
    local conn = it.conn
    table_t(conn)
    conn:execute "BEGIN"
    insert(conn, 1)
    conn:execute "ROLLBACK"
    conn:execute "BEGIN IMMEDIATE"
    insert(conn, 2)
    conn:execute "COMMIT"
    return values(it.connect())
  end, gives = { "2" } },

  { "commit and rollback end what BEGIN began", function(it)
    local conn = it.conn
    table_t(conn)
    conn:execute "BEGIN"
    insert(conn, 1)
    local committed = conn:commit()
    conn:execute "BEGIN"
    insert(conn, 2)
    return committed, conn:rollback(), values(conn)
  end, gives = { true, true, "1" } },

  { "setautocommit(true) rolls that back, too", function(it)
    local conn = it.conn
    table_t(conn)
    conn:execute "BEGIN"
    insert(conn, 1)
    return conn:setautocommit(true), values(conn)
  end, gives = { true, "" } },

  { "BEGIN with autocommit off fails", function(it)
    it.conn:setautocommit(false)
    local answer, err = it.conn:execute "BEGIN"
    return answer, err
  end, gives = { NIL, "LuaSQL: cannot start a transaction within a transaction" } },

  { "COMMIT as text ends the transaction, and none begins", function(it)
    local conn = it.conn
    table_t(conn)
    conn:setautocommit(false)
    insert(conn, 1)
    conn:execute "COMMIT"
    insert(conn, 2)
    local back, err = conn:rollback()
    return back, err, values(it.connect())
  end, gives = { NIL, "LuaSQL: cannot rollback - no transaction is active", "1,2" } },

  { "savepoints are statements", function(it)
    local conn = it.conn
    table_t(conn)
    conn:setautocommit(false)
    insert(conn, 1)
    conn:execute "SAVEPOINT s"
    insert(conn, 2)
    conn:execute "ROLLBACK TO s"
    conn:execute "RELEASE s"
    return conn:commit(), values(it.connect())
  end, gives = { true, "1" } },

  { "a transaction that the server ends takes the rest along", function(it)
    local conn = it.conn
    table_t(conn)
    conn:setautocommit(false)
    insert(conn, 1)
    local refused = conn:execute "INSERT OR ROLLBACK INTO t VALUES (1)"
    local stray = conn:execute "INSERT INTO t VALUES (2)"
    local committed = conn:commit()
    return refused, stray, committed, values(it.connect())
  end, gives = { NIL, NIL, NIL, "" }, luasql = { NIL, 1, NIL, "2" },
    because = "SQLite runs what follows outside of any transaction, though commit fails" },
}
