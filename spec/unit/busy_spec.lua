-- hazards.md, "Transactions and writes": writers do not queue, so BUSY is waited
-- for where nothing has happened yet: before autocommit statements and BEGIN.
local paths = require "spec.support.paths"
local scripted = require "spec.support.scripted"
local simulated = require "spec.support.simulated"

local unpack = table.unpack or rawget(_G, "unpack")

local BUSY = { scripted.failure(5, "database is locked") }
local SNAPSHOT = { scripted.failure(517, "database is locked") }

-- Answers BUSY so many times to a text, then as usual.
local function busy(server, text, times)
  local answers = {}
  for i = 1, times do answers[i] = BUSY end
  server:sequence(text, unpack(answers))
end

-- How often a text was sent to be run.
local function count(server, text)
  local n = 0
  for _, line in ipairs(server:log()) do
    local ends = line:sub(-#text - 1) == " " .. text
    if ends and not line:find "^PREPARE" then n = n + 1 end
  end
  return n
end

describe("BUSY outside of a transaction", function()
  after_each(simulated.verify)

  it("is waited for on every path of a single statement", function()
    paths.each(function(path)
      if path.name == "pipeline" or path.many then return end
      local text = path.rows and "SELECT a FROM t" or "DELETE FROM t"
      local conn, server = simulated.open()
      busy(server, text, 20)
      local answer, err = path.run(conn, text)
      assert(answer, path.name .. ": " .. tostring(err))
      assert.equal(21, count(server, text), path.name)
    end)
  end)

  it("is waited for between 1 and 25 ms each time, never the same", function()
    local conn, server = simulated.open()
    local pauses, different = {}, {}
    local sleep = server.loop.sleep
    server.loop.sleep = function(seconds)
      pauses[#pauses + 1] = seconds
      different[seconds] = true
      sleep(seconds)
    end
    busy(server, "DELETE FROM t", 50)
    assert(conn:execute "DELETE FROM t")
    assert.equal(50, #pauses)
    for _, seconds in ipairs(pauses) do
      assert.is_true(seconds >= 0.001 and seconds <= 0.025, seconds)
    end
    local n = 0
    for _ in pairs(different) do n = n + 1 end
    assert.is_true(n > 25)
  end)

  it("is waited for by id as well as by text", function()
    local conn, server = simulated.open()
    for _ = 1, 3 do assert(conn:execute "DELETE FROM t") end
    busy(server, "DELETE FROM t", 2)
    server:log()
    assert(conn:execute "DELETE FROM t")
    assert.same({ "EXEC 0 DELETE FROM t", "EXEC 0 DELETE FROM t", "EXEC 0 DELETE FROM t" },
      server:log())
  end)

  local function waits(opts, call_opts)
    local conn, server = simulated.open(nil, opts)
    server:on("DELETE FROM t", function() return BUSY end)
    local started = server.time
    local result, err = conn:execute("DELETE FROM t", {}, call_opts)
    assert.is_nil(result)
    assert.same({ "busy", 5, false, true, false },
      { err.kind, err.code, err.fatal, err.retryable, err.ambiguous })
    assert.equal(1, conn:fetchval "SELECT 1")
    return server.time - started, count(server, "DELETE FROM t")
  end

  it("is waited for until busy_timeout, and never beyond", function()
    for _, seconds in ipairs { 0.1, 0.5, 5 } do
      local waited = waits { busy_timeout = seconds }
      assert.is_true(waited <= seconds and waited > seconds - 0.025, waited)
    end
    local waited = waits()
    assert.is_true(waited <= 5 and waited > 4.975, waited)
  end)

  it("is not waited for with a busy_timeout of 0", function()
    local waited, sent = waits { busy_timeout = 0 }
    assert.same({ 0, 1 }, { waited, sent })
  end)

  it("is waited for as long as the call says, and no longer than it may take", function()
    local waited = waits({ busy_timeout = 9 }, { busy_timeout = 0.2 })
    assert.is_true(waited <= 0.2 and waited > 0.175, waited)
    -- the last try must be answered before the deadline
    waited = waits({ busy_timeout = 9 }, { timeout = 0.4 })
    assert.is_true(waited < 0.4 and waited > 0.15, waited)
  end)

  it("is waited for in vain when the connection is lost then", function()
    local conn, server = simulated.open()
    server:sequence("DELETE FROM t", BUSY, BUSY, { "close" })
    local result, err = conn:execute "DELETE FROM t"
    assert.is_nil(result)
    assert.same({ "closed", true }, { err.kind, err.ambiguous })
    conn, server = simulated.open()
    server:sequence("DELETE FROM t", BUSY, { scripted.failure(1811, "stop") })
    result, err = conn:execute "DELETE FROM t"
    assert.is_nil(result)
    assert.same({ "constraint", false }, { err.kind, err.ambiguous })
  end)

  -- 1.18.6 answers so to a QUERY_SQL that could not begin, whatever the reason
  it("in disguise is waited for as well: nonempty statement tail", function()
    local answer = { scripted.failure(1, "nonempty statement tail") }
    for _, text in ipairs { "SELECT a FROM t", "DELETE FROM t RETURNING a" } do
      paths.each(function(path)
        if path.name == "pipeline" or path.many then return end
        local conn, server = simulated.open()
        server:sequence(text, answer, answer, answer)
        local rows, err = path.run(conn, text)
        assert(rows, path.name .. ": " .. tostring(err))
        assert.is_true(server.slept > 0, path.name)
      end)
      local conn, server = simulated.open(nil, { busy_timeout = 0.1 })
      server:on(text, answer)
      local rows, err = conn:fetch(text)
      assert.is_nil(rows)
      assert.same({ "busy", false, true, false },
        { err.kind, err.fatal, err.retryable, err.ambiguous })
      assert(conn:execute "BEGIN")
      server.slept = 0
      rows, err = conn:fetch(text)
      assert.is_nil(rows)
      assert.equal("busy", err.kind)
      assert.equal(0, server.slept)
    end
  end)

  it("of a snapshot is never waited for", function()
    for _, text in ipairs { "DELETE FROM t", "BEGIN IMMEDIATE", "SELECT a FROM t" } do
      local conn, server = simulated.open()
      server:on(text, SNAPSHOT)
      local result, err = conn:execute(text)
      assert.is_nil(result)
      assert.same({ "busy", 517, true }, { err.kind, err.code, err.retryable })
      assert.equal(1, count(server, text))
      assert.equal(0, server.slept)
    end
  end)

  it("is not waited for in a pipeline: its places are answered at once", function()
    local conn, server = simulated.open()
    server:on("DELETE FROM t", BUSY)
    local results = assert(conn:pipeline { { "DELETE FROM t" }, { "SELECT a FROM t" } })
    assert.equal("busy", results[1].error.kind)
    assert.is_true(results[1].error.retryable)
    assert.same({ { a = 1 } }, results[2])
    assert.equal(0, server.slept)
  end)
end)

describe("BUSY of a BEGIN", function()
  after_each(simulated.verify)

  local function begins(version, begin, fn)
    local conn, server = simulated.open(version)
    busy(server, begin, 10)
    assert(fn(conn))
    assert.equal(11, count(server, begin))
  end

  it("is waited for, whoever sends it", function()
    begins(nil, "BEGIN", function(conn) return conn:execute "BEGIN" end)
    begins(nil, "BEGIN IMMEDIATE", function(conn) return conn:begin() end)
    begins(nil, "BEGIN EXCLUSIVE", function(conn) return conn:begin "exclusive" end)
    begins(nil, "BEGIN IMMEDIATE", function(conn)
      return conn:transaction(function() return true end)
    end)
    begins(nil, "BEGIN IMMEDIATE", function(conn)
      return conn:executemany("INSERT INTO t VALUES (?)", { { 1 } })
    end)
    begins("1.11.1", "BEGIN IMMEDIATE", function(conn)
      return conn:fetch "DELETE FROM t RETURNING a"
    end)
    begins(nil, "BEGIN IMMEDIATE", function(conn)
      return conn:script "BEGIN IMMEDIATE; DELETE FROM t; COMMIT"
    end)
  end)

  it("is waited for where a failure has ended the transaction before", function()
    local conn, server = simulated.open()
    assert(conn:execute "BEGIN")
    server:on("DELETE FROM ends", function()
      server:roll_back()
      return { scripted.failure(1811, "stop") }
    end)
    assert.is_nil(conn:execute "DELETE FROM ends")
    busy(server, "BEGIN IMMEDIATE", 3)
    assert(conn:execute "BEGIN IMMEDIATE")
    assert.equal(4, count(server, "BEGIN IMMEDIATE"))
  end)

  it("is waited for until busy_timeout; then there is no transaction", function()
    local conn, server = simulated.open(nil, { busy_timeout = 0.25 })
    server:on("BEGIN IMMEDIATE", BUSY)
    local called = false
    local started = server.time
    local result, err = conn:transaction(function() called = true end)
    assert.is_nil(result)
    assert.same({ "busy", true }, { err.kind, err.retryable })
    assert.is_false(called)
    assert.is_false(conn:in_transaction())
    assert.is_true(server.time - started <= 0.25)
    local tx, busy_too = conn:begin()
    assert.is_nil(tx)
    assert.equal("busy", busy_too.kind)
  end)
end)

describe("BUSY inside a transaction", function()
  after_each(simulated.verify)

  local function once(begin, text)
    local conn, server = simulated.open()
    assert(conn:execute(begin))
    server:on(text, BUSY)
    local result, err = conn:execute(text)
    assert.is_nil(result)
    assert.equal("busy", err.kind)
    assert.equal(0, server.slept)
    assert.equal(1, count(server, text))
    assert.is_true(conn:in_transaction())
    return conn, server
  end

  it("is not waited for: what was read may no longer hold", function()
    once("BEGIN", "DELETE FROM t")
    once("BEGIN", "SELECT a FROM t")
    once("SAVEPOINT a", "DELETE FROM t")
    once("BEGIN IMMEDIATE", "COMMIT")
    once("SAVEPOINT a", "RELEASE a")
  end)

  it("is not waited for either when it only may be open", function()
    local conn, server = simulated.open()
    assert(conn:execute "BEGIN")
    server:on("DELETE FROM u", { scripted.failure(1, "stop") })
    assert.is_nil(conn:execute "DELETE FROM u")
    server:on("DELETE FROM t", BUSY)
    local result, err = conn:execute "DELETE FROM t"
    assert.is_nil(result)
    assert.equal("busy", err.kind)
    assert.equal(0, server.slept)
  end)

  it("leaves it open and sure: a write is in no doubt, COMMIT commits", function()
    local conn, server = once("BEGIN", "DELETE FROM t")
    assert(conn:execute "DELETE FROM u")
    assert(conn:execute "COMMIT")
    assert.same({ "DELETE FROM u" }, server.applied)
    conn, server = once("BEGIN", "DELETE FROM t")
    server:on("DELETE FROM u", { "close" })
    local _, err = conn:execute "DELETE FROM u"
    assert.same({ true, false }, { err.retryable, err.ambiguous })
  end)

  it("ends executemany, which leaves nothing", function()
    local conn, server = simulated.open()
    busy(server, "INSERT INTO t VALUES (?)", 1)
    local result, err = conn:executemany("INSERT INTO t VALUES (?)", { { 1 }, { 2 } })
    assert.is_nil(result)
    assert.same({ "busy", 1 }, { err.kind, err.index })
    assert.same({}, server.applied)
    assert.equal(0, server.slept)
  end)
end)
