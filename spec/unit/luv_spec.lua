-- The luv loop over real sockets, with a server in the same process.
local core = require "dqlite.core"
local dqlite = require "dqlite"
local handles = require "spec.support.handles"
local luv_server = require "spec.support.luv_server"
local poll_events = require "spec.support.poll_events"
local scripted = require "spec.support.scripted"
local simulated = require "spec.support.simulated"
local stderr = require "spec.support.stderr"
local uv = require "luv"
local waits = require "dqlite.loop.waits"

local ALL = "SELECT a FROM t"

-- What a spec shares with its server.
local server, source, before

local function start()
  source = simulated.server()
  server = luv_server.start(source)
  before = handles.descriptors()
end

local function stop()
  handles.verify()
  assert.equal(before, handles.descriptors())
  assert.equal(0, server.peers)
  server:stop()
  simulated.verify()
end

local function connect(opts)
  return assert(dqlite.connect(server.address, opts))
end

local function frame(value, more)
  return scripted.rows { columns = { "a" }, { value }, more = more }
end

local function frames(n, value)
  local list = {}
  for i = 1, n do list[i] = frame(value or i, i < n) end
  return list
end

describe("connections under luv", function()
  before_each(start)
  after_each(stop)

  it("answer", function()
    dqlite.run(function()
      local conn = connect()
      assert.equal("luv", conn.link.loop.name)
      assert.equal(1, conn:fetchval "SELECT 1")
      assert.equal(1, conn:execute("INSERT INTO t VALUES (1)").rows_affected)
      conn:close()
    end)
    assert.same({ "INSERT INTO t VALUES (1)" }, source.applied)
  end)

  it("have one timer between them, and a poll each, until they are closed", function()
    dqlite.run(function()
      local conns = {}
      for i = 1, 10 do conns[i] = connect() end
      assert.same({ 10, 1 }, { handles.count "poll", handles.count "timer" })
      for i = 1, 9 do conns[i]:close() end
      dqlite.sleep(0)
      assert.same({ 1, 1 }, { handles.count "poll", handles.count "timer" })
      assert.equal(1, conns[10]:fetchval "SELECT 1")
      conns[10]:close()
      conns[10]:close()
    end)
  end)

  it("that are idle do not keep the loop running", function()
    local conn
    dqlite.run(function()
      conn = connect()
      assert.equal(1, conn:fetchval "SELECT 1")
    end)
    assert.is_false(uv.loop_alive())
    local started = uv.hrtime()
    uv.run()
    assert.is_true((uv.hrtime() - started) / 1e9 < 1)
    assert.equal(1, dqlite.run(function() return conn:fetchval "SELECT 1" end))
    conn:close() -- no coroutine is needed for that
    assert.is_false(conn:is_open())
  end)

  it("that wait keep the loop running until the answer", function()
    source:on(ALL, frames(1, 7))
    local conn, value = dqlite.run(connect), nil
    coroutine.wrap(function() value = conn:fetchval(ALL) end)()
    assert.is_true(uv.loop_alive())
    uv.run()
    assert.equal(7, value)
    conn:close()
  end)

  it("of which one is lost tell so, and the others go on", function()
    dqlite.run(function()
      local first = connect()
      local peer = server:peer()
      local second = connect()
      source:on(ALL, { "close" })
      local result, err = first:fetch(ALL)
      assert.is_nil(result)
      assert.equal("closed", err.kind)
      assert.is_true(peer.closed)
      assert.equal(1, second:fetchval "SELECT 1")
      second:close()
    end)
  end)

  it("that are reset while a call waits end it", function()
    dqlite.run(function()
      local conn = connect()
      source:on(ALL, function()
        server:peer():reset()
        return {}
      end)
      local result, err = conn:fetch(ALL)
      assert.is_nil(result)
      assert.equal("closed", err.kind)
      assert.is_false(conn:is_open())
    end)
  end)

  it("that are reset while nobody waits cost a callback, and the next call ends", function()
    dqlite.run(function()
      local conn = connect()
      poll_events.start()
      conn.link.stream.watched = nil -- so that the poll is started anew, and counted
      assert(conn:ping())
      local counted = poll_events.count
      server:peer():reset()
      dqlite.sleep(0.005)
      assert.is_true(poll_events.count - counted <= 1, poll_events.count)
      poll_events.stop()
      local result, err = conn:execute "DELETE FROM t"
      assert.is_nil(result)
      assert.equal("closed", err.kind)
    end)
  end)

  it("time out at their deadline", function()
    source:on(ALL, {})
    dqlite.run(function()
      local conn = connect { timeout = 0.02 }
      local started = core.now()
      local result, err = conn:fetchall(ALL)
      local took = core.now() - started
      assert.is_nil(result)
      assert.equal("timeout", err.kind)
      assert.is_true(took >= 0.02 and took < 1, took)
      server:peer():close() -- else close would wait for the rest of the answer
      conn:close()
    end)
  end)

  it("of a hundred coroutines get each its own answers", function()
    local right = 0
    dqlite.run(function()
      local tasks = {}
      for i = 1, 100 do
        tasks[i] = dqlite.spawn(function()
          local conn = connect()
          local text = ("SELECT %d"):format(i)
          source:on(text, frames(1, i))
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

  it("are closed by the collector when they are dropped, without a word", function()
    local text = stderr.of(dqlite.run, function()
      for _ = 1, 5 do connect() end
      local function drop()
        local conn = connect()
        assert.equal(1, conn:fetchval "SELECT 1")
      end
      drop()
    end)
    handles.settle()
    assert.equal("", text)
    assert.same({}, handles.list())
    assert.equal(0, server.peers)
  end)
end)

describe("a consumer of rows that pauses", function()
  before_each(start)
  after_each(stop)

  local big = dqlite.blob(("x"):rep(60000))

  it("costs no callbacks, though the server goes on", function()
    source:on(ALL, frames(100, big))
    dqlite.run(function()
      poll_events.start()
      local conn = connect()
      local next_row = conn:rows(ALL)
      next_row()
      dqlite.sleep(0.002)
      local counted = poll_events.count
      dqlite.sleep(0.05)
      assert.is_true(poll_events.count - counted <= 1, poll_events.count - counted)
      local n = 1
      for _ in next_row do n = n + 1 end
      poll_events.stop()
      assert.equal(100, n)
      conn:close()
    end)
  end)

  it("keeps the loop running by nothing", function()
    source:on(ALL, frames(3))
    local conn, next_row
    dqlite.run(function()
      conn = connect()
      next_row = conn:rows(ALL)
      assert.equal(1, next_row().a)
    end)
    assert.is_false(uv.loop_alive())
    dqlite.run(function()
      assert.equal(2, next_row().a)
      conn:close()
    end)
  end)

  it("does not stop others: a stream leaves them their turns", function()
    source:on(ALL, frames(150, big))
    dqlite.run(function()
      local conn, other = connect(), connect()
      local next_row = conn:rows(ALL)
      dqlite.sleep(0.01) -- the sockets' buffers are full
      local turns, answers, done = 0, 0, false
      dqlite.spawn(function()
        while not done do
          dqlite.sleep(0)
          turns = turns + 1
        end
      end)
      local asking = dqlite.spawn(function()
        while not done do
          assert.equal(1, other:fetchval "SELECT 1")
          answers = answers + 1
        end
      end)
      dqlite.sleep(0)
      local seen, longest, last = 0, 0, turns
      for _ in next_row do
        seen = seen + 1
        if turns ~= last then seen, last = 0, turns end
        longest = math.max(longest, seen)
      end
      done = true
      asking:wait()
      assert.is_true(longest <= 40, longest) -- rows without a turn for the others
      assert.is_true(turns >= 2 and answers >= 1, turns .. " " .. answers)
      conn:close()
      other:close()
    end)
  end)
end)

describe("dialling under luv", function()
  before_each(start)
  after_each(stop)

  local function port()
    return server.address:match ":(%d+)$"
  end

  it("looks names up", function()
    dqlite.run(function()
      local conn = assert(dqlite.connect("localhost:" .. port()))
      assert.equal(1, conn:fetchval "SELECT 1")
      conn:close()
    end)
  end)

  it("says of a name that does not exist that it does not", function()
    dqlite.run(function()
      local conn, err = dqlite.connect("no.such.host.invalid:9001", { timeout = 5 })
      assert.is_nil(conn)
      assert.is_true(err.kind == "connect" or err.kind == "timeout", err.kind)
      assert.is_true(err.retryable)
    end)
    uv.run()
  end)

  describe("with names looked up elsewhere", function()
    local real_lookup, real_cancel, asked, cancelled = uv.getaddrinfo, uv.cancel, nil, nil

    -- `answers` nil: never.
    local function look_up(answers, err)
      asked, cancelled = 0, 0
      local request = {}
      uv.getaddrinfo = function(_, _, _, callback)
        asked = asked + 1
        if answers or err then waits.later(function() callback(err, answers) end) end
        return request
      end
      uv.cancel = function(it)
        assert.equal(request, it)
        cancelled = cancelled + 1
        return 0
      end
    end

    after_each(function() uv.getaddrinfo, uv.cancel = real_lookup, real_cancel end)

    it("gives up at the deadline", function()
      look_up(nil)
      dqlite.run(function()
        local conn, err = dqlite.connect("slow.test:9001", { connect_timeout = 0.01 })
        assert.is_nil(conn)
        assert.equal("timeout", err.kind)
        assert.matches("its name was not found in time", err.message)
      end)
      assert.same({ 1, 1 }, { asked, cancelled })
    end)

    it("says what the look-up said", function()
      look_up(nil, "EAI_AGAIN")
      dqlite.run(function()
        local conn, err = dqlite.connect "some.test:9001"
        assert.is_nil(conn)
        assert.equal("connect", err.kind)
        assert.matches("EAI_AGAIN", err.message)
        assert.is_true(err.retryable)
      end)
    end)

    it("tries every address", function()
      look_up { { addr = "127.0.0.3" }, { addr = "::1" }, { addr = "127.0.0.1" } }
      dqlite.run(function()
        local conn = assert(dqlite.connect("many.test:" .. port()))
        assert.equal(1, conn:fetchval "SELECT 1")
        conn:close()
      end)
    end)

    it("says what became of every address", function()
      look_up { { addr = "127.0.0.3" }, { addr = "127.0.0.4" } }
      dqlite.run(function()
        local conn, err = dqlite.connect("many.test:" .. port())
        assert.is_nil(conn)
        assert.equal("connect", err.kind)
        assert.matches("127.0.0.3: .*refused; 127.0.0.4: .*refused", err.message:lower())
      end)
    end)

    it("that finds no address is an error", function()
      look_up {}
      dqlite.run(function()
        local conn, err = dqlite.connect("none.test:" .. port())
        assert.is_nil(conn)
        assert.equal("connect", err.kind)
        assert.is_string(err.message)
      end)
    end)
  end)

  it("without anybody there is refused, and leaves nothing", function()
    dqlite.run(function()
      for _, address in ipairs { "127.0.0.1:1", "/nowhere/at/all", "@nobody-listens-here" } do
        local conn, err = dqlite.connect(address)
        assert.is_nil(conn)
        assert.equal("connect", err.kind)
        assert.is_true(err.retryable)
      end
      assert.equal(0, handles.count "poll")
    end)
  end)

  it("of a server that does not answer ends in time, and leaves nothing", function()
    source.answers.OPEN = {}
    dqlite.run(function()
      local conn, err = dqlite.connect(server.address, { timeout = 0.01 })
      assert.is_nil(conn)
      assert.equal("timeout", err.kind)
    end)
  end)

  it("of a follower leaves nothing", function()
    source.answers.LEADER = { scripted.frame("SERVER", { id = "2", address = "127.0.0.1:1" }) }
    dqlite.run(function()
      local conn, err = dqlite.connect(server.address, { timeout = 0.05 })
      assert.is_nil(conn)
      assert.equal("no_leader", err.kind)
      assert.matches("the leader is 127.0.0.1:1; 127.0.0.1:1: Connection refused", err.message)
    end)
  end)

  it("waits for an election", function()
    local asked = 0
    source.answers.LEADER = function()
      asked = asked + 1
      if asked < 3 then return { scripted.frame("SERVER", { id = "0", address = "" }) } end
      return { scripted.frame("SERVER", { id = "1", address = server.address }) }
    end
    dqlite.run(function() connect():close() end)
    assert.equal(4, asked) -- once it leads, with the opening
  end)
end)
