-- Light threads, clients that go away, and handlers that end without a word.
local cluster = require "spec.support.cluster"
local core = require "dqlite.core"
local eventually = require "spec.support.eventually"
local nginx = require "spec.support.nginx"
local nginx_cluster = require "spec.support.nginx_cluster"
local nginx_inside = require "spec.support.nginx_inside"

local SOON = 0.5 -- seconds

-- Waits until the spec has silenced the node.
local GATE = [[
  return function(name)
    ngx.log(ngx.WARN, "at gate ", name, ".")
    while not ngx.shared.gates:get(name) do ngx.sleep(0.002) end
  end]]

-- A handler with a connection of a pool, and an answer that does not come.
local ENDS = [[
  local how, pool = ngx.var.arg_how, require "spec_four"
  if ngx.var.arg_abort then ngx.on_abort(function() ngx.exit(499) end) end
  local conn, err = pool:acquire()
  if not conn then error(tostring(err)) end
  local done
  done, err = conn:execute("INSERT INTO ended VALUES (?)", how)
  if not done then error(tostring(err)) end
  if ngx.var.arg_tx then
    assert(conn:begin())
    assert(conn:execute "INSERT INTO ended VALUES ('never')")
  end
  require "spec_gate"(how)
  if ngx.var.arg_exits then
    ngx.thread.spawn(function() conn:fetchval "SELECT 'late'" end)
    ngx.exit(204)
  end
  conn:fetchval "SELECT 'late'"
  conn:release()]]

