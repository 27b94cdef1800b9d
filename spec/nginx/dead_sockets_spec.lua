-- A socket on which both ways have failed: ngx_lua counts it among the connections of its
-- pool until the request ends, whatever closes it.
local cluster = require "spec.support.cluster"
local nginx = require "spec.support.nginx"
local nginx_cluster = require "spec.support.nginx_cluster"
local nginx_inside = require "spec.support.nginx_inside"

local SOON = 8 -- seconds that an election and what follows may take, on a busy machine

describe("a request whose connection died both ways", function()
  local three, server

  setup(function()
    three = cluster.start()
    local options = nginx_cluster.options(three, { workers = 1 })
    server = nginx.start(nginx_inside.options(options))
  end)
  teardown(nginx_cluster.stop_all)

  -- In the middle of rows, with an acknowledging byte to send.
  local DIES = [[
    local small = dqlite.create_pool(where, { max_size = 1 })
    local rows, err, dead = 0, nil, nil
    small:with(function(conn)
      dead = conn.address
      ngx.log(ngx.WARN, "the leader is " .. dead)
      local ok
      ok, err = pcall(function()
        for _ in conn:rows("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
          .. "WHERE i < 100000) SELECT i, hex(zeroblob(100)) FROM n") do
          rows = rows + 1
          if rows == 1 then
            ngx.sleep(0.5)
            -- as acknowledging bytes are sent: a reset answers the first, the second fails
            local sock = conn.link.stream.sock
            sock:send "\0"
            ngx.sleep(0.05)
            assert(not sock:send "\0")
          end
        end
      end)
    end)
    small.cluster:hint(dead) -- as a follower names it that has not heard of its death
    local seconds, value, failed = elapsed(function() return small:fetchval "SELECT 7" end)
    return rows, err, seconds, value, failed]]

  it("gets another one, though its pool is full of dead ones", function()
    local request = nginx_inside.send(server, DIES)
    server:await_log "the leader is "
    local leader = three:leader()
    leader:kill()
    local rows, err, seconds, value, failed = request.results(20)
    assert.is_true(rows >= 1 and rows < 100000, rows)
    assert.is_truthy(err)
    assert.equal(7, value, failed and failed.text)
    assert.is_true(seconds < SOON, seconds)
  end)
end)
