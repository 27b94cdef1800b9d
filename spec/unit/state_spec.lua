-- hazards.md, "Transactions and writes": two flags. `maybe` says that a ROLLBACK
-- is owed, `surely` that what comes next is inside of a transaction.
local scripted = require "spec.support.scripted"
local simulated = require "spec.support.simulated"

local STOP = { scripted.failure(1811, "stop") }
local BUSY = { scripted.failure(5, "database is locked") }
local SNAPSHOT = { scripted.failure(517, "database is locked") }

-- Nothing public tells; what follows from it is in exchange_spec and below.
local function is_surely_open(conn)
  return conn.state.surely_open
end

-- Runs statements; what a text is planned to fail with stands behind it.
local function after(steps, version)
  local conn, server = simulated.open(version, { busy_timeout = 0 })
  for _, step in ipairs(steps) do
    if type(step) == "function" then
      step(conn, server)
    elseif type(step) == "table" then
      server:on(step[1], step[2])
      assert(not conn:execute(step[1]))
      server:on(step[1], nil)
    else
      assert(conn:execute(step))
    end
  end
  return conn, server
end

local function ends_it(conn, server)
  server:on("INSERT OR ROLLBACK INTO t VALUES (1)", function()
    server:roll_back()
    return { scripted.failure(1555, "UNIQUE constraint failed: t.a") }
  end)
  assert(not conn:execute "INSERT OR ROLLBACK INTO t VALUES (1)")
end

local function many_fails(conn, server)
  server:on("INSERT INTO t VALUES (?)", STOP)
  assert(not conn:executemany("INSERT INTO t VALUES (?)", { { 1 } }))
end

local function pipeline_fails(conn, server)
  server:on("DELETE FROM u", STOP)
  local results = assert(conn:pipeline { { "SELECT 1" }, { "DELETE FROM u" } })
  assert(results[2].error)
end

local function abandoned_rows_fail(conn, server)
  server:on("SELECT a FROM t", {
    scripted.rows { columns = { "a" }, { 1 }, more = true },
    scripted.failure(1811, "stop"),
  })
  conn:rows "SELECT a FROM t"()
  assert(conn:fetchval "SELECT 1")
end

local function rows_fail(conn, server)
  server:on("SELECT a FROM t", STOP)
  assert(not pcall(conn.rows, conn, "SELECT a FROM t"))
end

local function rows_fail_later(conn, server)
  server:on("SELECT a FROM t", {
    scripted.rows { columns = { "a" }, { 1 }, more = true },
    scripted.failure(1811, "stop"),
  })
  local next_row = conn:rows "SELECT a FROM t"
  next_row()
  assert(not pcall(next_row))
end

local function script_fails(conn, server)
  server:on("DELETE FROM u", STOP)
  assert(not conn:script "BEGIN; DELETE FROM u; COMMIT")
end

