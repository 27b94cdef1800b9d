-- A pool on a cluster whose leader changes.
local cluster = require "spec.support.cluster"
local dqlite = require "dqlite"
local eventually = require "spec.support.eventually"

describe("a pool on a cluster", function()
  local three, pool

  before_each(function() three = cluster.start { nodes = 3 } end)
  after_each(function()
    if pool then pool:close(0) end
    pool = nil
    cluster.stop_all()
  end)

  local function open(opts)
    pool = assert(dqlite.create_pool(three:addresses(), opts))
    assert(pool:execute "CREATE TABLE IF NOT EXISTS t (a)")
    return pool
  end

  -- The leadership goes elsewhere, and the old leader lives on.
  local function flip()
    local target = three:followers()[1]
    local admin = assert(dqlite.cluster(three:addresses()))
    assert(admin:transfer(target.id))
    admin:close()
    eventually("it leads", function() return three:leader() == target end)
    return target
  end

  it("behaviour 38: a connection whose leader is gone is replaced before it is handed out",
    function()
      open { max_size = 1 }
      three:leader():kill()
      local conn = assert(pool:acquire())
      assert.equal(three:leader().address, conn.address)
      assert(conn:execute "INSERT INTO t VALUES (1)")
      conn:release()
    end)

  it("behaviour 38: a transaction whose leader changes does not commit, the next one does",
    function()
      open { max_size = 2 }
      local conn = assert(pool:acquire())
      assert(conn:begin())
      assert(conn:execute "INSERT INTO t VALUES (1)")
      flip()
      local done, err = conn:commit()
      assert.is_nil(done)
      assert.is_true(err.fatal)
      conn:release()
      conn = assert(pool:acquire())
      assert.equal(three:leader().address, conn.address)
      assert.equal(0, conn:fetchval "SELECT count(*) FROM t")
      conn:release()
    end)

  it("drops idle connections to a leader that is none any more, those in use later", function()
    open { min_size = 4, max_size = 4 }
    local used, first = assert(pool:acquire()), assert(pool:acquire())
    local before = used.address
    flip()
    assert.equal(4, pool:stats().size)
    local answer, err = first:execute "INSERT INTO t VALUES (1)"
    assert.is_nil(answer)
    assert.equal("not_leader", err.kind)
    assert.same({ 2, 0 }, { pool:stats().size, pool:stats().idle })
    first:release()
    assert.same({ 1, before }, { pool:stats().size, used.address })
    used:release()
    assert.equal(0, pool:stats().size)
    assert(pool:execute "INSERT INTO t VALUES (1)")
    assert.equal(1, pool:fetchval "SELECT count(*) FROM t")
  end)

  it("runs again what was refused by a leader that is none any more", function()
    open { max_size = 3 }
    flip()
    assert.equal(1, pool:execute("INSERT INTO t VALUES (?)", 1).rows_affected)
    flip()
    assert.equal(1, pool:fetchval "SELECT count(*) FROM t")
    flip()
    local runs = 0
    assert.is_true(pool:transaction(function(conn)
      runs = runs + 1
      assert.equal(1, conn:fetchval "SELECT count(*) FROM t")
      if runs == 1 then flip() end
      local done, err = conn:execute "INSERT INTO t VALUES (2)"
      if not done then return nil, err end
      return true
    end))
    assert.is_true(runs > 1)
    assert.equal(2, pool:fetchval "SELECT count(*) FROM t")
    assert.is_true(pool:stats().retries >= 2)
  end)

  it("tells of a change of the leader", function()
    local changes = {}
    open {
      max_size = 2,
      on_event = function(event)
        if event.name == "leader_change" then
          changes[#changes + 1] = { event.before or "none", event.leader or "none" }
        end
      end,
    }
    local before = three:leader().address
    local after = flip().address
    assert(pool:execute "INSERT INTO t VALUES (1)")
    assert.same({ { "none", before }, { before, "none" }, { "none", after } }, changes)
  end)
end)
