-- executemany: sets that are no sets, iterators that do what they like, and
-- connections that are lost on the way.
local luas = require "spec.support.luas"
local scripted = require "spec.support.scripted"
local simulated = require "spec.support.simulated"
local assert_raises = require "spec.support.raises"

local INSERT = "INSERT INTO t VALUES (?)"

local function assert_nothing_left(conn, server)
  assert.same({}, server.applied)
  assert.is_false(server.in_transaction)
  assert.is_false(conn:in_transaction())
  assert.equal(1, conn:fetchval "SELECT 1")
end

-- An iterator over sets { 1 } to { n } that does something at the k-th.
local function sets(n, k, at)
  local i = 0
  return function()
    i = i + 1
    if i == k then return at() end
    return i <= n and { i } or nil
  end
end

describe("a set that cannot be sent", function()
  after_each(simulated.verify)

  it("leaves nothing, and says which it is", function()
    for _, set in ipairs { {}, { 1, 2 }, { a = 1 }, { "a\0b" } } do
      for _, k in ipairs { 1, 2, 280 } do
        local conn, server = simulated.open()
        local result, err = conn:executemany(INSERT, sets(300, k, function() return set end))
        assert.is_nil(result)
        assert.same({ "value", k, false }, { err.kind, err.index, err.fatal })
        assert_nothing_left(conn, server)
      end
    end
  end)

  it("as a mistake leaves nothing, and raises at the caller's line", function()
    for _, case in ipairs { { 7, "not a number" }, { "x", "not a string" },
      { { print }, "a function is no SQL value" }, { false, "not a boolean" } } do
      local conn, server = simulated.open()
      local list = { { 1 }, { 2 }, case[1] }
      assert_raises("set 3 .*" .. case[2], function() conn:executemany(INSERT, list) end)
      assert_nothing_left(conn, server)
    end
  end)

  it("undoes only itself in a transaction", function()
    local conn, server = simulated.open()
    assert(conn:begin())
    assert(conn:execute "DELETE FROM t")
    assert.is_nil(conn:executemany(INSERT, { { 1 }, {} }))
    assert_raises("set 2", function() conn:executemany(INSERT, { { 1 }, 2 }) end)
    assert(conn:commit())
    assert.same({ "DELETE FROM t" }, server.applied)
  end)
end)

