-- What depends on the loop: which one a call waits in, and what other coroutines
-- do meanwhile.

local counting = require "spec.support.counting"
local dqlite = require "dqlite"
local in_loop = require "spec.support.in_loop"
local live = require "spec.support.live"

local COUNT = counting.ROWS

-- Some 0.1 seconds of work that yields one row.
local SLOW = counting.NUMBERS .. "SELECT count(*) FROM c"
local LONG = 400000

live.each("a connection", function(server)
  it("waits in the loop that fits its place, or that it is told", function()
    assert.equal(live.loop, server:connect().link.loop.name)
    assert.equal(live.loop, server:session().link.loop.name)
    assert.equal(live.loop, server:connect({ loop = in_loop.option }).link.loop.name)
  end)

  -- Else the generator hands its caller what belongs to the loop.
  it("waits in a generator, or says why not", function()
    local conn = server:connect()
    local why
    local function yield_rows()
      for row in conn:rows(COUNT, 3) do coroutine.yield(row) end
    end
    local next_row = coroutine.wrap(live.is_concurrent and function()
      why = select(2, pcall(yield_rows))
    end or yield_rows) -- which Lua 5.1 cannot inside of pcall
    if not live.is_concurrent then
      for i = 1, 3 do assert.equal(i, next_row().n) end
      assert.is_nil(next_row())
      return
    end
    local row = next_row()
    if live.loop == "luv" or live.loop == "host" then
      local ok, message = pcall(function() return row.n end)
      assert.is_false(ok)
      assert.matches("do not call from a generator", message)
    else
      next_row()
      assert.matches("resumed by something else", why)
    end
  end)

  it("lets others run while it waits, or not", function()
    local conn, other, during = server:connect(), server:connect(), nil
    local function ask() during = other:fetchval "SELECT 1" end
    local thread = live.is_concurrent and dqlite.spawn(ask)
    for _ = 1, 100 do assert.equal(1, conn:fetchval "SELECT 1") end
    assert.equal(live.is_concurrent and 1 or nil, during)
    if thread then thread:wait() end
  end)
end)

if not live.is_concurrent then return end

live.each("eight coroutines that write at once", function(server)
  local WRITERS = 8
  local INSERT = "INSERT INTO t VALUES (?, ?)"

  local WAYS = {
    execute = function(conn, ...) return conn:execute(INSERT, ...) end,
    RETURNING = function(conn, ...) return conn:fetch(INSERT .. " RETURNING n", ...) end,
    transaction = function(conn, ...)
      local writer, n = ...
      return conn:transaction(function() return conn:execute(INSERT, writer, n) end)
    end,
    executemany = function(conn, ...) return conn:executemany(INSERT, { { ... } }) end,
  }

  local function write(way, writer, rows)
    local conn = server:connect()
    for n = 1, rows do assert(way(conn, writer, n)) end
  end

  for name, way in pairs(WAYS) do
    it("lose nothing and see no failure: " .. name, function()
      local conn, tasks, rows = server:connect(), {}, 20
      assert(conn:execute "CREATE TABLE t (writer, n)")
      for i = 1, WRITERS do tasks[i] = dqlite.spawn(write, way, i, rows) end
      for i = 1, WRITERS do tasks[i]:wait() end
      assert.equal(WRITERS * rows,
        conn:fetchval "SELECT count(DISTINCT writer * 1000 + n) FROM t")
      assert.equal(WRITERS * rows, conn:fetchval "SELECT count(*) FROM t")
    end)
  end
end)

