-- Coroutines that nobody resumes again, with a connection in the middle of something;
-- connections that another coroutine closes; functions of the user's that raise.
local dqlite = require "dqlite"
local handles = require "spec.support.handles"
local luv_server = require "spec.support.luv_server"
local scripted = require "spec.support.scripted"
local simulated = require "spec.support.simulated"
local stderr = require "spec.support.stderr"
local till = require "spec.support.till"

local close = rawget(coroutine, "close") -- Lua 5.4

local ALL = "SELECT a FROM t"
local DELETE = "DELETE FROM t WHERE a = ?"

local server, source, before

local function frame(value, more)
  return scripted.rows { columns = { "a" }, { value }, more = more }
end

local function start()
  source = simulated.server()
  server = luv_server.start(source)
  source:on(ALL, { frame(1, true), frame(2, true), frame(3) })
  handles.settle()
  before = handles.descriptors()
end

local function stop()
  handles.verify(function() return server.peers == 0 end)
  assert.equal(before, handles.descriptors())
  assert.equal(0, server.peers)
  server:stop()
  simulated.verify()
end

local function connect(opts)
  return assert(dqlite.connect(server.address, opts))
end

-- Answers of a query by hand: part of them now, the rest when told.
local function hold(text, first)
  local real, held = source.answers.QUERY_SQL, {}
  source.answers.QUERY_SQL = function(request, peer)
    if request.sql ~= text then return real(request, peer) end
    held.peer = peer
    return first
  end
  function held.release(...)
    held.peer:write(table.concat { ... })
  end
  return held
end

-- Runs a function in coroutines up to their own yield.
local function begin(count, fn)
  local reached, threads = 0, {}
  for i = 1, count do
    threads[i] = coroutine.create(function()
      fn(function()
        reached = reached + 1
        coroutine.yield "mine"
      end)
      error "it was resumed"
    end)
    assert(coroutine.resume(threads[i]))
  end
  till(function() return reached == count end)
  return threads
end

-- The same, and drops them: answers a table that is empty once they are collected.
-- LuaJIT's collector takes for a value what a register held before, in a frame that
-- has come in its place, and compiled code keeps objects as constants: so they are
-- begun in a coroutine that ends, and `collect` lets the loop do all that it can do
-- and throws the code away.
local function abandon(fn, count)
  return dqlite.spawn(function()
    return setmetatable(begin(count or 1, fn), { __mode = "v" })
  end):wait()
end

local function collect(is_so)
  local other = connect()
  till(function()
    dqlite.spawn(function() end)
    assert(other:ping())
    if jit then jit.flush() end
    collectgarbage()
    if is_so then return is_so() end
    return server.peers == 1
  end)
  other:close()
  till(function() return is_so or server.peers == 0 end)
end

local WAYS = {
  ["between two calls"] = function(pause)
    local conn = connect()
    assert(conn:fetch(ALL))
    pause()
    conn:ping()
  end,
  ["in the middle of rows"] = function(pause)
    for _ in connect():rows(ALL) do pause() end
  end,
  ["in the middle of a statement's rows"] = function(pause)
    for _ in assert(connect():prepare(ALL)):rows() do pause() end
  end,
  ["in transaction(fn)"] = function(pause)
    local conn = connect()
    conn:transaction(function()
      assert(conn:execute "DELETE FROM t")
      pause()
    end)
  end,
  ["in a nested transaction"] = function(pause)
    local conn = connect()
    conn:transaction(function()
      return conn:transaction(function()
        assert(conn:execute "DELETE FROM t")
        pause()
      end)
    end)
  end,
  ["in the middle of rows in a transaction"] = function(pause)
    local conn = connect()
    conn:transaction(function() for _ in conn:rows(ALL) do pause() end end)
  end,
  ["with a transaction's handle"] = function(pause)
    local tx = assert(connect():begin())
    assert(tx.conn:execute "DELETE FROM t")
    pause()
    tx:commit()
  end,
  ["in an iterator of executemany"] = function(pause)
    local i = 0
    connect():executemany(DELETE, function()
      i = i + 1
      if i == 3 then pause() end
      return { i }
    end)
  end,
  ["in an iterator of executemany with RETURNING"] = function(pause)
    local i = 0
    connect():executemany(DELETE .. " RETURNING a", function()
      i = i + 1
      if i == 3 then pause() end
      return { i }
    end)
  end,
}

