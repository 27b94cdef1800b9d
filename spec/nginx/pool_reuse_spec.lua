-- A pool under nginx uses its objects again, those of connections whose sockets nginx
-- keeps: nobody is to notice.
local cluster = require "spec.support.cluster"
local nginx = require "spec.support.nginx"
local nginx_cluster = require "spec.support.nginx_cluster"
local nginx_inside = require "spec.support.nginx_inside"

describe("what a pool uses again", function()
  local server, inside, one

  setup(function()
    one = cluster.start { nodes = 1 }
    server = nginx.start(nginx_inside.options(nginx_cluster.options(one, { workers = 1 })))
    inside = nginx_inside.of(server)
  end)
  teardown(function()
    local errors = server and server:errors()
    nginx_cluster.stop_all()
    assert.same({}, errors)
  end)

  it("tells nothing of the call before", function()
    local connects, values = inside [[
      assert(pool:fetchval "SELECT 1")
      local before, values = pool:stats().connects, {}
      for i = 1, 3 do
        local large = "SELECT 1152921504606846977 AS a, 1 AS "
        values[3 * i - 2] = pool:fetchone(large .. "b", {}, { int64 = "string" })
        values[3 * i - 1] = pool:fetchone(large .. "c", {}, { int64 = "number" })
        local _, err = pool:fetchval "SELECT nonsense"
        values[3 * i] = err.kind
      end
      return pool:stats().connects - before, values]]
    assert.equal(0, connects)
    for i = 1, 3 do
      assert.same({ a = "1152921504606846977", b = 1 }, values[3 * i - 2])
      assert.same({ a = 2 ^ 60, c = 1 }, values[3 * i - 1])
      assert.equal("sql", values[3 * i])
    end
  end)

  it("takes fewer bytes for a call than a connection has", function()
    local bytes = inside [[
      for _ = 1, 300 do assert(pool:fetchval("SELECT ?", 1)) end
      collectgarbage()
      collectgarbage "stop"
      local before = collectgarbage "count"
      for _ = 1, 100 do assert(pool:fetchval("SELECT ?", 1)) end
      local after = collectgarbage "count"
      collectgarbage "restart"
      return (after - before) * 1024 / 100]]
    assert.is_true(bytes < 4000, bytes .. " bytes")
  end)

  it("is not the object that somebody has given back", function()
    local connects, first, second, value = inside [[
      local before = pool:stats().connects
      local conn = assert(pool:acquire())
      conn:release()
      local first = raises(conn.ping, conn)
      local lent = assert(pool:acquire())
      local second = raises(conn.ping, conn)
      conn:release()
      local value = lent:fetchval "SELECT 7"
      lent:release()
      return pool:stats().connects - before, first, second, value]]
    assert.matches("given back", first)
    assert.matches("given back", second)
    assert.same({ 0, 7 }, { connects, value })
  end)

  it("is several connections at once, each with an answer of its own", function()
    local right = inside [[
      local threads, right = {}, 0
      for round = 1, 5 do
        for i = 1, 8 do
          threads[i] = ngx.thread.spawn(function() return pool:fetchval("SELECT ?", i) end)
        end
        for i = 1, 8 do
          local _, value = ngx.thread.wait(threads[i])
          if value == i then right = right + 1 end
        end
      end
      return right]]
    assert.equal(40, right)
  end)

  it("opens a session anew where the node was started again", function()
    local value, connects = inside [[
      kept.before = pool:stats().connects
      return pool:fetchval "SELECT 1"]]
    assert.same({ 1, nil }, { value, connects })
    one.nodes[1]:kill()
    one.nodes[1]:restart()
    value, connects = inside [[
      return pool:fetchval "SELECT 2", pool:stats().connects - kept.before]]
    assert.equal(2, value)
    assert.is_true(connects >= 1)
  end)
end)