live.each("a connection that another coroutine uses", function(server)
  local conn, other

  before_each(function()
    conn, other = server:connect(), server:connect()
    assert(other:execute "CREATE TABLE t (a)")
  end)

  -- A call of `conn` that is under way.
  local function begin(fn, ...)
    local task = dqlite.spawn(fn, ...)
    live.eventually("the call is under way", function() return conn.link.owner end)
    return task
  end

  local function pack(...) return { n = select("#", ...), ... } end

  it("raises, and the other's call goes on", function()
    local task = begin(conn.fetchval, conn, SLOW, LONG)
    for _ = 1, 3 do
      assert.matches("in use by another coroutine",
        live.raises(function() conn:fetchval "SELECT 1" end))
    end
    assert.equal(LONG, task:wait())
    live.usable(conn)
  end)

  it("can be closed: a read that was under way may be run again", function()
    local task = begin(function() return pack(conn:fetchval(SLOW, LONG)) end)
    conn:close()
    local answers = task:wait()
    local err = live.fails("closed", answers[1], answers[2])
    assert.is_true(err.fatal)
    assert.is_true(err.retryable)
    assert.is_false(err.ambiguous)
  end)

  it("can be closed: a write that was under way is in doubt, and leaves no lock", function()
    local task = begin(function()
      return pack(conn:execute("INSERT INTO t SELECT * FROM (" .. SLOW .. ")", LONG))
    end)
    conn:close()
    local answers = task:wait()
    local err = live.fails("closed", answers[1], answers[2])
    assert.is_true(err.ambiguous)
    assert.is_false(err.retryable)
    assert(other:execute "INSERT INTO t VALUES (1)")
  end)

  it("can be closed in a transaction, which is rolled back", function()
    local inserted = false
    local task = begin(function()
      return pack(conn:transaction(function()
        inserted = assert(conn:execute "INSERT INTO t VALUES (1)")
        conn:fetchval(SLOW, LONG)
        return "not reached in good order"
      end))
    end)
    live.eventually("the INSERT is done", function() return inserted end)
    conn:close()
    local answers = task:wait()
    local err = live.fails("closed", answers[1], answers[2])
    assert.is_false(err.ambiguous)
    assert(other:execute "INSERT INTO t VALUES (2)")
    assert.same({ 2 }, other:fetchcol "SELECT a FROM t")
  end)
end)

-- hazards.md, "Waiting" and "Requests that kill": closing in mid-ROWS leaves a
-- connection to 1.18 for ever, and the write lock if it is held.
live.each("rows that the loop reads behind the program's back", function(server)
  local other

  before_each(function()
    other = server:connect { busy_timeout = 5 }
    assert(other:execute "CREATE TABLE t (a)")
  end)

  -- Connected by hand: not even the spec's own list holds it.
  local function begin_rows(opts)
    local conn = assert(dqlite.connect(server.address, { database = server.database }))
    assert(conn:begin())
    assert(conn:execute "INSERT INTO t VALUES (1)")
    local iterator = conn:rows(COUNT, { 100000 }, opts)
    iterator()
    live.fails("busy", other:execute("INSERT INTO t VALUES (2)", {}, { busy_timeout = 0 }))
    return conn, iterator
  end

  local function assert_free()
    assert(other:execute "INSERT INTO t VALUES (3)")
    assert.same({ 3 }, other:fetchcol "SELECT a FROM t")
  end

  it("hold no lock when connection and iterator are dropped", function()
    begin_rows()
    collectgarbage()
    collectgarbage()
    assert_free()
  end)

  it("hold no lock when the coroutine that reads them is dropped", function()
    local function read_some()
      local conn, iterator = begin_rows()
      local thread = coroutine.create(function()
        for _ in iterator do coroutine.yield(conn) end
      end)
      assert(coroutine.resume(thread))
    end
    read_some()
    collectgarbage()
    collectgarbage()
    assert_free()
  end)

  if not in_loop.module().background then return end -- of a loop of one's own

  it("hold no lock after a deadline, before anybody closes", function()
    local conn = begin_rows()
    live.fails("timeout", conn:fetch(COUNT, { 200000 }, { timeout = 0.01 }))
    assert.is_false(conn:is_open())
    assert_free()
    conn:close()
  end)
end)
