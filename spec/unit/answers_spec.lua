-- hazards.md, "Silent wrong answers": errors, or right answers, before a byte
-- leaves where that can be told. What is read of a result is in result_spec and
-- connection_spec, what may be prepared in cache_spec.
local null = require "dqlite".null
local paths = require "spec.support.paths"
local scripted = require "spec.support.scripted"
local simulated = require "spec.support.simulated"

local unpack = table.unpack or rawget(_G, "unpack")

local function marks(n)
  return ("?, "):rep(n - 1) .. "?"
end

local function numbers(n)
  local list = {}
  for i = 1, n do list[i] = i end
  return list
end

-- A text with n parameters that every path with parameters takes.
local function with_params(path, n)
  if path.rows then return "SELECT a FROM t WHERE b IN (" .. marks(n) .. ")" end
  return "DELETE FROM t WHERE b IN (" .. marks(n) .. ")"
end

local function refused(conn, server, pattern, path, text, ...)
  local before = server.bytes()
  local answer, err = path.run(conn, text, ...)
  local where = path.name .. ": " .. text:sub(1, 60)
  assert.is_nil(answer, where)
  assert.equal("value", err.kind, where)
  assert.matches(pattern, err.message, 1, false, where)
  assert.same({ false, false, false }, { err.fatal, err.retryable, err.ambiguous })
  return before, server.bytes()
end

-- prepare() is a request of its own, and executemany begins a transaction
-- before it reads the sets: there the statement is not sent.
local function refused_unsent(conn, server, pattern, path, text, ...)
  local before, after = refused(conn, server, pattern, path, text, ...)
  for _, line in ipairs(server:log()) do
    assert.is_nil(line:find("^EXEC.* DELETE") or line:find "^QUERY.* SELECT a", line)
  end
  if path.name ~= "prepare" and path.name ~= "executemany" then
    assert.equal(before, after, path.name)
  end
  assert.equal(1, conn:fetchval "SELECT a FROM u")
  server:log()
end

