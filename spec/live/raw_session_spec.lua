-- Single messages on a raw session, as a new driver or a tool would send them.

local dqlite = require "dqlite"
local live = require "spec.support.live"

live.each("a raw session", function(server)
  local raw

  before_each(function()
    raw = server:session()
  end)

  -- A reply of this name.
  local function request(name, fields, reply)
    local message = assert(raw:request(name, fields))
    assert.equal(reply, message.name)
    assert.is_true(message.last)
    return message
  end

  local function open()
    local db = request("OPEN", { database = server.database }, "DB")
    assert.equal(0, db.db)
  end

  local function run(sql, params)
    return request("EXEC_SQL", { sql = sql, params = params }, "RESULT")
  end

  local function value_of(sql)
    return request("QUERY_SQL", { sql = sql }, "ROWS").rows[1][1]
  end

  -- The ids of a cluster's servers, as a set.
  local function members(format)
    local ids = {}
    for _, member in ipairs(request("CLUSTER", { format = format }, "SERVERS").servers) do
      ids[member.id] = member
    end
    return ids
  end

  describe("without a database", function()
    it("asks for the leader", function()
      local leader = request("LEADER", nil, "SERVER")
      assert.matches("^%d+$", leader.id)
      assert.not_equal("0", leader.id)
      assert.equal(leader.address, members(0)[leader.id].address)
    end)

    it("asks for the servers, with their roles in format 1", function()
      local leader = request("LEADER", nil, "SERVER")
      assert.is_nil(members(0)[leader.id].role)
      assert.equal(0, members(1)[leader.id].role)
      assert.equal(leader.address, members(1)[leader.id].address)
    end)

    it("introduces a client", function()
      assert.equal(15000, request("CLIENT", { id = 42 }, "WELCOME").heartbeat)
    end)

    it("reads and sets the weight of a node", function()
      local before = request("DESCRIBE", { format = 0 }, "METADATA")
      assert.is_number(before.failure_domain)
      assert.is_number(before.weight)
      request("WEIGHT", { weight = 7 }, "EMPTY")
      local after = request("DESCRIBE", nil, "METADATA")
      request("WEIGHT", { weight = before.weight }, "EMPTY")
      assert.equal(7, after.weight)
      assert.equal(before.failure_domain, after.failure_domain)
    end)

    it("is told that no database is open", function()
      local err = live.fails("not_leader", raw:request("EXEC_SQL", { sql = "SELECT 1" }))
      assert.equal(12, err.code)
      assert.equal("no database opened", err.message)
    end)
  end)

  describe("with a database", function()
    before_each(open)

    it("opens only one", function()
      local err = live.fails("busy", raw:request("OPEN", { database = live.database() }))
      assert.equal(5, err.code)
      assert.equal(1, value_of "SELECT 1")
    end)

    it("runs statements as text", function()
      run "CREATE TABLE t (id INTEGER PRIMARY KEY, a)"
      local result = run("INSERT INTO t (a) VALUES (?), (?)", { "x", nil, n = 2 })
      assert.equal(2, result.last_insert_id)
      assert.equal(2, result.rows_affected)
      local rows = request("QUERY_SQL", { sql = "SELECT id, a FROM t" }, "ROWS").rows
      assert.same({ "id", "a" }, rows.columns)
      assert.equal(2, rows.n)
      assert.is_false(rows.more)
      assert.same({ 1, "x", n = 2, types = { "INTEGER", "TEXT" } }, rows[1])
      assert.same({ 2, dqlite.null, n = 2, types = { "INTEGER", "NULL" } }, rows[2])
    end)

    it("gathers the rows of all frames of one request", function()
      local sql = [[WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 1000)
        SELECT n FROM c]]
      local rows = request("QUERY_SQL", { sql = sql }, "ROWS").rows
      assert.equal(1000, rows.n)
      for i = 1, 1000 do assert.equal(i, rows[i][1]) end
    end)

    -- 1.11.1 takes any schema for 0 and answers with that.
    for schema = 0, 1 do
      it(("prepares with schema %d"):format(schema), function()
        local sql = "SELECT ?, ?3, ?"
        local stmt = request("PREPARE", { sql = sql, schema = schema }, "STMT")
        assert.equal(0, stmt.db)
        assert.equal(4, stmt.params)
        assert.is_true(stmt.schema == 0 or stmt.schema == schema)
        assert.equal(stmt.schema == 1 and #sql or nil, stmt.tail)
        request("FINALIZE", { stmt = stmt.stmt }, "EMPTY")
      end)
    end

    -- An id is used only between the answers to its PREPARE and its FINALIZE:
    -- any other one takes the server down.
    it("runs prepared statements by their ids", function()
      run "CREATE TABLE t (id INTEGER PRIMARY KEY, a)"
      local insert = request("PREPARE", { sql = "INSERT INTO t (a) VALUES (?)" }, "STMT").stmt
      local select = request("PREPARE", { sql = "SELECT a FROM t WHERE id = ?" }, "STMT").stmt
      assert.not_equal(insert, select)
      for i = 1, 3 do
        local result = request("EXEC", { stmt = insert, params = { "a" .. i } }, "RESULT")
        assert.equal(i, result.last_insert_id)
        assert.equal(1, result.rows_affected)
      end
      for i = 3, 1, -1 do
        local rows = request("QUERY", { stmt = select, params = { i } }, "ROWS").rows
        assert.equal(1, rows.n)
        assert.equal("a" .. i, rows[1][1])
      end
      request("FINALIZE", { stmt = select }, "EMPTY")
      request("FINALIZE", { stmt = insert }, "EMPTY")
      assert.equal(3, value_of "SELECT count(*) FROM t")
    end)

    it("is told why a statement cannot be prepared", function()
      local err = live.fails("sql", raw:request("PREPARE", { sql = "SELEC" }))
      assert.equal(1, err.code)
      err = live.fails("sql", raw:request("PREPARE", { sql = "-- nothing" }))
      assert.equal(0, err.code)
      assert.equal("empty statement", err.message)
      assert.equal(1, value_of "SELECT 1")
    end)

    it("interrupts nothing when nothing runs", function()
      run "CREATE TABLE t (a)"
      run "BEGIN"
      run "INSERT INTO t VALUES (1)"
      request("INTERRUPT", nil, "EMPTY")
      run "COMMIT"
      assert.equal(1, value_of "SELECT count(*) FROM t")
    end)

    it("dumps the database", function()
      run "CREATE TABLE t (a)"
      run "INSERT INTO t VALUES ('a text to be found')"
      local files = request("DUMP", { database = server.database }, "FILES").files
      assert.equal(2, #files)
      assert.equal(server.database, files[1].name)
      assert.equal(server.database .. "-wal", files[2].name)
      assert.equal("SQLite format 3\0", files[1].content:sub(1, 16))
      local bytes = files[1].content .. files[2].content
      assert.is_truthy(bytes:find("a text to be found", 1, true))
    end)

    it("gets the answers to many requests in their order", function()
      run "CREATE TABLE t (a INTEGER UNIQUE)"
      for i = 1, 50 do
        assert(raw:send("QUERY_SQL", { sql = "SELECT ?", params = { i } }))
        assert(raw:send("EXEC_SQL", { sql = "INSERT INTO t VALUES (?)", params = { i % 40 } }))
        assert(raw:send("LEADER"))
      end
      for i = 1, 50 do
        local rows = assert(raw:receive())
        assert.equal("ROWS", rows.name)
        assert.equal(i, rows.rows[1][1])
        local result = assert(raw:receive())
        if i <= 40 then
          assert.equal("RESULT", result.name)
          assert.equal(i, result.last_insert_id)
        else
          assert.equal("FAILURE", result.name)
          assert.equal(2067, result.code)
        end
        assert.equal("SERVER", assert(raw:receive()).name)
      end
      assert.equal(40, value_of "SELECT count(*) FROM t")
    end)

    it("gets answers of many frames in their order, too", function()
      local sql = [[WITH RECURSIVE c (n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM c WHERE n < ?2)
        SELECT n FROM c]]
      local LENGTHS = { 600, 1, 255, 0, 1000 }
      for i, length in ipairs(LENGTHS) do
        local first = i * 10000
        assert(raw:send("QUERY_SQL", { sql = "SELECT * FROM (" .. sql .. ") WHERE n < ?3",
          params = { first, first + length, first + length } }))
      end
      for i, length in ipairs(LENGTHS) do
        local n = 0
        repeat
          local message = assert(raw:receive())
          assert.equal("ROWS", message.name)
          for _, row in ipairs(message.rows) do
            assert.equal(i * 10000 + n, row[1])
            n = n + 1
          end
        until message.last
        assert.equal(length, n)
      end
      assert.equal(1, value_of "SELECT 1")
    end)
  end)

  describe("refuses", function()
    local REFUSED = {
      { "HEARTBEAT", {} },
      { "CONNECT", { id = "2", address = "127.0.0.1:9002" } },
      { "DESCRIBE", { format = 1 } },
      { "ADD", { id = "0", address = "127.0.0.1:9002" } },
      { "ASSIGN", { id = "2", role = 3 } },
      { "OPEN", { database = "" } },
      { "OPEN", { database = ":memory:" } },
      { "OPEN", { database = "file:x" } },
      { "OPEN", { database = ("n"):rep(505) } },
      { "PREPARE", { sql = "SELECT 1\0" } },
      { "EXEC_SQL", { sql = "SELECT ?", params = { [1] = "x", n = 256 } } },
      { "RESULT", {} },
    }

    for _, case in ipairs(REFUSED) do
      local name, fields = case[1], case[2]
      it(name .. " that would do harm, and goes on", function()
        request("LEADER", nil, "SERVER")
        local err = live.fails("value", raw:send(name, fields))
        assert.is_false(err.fatal)
        assert.equal(0, raw.link.core:pending())
        assert.equal(0, raw.link.core:outstanding())
        request("LEADER", nil, "SERVER")
      end)
    end

    it("what is no request, by raising", function()
      live.raises(function() raw:send("NOTHING") end)
      live.raises(function() raw:send("OPEN", { databse = "x" }) end)
      live.raises(function() raw:send("OPEN", { database = {} }) end)
      live.raises(function() raw:receive() end)
      request("LEADER", nil, "SERVER")
      raw:close()
      live.raises(function() raw:send("LEADER") end)
    end)
  end)
end)