local SEQUENCES = {
  { "nothing", {}, maybe = false, surely = false },
  { "a write", { "DELETE FROM t" }, maybe = false, surely = false },
  { "BEGIN", { "BEGIN" }, maybe = true, surely = true },
  { "BEGIN IMMEDIATE", { "begin immediate" }, maybe = true, surely = true },
  { "SAVEPOINT", { "SAVEPOINT a" }, maybe = true, surely = true },
  { "BEGIN refused", { { "BEGIN IMMEDIATE", BUSY } }, maybe = false, surely = false },
  { "a write", { "BEGIN", "DELETE FROM t" }, maybe = true, surely = true },
  { "COMMIT", { "BEGIN", "COMMIT" }, maybe = false, surely = false },
  { "END", { "BEGIN", "END TRANSACTION" }, maybe = false, surely = false },
  { "ROLLBACK", { "BEGIN", "ROLLBACK TRANSACTION" }, maybe = false, surely = false },
  { "EXPLAIN COMMIT", { "BEGIN", "EXPLAIN COMMIT" }, maybe = true, surely = true },
  { "EXPLAIN BEGIN", { "EXPLAIN BEGIN" }, maybe = false, surely = false },
  { "ROLLBACK TO", { "BEGIN", "SAVEPOINT a", "ROLLBACK TO a" }, maybe = true, surely = true },
  { "ROLLBACK TO spelt out", { "BEGIN", "SAVEPOINT a",
    "ROLLBACK TRANSACTION TO SAVEPOINT a" }, maybe = true, surely = true },
  { "RELEASE inside", { "BEGIN", "SAVEPOINT a", "RELEASE a" }, maybe = true, surely = false },
  { "RELEASE of all", { "SAVEPOINT a", "RELEASE a" }, maybe = true, surely = false },
  { "ROLLBACK TO behind a failure", { "BEGIN", "SAVEPOINT a", { "DELETE FROM t", STOP },
    "ROLLBACK TO a" }, maybe = true, surely = true },
  { "a failure", { "BEGIN", { "DELETE FROM t", STOP } }, maybe = true, surely = false },
  { "a read's failure", { "BEGIN", { "SELECT a FROM t", STOP } }, maybe = true, surely = false },
  { "BUSY", { "BEGIN", { "DELETE FROM t", BUSY } }, maybe = true, surely = true },
  { "BUSY_SNAPSHOT", { "BEGIN", { "DELETE FROM t", SNAPSHOT } }, maybe = true, surely = true },
  { "COMMIT busy", { "BEGIN", { "COMMIT", BUSY } }, maybe = true, surely = true },
  { "COMMIT with a foreign key missing", { "BEGIN",
    { "COMMIT", { scripted.failure(787, "FOREIGN KEY constraint failed") } } },
    maybe = true, surely = false },
  { "and ROLLBACK", { "BEGIN",
    { "COMMIT", { scripted.failure(787, "FOREIGN KEY constraint failed") } }, "ROLLBACK" },
    maybe = false, surely = false },
  { "BEGIN within", { "BEGIN", { "BEGIN" } }, maybe = true, surely = true },
  { "BEGIN within behind a failure", { "BEGIN", { "DELETE FROM t", STOP }, { "BEGIN" } },
    maybe = true, surely = true },
  { "OR ROLLBACK", { "BEGIN", ends_it }, maybe = true, surely = false },
  { "OR ROLLBACK, ROLLBACK", { "BEGIN", ends_it, { "ROLLBACK" } },
    maybe = false, surely = false },
  { "OR ROLLBACK, COMMIT", { "BEGIN", ends_it, { "COMMIT" } }, maybe = false, surely = false },
  { "OR ROLLBACK, BEGIN", { "BEGIN", ends_it, "BEGIN" }, maybe = true, surely = true },
  { "OR ROLLBACK, RELEASE", { "SAVEPOINT a", ends_it, { "RELEASE a" } },
    maybe = true, surely = false },
  { "a failure that speaks of a transaction", { { 'SELECT 1 FROM "within a transaction"',
    { scripted.failure(1, "no such table: within a transaction") } } },
    maybe = false, surely = false },
  { "a failure that speaks of none", { "BEGIN", { 'SELECT 1 FROM "no transaction is active"',
    { scripted.failure(1, "no such table: no transaction is active") } } },
    maybe = true, surely = false },
  { "a failure with all of such a message", { { "DELETE FROM t",
    { scripted.failure(1, "cannot start a transaction within a transaction") } } },
    maybe = false, surely = false },
  { "executemany", { function(conn)
    assert(conn:executemany("INSERT INTO t VALUES (?)", { { 1 } }))
  end }, maybe = false, surely = false },
  { "executemany inside", { "BEGIN", function(conn)
    assert(conn:executemany("INSERT INTO t VALUES (?)", { { 1 } }))
  end }, maybe = true, surely = true },
  { "executemany failed", { many_fails }, maybe = false, surely = false },
  { "executemany failed inside", { "BEGIN", many_fails }, maybe = true, surely = true },
  { "a pipeline failed", { "BEGIN", pipeline_fails }, maybe = true, surely = false },
  { "a script failed", { script_fails }, maybe = false, surely = false },
  { "rows failed", { "BEGIN", rows_fail }, maybe = true, surely = false },
  { "rows failed in the middle", { "BEGIN", rows_fail_later }, maybe = true, surely = false },
  { "abandoned rows failed", { "BEGIN", abandoned_rows_fail }, maybe = true, surely = false },
}

