-- What is open when the process forks: useless in the child, and unharmed in the
-- parent, whatever the child does.
local assert = require "luassert"
local child = require "spec.support.child"
local dqlite = require "dqlite"
local fork = require "spec.support.fork"
local in_loop = require "spec.support.in_loop"
local live = require "spec.support.live"

-- What each use of something that was inherited must say.
local SAYS = "belongs to the process that has forked this one"

-- Each is on one line, at which it has to raise.
local USES = {
  execute = function(t) t.conn:execute "INSERT INTO t VALUES (99)" end,
  fetch = function(t) t.conn:fetch "SELECT a FROM t" end,
  fetchval = function(t) t.conn:fetchval("SELECT ?", 1) end,
  rows = function(t) t.conn:rows "SELECT a FROM t" end,
  ["rows that are read"] = function(t) t.next_row() end,
  prepare = function(t) t.conn:prepare "SELECT 1" end,
  ["a statement"] = function(t) t.stmt:fetchval(1) end,
  ["a statement's rows"] = function(t) t.stmt:rows(1) end,
  executemany = function(t) t.conn:executemany("INSERT INTO t VALUES (?)", { { 99 } }) end,
  pipeline = function(t) t.conn:pipeline { { "INSERT INTO t VALUES (99)" } } end,
  script = function(t) t.conn:script "INSERT INTO t VALUES (99); SELECT 1" end,
  transaction = function(t) t.conn:transaction(error) end,
  begin = function(t) t.conn:begin() end,
  commit = function(t) t.begun:commit() end,
  rollback = function(t) t.begun:rollback() end,
  ["commit of a handle"] = function(t) t.tx:commit() end,
  ["rollback of a handle"] = function(t) t.tx:rollback() end,
  ping = function(t) t.conn:ping() end,
  features = function(t) t.conn:features() end,
  ["a raw session's send"] = function(t) t.raw:send("LEADER", {}) end,
  ["a raw session's receive"] = function(t) t.raw:receive() end,
  ["a raw session's request"] = function(t) t.raw:request("LEADER", {}) end,
  ["a cluster's connect"] = function(t) t.cluster:connect() end,
  ["a cluster's health"] = function(t) t.cluster:health() end,
  ["a cluster's nodes"] = function(t) t.cluster:nodes() end,
  ["a pool's acquire"] = function(t) t.pool:acquire() end,
  ["a pool's fetch"] = function(t) t.pool:fetch "SELECT 1" end,
  ["a pool's transaction"] = function(t) t.pool:transaction(error) end,
  ["a pool's once"] = function(t) t.pool:once("a", error) end,
  ["a pooled connection"] = function(t) t.pooled:fetch "SELECT 1" end,
}

-- Raises at its own line, twice over.
local function verify_refused(name, use, things)
  local line = debug.getinfo(use, "S").linedefined
  for _ = 1, 2 do
    local ok, message = pcall(use, things)
    assert(not ok, name .. " did not raise")
    message = tostring(message)
    assert(message:find(SAYS, 1, true), name .. ": " .. message)
    assert(message:find(("fork_spec.lua:%d: "):format(line), 1, true), name .. ": " .. message)
  end
end

