-- What a pool does when a connection is lost on the way to a server.
local dqlite = require "dqlite"
local live = require "spec.support.live"
local proxy = require "spec.support.proxy"

live.each("a pool that loses a connection", function(server)
  local between, pool, on_event

  before_each(function()
    between, on_event = proxy.start(server.address), nil
    pool = assert(dqlite.create_pool(between.address, {
      database = server.database,
      max_size = 2,
      translate = function() return between.address end,
      on_event = function(event) if on_event then on_event(event) end end,
    }))
  end)
  after_each(function()
    pool:close(0)
    between:stop()
  end)

  -- From the next call on there is no server, until so many tries have failed.
  local function restart_at(tries)
    local gone = false
    function on_event(event)
      if event.name == "query_start" and not gone then
        gone = true
        between:refuse()
        between:cut()
      elseif event.name == "retry" and event.tries == tries then
        between:accept()
      end
    end
  end

  it("goes on until the server is back", function()
    restart_at(3)
    assert.equal(1, pool:fetchval "SELECT 1")
    assert.equal(3, pool:stats().retries)
  end)

  it("goes on until its deadline", function()
    restart_at(math.huge)
    local seconds, answer, err = live.timed(function()
      return pool:fetchval("SELECT 1", {}, { timeout = 0.5 })
    end)
    assert.is_nil(answer)
    assert.is_true(err.kind == "connect" or err.kind == "timeout", err.kind)
    assert.is_true(err.retryable)
    assert.is_true(seconds > 0.3 and seconds < 2, seconds)
  end)

  it("runs a transaction again once the server is back", function()
    assert(pool:execute "CREATE TABLE t (a)")
    restart_at(2)
    assert.equal("yes", pool:transaction(function(conn)
      local done, err = conn:execute "INSERT INTO t VALUES (1)"
      if not done then return nil, err end
      return "yes"
    end))
    assert.equal(1, pool:fetchval "SELECT count(*) FROM t")
  end)

  it("says at once that there is no server where none was lost", function()
    between:refuse()
    between:cut()
    assert.is_nil((pool:fetchval("SELECT 1", {}, { timeout = 0.1 }))) -- on an idle one
    local seconds, answer, err = live.timed(function() return pool:fetchval "SELECT 1" end)
    live.fails("connect", answer, err)
    assert.is_true(seconds < 5, seconds)
  end)
end)
