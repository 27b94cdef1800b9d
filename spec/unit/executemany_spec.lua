-- executemany: all or nothing, and sent ahead only where that is safe
-- (hazards.md, "Transactions and writes" and "Waiting").
local dqlite = require "dqlite"
local scripted = require "spec.support.scripted"
local simulated = require "spec.support.simulated"
local assert_raises = require "spec.support.raises"

local VERSIONS = { "1.11.1", "1.14", "1.18.6" }
local INSERT = "INSERT INTO t VALUES (?)"
local RETURNING = "INSERT INTO t VALUES (?) RETURNING a"
local OR_ROLLBACK = "INSERT OR ROLLBACK INTO t VALUES (?)"
local UNIQUE = { scripted.failure(2067, "UNIQUE constraint failed: t.a") }

local function open(version, opts)
  local conn, server = simulated.open(version, opts)
  server.ahead = 0
  return conn, server
end

local function sets(n)
  local list = {}
  for i = 1, n do list[i] = { i } end
  return list
end

-- How often the statement itself was sent.
local function sent(server)
  local n = 0
  for _, request in ipairs(server.sent) do
    local own = request.text and request.text:find "^INSERT"
    if own and request.name ~= "PREPARE" then n = n + 1 end
  end
  return n
end

-- The k-th run of a text fails; `ends` takes the transaction with it.
local function fail_at(server, text, k, ends)
  local n = 0
  server:on(text, function()
    n = n + 1
    if n ~= k then return nil end
    if ends then server:roll_back() end
    return UNIQUE
  end)
end

local function assert_nothing_left(conn, server)
  assert.same({}, server.applied)
  assert.is_false(server.in_transaction)
  assert.is_false(conn:in_transaction())
  assert.equal(1, conn:fetchval "SELECT 1")
end

