-- Calls in places where they cannot be: each raises, at the caller's line, what to do
-- instead, sends no byte and harms nobody.
local blocking = require "dqlite.loop.blocking"
local dqlite = require "dqlite"
local finalizer = require "dqlite.finalizer"
local handles = require "spec.support.handles"
local misused = require "spec.support.misused"
local raises = require "spec.support.raises"
local session = require "dqlite.session"
local till = require "spec.support.till"
local uv = require "luv"

local close = rawget(coroutine, "close") -- Lua 5.4

local ALL = misused.ALL
local is_over = misused.is_over
local start, stop, connect = misused.start, misused.stop, misused.connect
local uses_of, refused, works = misused.uses_of, misused.refused, misused.works

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
        uses.connect = function() dqlite.connect(misused.server.address) end
        uses.session = function() session.connect(misused.server.address) end
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
      assert.same({ "DELETE FROM t", "INSERT INTO t VALUES (1)" }, misused.source.applied)
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
      assert.same({}, misused.source.applied)
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
        assert(coroutine.resume(thread, dqlite, misused.server.address, function()
          inside = true
          coroutine.yield()
        end))
        till(function() return inside end)
        assert.equal(1, misused.server.peers)
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
    assert.same({}, misused.source.applied)
  end)

  it("connect and a raw session", function()
    inside(function()
      refused({
        function() dqlite.connect(misused.server.address, { loop = "blocking" }) end,
        function() session.connect(misused.server.address, { loop = "blocking" }) end,
      }, PATTERN)
    end)
    assert.equal(0, misused.server.accepted)
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
