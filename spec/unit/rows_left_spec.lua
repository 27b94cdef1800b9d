-- hazards.md, "Waiting" and "closing in mid-ROWS": what a break leaves unread is
-- read by the next call or by close, up to a bound; without one where the server
-- may hold the write lock meanwhile.
local dqlite = require "dqlite"
local scripted = require "spec.support.scripted"
local simulated = require "spec.support.simulated"

local ALL = "SELECT a FROM t"
local MIB = 1024 * 1024

local function frame(value, more)
  return scripted.rows { columns = { "a" }, { value }, more = more }
end

-- n frames of one row each.
local function frames(n, value)
  local list, part = {}, frame(value or 1, true)
  for i = 1, n - 1 do list[i] = part end
  list[n] = frame(value or 1)
  return list
end

local function open(answer, begin)
  local conn, server = simulated.open()
  if begin then assert(conn:execute(begin)) end
  server:on(ALL, answer)
  return conn, server, conn.link.stream
end

local function abandon(conn)
  conn:rows(ALL)()
end

describe("rows that are left", function()
  after_each(simulated.verify)

  it("behaviour 23: are read by the next call, whose answer is its own", function()
    local conn, server, stream = open(frames(5))
    server:on("SELECT b FROM u", { frame(7) })
    abandon(conn)
    assert.equal(7, conn:fetchval "SELECT b FROM u")
    assert.equal(0, #stream.incoming)
    assert.is_true(conn:is_open())
  end)

  it("cost nothing when all had come", function()
    local conn = open(frames(1))
    abandon(conn)
    assert.equal(1, conn:fetchval "SELECT 1")
  end)

  it("behaviour 23: are read by close", function()
    for _, begin in ipairs { false, "BEGIN" } do
      local conn, server, stream = open(frames(5), begin)
      abandon(conn)
      assert.is_true(conn:close())
      assert.equal(0, #stream.incoming)
      assert.equal(1, server.closed)
    end
  end)

  it("are read before a transaction ends", function()
    local conn, server = open(frames(5))
    assert.is_true(conn:transaction(function()
      conn:execute "DELETE FROM t"
      abandon(conn)
      return true
    end))
    assert.equal(1, #server.applied)
    assert.is_nil(conn:transaction(function()
      abandon(conn)
      return nil, "no"
    end))
    assert.is_false(server.in_transaction)
  end)

  it("may end in a failure, which is nobody's", function()
    local conn = open { frame(1, true), scripted.failure(1, "integer overflow") }
    abandon(conn)
    assert.equal(1, conn:fetchval "SELECT 1")
    assert.is_true(conn:is_open())
  end)

  it("that end in a failure make a transaction unsure", function()
    local conn, server = simulated.open "1.11.1"
    assert(conn:execute "BEGIN")
    server:on(ALL, { frame(1, true), scripted.failure(1, "integer overflow") })
    abandon(conn)
    server:log()
    assert(conn:fetch "DELETE FROM t RETURNING a")
    local log = table.concat(server:log(), "\n")
    assert.matches("EXEC_SQL BEGIN IMMEDIATE.*QUERY_SQL DELETE FROM t RETURNING a", log)
    assert.is_true(server.in_transaction)
  end)

  it("that end with the leadership end the connection", function()
    local conn = open { frame(1, true), scripted.failure(10506, "leadership lost") }
    abandon(conn)
    local result, err = conn:execute "DELETE FROM t"
    assert.is_nil(result)
    assert.same({ true, true, false }, { err.fatal, err.retryable, err.ambiguous })
    assert.is_false(conn:is_open())
  end)

  it("on a connection that is lost meanwhile: the next call was not applied", function()
    for _, begin in ipairs { false, "BEGIN" } do
      local conn = open({ frame(1, true), "close" }, begin)
      abandon(conn)
      local result, err = conn:execute "DELETE FROM t"
      assert.is_nil(result)
      assert.same({ "closed", true, true, false },
        { err.kind, err.fatal, err.retryable, err.ambiguous })
      assert.is_nil(err.message:find "too large")
      conn = open({ frame(1, true), "close" }, begin)
      abandon(conn)
      assert.is_true(conn:close())
    end
  end)
end)

describe("the bound in bytes", function()
  after_each(simulated.verify)

  local big = dqlite.blob(("x"):rep(2 * MIB))

  it("is 64 MiB: the next call is not served, nothing of it was sent", function()
    local conn, server, stream = open(frames(40, big))
    abandon(conn)
    local before = server.bytes()
    local result, err = conn:execute "DELETE FROM t"
    assert.is_nil(result)
    assert.same({ "closed", true, true, false },
      { err.kind, err.fatal, err.retryable, err.ambiguous })
    assert.matches("too large", err.message)
    assert.equal(before, server.bytes())
    assert.is_true(#stream.incoming > 0 and #stream.incoming <= 8, #stream.incoming)
    assert.equal(1, server.closed)
  end)

  it("is 64 MiB: less is read", function()
    local conn = open(frames(30, big))
    abandon(conn)
    assert(conn:execute "DELETE FROM t")
  end)

  it("holds for close", function()
    local conn, server, stream = open(frames(40, big))
    abandon(conn)
    conn:close()
    assert.is_true(#stream.incoming > 0 and #stream.incoming <= 8, #stream.incoming)
    assert.equal(1, server.closed)
  end)

  it("is none while a transaction is or may be open", function()
    for _, begin in ipairs { "BEGIN", "SAVEPOINT a" } do
      local conn, _, stream = open(frames(40, big), begin)
      abandon(conn)
      conn:close()
      assert.equal(0, #stream.incoming)
      conn, _, stream = open(frames(40, big), begin)
      abandon(conn)
      assert(conn:execute "DELETE FROM t")
      assert.equal(0, #stream.incoming)
    end
    local conn, server, stream = open(frames(40, big), "BEGIN")
    server:on("DELETE FROM stops", { scripted.failure(1811, "stop") })
    assert.is_nil(conn:execute "DELETE FROM stops")
    abandon(conn)
    conn:close()
    assert.equal(0, #stream.incoming)
  end)
end)

describe("the bound in seconds", function()
  after_each(simulated.verify)

  it("is 5, whoever reads", function()
    for _, use in ipairs {
      function(conn) return conn:close() end,
      function(conn) assert.is_nil((conn:execute "DELETE FROM t")) end,
    } do
      local conn, server, stream = open(frames(100))
      abandon(conn)
      server.delay = 0.25
      local started = server.time
      use(conn)
      assert.is_true(server.time - started <= 5.3, server.time - started)
      assert.is_true(#stream.incoming > 60)
      assert.equal(1, server.closed)
    end
  end)

  it("is none while a transaction is open", function()
    local conn, server, stream = open(frames(100), "BEGIN")
    abandon(conn)
    server.delay = 0.25
    local started = server.time
    conn:close()
    assert.equal(0, #stream.incoming)
    assert.is_true(server.time - started > 20)
  end)

  it("is silence while a transaction is open: a frozen server is left", function()
    local conn, server = open({ frame(1, true) }, "BEGIN")
    abandon(conn)
    local started = server.time
    conn:close()
    assert.equal(1, server.closed)
    assert.is_true(server.time - started >= 5 and server.time - started <= 30)
  end)
end)

describe("a deadline in the middle of a result", function()
  after_each(simulated.verify)

  local WAYS = {
    fetch = function(conn) return conn:fetch(ALL) end,
    fetchone = function(conn) return conn:fetchone(ALL) end,
    execute = function(conn) return conn:execute(ALL) end,
    rows = function(conn)
      local ok, err = pcall(function() for _ in conn:rows(ALL) do end end)
      return ok or nil, err
    end,
    pipeline = function(conn)
      local results = conn:pipeline { { ALL } }
      return nil, results[1].error
    end,
  }

  for name, way in pairs(WAYS) do
    for _, times in ipairs { 1, 2, 3 } do -- as text, with PREPARE, by id
      it(("ends the connection; close reads the rest: %s, %d"):format(name, times), function()
        local conn, server, stream = open(nil)
        for _ = 2, times do assert(conn:fetch(ALL)) end
        server:on(ALL, frames(10))
        server.delay = 20
        local result, err = way(conn)
        assert.is_nil(result)
        assert.same({ "timeout", true, true, false },
          { err.kind, err.fatal, err.retryable, err.ambiguous })
        assert.is_false(conn:is_open())
        assert.equal(0, server.closed)
        server.delay = 0
        assert.is_true(conn:close())
        assert.equal(0, #stream.incoming)
        assert.equal(1, server.closed)
      end)
    end

    it("behaviour 23: ends the connection; the next call reads what is left: " .. name, function()
      local conn, server, stream = open(frames(10))
      server.delay = 20
      assert.is_nil((way(conn)))
      server.delay = 0
      local before = server.bytes()
      local result, err = conn:execute "DELETE FROM t"
      assert.is_nil(result)
      assert.same({ "closed", true, false }, { err.kind, err.retryable, err.ambiguous })
      assert.equal(before, server.bytes())
      assert.equal(0, #stream.incoming)
      assert.equal(1, server.closed)
    end)
  end

  it("of a RETURNING is drained without bound: the server holds the lock", function()
    local text = "DELETE FROM t RETURNING a"
    local conn, server, stream = open(nil)
    assert(conn:fetch(text))
    server:on(text, frames(60))
    server.delay = 20
    local rows, err = conn:fetch(text)
    assert.is_nil(rows)
    assert.same({ "timeout", true }, { err.kind, err.ambiguous })
    server.delay = 0.5
    conn:close()
    assert.equal(0, #stream.incoming)
    assert.equal(1, server.closed)
  end)

  it("inside a transaction is drained without bound, on every way", function()
    for name, way in pairs(WAYS) do
      local conn, server, stream = open(frames(60), "BEGIN")
      server.delay = 20
      local result, err = way(conn)
      assert.is_nil(result)
      assert.same({ "timeout", false }, { err.kind, err.ambiguous }, name)
      server.delay = 0.5
      conn:close()
      assert.equal(0, #stream.incoming, name)
    end
  end)

  it("of a write that yields no rows closes at once", function()
    local conn, server = open(nil)
    server:on("DELETE FROM t", {})
    local _, err = conn:execute "DELETE FROM t"
    assert.same({ "timeout", true }, { err.kind, err.ambiguous })
    assert.equal(1, server.closed)
  end)
end)
