-- The watch over the leader of real nodes: a call whose answer is overdue ends when
-- another node leads, and not before. Needs no DQLITE_SERVERS.

local ask = require "spec.support.ask"
local cluster = require "spec.support.cluster"
local core = require "dqlite.core"
local dqlite = require "dqlite"
local eventually = require "spec.support.eventually"
local in_loop = require "spec.support.in_loop"
local live = require "spec.support.live"
local observers = require "spec.support.observer"
local process = require "spec.support.process"
local proxy = require "spec.support.proxy"
local scratch = require "spec.support.scratch"

local PROMPT = 0.5 -- seconds from the word of a new leader to the end of the calls
local OVERDUE = 0.25 -- seconds without an answer until the watch begins
local TIMEOUT = 15 -- seconds; longer than any election here
local LARGE = 16 * 1024 * 1024 -- bytes; more than sockets hold

local COUNT = [[WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ?)
  SELECT count(*) FROM c]]

local INSERT, SELECT = "INSERT INTO t VALUES (1)", "SELECT count(*) FROM t"

local unpack = unpack or table.unpack

local opened, observing, place = {}, {}, nil

-- An independent observer of these nodes.
local function observe(list)
  local observer = observers.start(place, list, "first")
  observing[#observing + 1] = observer
  return observer
end

-- ---- calls ----

-- Calls.
-- @return a table: when the call began and ended, and what it returned
local function run(fn)
  local call = { began = core.now() }
  call.result, call.err = fn()
  call.ended = core.now()
  return call
end

-- All of them at once, where the loop can do that.
local function run_all(fns)
  local calls = {}
  for i, fn in ipairs(fns) do
    calls[i] = live.is_concurrent and dqlite.spawn(run, fn) or run(fn)
  end
  if live.is_concurrent then
    for i, task in ipairs(calls) do calls[i] = task:wait() end
  end
  return calls
end

-- What is made of a connection before its leader is frozen: the call to come.

local function of(method, ...)
  local arguments = { ... }
  return function(conn)
    return function() return conn[method](conn, unpack(arguments)) end
  end
end

local function prepared(method, sql)
  return function(conn)
    local statement = assert(conn:prepare(sql))
    return function() return statement[method](statement) end
  end
end

local function in_transaction(method, ...)
  local make = of(method, ...)
  return function(conn)
    assert(conn:begin())
    assert(conn:execute(INSERT))
    return make(conn)
  end
end

local function rows(conn)
  return function()
    local ok, err = pcall(function()
      for _ in conn:rows(SELECT) do error "a row" end
    end)
    return ok or nil, err
  end
end

local CASES = {
  { "a write", "ambiguous", of("execute", INSERT) },
  { "DDL", "ambiguous", of("execute", "CREATE TABLE u (a)") },
  { "a read", "retryable", of("fetchval", SELECT) },
  { "rows", "retryable", rows },
  { "a ping", "retryable", of "ping" },
  { "a prepared write", "ambiguous", prepared("execute", INSERT) },
  { "a prepared read", "retryable", prepared("fetchval", SELECT) },
  { "BEGIN", "retryable", of "begin" },
  { "a write in a transaction", "retryable", in_transaction("execute", INSERT) },
  { "COMMIT", "ambiguous", in_transaction "commit" },
  { "executemany", "retryable", of("executemany", "INSERT INTO t VALUES (?)", { { 1 }, { 2 } }) },
}

-- Asserts that it is an error for the new leader's sake.
local function is_overtaken(name, err, seen, expected)
  assert.equal("not_leader", err.kind, ("%s: %s"):format(name, tostring(err)))
  assert.equal(seen.leader, err.leader, name)
  assert.is_true(err.fatal, name)
  assert.equal(expected == "ambiguous", err.ambiguous, name)
  assert.equal(expected == "retryable", err.retryable, name)
end

-- Asserts that a call has ended as soon as another one led, and not before. One that
-- began after that has no watch at first.
local function is_prompt(name, call, seen)
  local since = call.ended - math.max(seen.at, call.began)
  local limit = call.began < seen.at and PROMPT or PROMPT + OVERDUE
  assert.is_true(since < limit, ("%s ended %.3f s later"):format(name, since))
  assert.is_true(call.ended > seen.at - 0.1, name .. " ended before")
end

describe("a call", function()
  local three, leader, followers

  local function settle()
    eventually("all nodes name the leader", function()
      leader = three:leader()
      for _, node in ipairs(three.nodes) do
        local answer = ask(node.address, "LEADER")
        if not answer or answer.address ~= leader.address then return false end
      end
      return true
    end)
  end

  setup(function()
    place = scratch.new()
    three = cluster.start { proxied = true }
  end)
  teardown(function()
    cluster.stop_all()
    proxy.stop_all()
    place:close()
  end)

  before_each(function()
    settle()
    followers = three:followers()
  end)
  after_each(function()
    for _, observer in ipairs(observing) do observer:stop() end
    for _, node in ipairs(three.nodes) do
      node.proxy:pass()
      if not node:is_awake() then node:thaw() end
    end
    for _, conn in ipairs(opened) do conn:close() end
    opened, observing = {}, {}
  end)

  local function keep(conn, err)
    opened[#opened + 1] = assert(conn, tostring(err))
    return conn
  end

  -- To a database of its own.
  local function connect(known)
    local conn = keep(known:connect { database = live.database(), timeout = TIMEOUT })
    assert(conn:execute "CREATE TABLE t (a)")
    return conn
  end

  -- Through the proxies, whose counts begin anew.
  local function connect_proxied()
    local conn = connect(dqlite.cluster(three:addresses(), { translate = three:translate() }))
    for _, node in ipairs(three.nodes) do node.proxy:reset() end
    return conn
  end

  -- Have both been asked?
  local function is_watched()
    return followers[1].proxy:count() == 1 and followers[2].proxy:count() == 1
  end

  local function await_end_of_watch()
    eventually("nobody is asked any more", function()
      return followers[1].proxy:open_count() == 0 and followers[2].proxy:open_count() == 0
    end, 1)
  end

  -- Has a query answered that takes so many seconds, but more than `least`.
  -- @return how far it has counted
  local function count_long(conn, target, least)
    local n = 50000
    for _ = 1, 20 do
      for _, node in ipairs(three.nodes) do node.proxy:reset() end
      local seconds, answer, err = live.timed(function() return conn:fetchval(COUNT, n) end)
      assert.equal(n, answer, tostring(err))
      if seconds > least then return n end
      n = math.floor(n * math.min(target / seconds, 4))
    end
    error "the machine's speed varies too much"
  end

  describe("on a leader that is frozen", function()
    -- Calls meanwhile; answers what was seen from outside, by a new observer unless one
    -- is given, and what `use` has returned. Thaws it, since what is left of rows is read
    -- after that.
    local function while_frozen(use, observer)
      observer = observer or observe(followers)
      leader:freeze()
      local result = use()
      local seen = observer:seen()
      leader:thaw()
      return seen, result
    end

    it("ends as soon as another one leads, whatever it is", function()
      local known, fns = dqlite.cluster(three:addresses()), {}
      for i, case in ipairs(CASES) do fns[i] = case[3](connect(known)) end
      local seen, calls = while_frozen(function() return run_all(fns) end)
      for i, case in ipairs(CASES) do
        local name, expected, call = case[1], case[2], calls[i]
        assert.is_nil(call.result, name)
        is_overtaken(name, call.err, seen, expected)
        assert.equal(leader.address, call.err.address)
        assert.is_false(opened[i]:is_open(), name)
        is_prompt(name, call, seen)
      end
      assert.equal(seen.leader, keep(known:connect()).address)
    end)

    it("ends each statement of a pipeline", function()
      local conn = connect(dqlite.cluster(leader.address)) -- the others are learned
      local seen, call = while_frozen(function()
        return run(function() return conn:pipeline { { INSERT }, { SELECT } } end)
      end)
      is_prompt("the pipeline", call, seen)
      assert.equal(2, #call.result)
      is_overtaken("its write", call.result[1].error, seen, "ambiguous")
      is_overtaken("its read", call.result[2].error, seen, "retryable")
    end)

    it("ends a transaction, which can be run again", function()
      local conn, ran = connect_proxied(), 0
      local seen, inside
      local call = run(function()
        return conn:transaction(function()
          ran = ran + 1
          seen, inside = while_frozen(function() return run(of("execute", INSERT)(conn)) end)
          return inside.result, inside.err
        end)
      end)
      assert.is_nil(call.result)
      assert.equal(1, ran)
      is_overtaken("the transaction", call.err, seen, "retryable")
      is_prompt("the write in it", inside, seen)
      is_prompt("the transaction", call, seen)
      await_end_of_watch()
    end)

    it("ends while it is still being sent", function()
      local conn = connect(dqlite.cluster(three:addresses()))
      local large = dqlite.blob(("x"):rep(LARGE))
      local seen, call = while_frozen(function()
        return run(function() return conn:execute("INSERT INTO t VALUES (?)", large) end)
      end)
      assert.is_nil(call.result)
      is_overtaken("the write", call.err, seen, "ambiguous")
      is_prompt("the write", call, seen)
    end)

    if live.is_concurrent then
      it("ends though the leader was well when it began", function()
        local conn = connect_proxied()
        local n = 20 * count_long(conn, 0.12, 0.1) -- two seconds or so
        for _, node in ipairs(three.nodes) do node.proxy:reset() end
        local observer = observe(followers)
        local task = dqlite.spawn(run, of("fetchval", COUNT, n)(conn))
        eventually("the watch has begun", is_watched)
        local seen, call = while_frozen(function() return task:wait() end, observer)
        assert.is_nil(call.result)
        is_overtaken("the query", call.err, seen, "retryable")
        is_prompt("the query", call, seen)
        await_end_of_watch()
      end)
    end
  end)

  describe("on a leader that leads on", function()
    -- Asserts that nothing is left of a watch that has been.
    local function check_watch(descriptors)
      assert.is_true(is_watched())
      assert.equal(descriptors, process.descriptors())
      await_end_of_watch()
    end

    it("gets the answer that takes long", function()
      local conn = connect_proxied()
      local descriptors = process.descriptors()
      count_long(conn, 0.38, 0.3) -- an election would begin after 0.75
      check_watch(descriptors)
      live.usable(conn)
    end)

    it("gets an answer without a watch where that comes in time", function()
      local conn = connect_proxied()
      for _ = 1, 20 do assert(conn:execute(INSERT)) end
      assert.equal(20, conn:fetchval(SELECT))
      assert.equal(0, followers[1].proxy:count() + followers[2].proxy:count())
    end)

    -- It is this client alone that does not hear of the leader.
    it("waits for its own deadline where the line is dead", function()
      local conn = connect_proxied()
      local descriptors = process.descriptors()
      leader.proxy:black_hole()
      local seconds, result, err = live.timed(function()
        return conn:execute(INSERT, {}, { timeout = 0.8 })
      end)
      live.fails("timeout", result, err)
      assert.is_true(err.ambiguous)
      assert.is_nil(err.leader)
      assert.is_true(seconds > 0.79 and seconds < 1, ("it took %.3f s"):format(seconds))
      check_watch(descriptors - 1)
    end)

    it("is not watched on a connection of exactly that node", function()
      local dialled = 0
      local conn = keep(dqlite.connect(leader.proxy.address, {
        direct = true,
        dial = function(...)
          dialled = dialled + 1
          return in_loop.module().connect(...)
        end,
      }))
      leader.proxy:black_hole()
      live.fails("timeout", conn:fetchval("SELECT 1", {}, { timeout = 0.5 }))
      assert.equal(1, dialled)
      leader.proxy:pass()
    end)
  end)
end)
