-- Calls in places where they cannot be: each raises, at the caller's line, what to do
-- instead, sends no byte and harms nobody.
local blocking = require "dqlite.loop.blocking"
local dqlite = require "dqlite"
local finalizer = require "dqlite.finalizer"
local handles = require "spec.support.handles"
local luv_server = require "spec.support.luv_server"
local raises = require "spec.support.raises"
local scripted = require "spec.support.scripted"
local session = require "dqlite.session"
local simulated = require "spec.support.simulated"
local stderr = require "spec.support.stderr"
local till = require "spec.support.till"
local uv = require "luv"

local close = rawget(coroutine, "close") -- Lua 5.4

local ALL = "SELECT a FROM t"

local server, source, before

local function start()
  source = simulated.server()
  server = luv_server.start(source)
  source:on(ALL, {
    scripted.rows { columns = { "a" }, { 1 }, more = true },
    scripted.rows { columns = { "a" }, { 2 } },
  })
  before = handles.descriptors()
end

local function is_over()
  return server.peers == 0
end

local function stop()
  handles.settle(is_over)
  assert.same({}, handles.list())
  assert.is_true(handles.is_idle())
  assert.equal(before, handles.descriptors())
  server:stop()
  simulated.verify()
end

local function connect(opts)
  return assert(dqlite.connect(server.address, opts))
end

-- Everything that waits, on an open connection and what hangs on it. Each is a
-- function of one line, where it must be blamed.
local function uses_of(conn)
  local statement = assert(conn:prepare "DELETE FROM t WHERE a = ?")
  local query = assert(conn:prepare(ALL))
  return {
    execute = function() conn:execute "DELETE FROM t" end,
    fetch = function() conn:fetch(ALL) end,
    fetchall = function() conn:fetchall(ALL) end,
    fetchone = function() conn:fetchone(ALL) end,
    fetchval = function() conn:fetchval(ALL) end,
    fetchcol = function() conn:fetchcol(ALL) end,
    query = function() conn:query(ALL) end,
    rows = function() conn:rows(ALL) end,
    RETURNING = function() conn:fetch "DELETE FROM t RETURNING a" end,
    ["rows of RETURNING"] = function() conn:rows "DELETE FROM t RETURNING a" end,
    ["OR FAIL"] = function() conn:execute "INSERT OR FAIL INTO t VALUES (1)" end,
    prepare = function() conn:prepare(ALL) end,
    ["statement:execute"] = function() statement:execute(1) end,
    ["statement:fetch"] = function() query:fetch() end,
    ["statement:rows"] = function() query:rows() end,
    ["statement:executemany"] = function() statement:executemany { { 1 } } end,
    executemany = function() conn:executemany("DELETE FROM t WHERE a = ?", { { 1 } }) end,
    pipeline = function() conn:pipeline { { ALL }, { "DELETE FROM t" } } end,
    script = function() conn:script "DELETE FROM t; DELETE FROM u" end,
    transaction = function() conn:transaction(print) end,
    begin = function() conn:begin() end,
    commit = function() conn:commit() end,
    rollback = function() conn:rollback() end,
    ping = function() conn:ping() end,
    features = function() conn:features() end,
  }
end

-- Asserts that each use is refused here, and sends nothing.
local function refused(uses, pattern)
  for name, use in pairs(uses) do
    local received = server.received
    local ok, message = pcall(raises, pattern, use)
    assert(ok, ("%s: %s"):format(name, tostring(message)))
    assert(received == server.received, name)
  end
end

local function works(conn)
  assert.is_true(conn:is_open())
  assert.is_false(conn:in_transaction())
  assert.equal(1, conn:fetchval(ALL))
  assert.equal(1, conn:execute("INSERT INTO t VALUES (1)").rows_affected)
end

-- ---- nobody can wait here ----

