-- executemany where a failure ends the transaction: what is queued behind it
-- would be committed one by one. hazards.md, "Transactions and writes".

local live = require "spec.support.live"
local sets = require "spec.support.sets"

local INSERT = "INSERT INTO t (a, b) VALUES (?, ?)"

live.each("executemany", function(server)
  local conn, other

  before_each(function()
    conn, other = server:connect(), server:connect { busy_timeout = 0 }
    assert(conn:execute "CREATE TABLE t (a INTEGER UNIQUE, b)")
  end)

  local function count()
    return assert(other:fetchval "SELECT count(*) FROM t")
  end

  local function assert_left(expected)
    assert.is_false(conn:in_transaction())
    assert.equal(expected, count())
    assert(other:execute "UPDATE t SET b = b")
    live.usable(conn)
  end

  describe("leaves nothing though the failure ends the transaction:", function()
    local TRIGGER = [[TRIGGER g BEFORE INSERT ON t WHEN NEW.a = 5
      BEGIN SELECT RAISE(ROLLBACK, 'five'); END]]

    -- What each has to create; `statement` in place of INSERT; `fifth`, the
    -- set that fails.
    local CASES = {
      ["a trigger with RAISE(ROLLBACK)"] = { "CREATE " .. TRIGGER },
      ["a trigger in mixed case"] = { (("CREATE " .. TRIGGER):gsub("ROLLBACK", "RollBack")) },
      ["a temporary trigger"] = { "CREATE TEMP " .. TRIGGER },
      ["a trigger, though LIKE minds the case"] =
        { "CREATE " .. TRIGGER, "PRAGMA case_sensitive_like = ON" },
      ["a trigger of a trigger"] = {
        "CREATE TABLE log (a)",
        "CREATE " .. TRIGGER:gsub("ON t", "ON log"),
        "CREATE TRIGGER l AFTER INSERT ON t BEGIN INSERT INTO log VALUES (NEW.a); END",
      },
      ["a trigger with INSERT OR ROLLBACK"] = {
        "CREATE TABLE once (a UNIQUE)",
        "INSERT INTO once VALUES (5)",
        "CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT OR ROLLBACK INTO once VALUES (NEW.a); END",
      },
      ["REPLACE with a trigger"] =
        { "CREATE " .. TRIGGER, statement = "REPLACE INTO t VALUES (?, ?)" },
      ["a table with ON CONFLICT ROLLBACK"] = {
        "DROP TABLE t",
        "CREATE TABLE t (a, b, UNIQUE (a) ON CONFLICT ROLLBACK)",
        fifth = { 4, "x" },
      },
      ["INSERT OR ROLLBACK"] =
        { statement = "INSERT OR ROLLBACK INTO t VALUES (?, ?)", fifth = { 4, "x" } },
      ["INSERT OR ROLLBACK with a comment"] =
        { statement = "INSERT OR/**/rollback INTO t VALUES (?, ?)", fifth = { 4, "x" } },
    }

    local function run(case)
      return conn:executemany(case.statement or INSERT, sets(600, 5, case.fifth or { 5, "x" }))
    end

    for name, case in pairs(CASES) do
      it(name, function()
        for _, sql in ipairs(case) do assert(conn:execute(sql)) end
        for _ = 1, 3 do
          local err = live.fails("constraint", run(case))
          assert.equal(5, err.index)
          assert_left(0)
        end
        local err = live.fails("constraint", conn:transaction(function()
          assert(conn:execute "INSERT INTO t VALUES (1000, 'before')")
          live.fails("constraint", run(case))
          live.fails("sql", conn:execute "INSERT INTO t VALUES (1001, 'behind')")
          live.fails("sql", conn:executemany(INSERT, sets(4)))
          return true
        end))
        assert.equal(5, err.index)
        assert_left(0)
        local tx = assert(conn:begin())
        live.fails("constraint", run(case))
        live.fails("sql", conn:executemany(INSERT, sets(4)))
        assert(tx:rollback())
        assert_left(0)
      end)
    end
  end)
end)
