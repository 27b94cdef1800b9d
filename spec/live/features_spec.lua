-- What the server can do, asked when it matters (protocol.md 3.3).

local dqlite = require "dqlite"
local live = require "spec.support.live"
local node = require "dqlite.node"
local nodes = require "spec.support.nodes"
local own_node = require "spec.support.own_node"

live.each("features", function(server)
  local conn

  before_each(function() conn = server:connect() end)

  -- The same, asked by hand.
  local function asked()
    local raw = server:opened_session()
    assert(raw:send("CLUSTER", { format = 2 }))
    local servers = assert(raw:receive())
    assert(raw:send("PREPARE", { sql = "SELECT 1", schema = 1 }))
    local prepared = assert(raw:receive())
    return servers.name == "FAILURE", prepared.name == "STMT" and prepared.tail ~= nil
  end

  it("are what the server does", function()
    local found = assert(conn:features())
    local params, tail = asked()
    assert.same({ params_32bit = params, statement_tail = tail, returning = tail,
      typed_null = found.typed_null }, found)
    assert(conn:execute "CREATE TABLE t (flag BOOLEAN, day DATE)")
    assert(conn:execute "INSERT INTO t VALUES (NULL, NULL)")
    local flag = conn:fetchall("SELECT flag FROM t", {}, { dates = "raw" })[1][1]
    assert.equal(found.typed_null and dqlite.null or false, flag)
  end)

  it("are the same when they are asked again", function()
    local found = assert(conn:features())
    assert.same(found, conn:features())
    found.returning = "mine"
    assert.not_equal("mine", conn:features().returning)
    assert.same(conn:features(), server:connect():features())
  end)

  it("leave nothing behind", function()
    assert(conn:features())
    assert.is_false(conn:in_transaction())
    assert.equal(0, conn:fetchval "SELECT count(*) FROM sqlite_schema")
    assert.equal(0, conn:fetchval "SELECT count(*) FROM sqlite_temp_schema")
    live.usable(conn)
  end)

  it("can be asked in the midst of a transaction, and of rows", function()
    assert(conn:execute "CREATE TABLE t (a)")
    for _, mode in ipairs { "immediate", "deferred", "read" } do
      local asker = server:connect()
      assert(asker:transaction(function()
        assert(asker:fetch "SELECT a FROM t")
        assert.is_table(asker:features())
        assert(asker:fetch "SELECT a FROM t")
        return true
      end, { mode = mode }))
    end
    local iterator = conn:rows "SELECT 1 UNION SELECT 2"
    assert.is_table(iterator())
    assert.is_table(conn:features())
  end)

  -- Newer servers take the temporary table that typed_null is asked with for a
  -- write, which waits for the one that is under way.
  it("are answered, or BUSY in time, while another one writes", function()
    local other = server:connect()
    assert(other:execute "BEGIN IMMEDIATE")
    local hasty = server:connect { busy_timeout = 0.2 }
    local seconds, found, err = live.timed(function() return hasty:features() end)
    assert.is_true(seconds < 3, seconds .. " seconds")
    if not found then live.fails("busy", found, err) end
    assert(other:execute "ROLLBACK")
    assert.same(conn:features(), hasty:features())
  end)

  it("do not commit, nor end, what is open", function()
    local other = server:connect()
    assert(conn:execute "CREATE TABLE t (a)")
    assert(conn:execute "BEGIN")
    assert(conn:execute "INSERT INTO t VALUES (1)")
    assert(conn:features())
    assert.is_true(conn:in_transaction())
    assert.equal(0, other:fetchval "SELECT count(*) FROM t")
    assert(conn:execute "ROLLBACK")
    assert.equal(0, conn:fetchval "SELECT count(*) FROM t")
  end)

  it("raise after close", function()
    conn:close()
    live.raises(function() conn:features() end)
  end)
end)

-- What libdqlite's own functions tell of its version (dqlite.node.features).
describe("features of the loaded libdqlite", function()
  setup(nodes.open)
  teardown(nodes.close)
  after_each(own_node.stop_all)

  it("are those of its version", function()
    local conn = own_node.start():connect()
    local found = assert(conn:features())
    assert.equal(node.features.ipv6, found.params_32bit) -- both since 1.12
    assert.equal(node.features.block_size, found.statement_tail) -- both since 1.15
    assert.equal(node.features.block_size, found.returning)
    assert.is_boolean(found.typed_null)
    conn:close()
  end)
end)
