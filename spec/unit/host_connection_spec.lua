-- Connections on the loop of a host, over real sockets, with a server in the same process.
local child = require "spec.support.child"
local core = require "dqlite.core"
local dqlite = require "dqlite"
local handles = require "spec.support.handles"
local luv_server = require "spec.support.luv_server"
local raises = require "spec.support.raises"
local scripted = require "spec.support.scripted"
local simulated = require "spec.support.simulated"

local close = rawget(coroutine, "close") -- Lua 5.4

local SILENT = "INSERT INTO silent VALUES (1)" -- is never answered, and yields no rows
local PATIENCE = 10 -- seconds

local host, server, source, before

local function start()
  source = simulated.server()
  source:on(SILENT, {})
  server = luv_server.start(source)
  before = handles.descriptors()
  host = dqlite.host.new()
end

-- The server's turn, then a step of ours.
local function turn(...)
  handles.turn(1)
  return host:step(...)
end

local function till(what, is_so)
  local deadline = core.now() + PATIENCE
  while not is_so() do
    assert(core.now() < deadline, "it never came true: " .. what)
    turn()
  end
end

-- Runs a function in a task.
local function run(fn)
  local ended, results = false, nil
  host:spawn(function()
    results = { pcall(fn) }
    ended = true
  end)
  till("the task has ended", function() return ended end)
  assert(results[1], results[2])
  return results[2], results[3]
end

local function connect(opts)
  return assert(dqlite.connect(server.address, opts))
end

-- A call that the server never answers; what came of it is in the table.
local function hang(conn, opts)
  local call = {}
  host:spawn(function()
    call.thread = coroutine.running()
    call.result, call.err = conn:execute(SILENT, {}, opts)
    call.over = true
  end)
  till("it waits for an answer", function() return conn:events() == "r" end)
  return call
end

local function stop()
  till("nothing is left", function() return host:is_idle() and server.peers == 0 end)
  assert.same({}, host:pollfds())
  assert.equal(before, handles.descriptors())
  server:stop()
  simulated.verify()
end