-- Places in a coroutine under luv's loop where C code stands between it and the
-- loop. Each calls a function, once or more often.
local BEHIND_C = {
  ["table.sort"] = function(fn)
    table.sort({ 1, 2 }, function(a, b)
      fn()
      return a < b
    end)
  end,
  ["string.gsub"] = function(fn)
    local _ = ("x"):gsub("x", function() fn() end)
  end,
  ["require"] = function(fn)
    package.preload["dqlite.spec.module"] = function()
      fn()
      return true
    end
    require "dqlite.spec.module"
    package.loaded["dqlite.spec.module"] = nil
  end,
  ["a finalizer"] = function(fn)
    local done, failed = false, nil
    local function finalize()
      if done then return end
      done = true
      local ok, err = pcall(fn)
      if not ok then failed = err end
    end
    if jit then -- compiled code in a finalizer can loop for ever (LuaJIT 2.1-20230119)
      jit.off()
      jit.flush()
    end
    coroutine.wrap(function() -- whose registers keep none of them afterwards
      for _ = 1, 20 do finalizer(finalize) end
    end)()
    for _ = 1, 100 do
      if not done then collectgarbage() end
    end
    if jit then jit.on() end
    assert(done)
    assert(not failed, failed)
  end,
}
if close then
  BEHIND_C["a __close under coroutine.close"] = function(fn)
    local ran, failed = false, nil
    local thread = coroutine.create(assert(load [[
      local closing = ...
      local scope <close> = setmetatable({}, { __close = closing })
      coroutine.yield()
    ]]))
    assert(coroutine.resume(thread, function()
      ran = true
      local ok, err = pcall(fn)
      if not ok then failed = err end
    end))
    assert(close(thread))
    assert(ran)
    assert(not failed, failed)
  end
end

describe("where C code calls, a call that would wait raises:", function()
  before_each(start)
  after_each(stop)

  for place, enter in pairs(BEHIND_C) do
    it(place, function()
      dqlite.run(function()
        local conn = connect()
        local uses = uses_of(conn)
        uses.connect = function() dqlite.connect(server.address) end
        uses.session = function() session.connect(server.address) end
        uses.sleep = function() dqlite.sleep(0) end
        local task = dqlite.spawn(function() dqlite.sleep(0.001) end)
        uses.wait = function() task:wait() end
        dqlite.sleep(0) -- what was sent before has arrived
        enter(function() refused(uses, "nothing can wait here: .*do it before, or after") end)
        dqlite.sleep(0.002)
        works(conn)
        conn:close()
      end)
    end)

    it("a step of rows in " .. place, function()
      dqlite.run(function()
        local conn = connect()
        local next_row = conn:rows(ALL)
        assert.equal(1, next_row().a)
        enter(function()
          raises("nothing can wait here", function() next_row() end)
        end)
        assert.equal(2, next_row().a) -- it can go on elsewhere
        assert.is_nil(next_row())
        works(conn)
        conn:close()
      end)
    end)

    it("a transaction's handle in " .. place, function()
      dqlite.run(function()
        local conn = connect()
        local tx = assert(conn:begin())
        assert(conn:execute "DELETE FROM t")
        enter(function()
          raises("nothing can wait here", function() tx:commit() end)
          raises("nothing can wait here", function() conn:execute "DELETE FROM t" end)
        end)
        assert.is_true(conn:in_transaction())
        assert.is_true(tx:commit())
        works(conn)
        conn:close()
      end)
      assert.same({ "DELETE FROM t", "INSERT INTO t VALUES (1)" }, source.applied)
    end)

    it("but close does not: " .. place, function()
      dqlite.run(function()
        for _, leave in ipairs { false, true } do
          local conn = connect()
          if leave then conn:rows(ALL)() end
          enter(function() assert.is_true(conn:close()) end)
          assert.is_false(conn:is_open())
        end
        till(is_over)
      end)
    end)
  end

  if close then
    it("a transaction's __close under coroutine.close: its connection is gone", function()
      dqlite.run(function()
        local conn = connect()
        local thread = coroutine.create(assert(load [[
          local conn, pause = ...
          local tx <close> = assert(conn:begin())
          assert(conn:execute "DELETE FROM t")
          pause()
        ]]))
        local inside = false
        assert(coroutine.resume(thread, conn, function()
          inside = true
          coroutine.yield()
        end))
        till(function() return inside end)
        close(thread)
        -- nobody can roll back there: whoever comes next must not get into it
        local result = select(2, pcall(conn.execute, conn, "DELETE FROM u"))
        assert.is_falsy(type(result) == "table" and result.rows_affected)
        conn:close()
      end)
      assert.same({}, source.applied)
    end)

    it("but not a connection's __close", function()
      dqlite.run(function()
        local thread = coroutine.create(assert(load [[
          local dqlite, address, pause = ...
          local conn <close> = assert(dqlite.connect(address))
          conn:rows("SELECT a FROM t")()
          pause()
        ]]))
        local inside = false
        assert(coroutine.resume(thread, dqlite, server.address, function()
          inside = true
          coroutine.yield()
        end))
        till(function() return inside end)
        assert.equal(1, server.peers)
        assert.is_true(close(thread))
        till(is_over)
      end)
    end)
  end
end)