describe("more than 255 parameters", function()
  after_each(simulated.verify)

  it("are refused on a server before 1.12, which would misread them", function()
    for _, n in ipairs { 256, 300, 512 } do
      paths.each(function(path)
        local conn, server = simulated.open "1.11.1"
        local answer, err = path.run(conn, with_params(path, n), unpack(numbers(n)))
        assert.is_nil(answer, path.name)
        assert.equal("unsupported", err.kind, path.name)
        assert.matches(n .. " parameters", err.message)
        assert.same({ "CLUSTER" }, server:log(), path.name)
        assert.equal(1, conn:fetchval "SELECT 1")
      end, "params")
    end
  end)

  it("go out in schema 1 on a server from 1.12 on", function()
    for _, version in ipairs { "1.14", "1.18.6" } do
      paths.each(function(path)
        local conn, server = simulated.open(version)
        for _ = 1, 4 do
          assert(path.run(conn, with_params(path, 300), unpack(numbers(300))))
        end
        local asked = 0
        for _, request in ipairs(server.sent) do
          if request.name == "CLUSTER" then asked = asked + 1 end
          if request.params and request.params.n == 300 then assert.equal(1, request.schema) end
        end
        assert.equal(1, asked, path.name)
      end, "params")
    end
  end)

  it("are asked about when they are needed, once, whatever the answer", function()
    local conn, server = simulated.open "1.11.1"
    assert(conn:fetch("SELECT " .. marks(255), numbers(255)))
    assert.equal(1, #server:log())
    for _ = 1, 3 do assert.is_nil(conn:fetch("SELECT " .. marks(256), numbers(256))) end
    assert.same({ "CLUSTER" }, server:log())
  end)

  it("count as values even where the text has few marks", function()
    local conn, server = simulated.open "1.11.1"
    local rows, err = conn:fetch("SELECT ?300", numbers(300))
    assert.is_nil(rows)
    assert.equal("unsupported", err.kind)
    assert.same({ "CLUSTER" }, server:log())
  end)

  it("in another number than the text has are refused unasked", function()
    local conn, server = simulated.open "1.11.1"
    local rows, err = conn:fetch("SELECT " .. marks(300), numbers(299))
    assert.is_nil(rows)
    assert.equal("value", err.kind)
    assert.equal(0, server.bytes())
  end)
end)

describe("a wrong number of parameters", function()
  after_each(simulated.verify)

  it("is refused on every path", function()
    for _, version in ipairs { "1.11.1", "1.18.6" } do
      paths.each(function(path)
        local conn, server = simulated.open(version)
        local text = with_params(path, 2)
        refused_unsent(conn, server, "2 parameters", path, text, 1)
        refused_unsent(conn, server, "2 parameters", path, text, 1, 2, 3)
        refused_unsent(conn, server, "2 parameters", path, text)
        for _ = 1, 3 do assert(path.run(conn, text, 1, 2)) end
        server:log()
        refused_unsent(conn, server, "2 parameters", path, text, 1)
      end, "params")
    end
  end)

  it("is refused unasked where RETURNING needs the server's version", function()
    local conn, server = simulated.open "1.11.1"
    local rows, err = conn:fetch("DELETE FROM t WHERE a = ? RETURNING a", 1, 2)
    assert.is_nil(rows)
    assert.equal("value", err.kind)
    assert.equal(0, server.bytes())
  end)

  it("is refused unasked where a transaction may have ended", function()
    local conn, server = simulated.open()
    server:on("DELETE FROM t", { scripted.failure(1, "stop") })
    conn:transaction(function()
      assert.is_nil(conn:execute "DELETE FROM t")
      local before = server.bytes()
      local rows, err = conn:fetch("SELECT ?", 1, 2)
      assert.is_nil(rows)
      assert.equal("value", err.kind)
      assert.equal(before, server.bytes())
    end)
  end)

  it("in the middle of an executemany leaves nothing", function()
    for _, version in ipairs { "1.11.1", "1.18.6" } do
      local conn, server = simulated.open(version)
      local result, err = conn:executemany("INSERT INTO t VALUES (?)", { { 1 }, { 2, 3 }, { 4 } })
      assert.is_nil(result)
      assert.same({ "value", 2 }, { err.kind, err.index })
      assert.same({}, server.applied)
      assert.is_false(server.in_transaction)
    end
  end)

  it("in a pipeline is found before the first one leaves", function()
    local conn, server = simulated.open()
    local results, err = conn:pipeline { { "DELETE FROM t" }, { "SELECT ?", 1, 2 } }
    assert.is_nil(results)
    assert.same({ "value", 2 }, { err.kind, err.index })
    assert.equal(0, server.bytes())
  end)

  it("in a script is any", function()
    local conn, server = simulated.open()
    local count, err = conn:script "DELETE FROM t; SELECT ?"
    assert.is_nil(count)
    assert.same({ "value", 2 }, { err.kind, err.index })
    assert.equal(0, server.bytes())
  end)
end)

describe("text behind the first semicolon", function()
  after_each(simulated.verify)

  it("is refused on every path but script, naming it", function()
    for _, version in ipairs { "1.11.1", "1.18.6" } do
      paths.each(function(path)
        if path.name == "script" then return end
        local conn, server = simulated.open(version)
        for _, text in ipairs { "SELECT 1; SELECT 2", "SELECT 1;;DELETE FROM t",
          "SELECT '--';\n-- x\nBEGIN", "DELETE FROM t; DELETE FROM u" } do
          local before, after = refused(conn, server, "script", path, text)
          assert.equal(before, after)
        end
        assert.equal(1, conn:fetchval "SELECT 1")
      end)
    end
  end)

  it("may be blank: it is not sent", function()
    local conn, server = simulated.open "1.11.1"
    assert(conn:execute "DELETE FROM t ; -- done\n")
    assert(conn:fetch "SELECT a FROM t;;/* done")
    assert.same({ "EXEC_SQL DELETE FROM t", "QUERY_SQL SELECT a FROM t" }, server:log())
  end)
end)

describe("a NUL", function()
  after_each(simulated.verify)

  it("behaviour 26: in a TEXT is refused on every path, naming blob", function()
    paths.each(function(path)
      local conn, server = simulated.open()
      refused_unsent(conn, server, "dqlite.blob", path, with_params(path, 2), 1, "a\0b")
    end, "params")
  end)

  it("in a statement is refused on every path", function()
    paths.each(function(path)
      local conn, server = simulated.open()
      for _, text in ipairs { "SELECT 1\0", "DELETE FROM t WHERE a = 'x\0y'", "\0" } do
        local before, after = refused(conn, server, "", path, text)
        assert.equal(before, after)
      end
    end)
  end)
end)

describe("an empty statement", function()
  it("is refused on every path", function()
    for _, text in ipairs { "", " \n", ";", "-- x", "/* x", " ; /* a */ -- b" } do
      paths.each(function(path)
        local conn, server = simulated.open()
        local before, after = refused(conn, server, "empty", path, text)
        assert.equal(before, after)
      end)
    end
  end)
end)

describe("counts", function()
  after_each(simulated.verify)

  it("are answered for statements that have them", function()
    local conn = simulated.open()
    assert.same({ rows_affected = 1, last_insert_id = 1 }, conn:execute "INSERT INTO t VALUES (1)")
    assert.same({ rows_affected = 1, last_insert_id = 2 }, conn:execute "REPLACE INTO t VALUES (1)")
    assert.same({ rows_affected = 1 }, conn:execute "UPDATE t SET a = 1")
    assert.same({ rows_affected = 1 }, conn:execute "DELETE FROM t")
    assert.same({ rows_affected = 1 },
      conn:execute "INSERT INTO t VALUES (1) RETURNING a")
    for _, text in ipairs { "CREATE TABLE u (a)", "BEGIN", "SAVEPOINT a", "RELEASE a", "COMMIT",
      "PRAGMA user_version = 1", "SELECT 1", "ANALYZE", "EXPLAIN DELETE FROM t" } do
      assert.same({}, conn:execute(text), text)
    end
  end)
end)

describe("features", function()
  after_each(simulated.verify)

  local function typed_null(server, kind)
    server:on("SELECT value FROM temp.dqlite_typed_null",
      { scripted.rows { columns = { "value" }, { kind, types = { "BOOLEAN" } } } })
  end

  it("are those of the server's version", function()
    for version, expected in pairs {
      ["1.11.1"] = { params_32bit = false, statement_tail = false, returning = false },
      ["1.14"] = { params_32bit = true, statement_tail = false, returning = false },
      ["1.18.6"] = { params_32bit = true, statement_tail = true, returning = true },
    } do
      local conn, server = simulated.open(version)
      typed_null(server, false)
      expected.typed_null = false
      assert.same(expected, conn:features())
      server:log()
      assert.same(expected, conn:features())
      assert.same({}, server:log())
    end
  end)

  it("say when NULL keeps its type", function()
    local conn, server = simulated.open()
    server:on("SELECT value FROM temp.dqlite_typed_null",
      { scripted.rows { columns = { "value" }, { null } } })
    assert.is_true(conn:features().typed_null)
  end)

  it("are not waited for without end, however long a call may take", function()
    local conn, server = simulated.open(nil, { timeout = math.huge })
    server:on("CREATE TEMP TABLE dqlite_typed_null (value BOOLEAN)",
      { scripted.failure(5, "database is locked") })
    local sleep, slept = server.loop.sleep, 0
    server.loop.sleep = function(seconds)
      slept = slept + 1
      assert(slept < 10000, "waits for ever")
      sleep(seconds)
    end
    conn:features()
    assert.equal(1, conn:fetchval "SELECT 1")
  end)

  it("are not guessed when the server fails", function()
    local conn = scripted.open { CLUSTER = { scripted.failure(1, "no") } }
    local found, err = conn:features()
    assert.is_nil(found)
    assert.equal("no", err.message)
  end)
end)