describe("a coroutine that is dropped", function()
  before_each(start)
  after_each(stop)

  for name, way in pairs(WAYS) do
    it(name .. " is collected, and its connection closed", function()
      local text = stderr.of(dqlite.run, function()
        local left = abandon(way)
        assert.equal(1, server.peers)
        collect()
        assert.is_nil(left[1])
        till(function() return handles.count "poll" == 0 end)
        local conn = connect()
        assert.equal(1, conn:fetchval(ALL))
        conn:close()
      end)
      assert.equal("", text)
      assert.same({}, source.applied)
    end)

    if close then
      it(name .. " and is closed before is collected, and its connection closed", function()
        local text = stderr.of(dqlite.run, function()
          assert(close(begin(1, way)[1]))
          collect()
        end)
        assert.equal("", text)
        assert.same({}, source.applied)
      end)
    end
  end

  it("while the loop does not run is closed when it does", function()
    dqlite.run(function() abandon(WAYS["in the middle of rows"]) end)
    collectgarbage()
    collectgarbage()
    assert.equal(1, server.peers)
    dqlite.run(collect)
  end)

  it("has the rest of its rows read first", function()
    local held = hold(ALL, { frame(1, true), frame(2, true) })
    dqlite.run(function()
      local left = abandon(WAYS["in the middle of rows"])
      collect(function() return not left[1] end)
      dqlite.sleep(0.005)
      assert.equal(1, server.peers) -- waits for the rest
      held.release(frame(3, true))
      dqlite.sleep(0.005)
      assert.equal(1, server.peers)
      held.release(frame(4))
      till(function() return server.peers == 0 end)
    end)
  end)

  it("has nothing read where nothing is due", function()
    source.answers.EXEC_SQL = {}
    dqlite.run(function()
      local conn = connect { timeout = 0.2 } -- which has to do for the connect, too
      local result, err = conn:execute "DELETE FROM t"
      assert.is_nil(result)
      assert.same({ "timeout", true }, { err.kind, err.ambiguous })
      till(function() return server.peers == 0 end)
    end)
  end)

  it("a hundred times leaves nothing", function()
    dqlite.run(function()
      for _, name in ipairs { "between two calls", "in the middle of rows",
        "in transaction(fn)", "in an iterator of executemany" } do
        abandon(WAYS[name], 25)
      end
      assert.equal(100, server.accepted)
      collect()
    end)
    assert.same({}, source.applied)
  end)
end)

describe("a connection that outlives the coroutine of its call", function()
  before_each(start)
  after_each(stop)

  -- The coroutine ends, by an error, in the middle of something.
  local BROKEN = {
    ["in transaction(fn)"] = function(conn)
      conn:transaction(function()
        assert(conn:execute "DELETE FROM t")
        error("stop", 0)
      end)
    end,
    ["in an iterator of executemany"] = function(conn)
      local i = 0
      conn:executemany(DELETE, function()
        i = i + 1
        if i == 3 then error("stop", 0) end
        return { i }
      end)
    end,
    ["in a loop over rows"] = function(conn)
      for _ in conn:rows(ALL) do error("stop", 0) end
    end,
    ["in a nested transaction"] = function(conn)
      conn:transaction(function()
        conn:transaction(function()
          assert(conn:execute "DELETE FROM t")
          error("stop", 0)
        end)
      end)
    end,
  }
  for name, fn in pairs(BROKEN) do
    it("behaviour 23: works on after an error that was raised " .. name, function()
      dqlite.run(function()
        local conn = connect()
        local task = dqlite.spawn(fn, conn)
        assert.same({ false, "stop" }, { pcall(task.wait, task) })
        assert.equal(1, conn:fetchval(ALL))
        assert.is_false(conn:in_transaction())
        assert(conn:execute "DELETE FROM u")
        conn:close()
      end)
      assert.same({ "DELETE FROM u" }, source.applied)
    end)
  end

  it("raises what a transaction's function raised, the same value", function()
    local raised = {}
    dqlite.run(function()
      local conn = connect()
      local ok, got = pcall(conn.transaction, conn, function() error(raised) end)
      assert.is_false(ok)
      assert.equal(raised, got)
      ok, got = pcall(conn.executemany, conn, DELETE, function() error(raised) end)
      assert.is_false(ok)
      assert.equal(raised, got)
      conn:close()
    end)
  end)

  if close then
    it("is told, when that was closed between two calls of a transaction", function()
      dqlite.run(function()
        local conn = connect()
        assert(close(begin(1, function(pause)
          conn:transaction(function()
            assert(conn:execute "DELETE FROM t")
            pause()
          end)
        end)[1]))
        local result, err = conn:execute "DELETE FROM u"
        assert.is_nil(result)
        assert.same({ "closed", true, false }, { err.kind, err.retryable, err.ambiguous })
        assert.is_false(conn:is_open())
      end)
      assert.same({}, source.applied)
    end)

    it("is told, when that was closed in an iterator of executemany", function()
      dqlite.run(function()
        local conn = connect()
        assert(close(begin(1, function(pause) conn:executemany(DELETE, pause) end)[1]))
        local result, err = conn:execute "DELETE FROM u"
        assert.is_nil(result)
        assert.equal("closed", err.kind)
      end)
      assert.same({}, source.applied)
    end)
  end
end)