describe("where no coroutine runs, a connection of luv raises:", function()
  before_each(start)
  after_each(stop)

  it("the main chunk", function()
    local conn, uses, next_row
    dqlite.run(function()
      conn = connect()
      uses = uses_of(conn)
      uses["a step of rows"] = function() next_row() end
      next_row = conn:rows(ALL)
      assert.equal(1, next_row().a)
    end)
    refused({ uses["a step of rows"] }, "only a coroutine can wait: .*dqlite.run")
    uses["a step of rows"] = nil
    refused(uses, "only a coroutine can wait: .*dqlite.run")
    dqlite.run(function()
      works(conn)
      conn:close()
    end)
  end)

  it("a callback", function()
    dqlite.run(function()
      local conn = connect()
      local uses, ok, message = uses_of(conn), nil, nil
      local timer = uv.new_timer()
      timer:start(1, 0, function()
        timer:close()
        ok, message = pcall(refused, uses, "only a coroutine can wait: .*dqlite.spawn")
      end)
      till(function() return ok ~= nil end)
      assert(ok, message)
      works(conn)
      conn:close()
    end)
  end)
end)

-- ---- a blocking call in a running loop ----

-- The blocking loop, with a server in this process, which has its turns between a
-- request and its answer.
local function pumped()
  local loop = {}
  for name, value in pairs(blocking) do loop[name] = value end
  function loop.connect(address, deadline)
    local stream, kind, reason = blocking.connect(address, deadline)
    if not stream then return nil, kind, reason end
    local recv = stream.recv
    function stream.recv(...)
      if not uv.loop_mode() then handles.turn(3) end
      return recv(...)
    end
    return stream
  end
  return loop
end

describe("a blocking call while luv's loop runs raises, and freezes nothing:", function()
  before_each(start)
  after_each(stop)

  local PATTERN = "freeze the luv loop.*dqlite.spawn"

  -- Calls a function in a coroutine of the loop and in a callback of it.
  local function inside(fn)
    dqlite.run(fn)
    local ok, message
    local timer = uv.new_timer()
    timer:start(0, 0, function()
      timer:close()
      ok, message = pcall(fn)
    end)
    uv.run()
    assert(ok, message)
  end

  it("every call of an open connection", function()
    local conn = connect { loop = pumped() }
    local uses = uses_of(conn)
    local next_row = conn:rows(ALL)
    assert.equal(1, next_row().a)
    uses.step = function() next_row() end
    inside(function() refused({ uses.step }, PATTERN) end)
    assert.equal(2, next_row().a)
    assert.is_nil(next_row())
    uses.step = nil
    inside(function() refused(uses, PATTERN) end)
    works(conn)
    conn:close()
  end)

  it("commit of a transaction", function()
    local conn = connect { loop = pumped() }
    local tx = assert(conn:begin())
    assert(conn:execute "DELETE FROM t")
    inside(function()
      raises(PATTERN, function() tx:commit() end)
      raises(PATTERN, function() tx:rollback() end)
    end)
    conn:close()
    assert.same({}, source.applied)
  end)

  it("connect and a raw session", function()
    inside(function()
      refused({
        function() dqlite.connect(server.address, { loop = "blocking" }) end,
        function() session.connect(server.address, { loop = "blocking" }) end,
      }, PATTERN)
    end)
    assert.equal(0, server.accepted)
  end)

  it("sleep, in a callback", function()
    local ok, message
    local timer = uv.new_timer()
    timer:start(0, 0, function()
      timer:close()
      ok, message = pcall(raises, PATTERN, function() dqlite.sleep(0.001) end)
    end)
    uv.run()
    assert(ok, message)
  end)

  it("but not close", function()
    local conn = connect { loop = pumped() }
    conn:rows(ALL)()
    dqlite.run(function() assert.is_true(conn:close()) end)
    assert.is_false(conn:is_open())
  end)
end)

-- ---- one coroutine at a time ----