describe("light threads", function()
  local server, front, inside

  setup(function()
    local one = cluster.start { nodes = 1, cuttable = true }
    front = one.nodes[1].proxy
    server = nginx.start(nginx_inside.options(nginx_cluster.options(one, {
      server = ([[
        location = /checked { lua_check_client_abort on; content_by_lua_block { %s } }
        location = /status { stub_status; }
        location = /unchecked { content_by_lua_block { %s } }]]):format(ENDS, ENDS),
      http = "lua_shared_dict gates 1m;",
      lua = {
        spec_gate = GATE,
        spec_four = [[return assert(require "dqlite".create_pool(require "spec_where",
          { max_size = 4, timeout = 5 }))]],
      },
    })))
    inside = nginx_inside.of(server)
    inside "assert(pool:execute 'CREATE TABLE ended (how)')"
  end)
  teardown(function()
    local errors = server and server:errors()
    nginx_cluster.stop_all()
    assert.same({}, errors)
  end)
  after_each(function()
    front:pass()
    assert.equal(7, inside "return pool:fetchval 'SELECT 7'")
  end)

  local gates = 0

  -- Silences the node once so many are at a gate, and lets them go on.
  local function silence(gate, most)
    eventually("they are at the gate", function()
      return select(2, server:log():gsub("at gate " .. gate .. "%.", "")) >= most
    end)
    front:black_hole()
    inside(("ngx.shared.gates:set(%q, true)"):format(gate))
  end

  -- Sends a chunk that calls `gate()` in front of what gets no answer any more.
  local function held(source)
    gates = gates + 1
    local name = ("g%d"):format(gates)
    local pending = nginx_inside.send(server,
      ("local function gate() require 'spec_gate' '%s' end %s"):format(name, source))
    silence(name, 1)
    return pending
  end

  it("on a connection that is in use are told so, and harm nobody", function()
    local refused, slow, after = inside [[
      local conn = assert(dqlite.connect(where))
      local slow = ngx.thread.spawn(function()
        return conn:fetchval [=[WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL
          SELECT x + 1 FROM c WHERE x < 200000) SELECT count(*) FROM c]=]
      end)
      local refused = raises(function() conn:fetchval "SELECT 1" end)
      local _, value = ngx.thread.wait(slow)
      local after = conn:fetchval "SELECT 2"
      conn:close()
      return refused, value, after]]
    assert.matches("^inside:6: the connection is in use by another coroutine", refused)
    assert.same({ 200000, 2 }, { slow, after })
  end)

  it("use a connection in turns", function()
    assert.same({ 1, 2, 3, 4, 5 }, inside [[
      local conn, values = assert(dqlite.connect(where)), {}
      for i = 1, 5 do
        local thread = ngx.thread.spawn(function()
          ngx.sleep(0.001)
          return conn:fetchval("SELECT ?", i)
        end)
        local _, value = ngx.thread.wait(thread)
        values[i] = value
      end
      conn:close()
      return values]])
  end)

  it("may be coroutines of the program, that yield between rows", function()
    local sum, nested = inside [[
      local conn = assert(dqlite.connect(where))
      local each = coroutine.wrap(function()
        for row in conn:rows "SELECT 1 AS a UNION SELECT 2 UNION SELECT 3" do
          coroutine.yield(row.a)
        end
      end)
      local sum = 0
      for a in each do sum = sum + a end
      local nested = coroutine.wrap(function()
        return coroutine.wrap(function() return conn:fetchval "SELECT 7" end)()
      end)()
      conn:close()
      return sum, nested]]
    assert.same({ 6, 7 }, { sum, nested })
  end)

  it("have a connection each from a pool", function()
    local sum, n = inside [[
      local threads, sum = {}, 0
      for i = 1, 30 do
        threads[i] = ngx.thread.spawn(function() return pool:fetchval("SELECT ?", i) end)
      end
      for i = 1, 30 do
        local _, value = ngx.thread.wait(threads[i])
        if value == i then sum = sum + 1 end
      end
      return sum, #threads]]
    assert.same({ 30, 30 }, { sum, n })
  end)

  -- By nginx' own wait, and by one beside a light thread (dqlite.loop.cosocket).
  for _, wait in ipairs { 0.05, 0.4 } do
    it(("that are killed in a wait of %.2f s end their connection alone"):format(wait), function()
      local killed, seconds, err = held(([[
        local conn, err = assert(dqlite.connect(where))
        gate()
        local slow = ngx.thread.spawn(function() return conn:fetchval "SELECT 1" end)
        ngx.sleep(%g)
        local killed = ngx.thread.kill(slow)
        local seconds = elapsed(function()
          local _
          _, err = conn:fetchval "SELECT 2"
          conn:close()
        end)
        return killed, seconds, err]]):format(wait)).results()
      assert.is_truthy(killed)
      assert.equal("closed", err.kind)
      assert.is_true(seconds < SOON, seconds)
    end)

    it(("are told after a wait of %.2f s when another closes"):format(wait), function()
      local seconds, err = held(([[
        local conn, err = assert(dqlite.connect(where))
        gate()
        local slow = ngx.thread.spawn(function()
          local _, err = conn:execute "INSERT INTO ended VALUES ('closed')"
          return err
        end)
        ngx.sleep(%g)
        local seconds = elapsed(function()
          conn:close()
          local _
          _, err = ngx.thread.wait(slow)
        end)
        return seconds, err]]):format(wait)).results()
      assert.equal("closed", err.kind)
      assert.is_true(seconds < SOON, seconds)
    end)
  end

  -- ---- clients that go ----

  local function count(how)
    return inside(("return pool:fetchval(\"SELECT count(*) FROM ended WHERE how = '%s'\")")
      :format(how))
  end

  -- Every connection of every worker's pool has the answers to its own questions.
  local function is_in_order()
    local pending = {}
    for i = 1, 20 do
      pending[i] = nginx_inside.send(server,
        ("return require 'spec_four':fetchval('SELECT %d')"):format(i))
    end
    for i = 1, 20 do assert.equal(i, pending[i].results()) end
  end

  -- Whoever waited there has closed: the workers are back at their own work.
  local function is_gone()
    eventually("the requests are gone", function()
      return tonumber(assert(server:get "/status").body:match "Writing: (%d+)") == 1
    end)
  end

  local CLIENTS, TURN = 6, 4 -- a worker's pool has as many; others wait for these

  local function send_all(path, clients)
    local pending = {}
    for i = 1, clients do pending[i] = assert(server:send { path = path }) end
    return pending
  end

  for _, how in ipairs { "checked", "checked&abort=1", "checked&tx=1", "checked&abort=1&tx=1",
    "unchecked", "unchecked&tx=1" } do
    it("leave nothing behind when their client goes: " .. how, function()
      local gate = how:gsub("%W", "")
      local clients = how:find "tx" and 1 or CLIENTS -- one alone can write
      local pending = send_all(("/%s?how=%s&%s"):format(how:match "^%a+", gate, how), clients)
      silence(gate, math.min(clients, TURN))
      for _, each in ipairs(pending) do each:close() end
      if how:find "^checked" then is_gone() end
      front:pass()
      if how:find "^un" then
        eventually("all have had their turn", function() return count(gate) == clients end)
      end
      is_in_order()
      assert.equal(0, count "never")
    end)
  end

  it("are ended by ngx.exit in the middle of a call", function()
    local pending = send_all("/unchecked?how=exits&exits=1", TURN)
    silence("exits", TURN)
    for _, each in ipairs(pending) do assert.equal(204, assert(each:read()).status) end
    front:pass()
    is_in_order()
  end)

  it("send on what a node reads late", function()
    inside "assert(pool:execute 'CREATE TABLE bodies (b BLOB)')"
    local pending = held [[
      local conn = assert(dqlite.connect(where))
      gate()
      local body = ("x"):rep(8 * 1024 * 1024)
      local seconds, done, err = elapsed(function()
        return conn:execute("INSERT INTO bodies VALUES (?)", dqlite.blob(body))
      end)
      local size = conn:fetchval "SELECT sum(length(b)) FROM bodies"
      conn:close()
      return seconds, done and done.rows_affected, err, size]]
    local answer = pending.request:read(0.6)
    assert.is_nil(answer)
    front:pass()
    local seconds, rows, err, size = pending.results()
    assert.is_nil(err)
    assert.same({ 1, 8 * 1024 * 1024 }, { rows, size })
    assert.is_true(seconds >= 0.5)
  end)

  it("hold an answer up for a second at most after a timeout", function()
    local pending = held [[
      local conn = assert(dqlite.connect(where))
      gate()
      local seconds, _, err = elapsed(function()
        return conn:fetchval("SELECT 1", {}, { timeout = 0.1 })
      end)
      return seconds, err]]
    local began = core.now()
    local seconds, err = pending.results()
    assert.equal("timeout", err.kind)
    assert.is_true(seconds < SOON, seconds)
    assert.is_true(core.now() - began < 1 + SOON, core.now() - began)
  end)
end)