describe("an iterator of sets", function()
  after_each(simulated.verify)

  it("that raises ends it: nothing is left, the same is raised", function()
    for _, value in ipairs { "a text", { 1 }, 42 } do
      for _, k in ipairs { 1, 2, 280 } do
        local conn, server = simulated.open()
        local ok, raised = pcall(conn.executemany, conn, INSERT,
          sets(300, k, function() error(value, 0) end))
        assert.is_false(ok)
        assert.equal(value, raised)
        assert_nothing_left(conn, server)
      end
    end
  end)

  it("cannot use the connection meanwhile", function()
    for _, use in ipairs {
      function(conn) conn:fetch "SELECT 1" end,
      function(conn) conn:execute "COMMIT" end,
      function(conn) conn:begin() end,
      function(conn) conn:rows "SELECT 1" end,
      function(conn) conn:prepare "SELECT 1" end,
      function(conn) conn:pipeline { { "SELECT 1" } } end,
      function(conn) conn:script "SELECT 1" end,
      function(conn) conn:transaction(function() end) end,
      function(conn) conn:ping() end,
      function(conn) conn:features() end,
      function(conn) conn:executemany(INSERT, { { 1 } }) end,
    } do
      local conn, server = simulated.open()
      assert.has_error(function()
        conn:executemany(INSERT, sets(9, 2, function() use(conn) end))
      end)
      assert_nothing_left(conn, server)

      conn, server = simulated.open()
      local raised
      assert(conn:executemany(INSERT, sets(9, 2, function()
        raised = select(2, pcall(use, conn))
        return { 2 }
      end)))
      assert.is_truthy(raised:find "in use by executemany" or raised:find "open already")
      assert.equal(9, #server.applied)
    end
  end)

  it("may close the connection: nothing is left", function()
    local conn, server = simulated.open()
    local result, err = conn:executemany(INSERT, sets(9, 3, function()
      conn:close()
      return { 3 }
    end))
    assert.is_nil(result)
    assert.equal("closed", err.kind)
    assert.is_false(err.ambiguous)
    assert.same({}, server.applied)
    assert.is_false(conn:is_open())
  end)

  it("may yield, but in Lua 5.1; the connection is then in use", function()
    local conn, server = simulated.open()
    local run = coroutine.create(function()
      return conn:executemany(INSERT, sets(9, 3, function()
        coroutine.yield()
        return { 3 }
      end))
    end)
    if not luas.waits then
      local ok, raised = coroutine.resume(run)
      assert.is_false(ok)
      assert.matches("attempt to yield", raised)
      assert.same({}, server.applied)
      return assert.equal(1, conn:fetchval "SELECT 1")
    end
    assert(coroutine.resume(run))
    assert_raises("in use by", function() conn:fetch "SELECT 1" end)
    local _, result = coroutine.resume(run)
    assert.same({ rows_affected = 9 }, result)
    assert.equal(9, #server.applied)
  end)
end)

describe("executemany whose text is too large to be sent", function()
  after_each(simulated.verify)

  it("says so at once, and leaves the connection as it was", function()
    local conn, server = simulated.open(nil, { max_message_size = 4096 })
    local started = server.time
    local text = INSERT .. ", ('" .. ("x"):rep(4090) .. "')"
    local result, err = conn:executemany(text, { { 1 } })
    assert.is_nil(result)
    assert.equal("value", err.kind)
    assert.equal(started, server.time)
    assert_nothing_left(conn, server)
  end)
end)

if rawget(coroutine, "close") then
  describe("executemany whose coroutine is closed", function()
    it("has lost its connection, which says so", function()
      local conn = simulated.open()
      local run = coroutine.create(function()
        conn:executemany(INSERT, function()
          coroutine.yield()
          return { 1 }
        end)
      end)
      assert(coroutine.resume(run))
      assert(rawget(coroutine, "close")(run))
      local result, err = conn:execute "DELETE FROM t"
      assert.is_nil(result)
      assert.same({ "closed", true }, { err.kind, err.retryable })
      assert.is_false(conn:is_open())
    end)
  end)
end

describe("executemany on a connection that is lost", function()
  after_each(simulated.verify)

  local TRIGGERS = "the question for triggers"

  -- Where it is lost: a text, or the n-th run of the statement.
  local function lose(server, where, answer)
    if where == "PREPARE" then
      server:on_prepare(INSERT, answer)
    elseif where == TRIGGERS then
      local made_up = server.answers.QUERY_SQL
      server.answers.QUERY_SQL = function(request, stream)
        if simulated.asks_for_triggers(request.sql) then return answer end
        return made_up(request, stream)
      end
    elseif type(where) == "number" then
      local n = 0
      server:on(INSERT, function()
        n = n + 1
        if n == where then return answer end
      end)
    else
      server:on(where, answer)
    end
  end

  it("answers that nothing was applied, wherever that was", function()
    for _, answer in ipairs { { "close" }, {}, { scripted.failure(10506, "leadership lost") },
      { scripted.failure(10250, "not leader") }, { scripted.failure(10, "disk I/O error") } } do
      for _, where in ipairs { "BEGIN IMMEDIATE", TRIGGERS, "PREPARE", 1, 2, 150, 280 } do
        local conn, server = simulated.open()
        lose(server, where, answer)
        local list = {}
        for i = 1, 300 do list[i] = { i } end
        local result, err = conn:executemany(INSERT, list)
        assert.is_nil(result, where)
        assert.same({ true, true, false }, { err.fatal, err.retryable, err.ambiguous }, where)
        if type(where) == "number" then assert.equal(where, err.index) end
        assert.same({}, server.applied)
        assert.is_false(conn:is_open())
      end
    end
  end)

  it("asks an iterator for no more", function()
    local conn, server = simulated.open()
    lose(server, 2, { "close" })
    local asked = 0
    assert.is_nil(conn:executemany(INSERT, function()
      asked = asked + 1
      return { asked }
    end))
    assert.is_true(asked <= 257, asked)
  end)

  it("has the time of one call for all of it", function()
    local conn, server = simulated.open(nil, { timeout = 3 })
    server.triggers = true
    server.delay = 0.01
    local started = server.time
    local result, err = conn:executemany(INSERT, sets(1e6))
    assert.is_nil(result)
    assert.same({ "timeout", true, false }, { err.kind, err.retryable, err.ambiguous })
    assert.is_true(server.time - started < 3.1)
  end)
end)