describe("close by another coroutine", function()
  before_each(start)
  after_each(stop)

  it("ends a read with an error that is retryable, a write with one that is ambiguous", function()
    local asked
    local function keep_silent()
      asked = true
      return {}
    end
    source.answers.EXEC_SQL = keep_silent
    source:on("SELECT b FROM t", keep_silent)
    dqlite.run(function()
      for _, text in ipairs { "SELECT b FROM t", "DELETE FROM t" } do
        asked = false
        local conn = connect()
        local task = dqlite.spawn(function() return conn:execute(text) end)
        till(function() return asked end)
        local peer = server:peer()
        dqlite.spawn(function()
          dqlite.sleep(0.002)
          peer:close() -- rows that are due would be waited for
        end)
        assert.is_true(conn:close())
        local result, err = task:wait()
        assert.is_nil(result)
        assert.equal("closed", err.kind)
        assert.equal(text == "DELETE FROM t", err.ambiguous)
        assert.is_true(err.fatal)
        assert.matches("closed by another coroutine", err.message)
      end
    end)
  end)

  it("does not make the waiter wait for the rest of its rows", function()
    local held = hold(ALL, { frame(1, true) })
    dqlite.run(function()
      local conn = connect()
      local ended = false
      local task = dqlite.spawn(function()
        local result, err = conn:fetch(ALL)
        ended = true
        return result, err
      end)
      till(function() return held.peer end)
      local closing = dqlite.spawn(function() return conn:close() end)
      till(function() return ended end)
      assert.equal(1, server.peers)
      held.release(frame(2))
      assert.is_true(closing:wait())
      local result, err = task:wait()
      assert.is_nil(result)
      assert.same({ "closed", false }, { err.kind, err.ambiguous })
    end)
  end)

  it("is an error for the other's next call, not a mistake of it", function()
    dqlite.run(function()
      local conn = connect()
      local task = dqlite.spawn(function()
        dqlite.sleep(0.002)
        return conn:execute "DELETE FROM t"
      end)
      conn:close()
      local result, err = task:wait()
      assert.is_nil(result)
      assert.same({ "closed", true, true, false },
        { err.kind, err.fatal, err.retryable, err.ambiguous })
    end)
  end)

  it("in a transaction(fn): what follows in it is an error, and so is the whole", function()
    dqlite.run(function()
      local conn = connect()
      local inside = false
      local task = dqlite.spawn(function()
        return conn:transaction(function()
          assert(conn:execute "DELETE FROM t")
          inside = true
          till(function() return not inside end)
          local result, err = conn:execute "DELETE FROM u"
          assert(result == nil and err.kind == "closed")
          return true
        end)
      end)
      till(function() return inside end)
      conn:close()
      inside = false
      local result, err = task:wait()
      assert.is_nil(result)
      assert.same({ "closed", false }, { err.kind, err.ambiguous })
    end)
    assert.same({}, source.applied)
  end)

  it("by two of them at once ends for both", function()
    local held = hold(ALL, { frame(1, true) })
    dqlite.run(function()
      local conn = connect()
      conn:rows(ALL)()
      local first = dqlite.spawn(function() return conn:close() end)
      local second = dqlite.spawn(function() return conn:close() end)
      dqlite.sleep(0.001)
      held.release(frame(2))
      assert.is_true(first:wait())
      assert.is_true(second:wait())
    end)
  end)

  it("ends its own rows", function()
    dqlite.run(function()
      local conn = connect()
      local next_row = conn:rows(ALL)
      next_row()
      conn:close()
      local ok, err = pcall(next_row)
      assert.is_false(ok)
      assert.equal("closed", err.kind)
    end)
  end)
end)