describe("connections on the loop of a host", function()
  before_each(start)
  after_each(stop)

  it("answer", function()
    run(function()
      local conn = connect()
      assert.equal(host, conn.link.loop)
      assert.equal(1, conn:fetchval "SELECT 1")
      assert.equal(1, conn:execute("INSERT INTO t VALUES (1)").rows_affected)
      conn:close()
    end)
    assert.same({ "INSERT INTO t VALUES (1)" }, source.applied)
  end)

  it("answer many coroutines at once", function()
    local sum = run(function()
      local tasks, total = {}, 0
      for i = 1, 100 do
        tasks[i] = host:spawn(function()
          local conn = connect()
          local value = conn:fetchval "SELECT 1"
          conn:close()
          return value
        end)
      end
      for i = 1, 100 do total = total + tasks[i]:wait() end
      return total
    end)
    assert.equal(100, sum)
  end)

  it("are in the lists as long as somebody waits there", function()
    local first, second = run(connect), run(connect)
    assert.same({}, host:pollfds())
    local call = hang(first, { timeout = 3600 })
    assert.same({ { fd = first:pollfd(), events = "r" } }, host:pollfds())
    hang(second)
    local list = host:pollfds()
    assert.equal(2, #list)
    assert.equal(list, host:pollfds())
    local fds, events, n = host:descriptors()
    assert.equal(2, n)
    for i = 1, 2 do
      assert.equal(list[i].fd, fds[i])
      assert.equal(core.POLL_READ, events[i])
    end
    first:close()
    turn()
    assert.equal("closed", call.err.kind)
    assert.same({ { fd = second:pollfd(), events = "r" } }, host:pollfds())
    second:close()
  end)

  it("go on when the host says that they are ready, and not before", function()
    local conn, value = run(connect), nil
    host:spawn(function() value = conn:fetchval "SELECT 1" end)
    host:step()
    local fd = conn:pollfd()
    local deadline = core.now() + PATIENCE
    repeat
      assert(core.now() < deadline, "the answer is not there")
      handles.turn(1)
      host:step({}, 0)
    until core.poll_fds({ fd }, { core.POLL_READ }, 1, 0, {}) == 1
    host:step({}, 0)
    assert.is_nil(value)
    host:step { fd }
    assert.equal(1, value)
    conn:close()
  end)

  it("do no harm when the host is wrong about them", function()
    local conn = run(connect)
    local call = hang(conn)
    for _ = 1, 3 do
      assert.is_true(host:step { conn:pollfd() })
      assert.equal("r", conn:events())
      assert.is_nil(call.over)
    end
    conn:close()
  end)

  it("run into their deadline, which the host is told", function()
    local conn = run(connect)
    local call = hang(conn, { timeout = 0.02 })
    assert.is_true(host:timeout() <= 0.02)
    till("it has ended", function() return call.over end)
    assert.equal("timeout", call.err.kind)
    conn:close()
  end)

  it("that are dropped are closed by the next step", function()
    run(function() connect() end)
    collectgarbage()
    collectgarbage()
    assert.equal(0, host:timeout())
    host:step()
    till("the server sees it", function() return server.peers == 0 end)
  end)

  it("go with their loop when all of it is dropped", function()
    local function leave()
      local own, conn = dqlite.host.new(), nil
      own:spawn(function()
        conn = connect()
        conn:execute(SILENT)
      end)
      till("it waits", function()
        own:step()
        return conn and conn:events() == "r"
      end)
    end
    coroutine.wrap(leave)() -- the collector looks at what was on this stack as well
    if jit then jit.flush() end -- and at what compiled code was made for
    till("the server sees it", function()
      collectgarbage()
      return server.peers == 0
    end)
  end)

  it("let others run while many frames come in", function()
    local frames, turns = {}, 0
    for i = 1, 200 do
      frames[i] = scripted.rows { columns = { "a" }, { ("x"):rep(40000) }, more = i < 200 }
    end
    source:on("SELECT a FROM t", frames)
    local conn = run(connect)
    local reading = true
    host:spawn(function()
      for _ in conn:rows "SELECT a FROM t" do handles.turn(1) end
      reading = false
    end)
    host:spawn(function()
      while reading do
        turns = turns + 1
        dqlite.sleep(0)
      end
    end)
    till("all is read", function() return not reading end)
    assert.is_true(turns > 5, turns .. " turns")
    conn:close()
  end)

  it("are refused in a forked child, where nothing else of the loop runs", function()
    local conn = run(connect)
    local others = 0
    local text
    host:spawn(function()
      text = child.run(function()
        raises("belongs to the process that has forked", function() host:spawn(error) end)
        raises("belongs to the process that has forked", function() conn:pollfd() end)
        assert.equal("blocking", require "dqlite.loops".select().name)
        return "all refused"
      end)
    end)
    host:spawn(function() others = others + 1 end)
    host:step()
    assert.equal("all refused", text)
    text = child.run(function()
      raises("belongs to the process that has forked", function() host:step() end)
      raises("belongs to the process that has forked", function() host:wait() end)
      return "all refused"
    end)
    assert.equal("all refused", text)
    assert.equal(1, others)
    assert.equal(1, run(function() return conn:fetchval "SELECT 1" end))
    conn:close()
  end)

  if close then
    it("are not watched any more once a coroutine is closed that waits", function()
      local conn = run(connect)
      local call = hang(conn)
      close(call.thread)
      assert.is_nil(conn:events())
      assert.same({}, host:pollfds())
      assert.is_true(host:is_idle())
      conn:close()
    end)
  end
end)

describe("a connection by itself", function()
  before_each(start)
  after_each(stop)

  it("is all that a host needs once it is open", function()
    local conn, log = run(connect), {}
    host:spawn(function()
      log[1] = conn:fetchval "SELECT 1"
      dqlite.sleep(0.002)
      log[2] = conn:fetchval "SELECT 1"
    end)
    assert.equal(0, conn:timeout())
    local deadline = core.now() + PATIENCE
    while conn:step() do
      assert(core.now() < deadline)
      handles.turn(1)
      local events, ready = conn:events(), {}
      local bits = events == "r" and core.POLL_READ or core.POLL_WRITE
      core.poll_fds({ conn:pollfd() }, { bits }, events and 1 or 0, math.min(conn:timeout() or 0,
        0.001), ready)
    end
    assert.same({ 1, 1 }, log)
    assert.is_nil(conn:timeout())
    conn:close()
  end)

  it("leaves the others alone", function()
    local first, second, values = run(connect), run(connect), {}
    for i, conn in ipairs { first, second } do
      host:spawn(function() values[i] = conn:fetchval "SELECT 1" end)
    end
    host:step {}
    local deadline = core.now() + PATIENCE
    while not values[1] do
      assert(core.now() < deadline)
      handles.turn(1)
      first:step()
    end
    handles.turn(1)
    first:step()
    assert.is_nil(values[2])
    assert.equal("r", second:events())
    second:step()
    assert.equal(1, values[2])
    first:close()
    second:close()
  end)

  it("waits to be writable as well while it sends much", function()
    local conn, done = run(connect), false
    host:spawn(function()
      assert(conn:execute("INSERT INTO t VALUES (?)", dqlite.blob(("x"):rep(20 * 1024 * 1024))))
      done = true
    end)
    host:step()
    assert.equal("rw", conn:events())
    assert.same({ { fd = conn:pollfd(), events = "rw" } }, host:pollfds())
    till("it is sent", function() return done end)
    conn:close()
  end)

  it("has no descriptor once it has ended", function()
    local conn, lost = run(connect), run(connect)
    assert.is_true(conn:pollfd() >= 0)
    conn:close()
    local call = hang(lost)
    server:peer():close()
    till("it is lost", function() return call.over end)
    for _, each in ipairs { conn, lost } do
      assert.is_nil(each:pollfd())
      assert.is_nil(each:events())
      assert.is_false(each:step())
    end
    lost:close()
  end)

  it("of a pool has none once it is given back", function()
    run(function()
      local pool = assert(dqlite.create_pool(server.address))
      local conn = assert(pool:acquire())
      assert.is_true(conn:pollfd() >= 0)
      conn:release()
      assert.is_nil(conn:pollfd())
      assert.equal(1, pool:fetchval "SELECT 1")
      pool:close()
    end)
  end)

  it("has its descriptor alone on luv's loop", function()
    local conn = dqlite.run(connect)
    assert.equal(conn.link.stream.sock:fd(), conn:pollfd())
    raises("events: it is for connections on the loop of a host .* on another: luv",
      function() conn:events() end)
    raises("timeout: it is for connections on the loop of a host", function() conn:timeout() end)
    raises("step: it is for connections on the loop of a host", function() conn:step() end)
    dqlite.run(conn.close, conn)
    assert.is_nil(conn:pollfd())
    handles.settle()
  end)
end)

describe("a connection on a loop of one's own", function()
  it("has no descriptor where its stream knows none", function()
    local conn = simulated.open()
    raises("pollfd: the stream has no descriptor to be watched", function() conn:pollfd() end)
    raises("step: it is for connections on the loop of a host", function() conn:step() end)
    conn:close()
    assert.is_nil(conn:pollfd())
  end)
end)
