-- Every wait of every public call under luv, on real sockets, is disturbed once: by
-- its deadline, by a close from another coroutine, by a foreign resume, and its
-- coroutine is closed. The call ends as it should, and nothing is left of it.
local calls = require "spec.support.calls"
local core = require "dqlite.core"
local dqlite = require "dqlite"
local handles = require "spec.support.handles"
local luv = require "dqlite.loop.luv"
local luv_server = require "spec.support.luv_server"
local parks = require "spec.support.parks"
local scripted = require "spec.support.scripted"
local session = require "dqlite.session"
local simulated = require "spec.support.simulated"
local stderr = require "spec.support.stderr"
local uv = require "luv"

local close = rawget(coroutine, "close") -- Lua 5.4

local MOST = 80 -- waits of one call; more is a loop without end

local server, before

local function start()
  server = luv_server.start(simulated.server())
  handles.settle()
  before = handles.descriptors()
  parks.install()
end

local function verify(where)
  handles.settle(function() return server.peers == 0 end)
  local list = table.concat(handles.list(), " ")
  assert(list == "", where .. "handles are left: " .. list)
  assert(server.peers == 0, where .. "the server has a connection left")
  assert(handles.descriptors() == before, where .. "a descriptor is left")
  assert(handles.is_idle(), where .. "the loop has a reason to go on")
end

local function stop()
  parks.uninstall()
  server:stop()
  simulated.verify()
end

-- A coroutine beside the one that is disturbed.
local function beside(fn)
  return function(thread) dqlite.spawn(fn, thread) end
end

-- One run of a call in a coroutine of its own, with a disturbance at its n-th
-- wait. `disturbance(case)` answers what happens there.
local function run_case(call, n, disturbance)
  local source = simulated.server(call.version)
  calls.prepare(source)
  server:serve(source)
  local case = {
    call = call, source = source, conn = nil, ended = false, answer = nil, err = nil, sent = false,
    about = { from = 0, kinds = nil }, where = ("%s, wait %d: "):format(call.name, n),
    over = luv.cond(), -- signalled when nothing more is to come
    thread = nil,
  }
  local received
  case.thread = coroutine.create(function()
    case.conn = assert(dqlite.connect(server.address))
    local state = call.before and call.before(case.conn, source)
    luv.sleep(0) -- from here on it is the loop that lets it go on, between two looks at sockets
    case.about.from = #source.applied
    received = server.received
    parks.watch(coroutine.running())
    parks.at, parks.act = n, disturbance(case)
    local answer, err = calls.run(call, case.conn, state)
    parks.thread = nil
    case.ended, case.answer, case.err = true, answer, err
    case.over:signal()
  end)
  assert(coroutine.resume(case.thread))
  case.over:wait()
  for _ = 1, 2 do luv.sleep(0) end -- the server reads what was sent last
  case.about.sent = server.received > received
  return case
end

local function check_call(case)
  assert(case.ended, case.where .. "it has not ended")
  local wrong = calls.wrong(case.call, case.source, case.about, case.answer, case.err)
  assert(not wrong, case.where .. (wrong or ""))
end

-- Another connection works.
local function check_others(case)
  local other = assert(dqlite.connect(server.address))
  assert(other:fetchval "SELECT 1" == 1, case.where .. "another connection")
  other:close()
end

-- Disturbs every wait of a call: `check(case)` looks, in a coroutine of the loop. What
-- needs the collector, which takes its time, is looked at once, at the end.
local function enumerate(call, disturbance, check, collects)
  local n = 0
  repeat
    n = n + 1
    local reached, where
    local text = stderr.of(dqlite.run, function()
      local case = run_case(call, n, disturbance)
      reached, where = parks.count, case.where
      if reached >= n then check(case) else check_call(case) end
      check_others(case)
      if case.conn and not case.conn.closed then case.conn:close() end
    end)
    if call.busy then uv.sleep(2) end -- a pause that was closed ends by itself
    if not collects then verify(where) end
    assert(text == "", where .. text)
    assert(n < MOST, where .. "a loop without end")
  until reached < n
  if collects then verify(call.name .. ": ") end
  assert(n > 1 or call.closes, "no wait")
end

local function describe_each(title, disturbance, check, collects)
  describe(title, function()
    before_each(start)
    after_each(stop)
    for _, call in ipairs(calls.list) do
      it("of " .. call.name, function() enumerate(call, disturbance, check, collects) end)
    end
  end)
end

describe_each("the deadline in every wait", function(case)
  case.about.kinds = { timeout = true, closed = true }
  return parks.expire
end, check_call)

