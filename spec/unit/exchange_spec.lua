-- hazards.md, "Transactions and writes": what a lost or bad answer says about a
-- statement, in each state of a transaction; and how long BUSY is waited for.
local paths = require "spec.support.paths"
local scripted = require "spec.support.scripted"
local simulated = require "spec.support.simulated"

-- ---- ambiguous, retryable, fatal ----

-- When a lost answer leaves it in doubt whether it was applied: never, always,
-- or unless it was inside a transaction, which died with the session.
local STATEMENTS = {
  ["SELECT a FROM t"] = "never",
  ["WITH n AS (SELECT 1) SELECT a FROM n"] = "never",
  ["VALUES (1)"] = "never",
  ["EXPLAIN DELETE FROM t"] = "never",
  ["PRAGMA user_version"] = "never",
  ["BEGIN"] = "never",
  ["BEGIN IMMEDIATE"] = "never",
  ["SAVEPOINT a"] = "never",
  ["ROLLBACK"] = "never",
  ["ROLLBACK TO a"] = "never",
  ["INSERT INTO t VALUES (1)"] = "outside",
  ["WITH n AS (SELECT 1) INSERT INTO t SELECT 1 FROM n"] = "outside",
  ["UPDATE t SET a = 1"] = "outside",
  ["DELETE FROM t"] = "outside",
  ["REPLACE INTO t VALUES (1)"] = "outside",
  ["DELETE FROM t RETURNING a"] = "outside",
  ["CREATE TABLE u (a)"] = "outside",
  ["DROP TABLE t"] = "outside",
  ["ALTER TABLE t ADD b"] = "outside",
  ["PRAGMA user_version = 2"] = "outside",
  ["PRAGMA encoding('x')"] = "outside", -- it could be setting something
  ["ANALYZE"] = "outside",
  ["FROBNICATE t"] = "outside",
  ["COMMIT"] = "always",
  ["END TRANSACTION"] = "always",
  ["RELEASE a"] = "always",
}

local FAILS = "DELETE FROM broken"

local STATES = {
  autocommit = function() end,
  ["surely open"] = function(conn)
    assert(conn:execute "BEGIN")
  end,
  ["maybe open"] = function(conn, server)
    assert(conn:execute "BEGIN")
    server:on(FAILS, { scripted.failure(1, "no such table: broken") })
    assert(not conn:execute(FAILS))
  end,
}

local function in_doubt(rule, state)
  return rule == "always" or rule == "outside" and state ~= "surely open"
end

-- What the server does instead of answering, and what follows from it. `certain`:
-- it was refused, whatever it was.
local LOSSES = {
  ["closed"] = { answer = { "close" }, kind = "closed", fatal = true },
  ["timeout"] = { answer = {}, kind = "timeout", fatal = true },
  ["torn"] = { answer = { ("\1\0\0\0\0"), "close" }, kind = "closed", fatal = true },
  ["unreadable"] = { answer = { "\0\0\0\0\6\0\0\0" }, kind = "protocol", fatal = true },
  ["leadership lost"] = { code = 10506, kind = "not_leader", fatal = true },
  ["leadership lost of old"] = { code = 8458, kind = "not_leader", fatal = true },
  ["disk I/O error"] = { code = 10, kind = "sql", fatal = true },
  ["a relative of it"] = { code = 522, kind = "sql", fatal = true },
  ["interrupted"] = { code = 9, kind = "sql", fatal = true },
  ["not leader"] = { code = 10250, kind = "not_leader", fatal = true, certain = true },
  ["no database opened"] = { code = 12, kind = "not_leader", fatal = true, certain = true },
  ["busy"] = { code = 5, kind = "busy", fatal = false, certain = true },
  ["busy snapshot"] = { code = 517, kind = "busy", fatal = false, certain = true },
}

local function answer_of(loss, name)
  return loss.answer or { scripted.failure(loss.code, name) }
end

local function show(kind, fatal, retryable, ambiguous)
  return kind .. (fatal and ", fatal" or "") .. (retryable and ", retryable" or "")
    .. (ambiguous and ", ambiguous" or "")
end

local function flags(err)
  return show(err.kind, err.fatal, err.retryable, err.ambiguous)
end

local function expected(loss, doubt)
  doubt = doubt and not loss.certain
  return show(loss.kind, loss.fatal, not doubt, doubt)
end

-- A call begins at once where nothing has to be looked at first: not so the first one of
-- a connection, nor a text that the cache might have prepared.
local WAYS = {
  fully = {},
  ["at once"] = { statement_cache = 0 },
}

local function prepared_state(state, way)
  local opts = { busy_timeout = 0, statement_cache = WAYS[way].statement_cache }
  local conn, server = simulated.open(nil, opts)
  STATES[state](conn, server)
  if way == "at once" then assert(conn:fetchval "SELECT 1") end
  return conn, server
end

local function check_one(prepare, wanted, state, way, text)
  local conn, server = prepared_state(state, way)
  prepare(server, text)
  local result, err = conn:execute(text)
  local want = wanted(in_doubt(STATEMENTS[text], state))
  local got = result and "success" or flags(err)
  if want:find("fatal", 1, true) then assert.is_false(conn:is_open()) end
  if not want:find("fatal", 1, true) then assert.equal(1, conn:fetchval "SELECT 1") end
  if got == want then return nil end
  return ("%s, %s, %s: %s instead of %s"):format(state, way, text, got, want)
