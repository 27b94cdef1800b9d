-- The cqueues loop over real sockets, with a server in the same process.
local auxlib = require "cqueues.auxlib"
local collect = require "spec.support.collect"
local core = require "dqlite.core"
local cqueues = require "cqueues"
local dqlite = require "dqlite"
local handles = require "spec.support.handles"
local here = require "spec.support.beside_server"
local loop = require "dqlite.loop.cqueues"
local raises = require "spec.support.raises"
local stderr = require "spec.support.stderr"
local uv = require "luv"

local ALL, SECOND = here.ALL, here.SECOND
local run, connect, frames = here.run, here.connect, here.frames

local function fd_of(conn) return conn.link.stream.sock:fd() end

-- Calls a function with the address of a listener whose queue is full: a dial there lasts.
local function with_full_queue(use)
  local deaf, fillers = uv.new_tcp(), {}
  assert(deaf:bind("127.0.0.1", 0))
  assert(deaf:listen(0, function() end)) -- luv takes one that nobody accepts, no other
  local address = "127.0.0.1:" .. deaf:getsockname().port
  for i = 1, 5 do
    fillers[i] = core.socket()
    fillers[i]:connect(address)
    handles.settle()
  end
  local ok, err = pcall(use, address)
  deaf:close()
  for _, filler in ipairs(fillers) do filler:close() end
  handles.settle()
  assert(ok, err)
end

describe("connections under cqueues", function()
  before_each(here.start)
  after_each(here.stop)

  it("answer", function()
    run(function()
      local conn = connect()
      assert.equal("cqueues", conn.link.loop.name)
      assert.equal(1, conn:fetchval "SELECT 1")
      assert.equal(1, conn:execute("INSERT INTO t VALUES (1)").rows_affected)
      conn:close()
    end)
    assert.same({ "INSERT INTO t VALUES (1)" }, here.source.applied)
  end)

  it("of a hundred coroutines get each its own answers", function()
    local right = 0
    run(function()
      local tasks = {}
      for i = 1, 100 do
        tasks[i] = dqlite.spawn(function()
          local conn = connect()
          local text = ("SELECT %d"):format(i)
          here.source:on(text, frames(1, i))
          for _ = 1, 4 do
            assert.equal(i, conn:fetchval(text))
            right = right + 1
          end
          conn:close()
        end)
      end
      for i = 1, 100 do tasks[i]:wait() end
    end)
    assert.equal(400, right)
  end)

  it("that were dialled in vain leave nothing behind for the next with their number", function()
    with_full_queue(function(address)
      run(function()
        for _ = 1, 3 do
          local stream, kind = loop.connect(address, core.now() + 0.05)
          assert.same({ nil, "timeout" }, { stream, kind })
          local conn = connect()
          assert.equal(1, conn:fetchval "SELECT 1")
          conn:close()
        end
      end)
    end)
  end)

  it("time out at their deadline", function()
    here.source:on(ALL, {})
    run(function()
      local conn = connect { timeout = 0.1 }
      local began = core.now()
      local result, err = conn:fetchall(ALL)
      local took = core.now() - began
      assert.is_nil(result)
      assert.equal("timeout", err.kind)
      assert.is_true(took >= 0.1 and took < SECOND, took)
      here.hang_up()
      conn:close()
    end)
  end)

  it("get an answer that came in time, though the program was busy until the deadline", function()
    run(function()
      local conn = connect { timeout = 0.2 }
      local began = core.now()
      local task = here.wait_in_vain(conn, "fetchval")
      here.answer_late(7)
      handles.turn(2) -- the server has sent it
      core.sleep(0.21 - (core.now() - began))
      assert.equal(7, task:wait()[1])
      conn:close()
    end)
  end)

  it("that are lost say so, and the controller goes on", function()
    here.source:on(ALL, { "close" })
    run(function()
      local conn, other = connect(), connect()
      local result, err = conn:fetch(ALL)
      assert.is_nil(result)
      assert.equal("closed", err.kind)
      assert.equal(1, other:fetchval "SELECT 1")
      other:close()
    end)
  end)

  it("are closed by the collector when they are dropped, without a word", function()
    local text = stderr.of(run, function()
      for _ = 1, 5 do connect() end
      here.await_no_peers()
    end)
    assert.equal("", text)
    assert.equal(0, here.server.peers)
  end)

  it("that are dropped once nothing runs are closed in the next controller", function()
    run(function() connect() end)
    here.renew()
    collect()
    assert.equal(1, here.server.peers)
    run(here.await_no_peers)
    assert.equal(0, here.server.peers)
  end)

  it("that are dropped with rows to come are read to the end first", function()
    here.source:on(ALL, function()
      local peer, timer = here.server:peer(), handles.except(uv.new_timer())
      timer:start(20, 0, function()
        timer:close()
        peer:write(frames(2)[2])
      end)
      return { frames(2)[1] }
    end)
    run(function()
      local conn = connect()
      assert.equal(1, conn:rows(ALL)().a)
      conn:close()
      assert.equal(1, here.server.peers)
      dqlite.sleep(0.1)
    end)
    assert.equal(0, here.server.peers)
  end)

  it("that are dropped in the middle of rows are read to the end, without a word", function()
    here.source:on(ALL, function() return { frames(2)[1] } end)
    local text = stderr.of(run, function()
      local function begin() assert.equal(1, connect():rows(ALL)().a) end
      begin()
      dqlite.sleep(0) -- cqueues holds what a coroutine has waited for last
      collect()
      dqlite.sleep(0.02)
      assert.equal(1, here.server.peers)
      here.server:peer():write(frames(2)[2])
      here.await_no_peers()
    end)
    assert.equal("", text)
  end)

  it("do not stop others: a stream leaves them their turns", function()
    here.source:on(ALL, frames(150, dqlite.blob(("x"):rep(60000))))
    run(function()
      local conn = connect()
      local next_row = conn:rows(ALL)
      dqlite.sleep(0.02) -- the sockets' buffers are full
      local turns, done = 0, false
      local turning = dqlite.spawn(function()
        while not done do
          dqlite.sleep(0)
          turns = turns + 1
        end
      end)
      dqlite.sleep(0)
      local most = 0
      for _ in next_row do most = math.max(most, conn.link.stream.greed) end
      done = true
      turning:wait()
      assert.is_true(most <= 16, most) -- receives without a turn for the others
      assert.is_true(turns >= 2, turns)
      conn:close()
    end)
  end)
end)

