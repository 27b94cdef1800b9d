-- What becomes of a connection when the leader changes, or has hung up, on real
-- nodes: behaviour 38. Needs no DQLITE_SERVERS.
local cluster = require "spec.support.cluster"
local dqlite = require "dqlite"
local eventually = require "spec.support.eventually"
local live = require "spec.support.live"
local proxy = require "spec.support.proxy"

local IDLE = 0.006 -- seconds; a connection that was used just now is not looked at

describe("a connection", function()
  local three, client

  local function count()
    local conn = assert(client:connect())
    local rows = assert(conn:fetchval "SELECT count(*) FROM t")
    conn:close()
    return rows
  end

  setup(function()
    three = cluster.start { proxied = true }
    client = assert(dqlite.cluster(three:proxied_addresses(), { translate = three:translate() }))
    local conn = assert(client:connect())
    assert(conn:execute "CREATE TABLE t (a)")
    conn:close()
  end)
  teardown(function()
    cluster.stop_all()
    proxy.stop_all()
  end)

  -- In the middle of a transaction that has written.
  local function begun()
    local leader = three:leader()
    local conn = assert(client:connect())
    assert.equal(leader.proxy.address, conn.address)
    assert(conn:begin())
    assert(conn:execute "INSERT INTO t VALUES (1)")
    return conn, leader
  end

  -- The transaction is lost, certainly, and others go on at the new leader.
  local function is_lost(conn, old)
    local done, err = conn:commit()
    assert.is_nil(done)
    assert.is_true(err.fatal)
    assert.is_true(err.retryable or err.ambiguous)
    assert.is_false(conn:is_open())
    conn:close()
    local next_one = assert(client:connect())
    local leader = three:wait_for_leader(old)
    assert.equal(leader.proxy.address, next_one.address)
    assert.equal(0, next_one:fetchval "SELECT count(*) FROM t")
    next_one:close()
    return err
  end

  it("behaviour 38: that was idle when its peer hung up sends nothing", function()
    local conn, leader = assert(client:connect()), three:leader()
    assert(conn:ping())
    leader.proxy:half_close()
    dqlite.sleep(IDLE)
    eventually("the end has come through", function() return not conn.link.stream:alive() end)
    local err = live.fails("closed", conn:execute "INSERT INTO t VALUES (1)")
    assert.same({ true, true, false }, { err.fatal, err.retryable, err.ambiguous })
    assert.is_false(conn:is_open())
    conn:close()
    assert.equal(0, count())
  end)

  it("behaviour 38: whose leader has handed over loses its transaction", function()
    local conn, old = begun()
    local other = three:followers()[1]
    assert(client:transfer(other.id))
    local err = is_lost(conn, old)
    assert.equal("not_leader", err.kind)
    assert.is_true(err.retryable)
    assert.equal(other, three:leader())
  end)

  it("behaviour 38: so does one whose leader was killed", function()
    local conn, old = begun()
    old:kill()
    local err = is_lost(conn, old)
    assert.equal("closed", err.kind)
    old:restart()
  end)

  it("behaviour 38: another one is made at once by dqlite.connect, too", function()
    local where, opts = three:proxied_addresses(), { translate = three:translate() }
    local conn, old = assert(dqlite.connect(where, opts)), three:leader()
    local other = three:followers()[1]
    assert(client:transfer(other.id))
    local err = live.fails("not_leader", conn:execute "INSERT INTO t VALUES (1)")
    assert.same({ true, true, false }, { err.fatal, err.retryable, err.ambiguous })
    conn:close()
    local next_one = assert(dqlite.connect(where, opts))
    assert.equal(three:wait_for_leader(old).proxy.address, next_one.address)
    assert.equal(0, next_one:fetchval "SELECT count(*) FROM t")
    next_one:close()
  end)
end)