end

-- Runs every statement in every state, in both ways; `wanted` of the doubt and the
-- flags it should have.
local function check_all(prepare, wanted)
  local wrong = {}
  for state in pairs(STATES) do
    for way in pairs(WAYS) do
      for text in pairs(STATEMENTS) do
        wrong[#wrong + 1] = check_one(prepare, wanted, state, way, text)
      end
    end
  end
  assert.same({}, wrong)
end

describe("a statement whose answer is lost", function()
  after_each(simulated.verify)

  for name, loss in pairs(LOSSES) do
    it("behaviour 28: by: " .. name, function()
      check_all(function(server, text) server:on(text, answer_of(loss, name)) end,
        function(doubt) return expected(loss, doubt) end)
    end)
  end

  it("before a byte of it left is certainly not applied", function()
    check_all(function(server) server.refuse_send = "closed" end,
      function() return "closed, fatal, retryable" end)
  end)

  it("before a byte of it left is not sent later either, by close or the next call", function()
    for _, text in ipairs { "DELETE FROM t RETURNING a", "DELETE FROM t", "SELECT a FROM t" } do
      for _, ends in ipairs {
        function(conn) conn:close() end,
        function(conn) assert.is_nil((conn:fetch "SELECT 1")) end,
      } do
        local conn, server = simulated.open()
        assert(conn:execute(text))
        server.refuse_send, server.applied = "timeout", {}
        server:log()
        local result, err = conn:execute(text)
        assert.is_nil(result)
        assert.equal("timeout, fatal, retryable", flags(err))
        server.refuse_send = nil
        ends(conn)
        assert.same({}, server:log())
        assert.same({}, server.applied)
        assert.equal(1, server.closed)
      end
    end
  end)

  it("with an error that says no: it was not applied and cannot be again", function()
    check_all(function(server, text) server:on(text, { scripted.failure(1, "no such table") }) end,
      function() return "sql" end)
  end)

  it("is judged the same when it went by its id", function()
    for state in pairs(STATES) do
      local conn, server = prepared_state(state, "fully")
      for _ = 1, 3 do assert(conn:execute "DELETE FROM t") end
      server:on("DELETE FROM t", { scripted.failure(10506, "leadership lost") })
      local _, err = conn:execute "DELETE FROM t"
      assert.equal("EXEC 0 DELETE FROM t", table.remove(server:log()))
      assert.equal(state ~= "surely open", err.ambiguous)
    end
  end)

  it("is judged the same on every path", function()
    local rows = { "SELECT a FROM t", false }
    local write = { "DELETE FROM t", true }
    local returning = { "DELETE FROM t RETURNING a", true }
    local setter = { "PRAGMA user_version = 2", true }
    local function check(path, text, doubt)
      local conn, server = simulated.open()
      server:on(text, { "close" })
      local answer, err = path.run(conn, text)
      assert.is_nil(answer)
      assert.equal(show("closed", true, not doubt, doubt), flags(err), path.name .. ": " .. text)
    end
    paths.each(function(path)
      if path.many then return end -- a transaction of its own
      if path.rows then
        check(path, rows[1], rows[2])
      else
        check(path, write[1], write[2])
      end
      check(path, returning[1], returning[2])
      if path.name ~= "prepare" then check(path, setter[1], setter[2]) end
    end)
  end)

  it("does not raise the doubt of what came before it", function()
    local conn, server = simulated.open()
    assert(conn:execute "DELETE FROM t")
    server:on("SELECT a FROM t", { "close" })
    local _, err = conn:fetch "SELECT a FROM t"
    assert.same({ true, false }, { err.retryable, err.ambiguous })
    _, err = conn:execute "DELETE FROM t"
    assert.same({ "closed", true, false }, { err.kind, err.retryable, err.ambiguous })
  end)
end)

describe("a failure", function()
  after_each(simulated.verify)

  it("is one whatever its code says", function()
    for code, message in pairs { [0] = "empty statement", [12] = "no statement with the given id",
      [4711] = "something new" } do
      local conn, server = simulated.open()
      server:on("DELETE FROM t", { scripted.failure(code, message) })
      local result, err = conn:execute "DELETE FROM t"
      assert.is_nil(result)
      assert.same({ code, message, "sql" }, { err.code, err.message, flags(err) })
      assert.equal(1, conn:fetchval "SELECT 1")
    end
  end)
end)

describe("what rides behind a statement", function()
  after_each(simulated.verify)

  it("may be lost without a word: the answer was there", function()
    for _, answer in ipairs { { "close" }, {}, { scripted.failure(10506, "leadership lost") },
      { scripted.failure(1, "no such table: t") } } do
      local conn, server = simulated.open(nil, { timeout = 1 })
      assert(conn:execute "DELETE FROM t")
      server:on_prepare("DELETE FROM t", answer)
      assert.same({ rows_affected = 1 }, conn:execute "DELETE FROM t")
    end
  end)
end)