describe("a connection under cqueues where somebody waits", function()
  before_each(here.start)
  after_each(here.stop)

  it("can be closed by another coroutine", function()
    run(function()
      local conn = connect()
      local task = here.wait_in_vain(conn)
      conn:close()
      local answers = task:wait()
      assert.is_nil(answers[1])
      assert.equal("closed", answers[2].kind)
      assert.matches("closed by another coroutine", answers[2].message)
      here.hang_up()
    end)
  end)

  it("can be interrupted for a reason, which is told", function()
    run(function()
      local conn = connect()
      local task = here.wait_in_vain(conn)
      local began = core.now()
      conn.link:overtake "127.0.0.1:1"
      local answers = task:wait()
      assert.is_true(core.now() - began < SECOND)
      assert.equal("not_leader", answers[2].kind)
      assert.matches("127.0.0.1:1 is the leader now", answers[2].message)
      here.hang_up()
    end)
  end)

  -- Else the controller watches the old one, or fails when it stops that.
  it("leaves its descriptor's number to the next one at once", function()
    run(function()
      for _ = 1, 5 do
        local conn = connect()
        local number, task = fd_of(conn), here.wait_in_vain(conn)
        conn.link.stream:close() -- and what is due is not read first
        local other = connect()
        assert.equal(number, fd_of(other))
        assert.equal(1, other:fetchval "SELECT 1")
        assert.equal("closed", task:wait()[2].kind)
        assert.equal(1, other:fetchval "SELECT 1")
        other:close()
      end
    end)
  end)

  it("is told at once though its descriptor's number is in use again", function()
    run(function()
      local conn = connect()
      local number, task = fd_of(conn), here.wait_in_vain(conn)
      local held = {}
      dqlite.spawn(function()
        conn.link.stream:close()
        held[1] = core.socket()
        assert.is_false(held[1]:connect(here.server.address) == nil)
      end)
      local began = core.now()
      assert.equal("closed", task:wait()[2].kind)
      assert.is_true(core.now() - began < SECOND)
      assert.equal(number, held[1]:fd())
      held[1]:close()
    end)
  end)

  it("goes on when the controller is reset", function()
    run(function()
      local conn = connect()
      local task = here.wait_in_vain(conn, "fetchval")
      cqueues.reset()
      dqlite.sleep(0)
      here.answer_late(7)
      assert.equal(7, task:wait()[1])
      conn:close()
    end)
  end)
end)

