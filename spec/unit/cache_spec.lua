-- The cache of prepared statements as the server sees it. hazards.md, "Requests
-- that kill": an id is used only after its STMT was read, and never after
-- FINALIZE; the simulated server dies otherwise. "Silent wrong answers": only
-- texts whose columns cannot change under them are prepared.
local paths = require "spec.support.paths"
local scripted = require "spec.support.scripted"
local simulated = require "spec.support.simulated"

local A, B, C = "SELECT a FROM a", "SELECT b FROM b", "SELECT c FROM c"

local function times(n, fn)
  for i = 1, n do assert(fn(i)) end
end

describe("a text", function()
  after_each(simulated.verify)

  it("goes as text, then with PREPARE beside it in one write, then by id", function()
    for _, version in ipairs { "1.11.1", "1.18.6" } do
      local conn, server = simulated.open(version)
      times(4, function() return conn:fetch(A) end)
      times(4, function() return conn:execute "DELETE FROM t" end)
      assert.same({
        { "QUERY_SQL " .. A }, { "QUERY_SQL " .. A, "PREPARE " .. A },
        { "QUERY 0 " .. A }, { "QUERY 0 " .. A },
        { "EXEC_SQL DELETE FROM t" }, { "EXEC_SQL DELETE FROM t", "PREPARE DELETE FROM t" },
        { "EXEC 1 DELETE FROM t" }, { "EXEC 1 DELETE FROM t" },
      }, server:log(true))
    end
  end)

  it("has its parameters in each of these ways", function()
    local conn, server = simulated.open()
    times(4, function(i)
      return conn:fetch("SELECT a FROM a WHERE b = ? AND c = :c", { i, c = "x" })
    end)
    local n = 0
    for _, request in ipairs(server.sent) do
      if request.params then
        n = n + 1
        assert.same({ n, "x" }, { request.params[1], request.params[2] })
      end
    end
    assert.equal(4, n)
  end)

  it("is one for all helpers", function()
    local conn, server = simulated.open()
    times(1, function() return conn:fetch(A) end)
    times(1, function() return conn:fetchval(A) end)
    times(1, function() return conn:query(A) end)
    times(1, function() return conn:execute(A) end)
    assert.same({ "QUERY_SQL " .. A, "QUERY_SQL " .. A, "PREPARE " .. A, "QUERY 0 " .. A,
      "QUERY 0 " .. A }, server:log())
  end)

  it("asks once on servers of 1.12 to 1.14, then in schema 0", function()
    local conn, server = simulated.open "1.14"
    times(5, function() return conn:fetch(A) end)
    assert.same({
      { "QUERY_SQL " .. A }, { "QUERY_SQL " .. A, "PREPARE " .. A },
      { "QUERY_SQL " .. A, "PREPARE " .. A }, { "QUERY 0 " .. A }, { "QUERY 0 " .. A },
    }, server:log(true))
    times(3, function() return conn:fetch(B) end)
    assert.same({ { "QUERY_SQL " .. B }, { "QUERY_SQL " .. B, "PREPARE " .. B },
      { "QUERY 1 " .. B } }, server:log(true))
    for _, request in ipairs(server.sent) do
      if request.name == "PREPARE" and request.sql == B then assert.equal(0, request.schema) end
    end
  end)

  it("that cannot be prepared goes on as text, and gets no id", function()
    local conn, server = simulated.open()
    server:on_prepare(A, { scripted.failure(1, "no such table: a") })
    times(5, function() return conn:fetch(A) end)
    assert.same({ "QUERY_SQL " .. A, "QUERY_SQL " .. A, "PREPARE " .. A, "QUERY_SQL " .. A,
      "QUERY_SQL " .. A, "QUERY_SQL " .. A }, server:log())
    times(3, function() return conn:fetch(B) end)
    assert.equal("QUERY 0 " .. B, table.remove(server:log()))
  end)

  it("that fails is prepared beside its failure all the same", function()
    local conn, server = simulated.open()
    server:on("DELETE FROM t", { scripted.failure(2067, "UNIQUE constraint failed") })
    for _ = 1, 3 do
      local result, err = conn:execute "DELETE FROM t"
      assert.is_nil(result)
      assert.equal(2067, err.code)
    end
    assert.equal("EXEC 0 DELETE FROM t", table.remove(server:log()))
  end)

  it("for which the server counts other parameters is never sent by id", function()
    local conn, server = simulated.open()
    server.miscount = 2
    times(5, function() return conn:fetch(A) end)
    assert.same({ "QUERY_SQL " .. A, "QUERY_SQL " .. A, "PREPARE " .. A, "QUERY_SQL " .. A,
      "FINALIZE 0", "QUERY_SQL " .. A, "QUERY_SQL " .. A }, server:log())
    assert.is_nil(next(server.slots))
  end)

  it("with bad parameters is not prepared", function()
    local conn, server = simulated.open()
    for _ = 1, 3 do assert.is_nil(conn:fetch("SELECT a FROM a WHERE b = ?", "a\0b")) end
    assert.equal(0, server.bytes())
  end)
end)

