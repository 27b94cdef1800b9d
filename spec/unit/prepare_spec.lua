local scripted = require "spec.support.scripted"
local simulated = require "spec.support.simulated"
local assert_raises = require "spec.support.raises"

local VERSIONS = { "1.11.1", "1.14", "1.18.6" }
local READ, WRITE = "SELECT a FROM t WHERE b = ?", "INSERT INTO t VALUES (?)"

local function each_version(fn)
  for _, version in ipairs(VERSIONS) do fn(simulated.open(version)) end
end

describe("prepare", function()
  after_each(simulated.verify)

  it("gives a statement with the helpers of a connection", function()
    each_version(function(conn, server)
      local read, write = assert(conn:prepare(READ)), assert(conn:prepare(WRITE))
      server:log()
      assert.same({ { a = 1 } }, read:fetch(1))
      assert.same({ { 1 } }, read:fetchall(1))
      assert.same({ { 1 } }, read:fetch_arrays(1))
      assert.same({ a = 1 }, read:fetchone(1))
      assert.equal(1, read:fetchval(1))
      assert.same({ 1 }, read:fetchcol(1))
      assert.same({ { 1 }, columns = { "a" }, types = { "INTEGER" } }, read:query(1))
      assert.same({}, read:execute(1))
      local n = 0
      for row in read:rows({ 1 }, { arrays = true }) do
        n = n + row[1]
      end
      assert.equal(1, n)
      assert.same({ rows_affected = 1, last_insert_id = 1 }, write:execute(1))
      assert.same({ rows_affected = 2 }, write:executemany { { 1 }, { 2 } })
      for _, line in ipairs(server:log()) do
        assert.is_nil(line:find(" " .. READ, 1, true) and not line:find "^QUERY 0" or nil, line)
        assert.is_nil(line:find(" " .. WRITE, 1, true) and not line:find "^EXEC 1" or nil, line)
      end
    end)
  end)

  it("says how many parameters there are", function()
    local conn = simulated.open()
    for text, n in pairs { ["SELECT 1"] = 0, [READ] = 1, ["SELECT ?5, :a"] = 6 } do
      assert.equal(n, assert(conn:prepare(text)).nparams)
    end
  end)

  it("asks in schema 1 first, and in 0 only where that is not known", function()
    for version, schemas in pairs { ["1.11.1"] = { 1, 1 }, ["1.14"] = { 1, 0, 0 },
      ["1.18.6"] = { 1, 1 } } do
      local conn, server = simulated.open(version)
      assert(conn:prepare(READ))
      assert(conn:prepare(WRITE))
      local found = {}
      for _, request in ipairs(server.sent) do
        if request.name == "PREPARE" then found[#found + 1] = request.schema end
      end
      assert.same(schemas, found)
    end
  end)

  it("refuses what acts when it is prepared, unasked", function()
    local conn, server = simulated.open()
    for _, text in ipairs { "PRAGMA user_version", "PRAGMA user_version = 1", "EXPLAIN SELECT 1",
      "CREATE TABLE t (a)", "BEGIN", "COMMIT", "ANALYZE", "VACUUM", "SAVEPOINT a" } do
      local statement, err = conn:prepare(text)
      assert.is_nil(statement)
      assert.equal("value", err.kind)
      assert.matches("execute or fetch", err.message)
    end
    assert.equal(0, server.bytes())
    assert_raises("is a string, not a nil", function() conn:prepare() end)
  end)

  it("answers the server's error, and gives no id away for it", function()
    each_version(function(conn, server)
      server:on_prepare(READ, { scripted.failure(1, "no such table: t") })
      for _ = 1, 2 do
        local statement, err = conn:prepare(READ)
        assert.is_nil(statement)
        assert.same({ "sql", "no such table: t", false }, { err.kind, err.message, err.ambiguous })
      end
      server:on_prepare(READ, nil)
      assert.equal(1, assert(conn:prepare(READ)):fetchval(1))
    end)
  end)

  it("refuses a text that the server reads otherwise; its id is finalized", function()
    each_version(function(conn, server)
      server.miscount = 3
      local statement, err = conn:prepare(READ)
      assert.is_nil(statement)
      assert.equal("unsupported", err.kind)
      assert.matches("3 parameters", err.message)
      assert.equal(1, conn:fetchval "SELECT 1")
      assert.is_nil(next(server.slots))
    end)
  end)

  it("that is lost can be tried again: nothing was applied", function()
    for _, answer in ipairs { { "close" }, {}, { scripted.failure(10506, "leadership lost") } } do
      local conn, server = simulated.open()
      server:on_prepare(WRITE, answer)
      local statement, err = conn:prepare(WRITE)
      assert.is_nil(statement)
      assert.same({ true, true, false }, { err.fatal, err.retryable, err.ambiguous })
      assert.is_false(conn:is_open())
    end
  end)

  it("twice gives two statements that are closed apart", function()
    local conn, server = simulated.open()
    local one, two = assert(conn:prepare(READ)), assert(conn:prepare(READ))
    one:close()
    assert.equal(1, two:fetchval(1))
    assert.equal(1, two:fetchval(1))
    assert.same({ "PREPARE " .. READ, "PREPARE " .. READ, "QUERY 1 " .. READ, "FINALIZE 0",
      "QUERY 1 " .. READ }, server:log())
  end)

  it("does not take part in the cache of texts", function()
    local conn, server = simulated.open(nil, { statement_cache = 1 })
    local statement = assert(conn:prepare(READ))
    for i = 1, 9 do
      for _ = 1, 3 do assert(conn:fetch("SELECT " .. i)) end
      assert.equal(1, statement:fetchval(1))
    end
    assert.is_not_nil(server.slots[0])
  end)
end)

describe("a prepared statement", function()
  after_each(simulated.verify)

  it("is not used after close: its id may be another's", function()
    each_version(function(conn, server)
      local statement = assert(conn:prepare(READ))
      assert.equal("dqlite statement (open)", tostring(statement))
      assert.is_true(statement:close())
      assert.is_true(statement:close())
      assert.equal("dqlite statement (closed)", tostring(statement))
      local before = server.bytes()
      for _, name in ipairs { "fetch", "fetchall", "fetchone", "fetchval", "fetchcol", "query",
        "execute", "rows" } do
        assert_raises("statement is closed", function() statement[name](statement, 1) end)
      end
      assert_raises("statement is closed", function() statement:executemany {} end)
      assert.equal(before, server.bytes())
      assert(conn:fetch "SELECT 1")
      assert.is_nil(next(server.slots))
    end)
  end)

  it("closed while its own call waits is not used after that", function()
    for name, call in pairs {
      execute = function(statement) return statement:execute(1) end,
      executemany = function(statement) return statement:executemany { { 1 }, { 2 } } end,
    } do
      for _, version in ipairs(VERSIONS) do
        local conn, server = simulated.open(version)
        local statement = assert(conn:prepare(WRITE))
        local busy = { scripted.failure(5, "database is locked") }
        server:sequence(WRITE, busy, busy)
        server:sequence("BEGIN IMMEDIATE", busy, busy)
        local sleep = server.loop.sleep
        server.loop.sleep = function(seconds)
          pcall(statement.close, statement) -- as another coroutine would
          sleep(seconds)
        end
        call(statement)
        assert.is_true(conn:is_open(), name)
        assert.equal(1, conn:fetchval "SELECT 1")
        assert.equal(1, conn:fetchval "SELECT 1")
      end
    end
  end)

  it("outlives neither its connection nor harms a lost one", function()
    local conn, server = simulated.open()
    local statement = assert(conn:prepare(READ))
    server:on(READ, { "close" })
    local row, err = statement:fetchone(1)
    assert.is_nil(row)
    assert.same({ "closed", true }, { err.kind, err.retryable })
    row, err = statement:fetchone(1)
    assert.is_nil(row)
    assert.equal("closed", err.kind)
    assert.is_true(statement:close())
    conn:close()
    assert_raises("statement is closed", function() statement:fetchone(1) end)

    conn = simulated.open()
    statement = assert(conn:prepare(READ))
    conn:close()
    assert_raises("connection is closed", function() statement:fetchone(1) end)
    assert.is_true(statement:close())
  end)

  it("refuses bad parameters, sends nothing and can be used", function()
    each_version(function(conn, server)
      local read, write = assert(conn:prepare(READ)), assert(conn:prepare(WRITE))
      local before = server.bytes()
      for _, call in ipairs {
        function() return read:fetch() end,
        function() return read:fetch(1, 2) end,
        function() return read:fetch { a = 1 } end,
        function() return read:fetchval "a\0b" end,
        function() return write:execute() end,
        function() return write:execute { 1, 2 } end,
        function() return write:fetch(1) end,
      } do
        local answer, err = call()
        assert.is_nil(answer)
        assert.equal("value", err.kind)
      end
      assert_raises("a function is no SQL value", function() read:fetch(print) end)
      assert.equal(before, server.bytes())
      assert.equal(1, read:fetchval(1))
    end)
  end)

  it("with RETURNING goes through QUERY, wrapped before 1.15", function()
    local text = "INSERT INTO t VALUES (?) RETURNING a"
    each_version(function(conn, server)
      local statement = assert(conn:prepare(text))
      assert.same({ { 1 } }, statement:fetchall(1))
      assert.same({ rows_affected = 1 }, statement:execute(2))
      local n = 0
      for _ in statement:rows(3) do n = n + 1 end
      assert.equal(1, n)
      assert.same({ rows_affected = 2 }, statement:executemany { { 1 }, { 2 } })
      assert.equal(5, #server.applied)
    end)
  end)

  it("with a star has the names of each answer", function()
    local conn, server = simulated.open()
    local statement = assert(conn:prepare "SELECT * FROM t")
    assert.same({ { a = 1 } }, statement:fetch())
    server:on("SELECT * FROM t", { scripted.rows { columns = { "b", "c" }, { 2, 3 } } })
    assert.same({ { b = 2, c = 3 } }, statement:fetch())
    assert.same({ { 2, 3 }, columns = { "b", "c" }, types = { "INTEGER", "INTEGER" } },
      statement:query())
    for row in statement:rows() do assert.same({ b = 2, c = 3 }, row) end
  end)
end)

if _VERSION == "Lua 5.4" then
  describe("a prepared statement that goes out of scope", function()
    after_each(simulated.verify)

    it("is closed", function()
      local conn, server = simulated.open()
      local use = assert(load "local s <close> = ... return s:fetchval(1)")
      assert.equal(1, use(assert(conn:prepare(READ))))
      assert(conn:fetch "SELECT 1")
      assert.is_nil(next(server.slots))
    end)
  end)
end
