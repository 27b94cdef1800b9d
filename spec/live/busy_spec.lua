-- hazards.md, "Transactions and writes": writers do not queue, so that a busy
-- database is asked again until busy_timeout is over.

local hooked_loop = require "spec.support.hooked_loop"
local live = require "spec.support.live"
local nodes = require "spec.support.nodes"

local WRITERS, ROWS = 8, 100

-- A process that waits for a row in the table go, then writes its rows in one
-- of the ways. Prints "ready", and at the end what went wrong.
local WRITER = [[
  local address, database, way, writer, rows = arg[1], arg[2], arg[3], arg[4], tonumber(arg[5])
  local dqlite = require "dqlite"
  require "spec.support.in_loop".run(function()
    local conn = assert(dqlite.connect(address, { database = database, connect_timeout = 10 }))
    io.write "ready\n"
    io.flush()
    while conn:fetchval "SELECT count(*) FROM go" == 0 do
      dqlite.sleep(0.002)
    end
    local insert = "INSERT INTO t VALUES (?, ?)"
    local ways = {
      execute = function(i) return conn:execute(insert, writer, i) end,
      fetch = function(i) return conn:fetch(insert .. " RETURNING n", writer, i) end,
      transaction = function(i)
        return conn:transaction(function() return conn:execute(insert, writer, i) end)
      end,
      executemany = function(i) return conn:executemany(insert, { { writer, i } }) end,
    }
    local failures = 0
    for i = 1, rows do
      local done, err = ways[way](i)
      if not done then
        failures = failures + 1
        print(tostring(err))
      end
    end
    print(failures .. " failures")
  end)]]

live.each("eight processes that write at once", function(server)
  setup(nodes.open)
  teardown(nodes.close)

  local function start(way, rows)
    local program = nodes.fresh_dir()
    nodes.write(program, WRITER)
    local pipes = {}
    for i = 1, WRITERS do
      pipes[i] = assert(io.popen("(" .. nodes.lua_command(program, server.address,
        server.database, way, tostring(i), tostring(rows)) .. ") 2>&1"))
    end
    return pipes
  end

  local function run(way, rows)
    local conn = server:connect()
    assert(conn:script "CREATE TABLE t (writer, n); CREATE TABLE go (a)")
    local pipes = start(way, rows)
    for _, pipe in ipairs(pipes) do assert.equal("ready", pipe:read "*l") end
    local seconds = live.timed(function()
      assert(conn:execute "INSERT INTO go VALUES (1)")
      for _, pipe in ipairs(pipes) do
        assert.equal("0 failures\n", pipe:read "*a")
        pipe:close()
      end
    end)
    print(("\n%d processes, %d rows each, by %s, at %s: %.2f s"):format(WRITERS, rows, way,
      server.address, seconds))
    assert.equal(WRITERS * rows, conn:fetchval "SELECT count(*) FROM t")
    assert.equal(WRITERS * rows, conn:fetchval "SELECT count(DISTINCT writer * 1000 + n) FROM t")
  end

  it("lose nothing and see no failure: execute", function() run("execute", ROWS) end)
  it("lose nothing and see no failure: RETURNING", function() run("fetch", 20) end)
  it("lose nothing and see no failure: transaction", function() run("transaction", 10) end)
  it("lose nothing and see no failure: executemany", function() run("executemany", 10) end)
end)

live.each("busy_timeout", function(server)
  local holder

  before_each(function()
    holder = server:connect()
    assert(holder:execute "CREATE TABLE t (a)")
    assert(holder:execute "BEGIN IMMEDIATE")
  end)

  local INSERT = "INSERT INTO t VALUES (1)"

  local WAYS = {
    { "execute", function(conn, opts) return conn:execute(INSERT, {}, opts) end },
    { "a prepared statement", function(conn, opts)
      return assert(conn:prepare(INSERT)):execute({}, opts)
    end },
    { "RETURNING", function(conn, opts) return conn:fetch(INSERT .. " RETURNING a", {}, opts) end },
    { "BEGIN IMMEDIATE", function(conn, opts)
      return conn:execute("BEGIN IMMEDIATE", {}, opts)
    end },
    { "executemany", function(conn, opts) return conn:executemany(INSERT, { {}, {} }, opts) end },
    { "script", function(conn, opts) return conn:script(INSERT, opts) end },
    { "CREATE TABLE", function(conn, opts)
      return conn:execute("CREATE TABLE u (a)", {}, opts)
    end },
  }

  -- Three seconds are for a busy machine: the default would take five.
  local function fails_after(least, fn)
    local seconds, answer, err = live.timed(fn)
    live.fails("busy", answer, err)
    assert.equal(5, err.code)
    assert.is_true(err.retryable)
    assert.is_false(err.ambiguous)
    assert.is_false(err.fatal)
    assert.is_true(seconds >= least and seconds < 3, seconds .. " seconds")
  end

  for _, way in ipairs(WAYS) do
    it("is how long it is tried again: " .. way[1], function()
      local waits = 0
      local conn = server:connect { busy_timeout = 0.1, loop = hooked_loop {
        sleep = function() waits = waits + 1 end,
      } }
      fails_after(0.07, function() return way[2](conn) end)
      assert.is_true(waits >= 1, waits .. " waits")
      waits = 0
      fails_after(0, function() return way[2](conn, { busy_timeout = 0 }) end)
      assert.equal(0, waits)
      assert.is_false(conn:in_transaction())
      assert.equal(0, conn:fetchval "SELECT count(*) FROM t")
      live.usable(conn)
    end)

    it("ends as soon as the lock is free: " .. way[1], function()
      local waits = 0
      local conn = server:connect { loop = hooked_loop { sleep = function(seconds)
        assert.is_true(seconds <= 0.025)
        waits = waits + 1
        if waits == 4 then assert(holder:execute "COMMIT") end
      end } }
      assert(way[2](conn))
      assert.equal(4, waits)
      if conn:in_transaction() then assert(conn:rollback()) end
    end)
  end

  it("is never longer than timeout", function()
    local conn = server:connect { busy_timeout = 30, timeout = 0.6 }
    for _ = 1, 3 do
      fails_after(0.1, function() return conn:execute(INSERT) end)
      live.usable(conn)
    end
  end)

  it("is for nothing inside a transaction", function()
    local conn = server:connect()
    assert(conn:execute "BEGIN")
    fails_after(0, function() return conn:execute(INSERT) end)
    assert(holder:execute "COMMIT")
    assert(conn:execute(INSERT))
    assert(conn:execute "COMMIT")
    assert.equal(1, holder:fetchval "SELECT count(*) FROM t")
  end)

  it("is for nothing in a pipeline", function()
    local conn = server:connect()
    fails_after(0, function() return nil, conn:pipeline({ { INSERT } })[1].error end)
  end)

  it("is not spent by who only reads", function()
    local conn = server:connect { busy_timeout = 0 }
    assert(holder:execute(INSERT))
    assert.equal(0, conn:fetchval "SELECT count(*) FROM t")
    for row in conn:rows "SELECT count(*) AS n FROM t" do assert.equal(0, row.n) end
    assert(conn:transaction(function() return conn:fetch "SELECT a FROM t" end, { mode = "read" }))
  end)
end)
