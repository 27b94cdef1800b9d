-- hazards.md, "Requests that kill or wedge a server": RETURNING goes through
-- QUERY only, and before 1.15 inside of a transaction only.
local paths = require "spec.support.paths"
local scripted = require "spec.support.scripted"
local simulated = require "spec.support.simulated"

local VERSIONS = { "1.11.1", "1.14", "1.18.6" }
local READ, WRITE = "SELECT a FROM t WHERE b = 1", "DELETE FROM t WHERE b = 1"

local function each_version(fn)
  for _, version in ipairs(VERSIONS) do fn(version) end
end

-- The rows that RETURNING answers on every path, and what became durable.
local RETURNING = "INSERT INTO t VALUES (?) RETURNING a"
local PLAIN = "INSERT INTO t VALUES (7) RETURNING a"

local function returns_row(conn, path)
  local text = path.params and RETURNING or PLAIN
  local answer, err = path.run(conn, text, path.params and 7 or nil)
  return answer, err, text
end

describe("RETURNING", function()
  after_each(simulated.verify)

  it("goes through QUERY from every path, alone from 1.15 on", function()
    paths.each(function(path)
      local conn, server = simulated.open "1.18.6"
      for _ = 1, 4 do -- as text, with PREPARE, by id
        local answer, err = returns_row(conn, path)
        assert(answer, path.name .. ": " .. tostring(err))
      end
      assert.equal(4, #server.applied, path.name)
      assert.is_false(server.in_transaction)
    end)
  end)

  it("goes into a transaction from every path before 1.15", function()
    for _, version in ipairs { "1.11.1", "1.14" } do
      paths.each(function(path)
        if path.name == "pipeline" then return end
        local conn, server = simulated.open(version)
        for _ = 1, 4 do
          local answer, err = returns_row(conn, path)
          assert(answer, path.name .. ": " .. tostring(err))
        end
        assert.equal(4, #server.applied, path.name)
        assert.is_false(server.in_transaction)
        assert.is_false(conn:in_transaction())
      end)
    end
  end)

  it("in a pipeline is refused before 1.15 unless a transaction is open", function()
    for _, version in ipairs { "1.11.1", "1.14" } do
      local conn, server = simulated.open(version)
      local results, err = conn:pipeline { { READ }, { RETURNING, 1 } }
      assert.is_nil(results)
      assert.equal("unsupported", err.kind)
      assert.matches("RETURNING", err.message)
      assert.same({ "PREPARE SELECT 1" }, server:log()) -- the server was asked
      assert(conn:begin())
      results = assert(conn:pipeline { { RETURNING, 1 }, { RETURNING, 2 } })
      assert.same({ { { a = 1 } }, { { a = 1 } } }, results)
      assert(conn:commit())
      assert.equal(2, #server.applied)
    end
  end)

  it("inside a transaction is sent as it is", function()
    each_version(function(version)
      paths.each(function(path)
        local conn, server = simulated.open(version)
        local done, err = conn:transaction(function()
          for _ = 1, 4 do
            if not returns_row(conn, path) then return nil, path.name end
          end
          return true
        end)
        assert(done, tostring(err))
        assert.equal(4, #server.applied, path.name)
      end)
    end)
  end)

  it("is begun, waited for, drained, then committed", function()
    local conn, server = simulated.open "1.11.1"
    server:on(PLAIN, {
      scripted.rows { columns = { "a" }, { 1 }, more = true },
      scripted.rows { columns = { "a" }, { 2 } },
    })
    assert.same({ { 1 }, { 2 } }, conn:fetchall(PLAIN))
    assert.same({ { "PREPARE SELECT 1" }, { "EXEC_SQL BEGIN IMMEDIATE", "FINALIZE 0" },
      { "QUERY_SQL " .. PLAIN }, { "EXEC_SQL COMMIT" } }, server:log(true))
    assert.same({ rows_affected = 2 }, conn:execute(PLAIN))
    assert.same({ "EXEC_SQL BEGIN IMMEDIATE", "QUERY_SQL " .. PLAIN, "PREPARE " .. PLAIN,
      "EXEC_SQL COMMIT" }, server:log())
  end)

  it("that fails is rolled back, with the reason", function()
    local conn, server = simulated.open "1.11.1"
    server:on(PLAIN, { scripted.failure(2067, "UNIQUE constraint failed: t.a") })
    local rows, err = conn:fetch(PLAIN)
    assert.is_nil(rows)
    assert.same({ "constraint", 2067 }, { err.kind, err.code })
    assert.is_false(server.in_transaction)
    assert.is_false(conn:in_transaction())
    assert.equal("EXEC_SQL ROLLBACK", table.remove(server:log()))
  end)

  it("whose COMMIT fails is rolled back; whose COMMIT is lost is in doubt", function()
    local conn, server = simulated.open "1.11.1"
    server:on("COMMIT", { scripted.failure(787, "FOREIGN KEY constraint failed") })
    local rows, err = conn:fetch(PLAIN)
    assert.is_nil(rows)
    assert.same({ 787, false, false }, { err.code, err.retryable, err.ambiguous })
    assert.is_false(server.in_transaction)
    assert.is_true(conn:is_open())
    server:on("COMMIT", { "close" })
    rows, err = conn:fetch(PLAIN)
    assert.is_nil(rows)
    assert.same({ "closed", true, false, true },
      { err.kind, err.fatal, err.retryable, err.ambiguous })
  end)

  it("lost before its COMMIT was sent is certainly not applied", function()
    local conn, server = simulated.open "1.11.1"
    server:on(PLAIN, { "close" })
    local rows, err = conn:fetch(PLAIN)
    assert.is_nil(rows)
    assert.same({ "closed", true, true, false },
      { err.kind, err.fatal, err.retryable, err.ambiguous })
    assert.same({}, server.applied)
  end)

  it("after a failure in a transaction makes sure that it is open", function()
    each_version(function(version)
      local conn, server = simulated.open(version)
      assert(conn:execute "BEGIN")
      server:on(WRITE, { scripted.failure(1811, "stop") })
      assert.is_nil(conn:execute(WRITE))
      assert(conn:fetch(PLAIN))
      assert(conn:execute "COMMIT")
      assert.same({ PLAIN }, server.applied)
    end)
  end)

  it("after a failure that ended the transaction gets one of its own", function()
    for _, version in ipairs { "1.11.1", "1.14" } do
      local conn, server = simulated.open(version)
      assert(conn:execute "BEGIN")
      server:on(WRITE, function()
        server:roll_back()
        return { scripted.failure(1811, "stop") }
      end)
      assert.is_nil(conn:execute(WRITE))
      assert(conn:fetch(PLAIN))
      assert.same({ PLAIN }, server.applied)
      assert.is_false(conn:in_transaction())
    end
  end)
end)

describe("RETURNING whose rows are more than allowed", function()
  after_each(simulated.verify)

  it("is not applied, or says that it may have been", function()
    for _, version in ipairs { "1.11.1", "1.14", "1.18.6" } do
      for _, opts in ipairs { { max_rows = 1 }, { max_result_bytes = 64 } } do
        local conn, server = simulated.open(version)
        local text = "DELETE FROM t RETURNING a"
        server:on(text, function()
          server:apply(text)
          return { scripted.rows { columns = { "a" }, { 1 }, { 2 }, { 3 }, { 4 }, { 5 } } }
        end)
        local rows, err = conn:fetch(text, {}, opts)
        assert.is_nil(rows)
        assert.equal("policy", err.kind)
        assert.is_false(err.retryable and #server.applied > 0)
        assert.equal(err.ambiguous, #server.applied > 0)
        assert.is_false(server.in_transaction)
      end
    end
  end)
end)

describe("the word RETURNING", function()
  after_each(simulated.verify)

  it("is found wherever SQLite finds it", function()
    for _, text in ipairs {
      "DELETE FROM t RETURNING a", "delete from t returning\na", "UPDATE t SET a=1/**/RETURNING*",
      "UPDATE t SET a='x'RETURNING a", "WITH n AS (SELECT 1) DELETE FROM t RETURNING a",
      "REPLACE INTO t VALUES (1) RETURNING \"a\"",
      "INSERT INTO t VALUES (1) ON CONFLICT DO UPDATE SET a=2 RETURNING a",
    } do
      local conn, server = simulated.open "1.11.1"
      assert.same({ rows_affected = 1 }, conn:execute(text))
      assert.same({ text }, server.applied)
    end
  end)

  it("in a name or a literal is none", function()
    for _, text in ipairs { "DELETE FROM t WHERE a='RETURNING'", "DELETE FROM t -- RETURNING a",
      "DELETE FROM [t RETURNING a]" } do
      local conn, server = simulated.open "1.11.1"
      assert(conn:execute(text))
      assert.equal(1, #server:log())
    end
  end)
end)
