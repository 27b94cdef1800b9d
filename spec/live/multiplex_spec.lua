-- `multiplex`: reads of many coroutines share connections. On the blocking loop nothing
-- runs beside a call, and the option changes nothing.
local dqlite = require "dqlite"
local live = require "spec.support.live"
local proxy = require "spec.support.proxy"

live.each("a pool with multiplex", function(server)
  local pool, between

  local function open(opts)
    opts = opts or {}
    opts.database, opts.multiplex, opts.connect_timeout = server.database, true, 10
    if between then opts.translate = function() return between.address end end
    pool = assert(dqlite.create_pool(between and between.address or server.address, opts))
    assert(pool:script [[CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT);
      INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, NULL)]])
    return pool
  end

  after_each(function()
    if pool then pool:close(0) end
    if between then between:stop() end
    pool, between = nil, nil
  end)

  local function at_once(n, fn)
    if not live.is_concurrent then
      for i = 1, n do fn(i) end
      return
    end
    local tasks = {}
    for i = 1, n do tasks[i] = dqlite.spawn(fn, i) end
    for i = 1, n do tasks[i]:wait() end
  end

  it("answers in the shape of each call", function()
    open()
    local text = "SELECT id, name FROM t ORDER BY id"
    assert.same({ id = 3 }, pool:fetch(text)[3])
    assert.same({ 3, dqlite.null }, pool:fetchall(text)[3])
    assert.same({ id = 2, name = "two" },
      pool:fetchone("SELECT id, name FROM t WHERE id = :id", { id = 2 }))
    assert.equal("two", pool:fetchval("SELECT name FROM t WHERE id = ?", { 2 }, { timeout = 9 }))
    assert.is_nil(pool:fetchval "SELECT name FROM t WHERE id = 3")
    assert.same({ 1, 2, 3 }, pool:fetchcol(text))
    assert.same({ "id", "name" }, pool:query(text).columns)
    local mt = {}
    assert.equal(mt, getmetatable(pool:fetch(text, {}, { array_mt = mt })))
  end)

  it("answers each of many with its own", function()
    open { max_size = 4 }
    local right = 0
    at_once(100, function(me)
      for turn = 1, 20 do
        local row = assert(pool:fetchone("SELECT ? AS me, ? AS turn", me, turn))
        if row.me == me and row.turn == turn then right = right + 1 end
      end
    end)
    assert.equal(2000, right)
    assert.is_true(pool:stats().connects <= 4)
    assert.equal(0, pool:stats().in_use)
  end)

  it("harms nobody when one fails", function()
    open()
    local failed, right = 0, 0
    at_once(40, function(i)
      if i % 4 == 0 then
        local answer, err = pool:fetchval(("SELECT %d FROM missing"):format(i))
        if answer == nil and err.kind == "sql" then failed = failed + 1 end
      elseif pool:fetchval("SELECT ?", i) == i then
        right = right + 1
      end
    end)
    assert.same({ 10, 30 }, { failed, right })
    assert.equal(0, pool:stats().in_use)
  end)

  it("refuses wrong parameters before anything is sent", function()
    open()
    live.fails("value", pool:fetch("SELECT ?", 1, 2))
    live.fails("value", pool:fetch("SELECT :a", { b = 1 }))
    local ok, message = pcall(pool.fetch, pool, "SELECT ?", print)
    assert.is_false(ok)
    assert.matches("multiplex_spec.lua", message, 1, true)
    assert.equal(1, pool:fetchval "SELECT 1")
    assert.equal(1, pool:stats().connects)
  end)

  it("raises what init has raised, and none of it later", function()
    local problem = "no"
    local function init() if problem then error(problem, 0) end end
    pool = assert(dqlite.create_pool(server.address,
      { database = server.database, multiplex = true, min_size = 0, init = init }))
    for _ = 1, 2 do
      assert.same({ false, "no" }, { pcall(pool.fetchval, pool, "SELECT 1") })
    end
    problem = nil
    for i = 1, 3 do assert.equal(i, pool:fetchval("SELECT ?", i)) end
    assert.equal(0, pool:stats().in_use)
  end)

  it("leaves writes, and what needs more than one request, as they are", function()
    open()
    assert.equal(1, pool:execute("UPDATE t SET name = ? WHERE id = 1", "eins").rows_affected)
    assert.same({ 4 }, pool:fetchcol "INSERT INTO t (id) VALUES (4) RETURNING id")
    assert.same({ id = 1, name = "eins" }, pool:fetchone "SELECT * FROM t WHERE id = 1")
    assert.equal(4, pool:fetchval("SELECT count(*) FROM t", {}, { consistency = "linearizable" }))
  end)

  if not live.is_concurrent then return end

  it("sends reads together, on no more than two connections", function()
    open { max_size = 8 }
    at_once(500, function(i) assert.equal(i, pool:fetchval("SELECT ?", i)) end)
    assert.is_true(pool:stats().connects <= 2)
  end)

  it("gives up a read whose deadline has passed, to nobody's harm", function()
    between = proxy.start(server.address)
    open()
    between:delay(0.1)
    local late, right = 0, 0
    at_once(30, function(i)
      local opts = { timeout = i % 3 == 0 and 0.05 or 9 }
      local answer, err = pool:fetchval("SELECT ?", { i }, opts)
      if answer == i and opts.timeout == 9 then right = right + 1 end
      if answer == nil and err.kind == "timeout" and not err.fatal then late = late + 1 end
    end)
    assert.same({ 10, 20 }, { late, right })
    assert.equal(5, pool:fetchval("SELECT ?", 5))
    assert.equal(1, pool:stats().connects)
  end)

  it("reads again what was on its way when the connection was lost", function()
    between = proxy.start(server.address)
    open()
    between:delay(0.1)
    local right = 0
    dqlite.spawn(function()
      dqlite.sleep(0.05)
      between:cut()
    end)
    at_once(30, function(i)
      if pool:fetchval("SELECT ?", i) == i then right = right + 1 end
    end)
    assert.equal(30, right)
    assert.is_true(pool:stats().retries >= 30)
  end)

  local close = rawget(coroutine, "close") -- not in LuaJIT
  if not close then return end

  it("survives a coroutine that is closed while it waits", function()
    between = proxy.start(server.address)
    open()
    between:delay(0.1)
    local thread = coroutine.create(function() pool:fetchval "SELECT 1" end)
    coroutine.resume(thread)
    assert.is_true(close(thread))
    assert.equal(2, pool:fetchval "SELECT 2")
    assert.equal(0, pool:stats().in_use)
  end)
end)