describe("what is prepared", function()
  after_each(simulated.verify)

  local function prepared(text)
    local conn, server = simulated.open "1.18.6"
    for _ = 1, 4 do conn:execute(text) end
    conn:execute "ROLLBACK"
    for _, line in ipairs(server:log()) do
      if line == "PREPARE " .. text then return true end
    end
    return false
  end

  it("reads or changes", function()
    for _, text in ipairs { A, "VALUES (1)", "WITH n AS (SELECT 1) SELECT 1 FROM n",
      "INSERT INTO t VALUES (1)", "UPDATE t SET a = 1", "DELETE FROM t",
      "REPLACE INTO t VALUES (1)", "DELETE FROM t RETURNING a", "SELECT count(*) FROM t" } do
      assert.is_true(prepared(text), text)
    end
  end)

  it("has no star, and acts only when it is run", function()
    for _, text in ipairs { "SELECT * FROM t", "SELECT t.* FROM t", "DELETE FROM t RETURNING *",
      "SELECT a FROM (SELECT * FROM t)", "PRAGMA user_version", "PRAGMA user_version = 1",
      "EXPLAIN SELECT 1", "CREATE TABLE t (a)", "DROP TABLE t", "BEGIN", "SAVEPOINT a", "ANALYZE",
      "VACUUM", "REINDEX", "DETACH x", "ALTER TABLE t ADD b", "COMMIT", "ROLLBACK" } do
      assert.is_false(prepared(text), text)
    end
  end)

  it("is not endless", function()
    assert.is_false(prepared("SELECT '" .. ("x"):rep(5000) .. "'"))
  end)

  it("is nothing with a statement_cache of 0", function()
    local conn, server = simulated.open(nil, { statement_cache = 0 })
    times(5, function() return conn:fetch(A) end)
    assert(conn:executemany("INSERT INTO t VALUES (?)", { { 1 }, { 2 }, { 3 } }))
    for _, line in ipairs(server:log()) do assert.is_nil(line:find "^PREPARE") end
  end)
end)

describe("a full cache", function()
  after_each(simulated.verify)

  it("forgets what was used longest ago; FINALIZE rides with the next statement", function()
    local conn, server = simulated.open(nil, { statement_cache = 2 })
    times(3, function() return conn:fetch(A) end)
    times(3, function() return conn:fetch(B) end)
    times(1, function() return conn:fetch(A) end)
    server:log()
    times(3, function() return conn:fetch(C) end) -- B goes, its id is free for C
    times(1, function() return conn:fetch(A) end)
    times(2, function() return conn:fetch(B) end) -- C goes
    assert.same({
      { "QUERY_SQL " .. C, "FINALIZE 1" }, { "QUERY_SQL " .. C, "PREPARE " .. C },
      { "QUERY 1 " .. C }, { "QUERY 0 " .. A },
      { "QUERY_SQL " .. B, "FINALIZE 1" }, { "QUERY_SQL " .. B, "PREPARE " .. B },
    }, server:log(true))
  end)

  it("gives up a text whose PREPARE is still to be answered", function()
    local conn, server = simulated.open(nil, { statement_cache = 1 })
    assert(conn:fetch(A))
    assert(conn:pipeline { { A }, { B }, { A }, { B }, { A } })
    times(4, function() return conn:fetch(A) end)
    local live = 0
    for _ in pairs(server.slots) do live = live + 1 end
    assert.is_true(live <= 1)
  end)

  it("of one text works whatever comes", function()
    local conn, server = simulated.open(nil, { statement_cache = 1 })
    for i = 1, 200 do assert(conn:fetch(({ A, A, A, B, C, C, C })[i * i % 7 + 1])) end
    assert(conn:executemany("INSERT INTO t VALUES (?)", { { 1 }, { 2 } }))
    local live = 0
    for _ in pairs(server.slots) do live = live + 1 end
    assert.is_true(live <= 2)
  end)

  it("never makes the server keep more than it knows", function()
    local conn, server = simulated.open(nil, { statement_cache = 8 })
    for round = 1, 5 do
      for i = 1, 30 do
        for _ = 1, 3 do assert(conn:fetch(("SELECT %d"):format(i + round))) end
      end
    end
    local live = 0
    for _ in pairs(server.slots) do live = live + 1 end
    assert.is_true(live <= 9, live)
  end)
end)

