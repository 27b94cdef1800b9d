-- A request and its reply in one step of a stream, under luv, over real sockets.
local core = require "dqlite.core"
local dqlite = require "dqlite"
local handles = require "spec.support.handles"
local luv = require "dqlite.loop.luv"
local luv_server = require "spec.support.luv_server"
local scripted = require "spec.support.scripted"
local simulated = require "spec.support.simulated"

local HELLO = scripted.frame("WELCOME", { heartbeat = 15000 })
local BIG = 32 * 1024 * 1024 -- bytes, more than the buffers of a connection

local server, source, before

local function start()
  source = simulated.server()
  server = luv_server.start(source)
  handles.settle()
  before = handles.descriptors()
end

local function stop()
  handles.verify(function() return server.peers == 0 end)
  assert.equal(before, handles.descriptors())
  server:stop()
end

local function soon() return core.now() + 5 end

-- Calls a function with a stream and a session that has a request for it.
local function with_stream(fn)
  return function()
    dqlite.run(function()
      local stream = assert(luv.connect(server.address, soon()))
      local session = core.session(2 * BIG)
      assert(session:send("CLIENT", { id = 1 }))
      fn(stream, session)
      stream:close()
    end)
  end
end

-- Lets the server answer each CLIENT with these frames.
local function answer_with(...)
  local frames = { ... }
  source.answers.CLIENT = function() return frames end
end

describe("a stream that is asked", function()
  before_each(start)
  after_each(stop)

  it("sends, and answers as the session does, which holds the reply", with_stream(
    function(stream, session)
      local name, last, size = stream:ask(session, soon())
      assert.same({ "WELCOME", true, #HELLO }, { name, last, size })
      assert.equal(15000, session:message().heartbeat)
      assert.equal(0, session:outstanding())
    end))

  it("waits as long as it takes without a deadline", with_stream(function(stream, session)
    assert.equal("WELCOME", (stream:ask(session, math.huge)))
  end))

  it("leaves to others what has come in part", with_stream(function(stream, session)
    answer_with(HELLO:sub(1, 10))
    local answer = { stream:ask(session, soon()) }
    assert.same({}, answer)
    assert.is_nil((session:next()))
    server:peer():write(HELLO:sub(11))
    assert(stream:recv(session, soon()))
    assert.same({ "WELCOME", true, #HELLO }, { session:next() })
  end))

  it("leaves to others what cannot be sent at once", with_stream(function(stream, session)
    assert(session:send("EXEC_SQL", { db = 0, sql = "DELETE FROM t --" .. ("x"):rep(BIG) }))
    local answer = { stream:ask(session, soon()) }
    assert.same({}, answer)
    local left = session:pending()
    assert.is_true(left > 0 and left <= BIG + 100, left)
    while session:pending() > 0 do assert(stream:send(session, soon())) end
    repeat
      local name = session:next()
    until name == "WELCOME" or not assert(stream:recv(session, soon()))
  end))

  it("says what is wrong with an answer", with_stream(function(stream, session)
    answer_with(("\255"):rep(16))
    local name, kind = stream:ask(session, soon())
    assert.same({ nil, "protocol" }, { name, kind })
  end))

  it("tells that the server has closed", with_stream(function(stream, session)
    answer_with "close"
    local name, kind, reason = stream:ask(session, soon())
    assert.is_nil(name)
    assert.same({ "closed", "the server closed the connection" }, { kind, reason })
    name, kind = stream:ask(session, soon())
    assert.same({ nil, "closed" }, { name, kind })
  end))

  it("ends at its deadline, and the answer can be waited for still", with_stream(
    function(stream, session)
      answer_with()
      local name, kind, reason = stream:ask(session, core.now() + 0.01)
      assert.is_nil(name)
      assert.same({ "timeout", "the deadline has passed" }, { kind, reason })
      server:peer():write(HELLO)
      assert(stream:recv(session, soon()))
      assert.equal("WELCOME", (session:next()))
    end))

  it("looks once more where the loop was kept from telling in time", with_stream(
    function(stream, session)
      source.answers.CLIENT = function()
        core.sleep(0.02) -- timers come first in the loop's next turn
        return { HELLO }
      end
      assert.equal("WELCOME", (stream:ask(session, core.now() + 0.01)))
    end))

  it("ends when it is interrupted, or closed", with_stream(function(stream, session)
    answer_with()
    for _, method in ipairs { "interrupt", "close" } do
      local task = dqlite.spawn(function() stream[method](stream, "for a reason") end)
      local name, kind, reason = stream:ask(session, soon())
      assert.is_nil(name)
      assert.equal("closed", kind)
      assert.matches(method == "close" and "another coroutine" or "for a reason", reason)
      task:wait()
    end
  end))

  it("breaks off where something else resumes its coroutine", with_stream(
    function(stream, session)
      answer_with()
      local name, kind
      local thread = coroutine.create(function() name, kind = stream:ask(session, soon()) end)
      coroutine.resume(thread)
      coroutine.resume(thread, "foreign")
      assert.same({ nil, "misuse" }, { name, kind })
    end))
end)