describe("the state of a transaction", function()
  after_each(simulated.verify)

  for _, case in ipairs(SEQUENCES) do
    it("after " .. case[1] .. " (" .. #case[2] .. " steps)", function()
      local conn, server = after(case[2])
      assert.same({ case.maybe, case.surely }, { conn:in_transaction(), is_surely_open(conn) })
      if case.surely then assert.is_true(server.in_transaction) end
      if server.in_transaction then assert.is_true(case.maybe) end
    end)

    it("lets RETURNING out only inside: " .. case[1] .. " (" .. #case[2] .. " steps)", function()
      local conn, server = after(case[2], "1.11.1")
      local was_open = server.in_transaction
      assert(conn:fetch "DELETE FROM v RETURNING a")
      assert.equal(was_open, server.in_transaction)
    end)
  end
end)

-- ---- sequences that nobody thought of ----

-- Numbers that are the same on every Lua.
local function numbers(seed)
  return function(n)
    seed = (seed * 16807) % 2147483647
    return seed % n + 1
  end
end

local STEPS = {
  function(conn) conn:execute "BEGIN" end,
  function(conn) conn:execute "BEGIN IMMEDIATE" end,
  function(conn) conn:execute "COMMIT" end,
  function(conn) conn:execute "ROLLBACK" end,
  function(conn) conn:execute "SAVEPOINT a" end,
  function(conn) conn:execute "RELEASE a" end,
  function(conn) conn:execute "ROLLBACK TO a" end,
  function(conn) conn:execute "DELETE FROM t" end,
  function(conn) conn:execute "DELETE FROM stops" end,
  function(conn) conn:execute "DELETE FROM ends" end,
  function(conn) conn:execute "DELETE FROM locked" end,
  function(conn) conn:fetch "DELETE FROM t RETURNING a" end,
  function(conn) conn:fetch "DELETE FROM stops RETURNING a" end,
  function(conn) conn:executemany("INSERT INTO t VALUES (?)", { { 1 }, { 2 } }) end,
  function(conn) conn:executemany("INSERT INTO ends VALUES (?)", { { 1 }, { 2 } }) end,
  function(conn) conn:script "SAVEPOINT b; DELETE FROM t; RELEASE b" end,
  function(conn) conn:script "BEGIN; DELETE FROM stops; COMMIT" end,
  function(conn) conn:pipeline { { "DELETE FROM t" }, { "DELETE FROM ends" }, { "SELECT 1" } } end,
  function(conn)
    conn:transaction(function()
      conn:execute "DELETE FROM t"
      conn:execute "DELETE FROM ends"
      conn:fetch "DELETE FROM t RETURNING a"
      return true
    end)
  end,
  function(conn)
    conn:transaction(function()
      conn:execute "DELETE FROM t"
      return true
    end)
  end,
}

local function plan(server)
  local function ends()
    server:roll_back()
    return STOP
  end
  server:on("DELETE FROM stops", STOP)
  server:on("DELETE FROM stops RETURNING a", STOP)
  server:on("DELETE FROM locked", BUSY)
  server:on("DELETE FROM ends", ends)
  server:on("INSERT INTO ends VALUES (?)", ends)
end

describe("any sequence", function()
  after_each(simulated.verify)

  it("never makes it sure of a transaction that is none, nor forget one", function()
    for seed = 1, 60 do
      for _, version in ipairs { "1.11.1", "1.18.6" } do
        local next_number = numbers(seed)
        local conn, server = simulated.open(version, { busy_timeout = 0 })
        plan(server)
        for step = 1, 30 do
          STEPS[next_number(#STEPS)](conn)
          assert.is_true(conn:is_open())
          local where = ("seed %d, step %d"):format(seed, step)
          if is_surely_open(conn) then assert.is_true(server.in_transaction, where) end
          if server.in_transaction then assert.is_true(conn:in_transaction(), where) end
        end
      end
    end
  end)
end)