live.each("behaviour 40: after a fork", function(server)
  local things

  before_each(function()
    local conn = server:connect()
    assert(conn:execute "CREATE TABLE t (a INTEGER)")
    for a = 1, 3 do assert(conn:execute("INSERT INTO t VALUES (?)", a)) end
    things = {
      conn = conn,
      stmt = assert(conn:prepare "SELECT ?"),
      begun = server:connect(),
      raw = server:opened_session(),
      cluster = assert(dqlite.cluster(server.address, { database = server.database })),
    }
    things.pool = assert(dqlite.create_pool(server.address, {
      database = server.database, min_size = 2, max_size = 3,
    }))
    things.pooled = assert(things.pool:acquire())
    things.tx = assert(things.begun:begin "read")
    things.next_row = things.conn:rows "SELECT a FROM t ORDER BY a"
    assert.equal(1, things.next_row().a)
  end)

  after_each(function() things.pool:close(0) end)

  -- Everything goes on where it was.
  local function verify_unharmed()
    local t = things
    if t.next_row then
      for a = 2, 3 do assert.equal(a, t.next_row().a) end
      assert.is_nil(t.next_row())
      t.next_row = nil
    end
    for n = 1, 10 do
      assert.equal(n, t.conn:fetchval("SELECT ?", n))
      assert.equal(n, t.stmt:fetchval(n))
      assert.equal(n, t.begun:fetchval("SELECT ?", n))
      assert(t.raw:request("LEADER", {}))
    end
    assert.is_true(t.begun:in_transaction())
    assert.same({ 1, 2, 3 }, t.begun:fetchcol "SELECT a FROM t ORDER BY a")
    assert(t.conn:execute "UPDATE t SET a = a")
    for n = 1, 5 do
      assert.equal(n, t.pool:fetchval("SELECT ?", n))
      assert.equal(n, t.pooled:fetchval("SELECT ?", n))
    end
    assert.equal(2, t.pool:stats().connects)
    local other = assert(t.cluster:connect())
    live.usable(other)
    other:close()
  end

  for name, use in pairs(USES) do
    it("use raises in the child, before a byte leaves: " .. name, function()
      if not things.cluster.loop then assert(things.cluster:connect()):close() end
      child.run(function() verify_refused(name, use, things) end)
      verify_unharmed()
    end)
  end

  it("the child closes what it has inherited, and the parent does not notice", function()
    for _ = 1, 2 do
      child.run(function()
        assert.is_true(things.pooled:release())
        for _, each in ipairs { things.stmt, things.conn, things.begun, things.raw,
          things.cluster, things.pooled, things.pool } do
          for _ = 1, 2 do assert.is_true(each:close()) end
        end
        assert.is_false(things.conn:is_open())
      end)
      verify_unharmed()
    end
  end)

  it("__close in the child does nothing to the parent", function()
    child.run(function()
      for _, each in ipairs { things.tx, things.stmt, things.conn, things.begun, things.raw,
        things.cluster, things.pooled, things.pool } do
        getmetatable(each).__close(each)
      end
    end)
    verify_unharmed()
    assert(things.tx:commit())
  end)

  it("the child collects what it has inherited, and the parent does not notice", function()
    for _ = 1, 2 do
      child.run(function()
        for i = #server.opened, 1, -1 do server.opened[i] = nil end
        things = nil
        for _ = 1, 2 do collectgarbage() end
      end)
      verify_unharmed()
    end
  end)

  for ending, expected in pairs {
    ["that returns"] = SAYS,
    ["that fails"] = "mine",
    ["that raises"] = "mine",
  } do
    it("a transaction's function " .. ending .. " in the child ends nothing", function()
      local conn, pid = server:connect(), nil
      local ok, answer, err = pcall(conn.transaction, conn, function()
        assert(conn:execute "INSERT INTO t VALUES (4)")
        pid = fork.fork()
        if pid == 0 and ending == "that fails" then return nil, "mine" end
        if pid == 0 and ending == "that raises" then error("mine", 0) end
        if pid ~= 0 then assert.equal(7, fork.wait(pid)) end
        return true
      end)
      if pid == 0 then
        local told = tostring(answer or err)
        fork.exit(told:find(expected, 1, true) and 7 or 1)
      end
      assert.same({ true, true }, { ok, answer })
      assert.same({ 1, 2, 3, 4 }, conn:fetchcol "SELECT a FROM t ORDER BY a")
    end)
  end

  for _, at in ipairs { 1, 2, 600 } do -- before a byte has left, and behind many
    it("a call that forks in its middle goes on in the parent alone: set " .. at, function()
      local i, pid = 0, nil
      local function sets()
        i = i + 1
        if i == at then pid = fork.fork() end
        return i <= 1000 and { 10 * i } or nil
      end
      local ok, answer = pcall(things.conn.executemany, things.conn, "INSERT INTO t VALUES (?)",
        sets)
      if pid == 0 then fork.exit(not ok and tostring(answer):find(SAYS, 1, true) and 7 or 1) end
      assert.equal(7, fork.wait(pid))
      assert.is_true(ok)
      assert.equal(1000, answer.rows_affected)
      assert.equal(1003, things.conn:fetchval "SELECT count(*) FROM t")
    end)
  end

  it("an answer on its way reaches the parent, not the child", function()
    local raw = things.raw
    assert(raw:send("QUERY_SQL", { sql = "SELECT 42" }))
    assert(raw.link.stream:send(raw.link.core, math.huge))
    child.run(function()
      verify_refused("receive", USES["a raw session's receive"], things)
      raw:close()
    end)
    assert.equal(42, assert(raw:receive()).rows[1][1])
    verify_unharmed()
  end)

  it("a child connects anew, also through a cluster that the parent shares", function()
    local text = child.run(function()
      local sums = {}
      for i, opts in ipairs { {}, { loop = "blocking" }, { direct = true } } do
        opts.database = server.database
        local conn = assert(dqlite.connect(server.address, opts))
        assert.equal("blocking", conn.link.loop.name)
        sums[i] = assert(conn:fetchval "SELECT sum(a) FROM t")
        assert.is_true(conn:close())
      end
      local conn = assert(assert(dqlite.cluster(server.address)):connect())
      sums[4] = conn:fetchval "SELECT 7"
      conn:close()
      dqlite.sleep(0.001)
      return table.concat(sums, " ")
    end)
    assert.equal("6 6 6 7", text)
    verify_unharmed()
  end)

  it("a child of the child is a process of its own, too", function()
    child.run(function()
      local conn = assert(dqlite.connect(server.address, { database = server.database }))
      child.run(function()
        verify_refused("execute", USES.execute, { conn = conn })
        verify_refused("execute", USES.execute, things)
        conn:close()
      end)
      assert.equal(6, conn:fetchval "SELECT sum(a) FROM t")
    end)
    verify_unharmed()
  end)

  it("a program that the process runs has none of its sockets", function()
    local fd = things.conn.link.stream.sock:fd()
    local own = assert(io.popen "ls -l /proc/$PPID/fd")
    assert.truthy(own:read("*a"):find((" %d %%-> socket:"):format(fd)))
    own:close()
    local pipe = assert(io.popen "ls -l /proc/self/fd")
    local listing = pipe:read "*a"
    pipe:close()
    for _, each in ipairs { things.conn, things.begun, things.raw } do
      local number = each.link.stream.sock:fd()
      assert.is_nil(listing:find((" %d %%-> socket:"):format(number)), listing)
    end
  end)

  if not live.is_concurrent then
    it("what takes turns in the parent does not run in the child", function()
      local blocking, ran = require "dqlite.loop.blocking", 0
      blocking.start(function()
        blocking.sleep(0)
        ran = ran + 1
      end)
      dqlite.sleep(0) -- it waits now
      child.run(function()
        local conn = assert(dqlite.connect(server.address, { database = server.database }))
        assert.equal(6, conn:fetchval "SELECT sum(a) FROM t")
        dqlite.sleep(0.001)
        assert.is_true(blocking.is_alone())
        assert.equal(0, ran)
      end)
      assert.is_false(blocking.is_alone())
      dqlite.sleep(0.001)
      assert.equal(1, ran)
      verify_unharmed()
    end)
    return
  end

  local REFUSED = {
    luv = "luv's loop belongs to the process that has forked",
    host = "the loop of a host belongs to the process that has forked",
    cqueues = "this controller of cqueues belongs to the process that has forked",
  }

  -- In the child no controller of the parent's runs: there luv is what `spawn` begins.
  local function uses_of(loop)
    local option = loop == live.loop and in_loop.option or loop
    return {
      connect = function() dqlite.connect(server.address, { loop = option }) end,
      run = loop == "luv" and function() dqlite.run(error) end or nil,
      spawn = loop ~= "cqueues" and function() dqlite.spawn(error) end or nil,
    }
  end

  local REFUSING = { host = { "host" }, cqueues = { "luv", "cqueues" } }

  for _, loop in ipairs(REFUSING[live.loop] or { "luv" }) do
    it("the loop is refused in the child: " .. loop, function()
      for name, use in pairs(uses_of(loop)) do
        local text = child.run(function() return live.raises(use) end)
        assert.truthy(text:find(REFUSED[loop], 1, true), name .. ": " .. text)
      end
      verify_unharmed()
    end)
  end

  local function is_waiting(conn)
    return conn.link.stream.wait.thread
  end

  it("a coroutine that waits in the parent gets its answer", function()
    local conns, tasks = {}, {}
    for i = 1, 4 do conns[i] = server:connect() end
    for i, conn in ipairs(conns) do
      tasks[i] = dqlite.spawn(function()
        return conn:fetchval("WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c"
          .. " WHERE n < 300000) SELECT count(*) + ? FROM c", i)
      end)
    end
    live.eventually("all wait", function()
      for _, conn in ipairs(conns) do
        if not is_waiting(conn) then return false end
      end
      return true
    end)
    child.run(function()
      for _, conn in ipairs(conns) do
        verify_refused("fetchval", USES.fetchval, { conn = conn })
        conn:close()
      end
      conns, tasks = nil, nil
      for _ = 1, 2 do collectgarbage() end
    end)
    for i, task in ipairs(tasks) do assert.equal(300000 + i, task:wait()) end
    for _, conn in ipairs(conns) do live.usable(conn) end
    verify_unharmed()
  end)
end)
