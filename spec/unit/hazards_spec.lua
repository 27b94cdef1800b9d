-- hazards.md, "Requests that kill or wedge a server": a real one must not get
-- them on any path, and what is refused costs neither a byte nor the
-- connection. RETURNING is in returning_spec, ids are in cache_spec and
-- prepare_spec, rows that are left in rows_left_spec, many statements in one
-- text in script_spec, messages that a session never sends in session_spec.
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

describe("a write that may fail and keep rows", function()
  after_each(simulated.verify)

  it("fails with its own reason, and keeps them", function()
    local text = "INSERT OR FAIL INTO t SELECT a FROM u"
    each_version(function(version)
      for _, begin in ipairs { false, "BEGIN" } do
        local conn, server = simulated.open(version)
        if begin then assert(conn:execute(begin)) end
        server:on(text, function()
          server:apply(text)
          return { scripted.failure(1555, "UNIQUE constraint failed: t.a") }
        end)
        local result, err = conn:execute(text)
        assert.is_nil(result)
        assert.same({ 1555, false, false }, { err.code, err.retryable, err.ambiguous })
        assert.equal(begin ~= false, server.in_transaction)
        if begin then assert(conn:execute "COMMIT") end
        assert.same({ text }, server.applied)
      end
    end)
  end)

  it("goes into a transaction on every path, or is refused unsent", function()
    for _, text in ipairs { "INSERT OR FAIL INTO t SELECT a FROM u", "update or fail t set a = 1",
      "WITH n AS (SELECT 1) INSERT OR /**/ FAIL INTO t SELECT 1 FROM n" } do
      each_version(function(version)
        paths.each(function(path)
          local conn, server = simulated.open(version)
          if path.rows then return end
          for n = 1, 4 do
            local answer, err = path.run(conn, text)
            if answer then
              assert.equal(n, #server.applied, path.name)
            else
              assert.equal("unsupported", err.kind, path.name)
              assert.equal(0, #server.applied, path.name)
            end
          end
          assert.is_false(server.in_transaction)
        end)
      end)
    end
  end)
end)
