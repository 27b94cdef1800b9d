-- Connections that nginx keeps from one request to the next, as a proxy in front of a
-- real node counts them.
local cluster = require "spec.support.cluster"
local eventually = require "spec.support.eventually"
local nginx = require "spec.support.nginx"
local nginx_cluster = require "spec.support.nginx_cluster"
local nginx_inside = require "spec.support.nginx_inside"

-- A handler that leaves a transaction open, and fails, exits, or just ends.
local LEAVE = [[
  local dqlite, left = require "dqlite", require "spec_left"
  left.pool = left.pool or assert(dqlite.create_pool(require "spec_where", { max_size = 1 }))
  local conn = assert(left.pool:acquire())
  assert(conn:begin())
  assert(conn:execute "INSERT INTO t VALUES (77)")
  if ngx.var.arg_how == "fails" then error "as asked" end
  if ngx.var.arg_how == "exits" then ngx.exit(204) end]]

describe("a connection that nginx keeps", function()
  local server, front, conn, inside
  local databases = 0

  setup(function()
    local one = cluster.start { nodes = 1, cuttable = true }
    front = one.nodes[1].proxy
    server = nginx.start(nginx_inside.options(nginx_cluster.options(one, {
      locations = { ["= /leave"] = LEAVE },
      lua = { spec_left = "return {}" },
    })))
    nginx_inside.of(server) [[assert(pool:execute "CREATE TABLE t (a)")]]
  end)
  teardown(function()
    local errors = server and server:errors()
    nginx_cluster.stop_all()
    assert.equal(1, #errors)
    assert.matches("as asked", errors[1])
  end)

  -- What the chunks of a spec connect to, where no other spec has left anything; they all
  -- run in one worker.
  local PREFIX = [[
    local own = { database = "own-%d" }
    local function connect() return dqlite.connect(where, own) end
    local function new_pool(opts)
      opts.database = own.database
      return assert(dqlite.create_pool(where, opts))
    end
    ]]

  local function reach(pid)
    conn = server:connection(pid)
    local run, prefix = nginx_inside.of(server, conn), PREFIX:format(databases):gsub("\n *", " ")
    inside = function(source) return run(prefix .. source) end
  end

  before_each(function()
    databases = databases + 1
    reach()
    front:cut()
  end)
  after_each(function()
    front:pass()
    conn:close()
  end)

  it("is there for the next one, who opens nothing", function()
    local first = inside [[
      local conn = assert(connect())
      local value, times = conn:fetchval "SELECT 1", conn:get_reused_times()
      assert(conn:set_keepalive(10, 5))
      return { value, times }]]
    front:reset()
    local others = {}
    for i = 1, 3 do
      others[i] = inside [[
        local conn = assert(connect())
        local value, times = conn:fetchval "SELECT 1", conn:get_reused_times()
        assert(conn:set_keepalive())
        return { value, times }]]
    end
    assert.same({ 1, 0 }, first)
    assert.same({ { 1, 1 }, { 1, 2 }, { 1, 3 } }, others)
    assert.equal(0, front:count())
  end)

  it("is kept for its own database alone", function()
    assert.same({ 0, 0, 1 }, { inside [[
      local function times(database)
        local conn = assert(dqlite.connect(where, { database = database }))
        assert(conn:ping())
        local n = conn:get_reused_times()
        assert(conn:set_keepalive())
        return n
      end
      return times "a", times "b", times "a"]] })
  end)

  it("is closed after its time", function()
    inside [[
      local conn = assert(connect())
      assert(conn:ping())
      assert(conn:set_keepalive(0.1))]]
    eventually("it is closed", function() return front:open_count() == 0 end, 3)
    assert.equal(0, inside [[
      local conn = assert(connect())
      local times = conn:get_reused_times()
      conn:close()
      return times]])
  end)

  -- Of what is left on a connection: an answer to set_keepalive, that of the next call on
  -- the object, and how often the next connection was kept.
  local function given(body)
    return inside(([[
      local conn = assert(connect())
      assert(conn:execute "CREATE TABLE t (a)")
      %s
      local kept, err = conn:set_keepalive()
      local raised = raises(function() conn:fetchval "SELECT 1" end)
      local another = assert(connect())
      local times, count = another:get_reused_times(), another:fetchval "SELECT count(*) FROM t"
      another:close()
      return kept, err, raised, times, count]]):format(body))
  end

  local REFUSED = {
    { "a transaction", "assert(conn:begin()) assert(conn:execute 'INSERT INTO t VALUES (1)')",
      "a transaction is open" },
    { "a BEGIN as text", "assert(conn:execute 'BEGIN')", "a transaction is open" },
    { "rows", "for _ in conn:rows [=[WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL SELECT x + 1"
      .. " FROM c WHERE x < 9000) SELECT x, hex(zeroblob(50)) FROM c]=] do break end",
      "a result was not read to its end" },
    { "a prepared statement", "local s = assert(conn:prepare 'SELECT 1') s:fetchval()",
      "a prepared statement is open" },
  }
  for _, each in ipairs(REFUSED) do
    it("is closed instead with " .. each[1] .. " left on it", function()
      local kept, err, raised, times, count = given(each[2])
      assert.is_nil(kept)
      assert.equal("closed", err.kind)
      assert.matches(each[3], err.message, 1, true)
      assert.matches("^inside:%d+: ", raised)
      assert.same({ 0, 0 }, { times, count })
    end)
  end

  it("is kept after an error that ends nothing, and after a statement that was closed", function()
    local kept, _, raised, times = given [[
      conn:fetchval "SELECT nonsense"
      for _ = 1, 3 do assert(conn:prepare "SELECT 1"):close() end]]
    assert.is_true(kept)
    assert.matches("^inside:%d+: ", raised)
    assert.equal(1, times)
  end)

  it("has no prepared statements: their numbers begin anew", function()
    assert.same({ 0, 1, 0 }, { inside [[
      local conn = assert(connect())
      local first, second = assert(conn:prepare "SELECT 1"), assert(conn:prepare "SELECT 2")
      local ids = { first.id or first.entry.id, second.id or second.entry.id }
      first:close()
      second:close()
      assert(conn:set_keepalive())
      conn = assert(connect())
      assert(conn:get_reused_times() == 1)
      local third = assert(conn:prepare "SELECT 3")
      ids[3] = third.id or third.entry.id
      conn:close()
      return ids[1], ids[2], ids[3] ]] })
  end)

  it("is none after a timeout, or when the node has gone", function()
    front:delay(0.1)
    local err, kept = inside [[
      local conn = assert(connect())
      local _, err = conn:fetchval("SELECT 1", {}, { timeout = 0.05 })
      local _, kept = conn:set_keepalive()
      return err, kept]]
    assert.equal("timeout", err.kind)
    assert.equal("closed", kept.kind)
    front:pass()
    inside [[
      local conn = assert(connect())
      assert(conn:get_reused_times() == 0)
      assert(conn:set_keepalive())]]
    front:cut()
    eventually("it is gone", function() return front:open_count() == 0 end)
    assert.equal(0, inside [[
      local conn = assert(connect())
      local times = conn:get_reused_times()
      conn:close()
      return times]])
  end)

  it("is closed where the server has closed it meanwhile, which is nobody's mistake", function()
    local pending = nginx_inside.send(server, [[
      local conn = assert(dqlite.connect(where))
      local lent = assert(pool:acquire())
      assert(conn:ping())
      assert(lent:ping())
      ngx.log(ngx.WARN, "both are open")
      while not kept.is_cut do ngx.sleep(0.005) end
      local kept, err = conn:set_keepalive()
      return kept, err.kind, lent:release(), pool:fetchval "SELECT 7"]])
    server:await_log "both are open"
    front:half_close()
    front:pass()
    -- in the worker of that request, whichever it is
    for _, pid in ipairs(server:workers()) do
      local way = server:connection(pid)
      nginx_inside.of(server, way) "kept.is_cut = true"
      way:close()
    end
    local answer, err, released, value = pending.results()
    assert.same({ "closed", true, 7 }, { err, released, value })
    assert.is_nil(answer)
  end)

  it("cannot be used in another request, which is told so", function()
    inside [[
      kept.conn = assert(connect())
      assert(kept.conn:ping())]]
    local call, after = inside [[
      return raises(function() kept.conn:fetchval "SELECT 1" end), pool:fetchval "SELECT 7"]]
    assert.matches("^inside:1: .*belongs to another request", call)
    assert.equal(7, after)
    inside [[
      kept.conn = assert(connect())
      assert(kept.conn:ping())]]
    -- nginx may have the same memory for both requests: all there is to see then is a
    -- socket that is closed
    local ok, answer, err, value = inside [[
      local ok, answer, err = pcall(kept.conn.set_keepalive, kept.conn)
      return ok, tostring(answer), err and err.kind, pool:fetchval "SELECT 7"]]
    if ok then
      assert.same({ "nil", "closed" }, { answer, err })
    else
      assert.matches("belongs to another request", answer)
    end
    assert.equal(7, value)
  end)

  it("cannot be used in a timer either", function()
    local ok, text, after = inside [[
      local conn, result = assert(connect()), nil
      assert(conn:ping())
      assert(ngx.timer.at(0, function()
        result = { pcall(conn.fetchval, conn, "SELECT 1") }
      end))
      while not result do ngx.sleep(0.001) end
      local _, err = conn:fetchval "SELECT 1"
      conn:close()
      return result[1], tostring(result[2]), err and err.kind]]
    assert.is_false(ok)
    assert.matches("belongs to another request", text)
    assert.equal("closed", after)
  end)

  it("refuses what makes no sense", function()
    local idle, size, leased = inside [[
      local conn = assert(connect())
      local leased = assert(pool:acquire())
      local texts = { raises(function() conn:set_keepalive(-1) end),
        raises(function() conn:set_keepalive(1, 0) end),
        raises(function() leased:set_keepalive() end) }
      leased:release()
      conn:close()
      return texts[1], texts[2], texts[3] ]]
    assert.matches("^inside:3: .*seconds", idle)
    assert.matches("^inside:4: .*connections", size)
    assert.matches("^inside:5: .*release", leased)
  end)

  -- ---- pools ----

  it("is not one of more than a pool may have, whatever comes at once", function()
    front:reset()
    local pending = {}
    for i = 1, 50 do
      pending[i] = nginx_inside.send(server, ([[
        kept.small = kept.small or assert(dqlite.create_pool(where, { max_size = 3 }))
        return kept.small:with(function(conn)
          ngx.sleep(0.005)
          return conn:fetchval("SELECT ?", %d)
        end)]]):format(i))
    end
    for i = 1, 50 do assert.equal(i, pending[i].results()) end
    -- each worker has had one more, which has asked who leads
    assert.is_true(front:count() <= 2 * (3 + 1), front:count() .. " connections")
    assert.is_true(front:open_count() <= 2 * 3)
  end)

  it("is waited for by no more than the backlog, and not for ever", function()
    local held, full, late, seconds, after = inside [[
      local small = new_pool { max_size = 1, backlog = 1,
        acquire_timeout = 0.2 }
      local conn = assert(small:acquire())
      local late
      local waiting = ngx.thread.spawn(function()
        local seconds, _, err = elapsed(function() return small:fetchval "SELECT 1" end)
        return seconds, err
      end)
      local _, full = small:fetchval "SELECT 2"
      local _, seconds, late = ngx.thread.wait(waiting)
      local value = conn:fetchval "SELECT 3"
      conn:release()
      return value, full, late, seconds, small:fetchval "SELECT 4"]]
    assert.same({ 3, 4 }, { held, after })
    assert.same({ "pool", "pool" }, { full.kind, late.kind })
    assert.is_true(full.retryable and late.retryable)
    assert.is_true(seconds >= 0.19 and seconds < 2, seconds)
  end)

  it("of a pool ends when it was idle for too long", function()
    inside [[
      kept.idle = new_pool { idle_timeout = 0.1 }
      assert(kept.idle:ping())]]
    assert.equal(1, front:open_count())
    eventually("it has ended", function() return front:open_count() == 0 end, 3)
    assert.equal(1, inside "return kept.idle:fetchval 'SELECT 1'")
  end)

  for how, status in pairs { fails = 500, exits = 204, ends = 200 } do
    it("carries no transaction on from a handler that " .. how, function()
      local pid = inside "return ngx.worker.pid()"
      assert.equal(status, assert(conn:get("/leave?how=" .. how)).status)
      conn:close()
      reach(pid)
      assert.same({ false, 0 }, inside [[
        return require "spec_left".pool:with(function(lent)
          local open = lent:in_transaction()
          assert(assert(lent:begin()):rollback())
          return { open, lent:fetchval "SELECT count(*) FROM t WHERE a = 77" }
        end)]])
    end)
  end
end)
