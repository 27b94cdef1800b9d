-- What fails says why, and the connection goes on.

local dqlite = require "dqlite"
local live = require "spec.support.live"

local LUAJIT = rawget(_G, "jit") ~= nil

live.each("a failing statement", function(server)
  local conn

  before_each(function()
    conn = server:connect()
    assert(conn:execute [[
      CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE,
        size INTEGER NOT NULL DEFAULT 1 CHECK (size > 0))]])
    assert(conn:execute "INSERT INTO t (name) VALUES ('a')")
  end)

  -- The connection goes on, and nobody must wonder what was applied.
  local function check(err, code, name)
    assert.equal(code, err.code)
    assert.equal(name, err.name)
    assert.is_false(err.fatal)
    assert.is_false(err.retryable)
    assert.is_false(err.ambiguous)
    assert.equal(server.address, err.address)
    live.usable(conn)
  end

  it("has a syntax error", function()
    local err = live.fails("sql", conn:execute "SELEC")
    check(err, 1, "SQLITE_ERROR")
    assert.equal('near "SELEC": syntax error', err.message)
    check(live.fails("sql", conn:fetch "SELECT FROM"), 1, "SQLITE_ERROR")
  end)

  it("names what is not there", function()
    local err = live.fails("sql", conn:fetchval "SELECT nobody FROM t")
    check(err, 1, "SQLITE_ERROR")
    assert.equal("no such column: nobody", err.message)
  end)

  local VIOLATIONS = {
    { "UNIQUE", 2067, "INSERT INTO t (name) VALUES (?)", "a" },
    { "PRIMARYKEY", 1555, "INSERT INTO t (id) VALUES (?)", 1 },
    { "CHECK", 275, "INSERT INTO t (size) VALUES (?)", 0 },
    { "NOTNULL", 1299, "INSERT INTO t (size) VALUES (?)", nil },
  }

  for _, case in ipairs(VIOLATIONS) do
    local name, code, sql, value = case[1], case[2], case[3], case[4]
    it("violates a constraint: " .. name, function()
      local err = live.fails("constraint", conn:execute(sql, value))
      check(err, code, "SQLITE_CONSTRAINT_" .. name)
      assert.equal(1, conn:fetchval "SELECT count(*) FROM t")
    end)
  end

  it("is in its error without its parameters, and that is one line", function()
    local sql = "INSERT INTO t (id, name)\nVALUES (1, ?)"
    local err = live.fails("constraint", conn:execute(sql, "secret"))
    assert.equal((sql:gsub("\n", "\\x0a")), err.sql)
    for _, text in ipairs { err.sql, err.message, err.raw, tostring(err), "x" .. err } do
      assert.is_nil(text:find("secret", 1, true))
      assert.is_nil(text:find("\n", 1, true))
    end
    assert.equal("constraint: UNIQUE constraint failed: t.id "
      .. "(SQLITE_CONSTRAINT_PRIMARYKEY, 1555) at " .. server.address, tostring(err))
  end)

  it("cannot forge lines of a log", function()
    local name = "no\27[31m\nsuch\226\128\174\194\155"
    local err = live.fails("sql", conn:fetch(('SELECT * FROM "%s"'):format(name)))
    assert.equal("no such table: no\\x1b[31m\\x0asuch\\xe2\\x80\\xae\\xc2\\x9b", err.message)
    assert.equal("no such table: " .. name, err.raw)
    live.usable(conn)
  end)

  it("cannot flood a log", function()
    local name = ("x"):rep(65536)
    local err = live.fails("sql", conn:fetch("SELECT * FROM " .. name))
    assert.matches("^no such table: x+", err.message)
    assert.is_true(#err.message < 2000)
    assert.is_true(#err.raw > 2000 and #err.raw <= 4096)
    assert.is_true(#err.sql < 1000)
    live.usable(conn)
  end)

  it("keeps its code behind rows in the same frame", function()
    local err = live.fails("sql", conn:fetchcol [[
      SELECT abs(CASE WHEN value = 3 THEN -9223372036854775808 ELSE value END)
      FROM json_each('[1, 2, 3]')]])
    check(err, 1, "SQLITE_ERROR")
    assert.equal("integer overflow", err.message)
  end)
end)

live.each("a transaction", function(server)
  local conn

  before_each(function()
    conn = server:connect()
    assert(conn:execute "CREATE TABLE t (a INTEGER)")
  end)

  local function count(of)
    return assert(of:fetchval "SELECT count(*) FROM t")
  end

  it("is atomic", function()
    assert(conn:execute "BEGIN")
    assert(conn:execute "INSERT INTO t VALUES (1)")
    local other = server:connect()
    assert.equal(0, count(other))
    assert(conn:execute "COMMIT")
    assert.equal(1, count(other))
    assert(conn:execute "BEGIN")
    assert(conn:execute "DELETE FROM t")
    assert(conn:execute "ROLLBACK")
    assert.equal(1, count(conn))
  end)

  it("finds the database busy while another one writes", function()
    local other = server:connect { busy_timeout = 0 }
    assert(conn:execute "BEGIN IMMEDIATE")
    for _, sql in ipairs { "BEGIN IMMEDIATE", "INSERT INTO t VALUES (1)" } do
      local err = live.fails("busy", other:execute(sql))
      assert.equal(5, err.code)
      assert.equal("SQLITE_BUSY", err.name)
      assert.is_true(err.retryable)
      assert.is_false(err.ambiguous)
      assert.is_false(err.fatal)
      live.usable(other)
    end
    assert(conn:execute "COMMIT")
    assert(other:execute "BEGIN IMMEDIATE")
    assert(other:execute "ROLLBACK")
  end)

  it("is stale when another one wrote since it read", function()
    local other = server:connect()
    assert(conn:execute "BEGIN")
    assert.equal(0, count(conn))
    assert(other:execute "INSERT INTO t VALUES (1)")
    local err = live.fails("busy", conn:execute "INSERT INTO t VALUES (2)")
    assert.equal(517, err.code)
    assert.equal("SQLITE_BUSY_SNAPSHOT", err.name)
    assert.is_true(err.retryable)
    assert.equal(0, count(conn))
    assert(conn:execute "ROLLBACK")
    assert.equal(1, count(conn))
  end)

  it("goes on behind a statement that failed", function()
    assert(conn:execute "CREATE UNIQUE INDEX i ON t (a)")
    assert(conn:execute "BEGIN")
    assert(conn:execute "INSERT INTO t VALUES (1)")
    live.fails("constraint", conn:execute "INSERT INTO t VALUES (1)")
    assert(conn:execute "INSERT INTO t VALUES (2)")
    assert(conn:execute "COMMIT")
    assert.same({ 1, 2 }, conn:fetchcol "SELECT a FROM t ORDER BY a")
  end)

  it("behaviour 31: stays open when COMMIT fails on a deferred foreign key", function()
    assert(conn:execute "CREATE TABLE parent (id INTEGER PRIMARY KEY)")
    assert(conn:execute [[
      CREATE TABLE child (parent INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED)]])
    assert(conn:execute "BEGIN")
    assert(conn:execute "INSERT INTO child VALUES (1)")
    for _ = 1, 2 do
      local err = live.fails("constraint", conn:execute "COMMIT")
      assert.equal(787, err.code)
      assert.equal("SQLITE_CONSTRAINT_FOREIGNKEY", err.name)
      assert.is_false(err.ambiguous)
      assert.is_false(err.fatal)
    end
    local nested = live.fails("sql", conn:execute "BEGIN")
    assert.equal("cannot start a transaction within a transaction", nested.message)
    assert(conn:execute "ROLLBACK")
    assert.equal(0, conn:fetchval "SELECT count(*) FROM child")
    live.usable(conn)
  end)

  it("behaviour 33: that is not there cannot be ended", function()
    for _, sql in ipairs { "ROLLBACK", "COMMIT" } do
      local err = live.fails("sql", conn:execute(sql))
      assert.equal(1, err.code)
      assert.matches("no transaction is active", err.message)
      live.usable(conn)
    end
  end)

  it("behaviour 35: is rolled back when its connection closes", function()
    assert(conn:execute "BEGIN IMMEDIATE")
    assert(conn:execute "INSERT INTO t VALUES (1)")
    local other = server:connect { busy_timeout = 0 }
    live.fails("busy", other:execute "BEGIN IMMEDIATE")
    conn:close()
    live.eventually("the lock is free", function()
      return (other:execute "BEGIN IMMEDIATE")
    end)
    assert.equal(0, count(other))
    assert(other:execute "ROLLBACK")
  end)
end)

live.each("what cannot be sent", function(server)
  local conn

  before_each(function()
    conn = server:connect()
  end)

  -- Refused with nothing sent: the next answer is that of the next statement.
  local function refused(kind, ...)
    local err = live.fails(kind, ...)
    assert.is_false(err.fatal)
    assert.is_false(err.ambiguous)
    assert.equal(0, conn.link.core:pending())
    live.usable(conn)
    return err
  end

  it("behaviour 26: is a NUL in a text or in a statement", function()
    assert.matches("parameter 2: .*dqlite.blob",
      refused("value", conn:fetch("SELECT ?, ?", "a", "b\0c")).message)
    refused("value", conn:fetch("SELECT 1 \0"))
    refused("value", conn:execute("SELECT '\0'"))
  end)

  it("is an empty statement", function()
    for _, sql in ipairs { "", " ; ", "-- nothing" } do
      refused("value", conn:execute(sql))
      refused("value", conn:fetch(sql))
    end
  end)

  it("is another number of parameters than the statement has", function()
    refused("value", conn:fetch("SELECT 1", { n = 256 }))
    refused("value", conn:fetch("SELECT ?, ?", 1))
    refused("value", conn:fetch("SELECT 1", { timeout = 1 }))
    refused("value", conn:fetch("SELECT :a", { b = 1 }))
  end)

  it("is what a server's authorizer denies", function()
    for _, sql in ipairs {
      "PRAGMA journal_mode = DELETE", "pragma main.page_size(512)", "ATTACH 'file' AS other",
      "/* */ Attach Database 'x' AS x", "PRAGMA wal_checkpoint", "VACUUM INTO 'file'",
    } do
      refused("unsupported", conn:execute(sql))
      refused("unsupported", conn:fetch(sql))
    end
    assert.equal(4096, conn:fetchval "PRAGMA page_size")
  end)

  if LUAJIT then
    it("is a number beyond 2^53, which may have lost digits", function()
      for _, number in ipairs { 2 ^ 53 + 2, -2 ^ 53 - 2, 2 ^ 63, -2 ^ 63 } do
        assert.matches("dqlite.int64", refused("value", conn:fetch("SELECT ?", number)).message)
      end
    end)

    it("is an integer beyond 64 bits with a sign", function()
      for _, digits in ipairs { "9223372036854775808", "18446744073709551615" } do
        refused("value", conn:fetch("SELECT ?", load("return " .. digits .. "ULL")()))
      end
    end)
  end

  it("raises when it is no value at all", function()
    local thread = coroutine.create(function() end)
    local message = live.raises(function() conn:fetch("SELECT ?, ?", 1, print) end)
    assert.matches("parameter 2: a function is no SQL value", message)
    live.raises(function() conn:execute("SELECT ?", thread) end)
    live.raises(function() conn:fetchone("SELECT ?", { {} }) end)
    live.raises(function() conn:fetchval("SELECT ?", io.stdout) end)
    live.raises(function() conn:fetchcol(print) end)
    live.usable(conn)
  end)

  it("raises when its table of parameters is none", function()
    live.raises(function() conn:fetchall("SELECT ?, ?", { nil, 2 }) end)
    live.raises(function() conn:fetchall("SELECT ?", { n = 0, 1 }) end)
    live.raises(function() conn:fetchall("SELECT ?", { 1 }, { tymeout = 1 }) end)
    live.raises(function() conn:fetchall("SELECT ?", { 1 }, {}, 1) end)
    live.usable(conn)
  end)

  it("raises after close", function()
    conn:close()
    assert.matches("closed", live.raises(function() conn:execute("SELECT 1") end))
    live.raises(function() conn:ping() end)
    assert.is_true(conn:close())
  end)

  it("raises where dqlite.int64 cannot hold it", function()
    live.raises(function() dqlite.int64("9223372036854775808") end)
    live.raises(function() dqlite.int64(1.5) end)
  end)
end)