describe_each("a close by another coroutine in every wait", function(case)
  case.about.kinds = { closed = true }
  return beside(function() case.conn:close() end)
end, function(case)
  check_call(case)
  assert(not case.conn:is_open(), case.where .. "still open")
end)

describe_each("a foreign resume in every wait", function()
  return beside(function(thread) coroutine.resume(thread, "foreign") end)
end, function(case)
  assert(case.ended, case.where .. "it has not ended")
  if not case.call.closes then
    assert(case.answer == nil, case.where .. "it has gone on")
    local message = tostring(case.err)
    assert(message:find("resumed by something else than the loop", 1, true)
      or case.err == case.call.own, case.where .. message)
    assert(not case.conn:is_open(), case.where .. "still open")
  end
end)

if close then
  describe_each("a coroutine that is closed in every wait", function(case)
    return beside(function(thread)
      assert(close(thread))
      case.over:signal()
    end)
  end, function(case)
    assert(not case.ended, case.where .. "it has ended")
    if case.call.closes then return end
    local result, err = case.conn:fetch "SELECT 1"
    assert(result == nil and err.kind == "closed", case.where .. "what is next")
  end)

  describe_each("a coroutine that is closed in every wait, its connection dropped", function(case)
    return beside(function(thread)
      assert(close(thread))
      case.over:signal()
    end)
  end, function(case) case.conn = nil end, true)
end