describe("FINALIZE", function()
  after_each(simulated.verify)

  local function doomed(opts)
    local conn, server = simulated.open(nil, opts)
    local statement = assert(conn:prepare(A))
    statement:close()
    server:log()
    return conn, server
  end

  it("rides with the next statement on every path, and is answered there", function()
    paths.each(function(path)
      local conn, server = doomed()
      local text = path.rows and B or "DELETE FROM t"
      for _ = 1, 3 do assert(path.run(conn, text)) end
      assert(conn:fetch(B))
      local found = 0
      for _, line in ipairs(server:log()) do
        if line == "FINALIZE 0" then found = found + 1 end
      end
      assert.equal(1, found, path.name)
      assert.equal(1, conn:fetchval "SELECT 1")
    end)
  end)

  it("stands behind the statement it rides with", function()
    local conn, server = doomed()
    assert(conn:fetch(B))
    assert(conn:fetch(B))
    assert.same({ { "QUERY_SQL " .. B, "FINALIZE 0" }, { "QUERY_SQL " .. B, "PREPARE " .. B } },
      server:log(true))
  end)

  it("is sent once", function()
    local conn, server = doomed()
    server:on(B, { scripted.failure(1, "no") })
    assert.is_nil(conn:fetch(B))
    assert.is_nil(conn:fetch(B))
    local found = 0
    for _, line in ipairs(server:log()) do
      if line:find "^FINALIZE" then found = found + 1 end
    end
    assert.equal(1, found)
  end)

  it("is not sent beside what is refused", function()
    local conn, server = doomed()
    local before = server.bytes()
    assert.is_nil(conn:fetch("SELECT ?", "a\0b"))
    assert.equal(before, server.bytes())
    assert(conn:fetch(B))
    assert.same({ { "QUERY_SQL " .. B, "FINALIZE 0" } }, server:log(true))
  end)

  it("is sent by a program of any kind: the server keeps few", function()
    for name, round in pairs {
      prepare = function(conn) assert(conn:prepare(A)):close() end,
      rows = function(conn)
        local statement = assert(conn:prepare(A))
        for _ in statement:rows() do statement:close() end
      end,
      pipeline = function(conn, i)
        local text = "SELECT " .. i
        assert(conn:pipeline { { text }, { text }, { text } })
      end,
      executemany = function(conn, i)
        assert(conn:executemany("DELETE FROM t WHERE a = ? + " .. i, { { 1 } }))
      end,
    } do
      local conn, server = simulated.open(nil, { statement_cache = 2 })
      for i = 1, 60 do round(conn, i) end
      local live = 0
      for _ in pairs(server.slots) do live = live + 1 end
      assert.is_true(live <= 8, name .. ": " .. live)
    end
  end)

  it("may be lost with its statement's answer", function()
    local conn, server = doomed()
    server:on(B, { "close" })
    local rows, err = conn:fetch(B)
    assert.is_nil(rows)
    assert.same({ "closed", true, false }, { err.kind, err.retryable, err.ambiguous })
  end)
end)

describe("a warm cache", function()
  after_each(simulated.verify)

  it("changes nothing that any path answers", function()
    paths.each(function(path)
      local text = path.rows and A or "INSERT INTO t VALUES (1)"
      local function run(opts)
        local conn = simulated.open(nil, opts)
        local answers = {}
        for i = 1, 5 do
          local answer = assert(path.run(conn, text))
          if type(answer) == "table" then answer.last_insert_id = nil end
          answers[i] = answer
        end
        return answers
      end
      assert.same(run { statement_cache = 0 }, run())
    end)
  end)
end)