describe("executemany", function()
  after_each(simulated.verify)

  it("runs a statement for each set, in a transaction of its own", function()
    for _, version in ipairs(VERSIONS) do
      local conn, server = open(version)
      assert.same({ rows_affected = 3 }, conn:executemany(INSERT, sets(3)))
      assert.same({ INSERT, INSERT, INSERT }, server.applied)
      local log = server:log()
      assert.equal("EXEC_SQL BEGIN IMMEDIATE", log[1])
      assert.equal("EXEC_SQL COMMIT", log[#log])
      assert.is_false(conn:in_transaction())
    end
  end)

  it("takes lists and iterators of sets by position and by name", function()
    local conn, server = open()
    local text = "INSERT INTO t VALUES (:a, :b)"
    assert(conn:executemany(text, { { a = 1, b = 2 }, { 3, 4 }, { a = 5, b = dqlite.null } }))
    local i = 0
    assert(conn:executemany("INSERT INTO t VALUES (?, ?)", function()
      i = i + 1
      return i <= 3 and { i, nil, n = 2 } or nil
    end))
    local seen = {}
    for _, request in ipairs(server.sent) do
      local params = request.params
      if params and params.n == 2 then
        seen[#seen + 1] = tostring(params[1]) .. "," .. params.types[2]
      end
    end
    assert.same({ "1,INTEGER", "3,INTEGER", "5,NULL", "1,NULL", "2,NULL", "3,NULL" }, seen)
  end)

  it("of no sets affects no rows", function()
    local conn, server = open()
    assert.same({ rows_affected = 0 }, conn:executemany(INSERT, {}))
    assert.same({ rows_affected = 0 }, conn:executemany(INSERT, function() end))
    assert_nothing_left(conn, server)
  end)

  it("sends the text once where it can be prepared", function()
    for _, version in ipairs(VERSIONS) do
      local conn, server = open(version)
      assert(conn:executemany(INSERT, sets(5)))
      local by_id = 0
      for _, line in ipairs(server:log()) do
        assert.is_nil(line:find "^EXEC_SQL INSERT")
        if line:find "^EXEC %d INSERT" then by_id = by_id + 1 end
      end
      assert.equal(5, by_id)
    end
  end)

  it("sends it as text where it cannot", function()
    local conn, server = open()
    server:on_prepare(INSERT, { scripted.failure(1, "no") })
    assert(conn:executemany(INSERT, sets(5)))
    assert.equal(5, #server.applied)
  end)

  it("is refused for what it is not for, unasked", function()
    local conn, server = open()
    for _, text in ipairs { "SELECT ?", "CREATE TABLE t (a)", "BEGIN", "PRAGMA user_version = 1",
      "EXPLAIN INSERT INTO t VALUES (?)", "VALUES (?)", "FROBNICATE" } do
      local result, err = conn:executemany(text, { { 1 } })
      assert.is_nil(result)
      assert.equal("value", err.kind)
    end
    assert_raises("not a number", function() conn:executemany(INSERT, 7) end)
    assert_raises("not a nil", function() conn:executemany(INSERT) end)
    assert_raises("not a nil", function() conn:executemany() end)
    assert_raises("unknown option 'x'", function() conn:executemany(INSERT, {}, { x = 1 }) end)
    assert.equal(0, server.bytes())
  end)
end)

describe("executemany ahead of its answers", function()
  after_each(simulated.verify)

  it("is bounded in number", function()
    local conn, server = open()
    assert.same({ rows_affected = 3000 }, conn:executemany(INSERT, sets(3000)))
    assert.is_true(server.ahead > 16, server.ahead)
    assert.is_true(server.ahead <= 256, server.ahead)
    assert.is_true(#server.writes < 300, #server.writes)
  end)

  it("is bounded in bytes, and reads as it writes", function()
    for _, size in ipairs { 1000, 20000, 100000, 300000 } do
      local conn, server = open()
      local count, blob = 40, dqlite.blob(("x"):rep(size))
      local i = 0
      assert(conn:executemany(INSERT, function()
        i = i + 1
        return i <= count and { blob } or nil
      end))
      assert.equal(count, #server.applied)
      for _, bytes in ipairs(server.writes) do
        assert.is_true(#bytes < 256 * 1024 + size + 100, #bytes)
      end
    end
  end)

  it("waits for each answer where a trigger may roll back", function()
    local conn, server = open()
    server.triggers = true
    assert(conn:executemany(INSERT, sets(300)))
    assert.equal(1, server.ahead)
    assert.equal(300, #server.applied)
  end)

  it("asks for such triggers after BEGIN, in both schemas", function()
    local conn, server = open()
    assert(conn:executemany(INSERT, sets(2)))
    local log = server:log()
    assert.equal("EXEC_SQL BEGIN IMMEDIATE", log[1])
    assert.is_true(simulated.asks_for_triggers(log[2]))
    assert.matches("^QUERY.* sqlite_schema .* sqlite_temp_schema ", log[2])
  end)

  it("waits for each answer where the text rolls back", function()
    local conn, server = open()
    for _, text in ipairs { OR_ROLLBACK, "insert or /**/ rollback into t values (?)" } do
      assert(conn:executemany(text, sets(50)))
    end
    assert.equal(1, server.ahead)
    assert.equal(100, #server.applied)
  end)

  it("waits for each answer of a RETURNING before 1.15", function()
    for version, ahead in pairs { ["1.11.1"] = 1, ["1.14"] = 1, ["1.18.6"] = 50 } do
      local conn, server = open(version)
      assert(conn:features())
      assert(conn:ping()) -- takes the FINALIZE along
      server.ahead, server.applied = 0, {}
      assert.same({ rows_affected = 50 }, conn:executemany(RETURNING, sets(50)))
      assert.equal(50, #server.applied)
      assert.equal(ahead, server.ahead)
    end
  end)
end)

describe("executemany that fails", function()
  after_each(simulated.verify)

  it("leaves nothing, and says at which set", function()
    for _, version in ipairs(VERSIONS) do
      for _, case in ipairs { { INSERT, 1 }, { INSERT, 3 }, { INSERT, 600 }, { RETURNING, 3 } } do
        local conn, server = open(version)
        fail_at(server, case[1], case[2])
        local result, err = conn:executemany(case[1], sets(600))
        assert.is_nil(result)
        assert.same({ "constraint", 2067, case[2] }, { err.kind, err.code, err.index })
        assert_nothing_left(conn, server)
      end
    end
  end)

  it("stops: ahead after a window, else at once", function()
    local conn, server = open()
    fail_at(server, INSERT, 3)
    assert.is_nil(conn:executemany(INSERT, sets(5000)))
    assert.is_true(sent(server) <= 256, sent(server))
    conn, server = open()
    server.triggers = true
    fail_at(server, INSERT, 3)
    assert.is_nil(conn:executemany(INSERT, sets(5000)))
    assert.equal(3, sent(server))
  end)

  it("and ends the transaction leaves nothing either", function()
    for _, case in ipairs { { INSERT, true }, { OR_ROLLBACK, false }, { OR_ROLLBACK, true } } do
      for k = 1, 3 do
        local conn, server = open()
        server.triggers = case[2]
        fail_at(server, case[1], k, true)
        local result, err = conn:executemany(case[1], sets(50))
        assert.is_nil(result)
        assert.same({ 2067, k }, { err.code, err.index })
        assert.equal(k, sent(server))
        assert_nothing_left(conn, server)
      end
    end
  end)

  it("when its BEGIN does, or its COMMIT, has no set to blame", function()
    for _, text in ipairs { "BEGIN IMMEDIATE", "COMMIT" } do
      local conn, server = open()
      server:on(text, { scripted.failure(787, "FOREIGN KEY constraint failed") })
      local result, err = conn:executemany(INSERT, sets(3))
      assert.is_nil(result)
      assert.equal(787, err.code)
      assert.is_nil(err.index)
      assert_nothing_left(conn, server)
    end
  end)
end)

describe("executemany in a transaction", function()
  after_each(simulated.verify)

  it("is a savepoint of it: what was before survives", function()
    for _, fails in ipairs { false, true } do
      local conn, server = open()
      assert(conn:execute "BEGIN")
      assert(conn:execute "DELETE FROM t")
      if fails then fail_at(server, INSERT, 2) end
      local result = conn:executemany(INSERT, sets(3))
      assert.equal(not fails, result ~= nil)
      assert.is_true(server.in_transaction)
      assert(conn:execute "COMMIT")
      assert.equal(fails and 1 or 4, #server.applied)
      assert.same({}, server.savepoints)
    end
  end)

  it("that it takes with it leaves nothing, of what was before neither", function()
    local conn, server = open()
    server.triggers = true
    local result, err = conn:transaction(function()
      assert(conn:execute "DELETE FROM t")
      fail_at(server, INSERT, 2, true)
      conn:executemany(INSERT, sets(3))
      assert.is_nil(conn:execute "DELETE FROM u")
      return true
    end)
    assert.is_nil(result)
    assert.equal(2067, err.code)
    assert_nothing_left(conn, server)
  end)

  it("that may be gone is asked for first", function()
    local conn, server = open()
    assert(conn:execute "BEGIN")
    server:on("DELETE FROM stops", UNIQUE)
    assert.is_nil(conn:execute "DELETE FROM stops")
    assert(conn:executemany(INSERT, sets(2)))
    assert.is_true(server.in_transaction)
    assert.same({}, server.applied)
    assert(conn:execute "COMMIT")
    assert.equal(2, #server.applied)
  end)
end)