describe("a second coroutine on a busy connection raises, and harms nobody:", function()
  before_each(start)
  after_each(stop)

  it("in every call", function()
    dqlite.run(function()
      local conn = connect()
      local uses = uses_of(conn)
      local peer
      source.answers.QUERY_SQL = (function(real)
        return function(request, from)
          if request.sql ~= "SELECT slow" then return real(request, from) end
          peer = from
          return {}
        end
      end)(source.answers.QUERY_SQL)
      local first = dqlite.spawn(function() return conn:fetchval "SELECT slow" end)
      till(function() return peer end)
      refused(uses, "the connection is in use by another coroutine")
      peer.silent = false
      peer:write(scripted.rows { columns = { "a" }, { 42 } })
      assert.equal(42, first:wait())
      works(conn)
      conn:close()
    end)
  end)

  it("while rows wait for a lock", function()
    dqlite.run(function()
      local conn = connect()
      local locked, busy, asked = { scripted.failure(5, "database is locked") }, true, false
      source:on("SELECT b FROM t", function()
        asked = true
        return busy and locked or nil
      end)
      local first = dqlite.spawn(function() return conn:rows("SELECT b FROM t")().a end)
      till(function() return asked end)
      for _ = 1, 20 do
        dqlite.sleep(0.0005)
        raises("in use by another coroutine", function() conn:execute "DELETE FROM t" end)
      end
      busy = false
      assert.equal(1, first:wait())
      works(conn)
      conn:close()
    end)
    assert.same({ "INSERT INTO t VALUES (1)" }, source.applied)
  end)

  it("while a statement waits for a lock", function()
    dqlite.run(function()
      local conn = connect()
      local locked, busy, asked = { scripted.failure(5, "database is locked") }, true, false
      source:on("DELETE FROM u", function()
        asked = true
        return busy and locked or nil
      end)
      local first = dqlite.spawn(function() return conn:execute "DELETE FROM u" end)
      till(function() return asked end)
      for _ = 1, 20 do
        dqlite.sleep(0.0005)
        raises("in use by another coroutine", function() conn:execute "DELETE FROM t" end)
      end
      busy = false
      assert.equal(1, first:wait().rows_affected)
      conn:close()
    end)
    assert.same({ "DELETE FROM u" }, source.applied)
  end)

  it("while a transaction of another coroutine is between two calls", function()
    dqlite.run(function()
      local conn = connect()
      local uses, between = uses_of(conn), false
      local first = dqlite.spawn(function()
        return conn:transaction(function()
          assert(conn:execute "DELETE FROM u")
          between = true
          till(function() return not between end)
          assert(conn:execute "DELETE FROM v")
          return "done"
        end)
      end)
      till(function() return between end)
      refused(uses, "in a transaction of another coroutine")
      between = false
      assert.equal("done", first:wait())
      works(conn)
      conn:close()
    end)
    assert.same({ "DELETE FROM u", "DELETE FROM v", "INSERT INTO t VALUES (1)" }, source.applied)
  end)

  it("from within an iterator of executemany", function()
    dqlite.run(function()
      local conn = connect()
      local i = 0
      local answer = assert(conn:executemany("DELETE FROM t WHERE a = ?", function()
        i = i + 1
        if i == 2 then
          raises("in use by executemany", function() conn:execute "DELETE FROM u" end)
          local other = dqlite.spawn(function()
            raises("in use by executemany", function() conn:execute "DELETE FROM u" end)
          end)
          other:wait()
        end
        return i <= 3 and { i } or nil
      end))
      assert.equal(3, answer.rows_affected)
      works(conn)
      conn:close()
    end)
  end)
end)

-- ---- generators and other schedulers ----

describe("a coroutine that something else resumes while it waits", function()
  before_each(start)
  after_each(stop)

  it("raises; the connection is gone, and what it held", function()
    dqlite.run(function()
      local conn = connect()
      source.answers.EXEC_SQL = {}
      local raised
      local thread = coroutine.create(function()
        raised = select(2, pcall(conn.execute, conn, "DELETE FROM t"))
      end)
      assert(coroutine.resume(thread))
      dqlite.sleep(0.001)
      assert(coroutine.resume(thread, "surprise"))
      assert.matches("resumed by something else than the loop.*dqlite.spawn", raised)
      assert.is_false(conn:is_open())
      local result, err = conn:execute "DELETE FROM t"
      assert.is_nil(result)
      assert.equal("closed", err.kind)
      assert.matches("foreign resume", err.message)
      till(is_over)
    end)
  end)

  it("because it is a generator's, explains itself", function()
    stderr.of(dqlite.run, function()
      local conn, seen = connect(), {}
      local ok, message = pcall(function()
        for value in coroutine.wrap(function()
          for row in conn:rows(ALL) do coroutine.yield(row.a) end
        end) do
          seen[#seen + 1] = value + 0
        end
      end)
      assert.is_false(ok)
      assert.same({}, seen)
      assert.matches("generator", message)
      conn:close() -- what the generator then raises is written to standard error
    end)
  end)

  it("because it is a generator's whose values nobody looks at, explains itself", function()
    dqlite.run(function()
      local conn = connect()
      local ok, message = pcall(function()
        local steps = 0
        for _ in coroutine.wrap(function()
          for _ in conn:rows(ALL) do coroutine.yield(1) end
        end) do
          steps = steps + 1
        end
      end)
      assert.is_false(ok)
      assert.matches("generator", message)
      conn:close()
    end)
  end)
end)