-- One that gives others their turn looks at its socket again by itself.
describe("a stream of many frames", function()
  before_each(start)
  after_each(stop)

  local FRAMES = 60
  local big = dqlite.blob(("x"):rep(30000))

  local function serve()
    local source, frames = simulated.server(), {}
    for i = 1, FRAMES do
      frames[i] = scripted.rows { columns = { "a" }, { big }, more = i < FRAMES }
    end
    source:on("SELECT a FROM t", frames)
    server:serve(source)
  end

  -- Does something at every wait, if that lasts till the timers have their turn. The
  -- answer may all be there by then.
  local function each_wait(act, check)
    local n, reached, hits = 0, nil, 0
    repeat
      local hit = false
      n = n + 1
      serve()
      dqlite.run(function()
        local conn = assert(dqlite.connect(server.address))
        local task = dqlite.spawn(function()
          parks.watch(coroutine.running())
          parks.at, parks.act = n, function(thread)
            local timer = uv.new_timer()
            timer:start(0, 0, function()
              timer:close()
              hit = parks.parked and parks.count == n
              if hit then coroutine.wrap(act)(conn, thread) end
            end)
          end
          return pcall(conn.fetch, conn, "SELECT a FROM t")
        end)
        local ok, rows, err = task:wait()
        parks.thread, reached = nil, parks.count
        if hit and not (ok and rows and #rows == FRAMES) then
          hits = hits + 1
          check(ok, rows, err)
        else
          assert.equal(FRAMES, #rows)
        end
        conn:close()
      end)
      verify(("wait %d: "):format(n))
      assert.is_true(n < MOST)
    until reached < n
    assert.is_true(hits > 0, hits)
  end

  it("that is closed by another coroutine in every wait", function()
    each_wait(function(conn) conn:close() end, function(ok, rows, err)
      assert.is_true(ok)
      assert.is_true(rows == nil)
      assert.equal("closed", err.kind)
    end)
  end)

  it("that is resumed by something else in every wait", function()
    each_wait(function(_, thread) coroutine.resume(thread) end, function(ok, message)
      assert.is_false(ok)
      assert.matches("resumed by something else than the loop", message)
    end)
  end)

  it("whose deadline passes in every wait", function()
    each_wait(parks.expire, function(ok, rows, err)
      assert.is_true(ok)
      assert.is_true(rows == nil)
      assert.equal("timeout", err.kind)
    end)
  end)
end)

describe("a stream that is closed while its reader gives others their turn", function()
  before_each(start)
  after_each(stop)

  it("ends the reader's call with closed", function()
    dqlite.run(function()
      local conn = assert(dqlite.connect(server.address))
      local stream = conn.link.stream
      local task = dqlite.spawn(function()
        stream.greed = 1000
        return stream:recv(conn.link.core, core.now() + 5)
      end)
      dqlite.spawn(function() stream:close() end)
      local got, kind, reason = task:wait()
      assert.is_nil(got)
      assert.equal("closed", kind)
      assert.is_string(reason)
      conn:close()
    end)
    verify ""
  end)
end)

describe("connect", function()
  before_each(start)
  after_each(stop)

  -- Disturbs every wait of a connect; `check(conn, err, ended)`.
  local function each_wait(address, disturb, check)
    local n = 0
    repeat
      n = n + 1
      server:serve(simulated.server())
      local reached
      dqlite.run(function()
        local over, conn, err, ended = luv.cond(), nil, nil, false
        local thread = coroutine.create(function()
          local ok
          parks.watch(coroutine.running())
          ok, conn, err = pcall(dqlite.connect, address())
          if not ok then conn, err = nil, conn end
          parks.thread, ended = nil, true
          over:signal()
        end)
        parks.at, parks.act = n, function() disturb(thread, over) end
        assert(coroutine.resume(thread))
        over:wait()
        reached = parks.count
        if reached >= n then check(conn, err, ended) else assert(conn, err) end
        if conn then conn:close() end
      end)
      verify(("wait %d: "):format(n))
    until reached < n
    return n - 1
  end

  local ADDRESSES = {
    ["an address"] = function() return server.address end,
    ["a name"] = function() return "localhost:" .. server.address:match "%d+$" end,
  }
  for name, address in pairs(ADDRESSES) do
    it("behaviour 25: ends at its deadline in every wait, and leaves nothing: " .. name, function()
      assert.is_true(each_wait(address, function() parks.expire() end, function(conn, err)
        assert.is_nil(conn)
        assert.equal("timeout", err.kind)
        assert.is_true(err.retryable)
      end) > 0)
    end)

    it("raises after a foreign resume in every wait, and leaves nothing: " .. name, function()
      assert.is_true(each_wait(address, function(thread)
        beside(function() coroutine.resume(thread) end)()
      end, function(conn, err)
        assert.is_nil(conn)
        assert.matches("resumed by something else than the loop", err)
      end) > 0)
    end)

    if close then
      it("behaviour 25: leaves nothing of a coroutine closed in every wait: " .. name, function()
        assert.is_true(each_wait(address, function(thread, over)
          beside(function()
            assert(close(thread))
            over:signal()
          end)()
        end, function(_, _, ended) assert.is_false(ended) end) > 0)
      end)
    end
  end

  describe("to a server that does not even take it", function()
    local deaf, fillers

    local function address()
      return "127.0.0.1:" .. deaf:getsockname().port
    end

    local function fill()
      local filler = core.socket()
      filler:connect(address())
      fillers[#fillers + 1] = filler
    end

    before_each(function()
      fillers, deaf = {}, handles.except(uv.new_tcp())
      assert(deaf:bind("127.0.0.1", 0))
      assert(deaf:listen(0, function() end)) -- luv takes one that nobody accepts, no other
      fill()
      handles.settle()
      for _ = 1, 4 do fill() end -- the queue is full then
      before = handles.descriptors()
    end)

    after_each(function()
      deaf:close()
      for _, filler in ipairs(fillers) do filler:close() end
      handles.settle()
    end)

    -- Disturbs the dial.
    local function dial(disturb, check)
      local reached
      dqlite.run(function()
        local over, conn, err, ended = luv.cond(), nil, nil, false
        local thread = coroutine.create(function()
          local ok
          parks.watch(coroutine.running())
          ok, conn, err = pcall(dqlite.connect, address())
          if not ok then conn, err = nil, conn end
          parks.thread, ended, reached = nil, true, parks.count
          over:signal()
        end)
        parks.at, parks.act = 1, function() disturb(thread, over) end
        assert(coroutine.resume(thread))
        over:wait()
        assert.is_nil(conn)
        check(err, ended)
      end)
      verify "dial: "
      assert.is_true(reached == nil or reached == 1)
    end

    it("ends at its deadline, and leaves nothing", function()
      dial(function() parks.expire() end, function(err)
        assert.equal("timeout", err.kind)
        assert.matches("no answer in time", err.message)
      end)
    end)

    it("raises after a foreign resume, and leaves nothing", function()
      dial(function(thread) beside(function() coroutine.resume(thread) end)() end, function(err)
        assert.matches("resumed by something else than the loop", err)
      end)
    end)

    if close then
      it("leaves nothing of a coroutine that is closed", function()
        dial(function(thread, over)
          beside(function()
            assert(close(thread))
            over:signal()
          end)()
        end, function(_, ended)
          assert.is_false(ended)
          parks.expire() -- at the latest then
        end)
      end)
    end
  end)

  it("of a raw session ends at its deadline in every wait", function()
    for n = 1, 2 do
      server:serve(simulated.server())
      dqlite.run(function()
        local raw = assert(session.connect(server.address))
        assert(raw:send("EXEC_SQL", { sql = "DELETE FROM t" }))
        parks.watch(coroutine.running())
        parks.at, parks.act = n, parks.expire
        local message, err = raw:receive()
        parks.thread = nil
        if parks.count >= n then
          assert.is_nil(message)
          assert.same({ "timeout", true }, { err.kind, err.ambiguous })
        end
        raw:close()
      end)
      verify ""
    end
  end)
end)
