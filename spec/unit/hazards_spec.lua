-- hazards.md, "Requests that kill or wedge a server": a real one must not get
-- them on any path, and what is refused costs neither a byte nor the
-- connection. Ids are in cache_spec and prepare_spec, rows that are left in
-- rows_spec, many statements in one text in script_spec; names to OPEN and
-- messages that a session never sends in open_spec and session_spec.
local dqlite = require "dqlite"
local paths = require "spec.support.paths"
local scripted = require "spec.support.scripted"
local simulated = require "spec.support.simulated"

local VERSIONS = { "1.11.1", "1.14", "1.18.6" }

local function each_version(fn)
  for _, version in ipairs(VERSIONS) do fn(version) end
end

local READ, WRITE = "SELECT a FROM t WHERE b = 1", "DELETE FROM t WHERE b = 1"

-- Texts that were sent three times go by their id.
local function warm(conn)
  for _ = 1, 3 do
    assert(conn:fetch(READ))
    assert(conn:execute(WRITE))
  end
end

local function refused(conn, server, path, text, kind)
  local before = server.bytes()
  local answer, err = path.run(conn, text)
  local where = path.name .. ": " .. text
  assert.is_nil(answer, where)
  assert.equal(kind, err.kind, where)
  assert.same({ false, false, false }, { err.fatal, err.retryable, err.ambiguous })
  assert.equal(before, server.bytes(), where)
  assert.equal(1, conn:fetchval(READ), where)
end

local function refused_everywhere(text, kind)
  each_version(function(version)
    local conn, server = simulated.open(version)
    paths.each(function(path) refused(conn, server, path, text, kind) end)
    warm(conn)
    paths.each(function(path) refused(conn, server, path, text, kind) end)
  end)
end

describe("OPEN with a name that takes the node down", function()
  it("is refused before it is dialled", function()
    for _, name in ipairs { "", ":memory:", "file:x", ("x"):rep(505), "a\0b" } do
      local server = scripted.server()
      local conn, err = dqlite.connect(server.address, { loop = server.loop, database = name })
      assert.is_nil(conn)
      assert.equal("value", err.kind)
      assert.equal(0, server.connects)
    end
  end)
end)

describe("a PRAGMA that takes the node down", function()
  after_each(simulated.verify)

  it("is refused in all its spellings, on every path", function()
    for _, text in ipairs {
      "PRAGMA journal_mode=delete", "PRAGMA journal_mode = 'delete'",
      "pragma main.journal_mode(x)", "PRAGMA/**/main . journal_mode--\n=off",
      "PRAGMA \"journal_mode\"=delete", "PRAGMA [main].'journal_mode'(delete)",
      "PRAGMA `page_size` = 1024", "PRAGMA Synchronous=FULL",
      "PRAGMA wal_autocheckpoint(1)", "PRAGMA wal_checkpoint",
      "PRAGMA main.wal_checkpoint(truncate)", "PRAGMA busy_timeout",
      "PRAGMA read_uncommitted=1", "PRAGMA locking_mode=exclusive",
      "EXPLAIN PRAGMA journal_mode=delete",
      "explain query plan pragma temp.journal_mode=delete",
      -- these write while they yield rows, outside of a transaction
      "PRAGMA optimize", "PRAGMA main.optimize", "pragma \"Optimize\"(0x10002)",
      "EXPLAIN PRAGMA optimize=1", "PRAGMA incremental_vacuum", "PRAGMA main.incremental_vacuum(3)",
      "SELECT * FROM pragma_optimize", "SELECT * FROM main.\"pragma_optimize\"(3)",
    } do
      refused_everywhere(text, "unsupported")
    end
  end)

  it("behind other statements is refused before the first one runs", function()
    local conn, server = simulated.open "1.11.1"
    local count, err = conn:script "DELETE FROM t; PRAGMA journal_mode=delete; DELETE FROM u"
    assert.is_nil(count)
    assert.same({ "unsupported", 2 }, { err.kind, err.index })
    local results, wrong = conn:pipeline { { WRITE }, { "PRAGMA journal_mode=delete" } }
    assert.is_nil(results)
    assert.same({ "unsupported", 2 }, { wrong.kind, wrong.index })
    assert.equal(0, server.bytes())
    assert.equal(1, conn:fetchval(READ))
  end)

  it("is not confused with one that does no harm", function()
    each_version(function(version)
      local conn, server = simulated.open(version)
      assert.equal(1, conn:fetchval "PRAGMA journal_mode")
      assert.equal(1, conn:fetchval "PRAGMA table_info(journal_mode)")
      assert(conn:execute "PRAGMA user_version = 5")
      assert.same({ "QUERY_SQL PRAGMA journal_mode",
        "QUERY_SQL PRAGMA table_info(journal_mode)",
        "EXEC_SQL PRAGMA user_version = 5" }, server:log())
    end)
  end)
end)

describe("ATTACH", function()
  after_each(simulated.verify)

  it("is refused in all its spellings, on every path", function()
    for _, text in ipairs { "ATTACH 'file' AS f", "attach database ?1 as f",
      "/* x */ ATTACH ':memory:' AS f", "EXPLAIN ATTACH 'file' AS f" } do
      refused_everywhere(text, "unsupported")
    end
  end)

  it("in disguise is refused too: VACUUM INTO", function()
    refused_everywhere("VACUUM INTO 'file'", "unsupported")
    refused_everywhere("vacuum main into 'file'", "unsupported")
  end)
end)

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
