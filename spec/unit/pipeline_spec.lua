-- pipeline: hazards.md, "Never pipeline a transaction blindly", and what each
-- place says when the connection is lost.
local dqlite = require "dqlite"
local scripted = require "spec.support.scripted"
local simulated = require "spec.support.simulated"
local assert_raises = require "spec.support.raises"

local READ, WRITE = "SELECT a FROM t WHERE b = ?", "DELETE FROM t WHERE b = ?"
local STOP = { scripted.failure(1811, "stop") }

local function open(version, opts)
  local conn, server = simulated.open(version, opts)
  server.ahead = 0
  return conn, server
end

local function entries(n, text)
  local list = {}
  for i = 1, n do list[i] = { text or WRITE, i } end
  return list
end

-- How many statements left in one write at most.
local function together(server)
  local most = 0
  for _, write in ipairs(server:log(true)) do
    local n = 0
    for _, line in ipairs(write) do
      if line:find "^EXEC" or line:find "^QUERY" then n = n + 1 end
    end
    most = math.max(most, n)
  end
  return most
end

describe("a pipeline", function()
  after_each(simulated.verify)

  it("answers in order what fetch and execute would, from one write", function()
    local conn, server = open()
    local results = assert(conn:pipeline {
      { READ, 1 },
      { "INSERT INTO t VALUES (?, ?)", 2, nil, n = 2 },
      { WRITE, 3 },
      { "SELECT :a", { a = 4 } },
      { "CREATE TABLE u (a)" },
      { "DELETE FROM t RETURNING a" },
      { "PRAGMA user_version" },
    })
    assert.same({ { { a = 1 } }, { rows_affected = 1, last_insert_id = 1 }, { rows_affected = 1 },
      { { a = 1 } }, {}, { { a = 1 } }, { { a = 1 } } }, results)
    assert.equal(2, #server:log(true)) -- RETURNING asks what the server can do
    results = assert(conn:pipeline({ { READ, 1 }, { WRITE, 2 } }, { arrays = true }))
    assert.same({ { { 1 } }, { rows_affected = 1 } }, results)
    assert.equal(1, #server:log(true))
  end)

  it("takes as many parameters as a statement may have", function()
    local conn = open()
    local entry = { "SELECT ?20000" }
    for i = 1, 20000 do entry[i + 1] = i end
    assert.same({ { { a = 1 } } }, conn:pipeline { entry })
  end)

  it("that is empty sends nothing", function()
    local conn, server = open()
    assert.same({}, conn:pipeline {})
    assert.equal(0, server.bytes())
  end)

  it("fills the place of what failed, and goes on", function()
    local conn, server = open()
    server:on(WRITE, STOP)
    local results = assert(conn:pipeline { { READ, 1 }, { WRITE, 2 }, { READ, 3 } })
    assert.same({ { a = 1 } }, results[1])
    assert.same({ "constraint", 1811 }, { results[2].error.kind, results[2].error.code })
    assert.same({ { a = 1 } }, results[3])
  end)

  it("uses the cache, and prepares what comes again", function()
    for _, version in ipairs { "1.11.1", "1.14", "1.18.6" } do
      local conn, server = open(version)
      for _ = 1, 4 do
        assert(conn:pipeline { { READ, 1 }, { READ, 2 }, { WRITE, 3 }, { READ, 4 }, { WRITE, 5 } })
      end
      assert.equal(8, #server.applied)
      local log = server:log()
      assert.matches("^EXEC %d " .. WRITE:gsub("%p", "%%%0"), log[#log])
    end
  end)

  it("reads the answer to a PREPARE beside a failure", function()
    local conn, server = open()
    server:on(READ, { scripted.rows { columns = { "a" }, { 1 }, more = true },
      scripted.failure(1, "overflow") })
    for _ = 1, 3 do
      local results = assert(conn:pipeline { { READ, 1 }, { READ, 2 }, { WRITE, 3 }, { READ, 4 } })
      assert.equal("overflow", results[1].error.message)
      assert.same({ rows_affected = 1 }, results[3])
    end
    assert.equal(1, conn:fetchval "SELECT 1")
  end)

  it("is bounded in number and bytes, and reads as it writes", function()
    local conn, server = open()
    local results = assert(conn:pipeline(entries(2000)))
    assert.equal(2000, #results)
    assert.is_true(server.ahead > 16 and server.ahead <= 512, server.ahead)
    for _, size in ipairs { 20000, 100000, 300000 } do
      local blob, list = dqlite.blob(("x"):rep(size)), {}
      conn, server = open()
      for i = 1, 30 do list[i] = { WRITE, blob } end
      assert.equal(30, #assert(conn:pipeline(list)))
      for _, bytes in ipairs(server.writes) do
        assert.is_true(#bytes < 256 * 1024 + size + 200, #bytes)
      end
    end
  end)
end)

describe("a pipeline is refused as a whole, unasked,", function()
  after_each(simulated.verify)

  it("with control of the transaction in it", function()
    local conn, server = open()
    for _, text in ipairs { "BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT a", "RELEASE a",
      "ROLLBACK TO a", " /* x */ commit" } do
      local results, err = conn:pipeline { { READ, 1 }, { text } }
      assert.is_nil(results)
      assert.same({ "value", 2 }, { err.kind, err.index })
    end
    assert.equal(0, server.bytes())
  end)

  it("with an entry that is none", function()
    local conn, server = open()
    for _, entry in ipairs { 7, "SELECT 1", {}, { 7 }, { READ, print }, { READ, 1, {} } } do
      assert_raises("entry 2 of a pipeline", function() conn:pipeline { { READ, 1 }, entry } end)
    end
    assert_raises("a list of entries", function() conn:pipeline "SELECT 1" end)
    assert_raises("unknown option 'x'", function() conn:pipeline({}, { x = 1 }) end)
    assert.equal(0, server.bytes())
  end)

  it("with a count of parameters that is none", function()
    local conn, server = open()
    for _, n in ipairs { 0.5, -1, 1e8, 1 / 0, 0 / 0, "1" } do
      local ok, results, err = pcall(conn.pipeline, conn, { { READ, 1 }, { READ, 1, n = n } })
      if ok then
        assert.is_nil(results)
        assert.equal("value", err.kind)
      else
        assert.matches("pipeline_spec.lua:%d+: entry 2", results)
      end
    end
    assert.equal(0, server.bytes())
  end)

  it("with bad input in it", function()
    local conn, server = open()
    for _, entry in ipairs { { "" }, { READ }, { READ, 1, 2 }, { READ, "a\0b" },
      { READ, { b = 1 } }, { "SELECT 1; SELECT 2" }, { "SELECT 1\0" },
      { READ, n = 0 }, { READ, 1, n = 2 } } do
      local results, err = conn:pipeline { { WRITE, 1 }, entry }
      assert.is_nil(results)
      assert.same({ "value", 2 }, { err.kind, err.index })
    end
    assert.equal(0, server.bytes())
    assert.equal(1, conn:fetchval(READ, 1))
  end)
end)

describe("a pipeline in a transaction", function()
  after_each(simulated.verify)

  local function inside(version, list, prepare)
    local conn, server = open(version)
    assert(conn:begin())
    if prepare then prepare(conn, server) end
    server.ahead = 0
    server:log()
    return conn, server, assert(conn:pipeline(list))
  end

  it("goes ahead where nothing in it can end the transaction", function()
    local _, server, results = inside(nil, entries(20))
    assert.equal(20, #results)
    assert.is_true(server.ahead >= 20)
    assert.is_true(simulated.asks_for_triggers(server:log()[1]))
  end)

  it("of reads alone asks nothing and goes ahead", function()
    local _, server = inside(nil, entries(20, READ), function(_, s) s.triggers = true end)
    assert.is_true(server.ahead >= 20)
    local log = server:log()
    assert.equal(20 + 1, #log) -- with a PREPARE
    for _, request in ipairs(log) do assert.is_nil(simulated.asks_for_triggers(request)) end
  end)

  it("leaves a few at a time, while the others are made", function()
    local _, server = inside(nil, entries(40, READ))
    local sizes = {}
    for i, write in ipairs(server:log(true)) do sizes[i] = #write end
    assert.same({ 16 + 1, 16, 8 }, sizes) -- with a PREPARE
  end)

  it("waits for each answer where one may end it, up to the first failure", function()
    local rolls_back = "INSERT OR ROLLBACK INTO t VALUES (?)"
    for name, case in pairs {
      ["a trigger"] = { text = WRITE, prepare = function(_, s) s.triggers = true end },
      ["the text"] = { text = rolls_back },
    } do
      local conn, server = open()
      assert(conn:execute "BEGIN")
      if case.prepare then case.prepare(conn, server) end
      local n = 0
      server:on(case.text, function()
        n = n + 1
        if n < 3 then return nil end
        server:roll_back()
        return STOP
      end)
      local results = assert(conn:pipeline(entries(6, case.text)))
      assert.equal(1, together(server), name)
      assert.equal(3, n, name)
      assert.same({ rows_affected = 1 }, { rows_affected = results[2].rows_affected }, name)
      assert.equal(1811, results[3].error.code, name)
      for i = 4, 6 do
        local err = results[i].error
        assert.same({ false, true, false }, { err.fatal, err.retryable, err.ambiguous }, name)
        assert.matches("not sent", err.message)
      end
      assert.same({}, server.applied, name)
    end
  end)

  it("that may be gone makes sure first", function()
    for _, gone in ipairs { false, true } do
      local conn, server = open()
      assert(conn:execute "BEGIN")
      server:on("DELETE FROM stops", function()
        if gone then server:roll_back() end
        return STOP
      end)
      assert.is_nil(conn:execute "DELETE FROM stops")
      server:log()
      assert(conn:pipeline(entries(3)))
      assert.equal("EXEC_SQL BEGIN", server:log()[1])
      assert.equal(not gone, server.in_transaction)
      assert.equal(not gone, conn:in_transaction())
      assert.equal(gone and 3 or 0, #server.applied)
    end
  end)

  it("waits for each answer of a RETURNING before 1.15", function()
    for version, most in pairs { ["1.11.1"] = 1, ["1.14"] = 1, ["1.18.6"] = 6 } do
      local conn, server = inside(version, entries(6, "DELETE FROM t WHERE b = ? RETURNING a"))
      assert.equal(most, together(server), version)
      assert(conn:commit())
      assert.equal(6, #server.applied)
    end
  end)

  it("through transaction(fn) is rolled back when one of it failed", function()
    local conn, server = open()
    server:on(READ, STOP)
    local result, err = conn:transaction(function()
      return conn:pipeline { { WRITE, 1 }, { READ, 1 } }
    end)
    assert.is_nil(result)
    assert.equal(1811, err.code)
    assert.same({}, server.applied)
  end)
end)
