local paths = require "spec.support.paths"
local scripted = require "spec.support.scripted"
local simulated = require "spec.support.simulated"
local assert_raises = require "spec.support.raises"

local STOP = { scripted.failure(1811, "stop") }

-- The log, with the savepoints' names as NAME.
local function log(server)
  local list = server:log()
  for i, line in ipairs(list) do
    list[i] = line:gsub("^(EXEC_SQL %u[%u ]-) dqlite_?%w*$", "%1 NAME")
  end
  return list
end

local function open()
  local conn, server = simulated.open()
  server:on("DELETE FROM stops", STOP)
  return conn, server
end

describe("transaction(fn)", function()
  after_each(simulated.verify)

  it("begins, runs, commits and answers what the function returned", function()
    local conn, server = open()
    assert.same({ 1, nil, 3, n = 3 }, (function(...) return { n = select("#", ...), ... } end)(
      conn:transaction(function(inside)
        assert.equal(conn, inside)
        assert.is_true(conn:in_transaction())
        assert(inside:execute "DELETE FROM t")
        return 1, nil, 3
      end)))
    assert.is_false(conn:in_transaction())
    assert.same({ "EXEC_SQL BEGIN IMMEDIATE", "EXEC_SQL DELETE FROM t", "EXEC_SQL COMMIT" },
      log(server))
    assert.same({ "DELETE FROM t" }, server.applied)
  end)

  it("that returns nothing, or nil and nothing, commits", function()
    local conn, server = open()
    assert.equal(0, select("#", conn:transaction(function() conn:execute "DELETE FROM t" end)))
    assert.is_nil(conn:transaction(function()
      conn:execute "DELETE FROM t"
      return nil
    end))
    assert.equal(2, #server.applied)
  end)

  it("begins in the mode that is wanted", function()
    for mode, begin in pairs { immediate = "BEGIN IMMEDIATE", deferred = "BEGIN",
      exclusive = "BEGIN EXCLUSIVE", read = "BEGIN" } do
      local conn, server = open()
      assert.is_true(conn:transaction(function() return true end, { mode = mode }))
      assert.same({ "EXEC_SQL " .. begin, "EXEC_SQL COMMIT" }, log(server))
    end
  end)

  it("sends COMMIT only after the answers to all there is in it", function()
    local conn, server = open()
    conn:transaction(function()
      conn:execute "DELETE FROM t"
      conn:fetch "SELECT a FROM t"
    end)
    assert.equal(4, #server:log(true))
    assert.equal(3, server.ahead) -- of the opening
  end)

  it("rolls back when the function raises, and raises the same", function()
    for _, value in ipairs { "a text", { code = 7 }, 42 } do
      local conn, server = open()
      local ok, raised = pcall(conn.transaction, conn, function()
        conn:execute "DELETE FROM t"
        error(value, 0)
      end)
      assert.is_false(ok)
      assert.equal(value, raised)
      assert.same({}, server.applied)
      assert.is_false(server.in_transaction)
      assert.is_false(conn:in_transaction())
    end
  end)

  it("rolls back when the function returns nil and an error, and returns them", function()
    local conn, server = open()
    local reason = {}
    local result, err, third = conn:transaction(function()
      conn:execute "DELETE FROM t"
      return nil, reason, 3
    end)
    assert.is_nil(result)
    assert.equal(reason, err)
    assert.equal(3, third)
    assert.same({}, server.applied)
    assert.is_false(server.in_transaction)
  end)

  it("rolls back when a statement failed and nobody cared", function()
    for name, fails in pairs {
      execute = function(conn) conn:execute "DELETE FROM stops" end,
      fetch = function(conn) conn:fetch "DELETE FROM stops" end,
      value = function(conn) conn:execute("DELETE FROM t WHERE a = ?", 1, 2) end,
      prepare = function(conn) conn:prepare "PRAGMA x" end,
      executemany = function(conn) conn:executemany("DELETE FROM t", { { 1 } }) end,
      pipeline = function(conn) conn:pipeline { { "SELECT 1" }, { "DELETE FROM stops" } } end,
      script = function(conn) conn:script "DELETE FROM t; DELETE FROM stops" end,
      rows = function(conn) pcall(conn.rows, conn, "DELETE FROM stops") end,
    } do
      local conn, server = open()
      local result, err = conn:transaction(function()
        assert(conn:execute "DELETE FROM u")
        fails(conn)
        return "fine"
      end)
      assert.is_nil(result, name)
      assert.equal("table", type(err), name)
      assert.same({}, server.applied, name)
      assert.is_false(server.in_transaction, name)
    end
  end)

  it("answers the first of several failures", function()
    local conn = open()
    local _, err = conn:transaction(function()
      conn:execute "DELETE FROM stops"
      conn:execute ""
    end)
    assert.equal(1811, err.code)
  end)

  it("keeps what did not fail when it is told to", function()
    local conn, server = open()
    assert.equal("fine", conn:transaction(function()
      conn:execute "DELETE FROM t"
      conn:execute "DELETE FROM stops"
      return "fine"
    end, { on_error = "commit" }))
    assert.same({ "DELETE FROM t" }, server.applied)
    assert.is_nil(conn:transaction(function()
      conn:execute "DELETE FROM u"
      return nil, "no"
    end, { on_error = "commit" }))
    assert.same({ "DELETE FROM t" }, server.applied)
  end)

  it("runs nothing when it could not begin", function()
    local conn, server = open()
    server:on("BEGIN IMMEDIATE", { scripted.failure(10250, "not leader") })
    local result, err = conn:transaction(error)
    assert.is_nil(result)
    assert.equal("not_leader", err.kind)
  end)

  it("raises what is wrong with its arguments", function()
    local conn, server = open()
    assert_raises("runs a function", function() conn:transaction "BEGIN" end)
    assert_raises("'mode' must be", function() conn:transaction(error, { mode = "x" }) end)
    assert_raises("unknown option 'x'", function() conn:transaction(error, { x = 1 }) end)
    assert.equal(0, server.bytes())
  end)

  it("has its control to itself", function()
    local conn, server = open()
    assert.is_true(conn:transaction(function()
      assert_raises("inside transaction", function() conn:begin() end)
      assert_raises("inside transaction", function() conn:commit() end)
      assert_raises("inside transaction", function() conn:rollback() end)
      for _, text in ipairs { "BEGIN", "begin immediate", "COMMIT", "END", "ROLLBACK",
        "ROLLBACK TRANSACTION", "/* x */ commit transaction" } do
        assert_raises("inside transaction", function() conn:execute(text) end)
        assert_raises("inside transaction", function() conn:script("SELECT 1;" .. text) end)
      end
      assert(conn:execute "DELETE FROM t")
      return true
    end))
    assert.same({ "EXEC_SQL BEGIN IMMEDIATE", "EXEC_SQL DELETE FROM t", "EXEC_SQL COMMIT" },
      log(server))
  end)

  it("that only reads refuses to write, on every path", function()
    local conn, server = open()
    conn:transaction(function()
      for _, text in ipairs { "DELETE FROM t", "DELETE FROM t RETURNING a", "DROP TABLE t",
        "PRAGMA user_version = 1", "WITH n AS (SELECT 1) DELETE FROM t" } do
        paths.each(function(path)
          local result, err = path.run(conn, text)
          assert.is_nil(result, path.name)
          assert.is_truthy(err.kind == "policy" or err.kind == "value", path.name)
        end)
      end
      assert.equal(1, conn:fetchval "SELECT a FROM t")
    end, { mode = "read" })
    for _, line in ipairs(server:log()) do
      if not line:find "^PREPARE" then
        assert.is_nil(line:find "DELETE" or line:find "DROP" or line:find "version")
      end
    end
    assert.same({}, server.applied)
  end)
end)

describe("a transaction inside another", function()
  after_each(simulated.verify)

  it("is a savepoint", function()
    local conn, server = open()
    assert.equal(2, conn:transaction(function()
      conn:execute "DELETE FROM t"
      local one = conn:transaction(function()
        conn:execute "DELETE FROM u"
        return 1
      end)
      conn:execute "DELETE FROM v"
      return one + 1
    end))
    assert.same({ "EXEC_SQL BEGIN IMMEDIATE", "EXEC_SQL DELETE FROM t", "EXEC_SQL SAVEPOINT NAME",
      "EXEC_SQL DELETE FROM u", "EXEC_SQL RELEASE NAME", "EXEC_SQL DELETE FROM v",
      "EXEC_SQL COMMIT" }, log(server))
    assert.equal(3, #server.applied)
  end)

  it("fails alone: the outer one lives on when it cares", function()
    for _, how in ipairs {
      function(conn) conn:execute "DELETE FROM stops" end,
      function() return nil, "no" end,
      function() error "no" end,
    } do
      local conn, server = open()
      assert.is_true(conn:transaction(function()
        conn:execute "DELETE FROM t"
        pcall(conn.transaction, conn, function()
          conn:execute "DELETE FROM u"
          return how(conn)
        end)
        conn:execute "DELETE FROM v"
        return true
      end))
      assert.same({ "DELETE FROM t", "DELETE FROM v" }, server.applied)
    end
  end)

  it("and others end in the reverse order, each its own", function()
    local conn, server = open()
    local result = conn:transaction(function()
      conn:execute "DELETE FROM one"
      conn:transaction(function()
        conn:execute "DELETE FROM two"
        conn:transaction(function()
          conn:execute "DELETE FROM three"
          return nil, "no"
        end)
        conn:transaction(function() conn:execute "DELETE FROM four" end)
      end)
      conn:transaction(function()
        conn:execute "DELETE FROM five"
        return nil, "no"
      end)
      return true
    end)
    assert.is_true(result)
    assert.same({ "DELETE FROM one", "DELETE FROM two", "DELETE FROM four" }, server.applied)
    assert.same({}, server.savepoints)
  end)

  it("is one inside of a BEGIN by hand as well, which stays open", function()
    local conn, server = open()
    assert(conn:execute "BEGIN")
    assert.is_true(conn:transaction(function() return conn:execute "DELETE FROM t" ~= nil end))
    assert.is_nil(conn:transaction(function() conn:execute "DELETE FROM stops" end))
    assert.is_true(server.in_transaction)
    assert(conn:execute "COMMIT")
    assert.same({ "DELETE FROM t" }, server.applied)
  end)

  it("only reads when the outer one does", function()
    local conn = open()
    conn:transaction(function()
      local _, err = conn:transaction(function() conn:execute "DELETE FROM t" end)
      assert.equal("policy", err.kind)
    end, { mode = "read" })
  end)
end)