describe("waits under cqueues", function()
  before_each(here.start)
  after_each(here.stop)

  it("end in the order of coming, signalled one by one or at once", function()
    run(function()
      for _, pauses in ipairs { true, false } do
        local cond, order, tasks, begun = loop.cond(), {}, {}, 0
        for i = 1, 6 do
          tasks[i] = dqlite.spawn(function()
            begun = begun + 1
            assert.is_true(cond:wait())
            order[#order + 1] = i
          end)
        end
        repeat dqlite.sleep(0.001) until begun == 6
        assert.is_true(cond:is_awaited())
        for _ = 1, 6 do
          cond:signal()
          if pauses then dqlite.sleep(0) end
        end
        for i = 1, 6 do tasks[i]:wait() end
        assert.same({ 1, 2, 3, 4, 5, 6 }, order)
        assert.is_false(cond:is_awaited())
      end
    end)
  end)

  it("begin in the order of spawn", function()
    run(function()
      local order, tasks = {}, {}
      for i = 1, 6 do tasks[i] = dqlite.spawn(function() order[#order + 1] = i end) end
      assert.same({}, order)
      for i = 1, 6 do tasks[i]:wait() end
      assert.same({ 1, 2, 3, 4, 5, 6 }, order)
    end)
  end)

  it("for a signal end at once when there was one, and at their deadline without", function()
    run(function()
      local cond = loop.cond()
      cond:signal()
      cond:signal()
      assert.is_true(cond:wait())
      local began = core.now()
      assert.is_false(cond:wait(began + 0.01))
      assert.is_true(core.now() - began >= 0.01)
      assert.is_false(cond:is_awaited())
      cond:signal()
      assert.is_true(cond:wait(0))
    end)
  end)

  it("that raise in what was begun are reported, and the controller goes on", function()
    local text = stderr.of(run, function()
      loop.start(function() error "in a start" end)
      loop.background(function() error { 1 } end)
      dqlite.spawn(function() error "in a task" end)
      dqlite.sleep(0.001)
    end)
    assert.matches("dqlite: .-in a start\nstack traceback:", text)
    assert.matches("dqlite: a task failed: .-in a task", text)
    assert.equal(1, stderr.count(text, "in a start"))
  end)

  it("of a sleep take their time, and let others run", function()
    run(function()
      local began, turns = core.now(), 0
      local task = dqlite.spawn(function()
        for _ = 1, 5 do dqlite.sleep(0) end
        turns = 5
      end)
      dqlite.sleep(0.02)
      assert.equal(5, turns)
      assert.is_true(core.now() - began >= 0.02)
      task:wait()
    end)
  end)
end)

describe("under cqueues a call", function()
  before_each(here.start)
  after_each(here.stop)

  it("outside of a controller is told what to do", function()
    local conn = run(connect)
    raises("cq:wrap", function() conn:fetchval "SELECT 1" end)
    raises("cq:wrap", function() dqlite.connect(here.server.address, { loop = "cqueues" }) end)
    assert.equal(1, run(conn.fetchval, conn, "SELECT 1"))
    conn:close()
  end)

  it("that C code calls is told so, before anything is sent", function()
    run(function()
      local conn = connect()
      local sent = #here.source.sent
      local ok, message = pcall(table.sort, { 1, 2 }, function() return conn:ping() end)
      assert.is_false(ok)
      assert.matches("nothing can wait here: a function that C code calls", message)
      assert.equal(sent, #here.source.sent)
      conn:close()
    end)
  end)

  it("that would block, or run luv's loop, is told not to", function()
    run(function()
      local opts = { loop = "blocking" }
      raises("freeze the controller", function() dqlite.connect(here.server.address, opts) end)
      raises("would freeze the controller", function() dqlite.run(print) end)
    end)
  end)

  it("in a generator that lets the controller through waits", function()
    here.source:on(ALL, frames(3))
    run(function()
      local conn, seen = connect(), {}
      for a in auxlib.wrap(function()
        for row in conn:rows(ALL) do coroutine.yield(row.a) end
      end) do
        seen[#seen + 1] = a
      end
      assert.same({ 1, 2, 3 }, seen)
      conn:close()
    end)
  end)

  it("in another generator is broken off when that goes on", function()
    run(function()
      local conn, message = connect(), nil
      local generate = coroutine.wrap(function()
        message = select(2, pcall(conn.fetchval, conn, "SELECT 1"))
      end)
      assert.equal("userdata", type(generate()))
      generate()
      assert.matches("resumed by something else.*cqueues.auxlib.wrap", message)
      assert.is_false(conn:is_open())
    end)
  end)

  it("that another coroutine resumes is broken off", function()
    here.source:on(ALL, {})
    run(function()
      local conn, message, thread = connect(), nil, nil
      here.controller:wrap(function()
        thread = coroutine.running()
        message = select(2, pcall(conn.fetchval, conn, ALL))
        coroutine.yield() -- and is nobody's any more
      end)
      while not conn.link.stream.wait.thread do dqlite.sleep(0) end
      assert(coroutine.resume(thread))
      assert.matches("resumed by something else", message)
      assert.is_false(conn:is_open())
    end)
    -- what is due of its answer is read in the background, which ends with the controller
    assert.equal(1, here.server.peers)
    here.renew()
    run(here.await_no_peers)
  end)
end)
