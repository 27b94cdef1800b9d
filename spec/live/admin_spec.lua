-- The administration of real clusters: what is read, what is changed, and what becomes
-- of a change whose answer is lost. Needs no DQLITE_SERVERS.

local cluster = require "spec.support.cluster"
local core = require "dqlite.core"
local dqlite = require "dqlite"
local eventually = require "spec.support.eventually"
local live = require "spec.support.live"
local proxy = require "spec.support.proxy"
local roles = require "spec.support.roles"

local LARGEST, HALF = "18446744073709551615", "9223372036854775808"
local NOWHERE = "127.0.0.1:1" -- nobody listens there

-- ---- what the specs share ----

-- A cluster object that has been told of one node.
local function through(node, opts)
  return assert(dqlite.cluster(node.address, opts))
end

-- One that knows the nodes by their own addresses and dials their proxies.
local function through_proxies(nodes, opts)
  opts.translate = nodes:translate()
  return assert(dqlite.cluster(nodes:addresses(), opts))
end

-- One that reaches the cluster whoever leads.
local function of(nodes, opts)
  return through(nodes:followers()[1], opts)
end

-- Makes a voter the leader. One that was promoted cannot lead before it knows that.
local function transfers(object, node)
  eventually("the node knows that it may lead", function()
    return roles.seen_by(object:node(node.address))[node.id] == "voter"
  end)
  assert.is_true(object:transfer(node.id))
  assert.same({ id = node.id, address = node.address }, object:leader())
end

local function connects(object)
  local conn = assert(object:connect())
  live.usable(conn)
  conn:close()
end

-- A node of this id that runs and has not joined.
local function outsider(nodes, id)
  return nodes:add_node(nil, id)
end

local function discard(node)
  node:kill()
  if node.proxy then node.proxy:stop() end
end

local function row_of(health, node)
  for _, row in ipairs(health.nodes) do
    if row.address == node.address then return row end
  end
end

local function timed(fn)
  local start = core.now()
  local answer, err = fn()
  return core.now() - start, answer, err
end

-- ---- reading ----

describe("a cluster object that was given a follower's address", function()
  local three, object, spare, stranger

  setup(function()
    three = cluster.start { ids = { LARGEST, HALF, "3" } }
    spare, stranger = three:add_node("spare", "4"), outsider(three, "5")
  end)
  teardown(cluster.stop_all)
  before_each(function() object = of(three) end)

  it("names the leader, by the id that it has", function()
    local leader = three:leader()
    assert.same({ id = leader.id, address = leader.address }, object:leader())
    assert.same({ id = leader.id, address = leader.address }, object:leader())
  end)

  it("lists the nodes with their ids, addresses and roles", function()
    local expected = {}
    for i, node in ipairs { three.nodes[1], three.nodes[2], three.nodes[3], spare } do
      expected[i] = { id = node.id, address = node.address, role = i < 4 and "voter" or "spare" }
    end
    assert.same(expected, object:nodes())
  end)

  it("connects", function() connects(object) end)

  it("asks a follower itself", function()
    local leader, follower = three:leader(), three:followers()[1]
    local view = object:node(follower.address)
    assert.same({ id = leader.id, address = leader.address }, view:leader())
    eventually("it knows of all", function() return #assert(view:nodes()) == 4 end)
    assert.same(roles.seen_by(object), roles.seen_by(view))
    assert.matches(follower.address, tostring(view), 1, true)
    assert.matches("no leader known", tostring(dqlite.cluster(follower.address)))
  end)

  it("asks a spare, which knows no leader", function()
    local view = object:node(spare.address)
    local err = live.fails("no_leader", view:leader())
    assert.is_true(err.retryable)
    assert.equal(spare.address, err.address)
    assert.same({ failure_domain = 0, weight = 0 }, view:describe())
  end)

  it("asks a node that has not joined, which knows of none", function()
    local view = object:node(stranger.address)
    live.fails("no_leader", view:leader())
    assert.same({}, view:nodes())
    assert.same({ failure_domain = 0, weight = 0 }, view:describe())
  end)

  it("says at once of a node that is not there that it cannot be asked", function()
    local nowhere = proxy.unused_address()
    local seconds, leader, err = timed(function() return object:node(nowhere):leader() end)
    proxy.stop_all()
    live.fails("connect", leader, err)
    assert.equal(nowhere, err.address)
    assert.is_true(seconds < 1)
  end)

  it("sets the weight of the leader, of any node, and through a view", function()
    local leader, follower = three:leader(), three:followers()[1]
    assert.is_true(object:set_weight(7))
    assert.is_true(object:set_weight(2 ^ 53, follower.address))
    assert.is_true(object:node(spare.address):set_weight(3))
    assert.equal(7, object:describe().weight)
    assert.equal(7, object:describe(leader.address).weight)
    assert.equal(2 ^ 53, object:describe(follower.address).weight)
    assert.equal(3, object:describe(spare.address).weight)
    assert.is_true(object:set_weight(0))
    assert.same({ failure_domain = 0, weight = 0 }, object:describe())
  end)
end)

-- ---- three voters: health, changes, the leader, and answers that are lost ----

-- The same numbers as strings, and as what this Lua has for them.
local function written_ids()
  if rawget(_G, "jit") then
    return {
      [LARGEST] = load("return " .. LARGEST .. "ULL")(),
      [HALF] = load("return " .. HALF .. "ULL")(),
      ["9223372036854775807"] = load "return 9223372036854775807LL"(),
      ["41"] = 41,
    }
  end
  if math.maxinteger then return { ["9223372036854775807"] = math.maxinteger, ["41"] = 41.0 } end
  return { ["41"] = 41 }
end

local encode = dqlite.wire.encode

-- What a node sends to one who looks for the leader.
local function bytes_of_answers(leader, nodes)
  local servers = {}
  for i, node in ipairs(nodes) do
    servers[i] = { id = node.id, address = node.address, role = 0 }
  end
  return #encode("SERVER", { id = leader.id, address = leader.address })
    + #encode("SERVERS", { servers = servers })
end

describe("three voters", function()
  local three
  local VOTERS = { ["1"] = "voter", ["2"] = "voter", ["3"] = "voter" }

  local function with(role, id)
    local expected = { [id] = role }
    for voter in pairs(VOTERS) do expected[voter] = "voter" end
    return expected
  end

  setup(function() three = cluster.start { proxied = true } end)
  teardown(cluster.stop_all)
  teardown(proxy.stop_all)
  after_each(function()
    local object = of(three)
    for id in pairs(roles.seen_by(object)) do
      if not VOTERS[id] then assert(object:remove(id)) end
    end
    while #three.nodes > 3 do discard(table.remove(three.nodes)) end
  end)

  -- ---- health ----

  describe("the health of a cluster", function()
    local object, leader, follower

    before_each(function()
      leader, follower = three:leader(), three:followers()[1]
      object = through(follower, { connect_timeout = 0.4 })
    end)

    local function is_well(row)
      assert.is_true(row.answers)
      assert.is_nil(row.error)
      assert.equal("voter", row.role)
      assert.equal(leader.address, row.leader)
      assert.equal(0, row.failure_domain)
      assert.equal(0, row.weight)
      assert.is_true(row.seconds < 0.3)
    end

    it("is good when all are up, though it was told of one of them", function()
      local health = assert(object:health())
      assert.equal(3, #health.nodes)
      assert.equal(follower.address, health.nodes[1].address)
      for _, node in ipairs(three.nodes) do
        is_well(row_of(health, node))
        assert.equal(node.id, row_of(health, node).id)
      end
      assert.same({ 3, 3, true, leader.address },
        { health.voters, health.answering, health.quorum, health.leader })
    end)

    it("tells of one that is frozen within connect_timeout, and of the others at once", function()
      local frozen = three:followers()[2]
      frozen:freeze()
      local seconds, health, err = timed(function() return object:health() end)
      frozen:thaw()
      assert(health, err)
      assert.is_true(seconds > 0.3 and seconds < 1)
      assert.is_false(row_of(health, frozen).answers)
      assert.is_nil(row_of(health, frozen).seconds)
      live.fails("timeout", nil, row_of(health, frozen).error)
      is_well(row_of(health, leader))
      is_well(row_of(health, follower))
      assert.same({ 3, 2, true }, { health.voters, health.answering, health.quorum })
    end)

    it("tells of one that is dead", function()
      local dead = three:followers()[2]
      assert(object:nodes())
      dead:kill()
      local seconds, health = timed(function() return assert(object:health()) end)
      dead:restart()
      assert.is_true(seconds < 0.35)
      live.fails("connect", nil, row_of(health, dead).error)
      assert.equal(dead.id, row_of(health, dead).id)
      is_well(row_of(health, leader))
      assert.same({ 3, 2, true }, { health.voters, health.answering, health.quorum })
    end)

    it("of a lone survivor has no quorum, until the others are back", function()
      local dead = { leader, three:followers()[2] }
      for _, node in ipairs(dead) do node:kill() end
      local health
      eventually("the survivor knows of no leader", function()
        health = assert(object:health())
        return row_of(health, follower).leader == nil
      end)
      assert.is_true(row_of(health, follower).answers)
      assert.same({ 3, 1, false }, { health.voters, health.answering, health.quorum })
      assert.is_nil(health.leader)
      for _, node in ipairs(dead) do node:restart() end
      local again = three:wait_for_leader().address
      health = assert(object:health())
      assert.same({ 3, true, again }, { health.answering, health.quorum, health.leader })
    end)
  end)

  -- ---- changing ----

  describe("the members of a cluster", function()
    local object

    before_each(function() object = of(three) end)

    it("may be added in any role, and removed", function()
      for role, id in pairs { spare = LARGEST, standby = HALF, voter = "9223372036854775807" } do
        local node = outsider(three, id)
        assert.is_true(object:add { id = id, address = node.address, role = role })
        assert.same(with(role, id), roles.seen_by(object))
        connects(object)
        assert.is_true(object:remove(id))
        assert.same(VOTERS, roles.seen_by(object))
        assert.is_nil(row_of(assert(object:health()), node))
        connects(object)
      end
    end)

    it("may be named by numbers where Lua has them exactly", function()
      for id, number in pairs(written_ids()) do
        assert.is_true(object:add { id = number, address = NOWHERE })
        assert.same(with("spare", id), roles.seen_by(object))
        assert.is_true(object:assign(number, "standby"))
        assert.same(with("standby", id), roles.seen_by(object))
        assert.is_true(object:remove(number))
        assert.same(VOTERS, roles.seen_by(object))
      end
    end)

    it("are promoted, lead, and are demoted", function()
      local node = outsider(three, LARGEST)
      assert.is_true(object:add { id = LARGEST, address = node.address })
      for _, role in ipairs { "standby", "voter" } do
        assert.is_true(object:assign(LARGEST, role))
        assert.same(with(role, LARGEST), roles.seen_by(object))
        connects(object)
      end
      transfers(object, node)
      connects(object)
      transfers(object, three.nodes[1])
      for _, role in ipairs { "standby", "spare" } do
        assert.is_true(object:assign(LARGEST, role))
        assert.same(with(role, LARGEST), roles.seen_by(object))
        connects(object)
      end
      assert.is_true(object:remove(LARGEST))
      assert.same(VOTERS, roles.seen_by(object))
    end)

    it("are removed when they are dead", function()
      local node = outsider(three, "4")
      assert.is_true(object:add { id = "4", address = node.address, role = "voter" })
      node:kill()
      assert.is_true(object:remove "4")
      assert.same(VOTERS, roles.seen_by(object))
      connects(object)
    end)

    it("stay as they are when the server refuses", function()
      local leader = object:leader()
      assert.is_true(object:add { id = "4", address = NOWHERE })
      local function refused(result, err)
        live.fails("sql", result, err)
        assert.equal(1, err.code)
        assert.is_false(err.fatal or err.retryable or err.ambiguous)
        assert.same(with("spare", "4"), roles.seen_by(object))
        assert.same(leader, object:leader())
      end
      refused(object:assign("4", "spare"))
      refused(object:assign("1", "voter"))
      for _, call in ipairs { "remove", "transfer" } do refused(object[call](object, "99")) end
      refused(object:assign("99", "voter"))
      refused(object:transfer "4")
      refused(object:transfer(leader.id))
      refused(object:add { id = "4", address = "127.0.0.1:2" })
      refused(object:add { id = "99", address = NOWHERE })
      connects(object)
    end)

    it("are told to the store with the roles that they have", function()
      local store = dqlite.store.memory { three:followers()[1].address }
      local keeping = assert(dqlite.cluster(store, { refresh = true }))
      assert.is_true(keeping:add { id = "4", address = NOWHERE })
      assert.same(with("spare", "4"), roles.of(store:get()))
      assert.is_true(keeping:assign("4", "standby"))
      assert.same(with("standby", "4"), roles.of(store:get()))
      assert.equal(3, assert(keeping:health()).voters)
      assert.is_true(keeping:remove "4")
      assert.same(VOTERS, roles.of(store:get()))
      assert.is_nil(keeping.refresh_error)
    end)

    -- 1.11.1 answers that it is done. The node stops leading and goes on running, and
    -- the others elect one of themselves.
    it("go on without a leader that was removed", function()
      local node = outsider(three, "4")
      assert.is_true(object:add { id = "4", address = node.address, role = "voter" })
      transfers(object, node)
      assert.is_true(object:remove "4")
      assert.not_equal("4", object:leader().id)
      assert.same(VOTERS, roles.seen_by(object))
      assert.is_true(node:is_running())
      live.fails("no_leader", object:node(node.address):leader())
      connects(object)
    end)
  end)

  -- ---- the leader ----

  describe("the leader that was found", function()
    before_each(function()
      for _, node in ipairs(three.nodes) do node.proxy:reset() end
    end)

    local function count(node)
      return node.proxy:count()
    end

    it("is asked alone from then on, as long as it is only read", function()
      local object, leader = through_proxies(three, {}), three:leader()
      assert(object:leader())
      local function ask_all()
        for _, node in ipairs(three.nodes) do node.proxy:reset() end
        assert(object:nodes())
        assert(object:leader())
        assert(object:describe())
        assert(object:set_weight(0))
        connects(object)
        local others = 0
        for _, node in ipairs(three.nodes) do
          if node ~= leader then others = others + count(node) end
        end
        return others == 0
      end
      -- on a busy machine it may take longer than the others are spared
      assert.is_true(ask_all() or ask_all() or ask_all())
      assert.equal(5, count(leader))
    end)

    it("is looked for again after each change, also after one that is refused", function()
      local object = through_proxies(three, {})
      local function forgets(call, ...)
        assert(object:leader())
        assert.matches("leader 127", tostring(object))
        object[call](object, ...)
        assert.matches("no leader known", tostring(object))
      end
      forgets("remove", "99")
      forgets("assign", "99", "voter")
      forgets("transfer", "99")
      forgets("add", { id = "1", address = NOWHERE })
      assert.equal(three:leader().id, object:leader().id)
    end)

    it("is waited for when it has just died", function()
      local object, old = of(three), three:leader()
      assert.equal(old.id, object:leader().id)
      old:kill()
      assert.is_true(object:add { id = "4", address = NOWHERE })
      assert.not_equal(old.id, object:leader().id)
      old:restart()
      assert.same(with("spare", "4"), roles.seen_by(object))
    end)
  end)

  -- ---- answers that are lost ----

  describe("a change", function()
    local object, leader

    before_each(function()
      object, leader = through_proxies(three, { timeout = 0.5 }), three:leader()
    end)

    it("whose answer is lost may have been made", function()
      leader.proxy:hang_after(bytes_of_answers(leader, three.nodes))
      local seconds, added, err = timed(function()
        return object:add { id = "4", address = NOWHERE }
      end)
      leader.proxy:pass()
      live.fails("timeout", added, err)
      assert.same({ true, false, true }, { err.ambiguous, err.retryable, err.fatal })
      assert.is_true(seconds > 0.4 and seconds < 1)
      assert.equal("spare", roles.seen_by(object)["4"])
    end)

    -- Beside a call on the blocking loop nothing can be done.
    if live.is_concurrent then
      local function beside(begun, act)
        return dqlite.spawn(function()
          eventually("the request is there", begun)
          act()
        end)
      end

      it("whose connection ends may have been made", function()
        local other, near = through_proxies(three, { timeout = 5 }), of(three)
        leader.proxy:hang_after(bytes_of_answers(leader, three.nodes))
        local cutting = beside(function() return roles.seen_by(near)["4"] end,
          function() leader.proxy:cut() end)
        local err = live.fails("closed", other:add { id = "4", address = NOWHERE })
        cutting:wait()
        leader.proxy:pass()
        assert.is_true(err.ambiguous)
      end)

      it("may have been made when another node leads by now", function()
        local other = through(three:followers()[1], { timeout = 10 })
        assert(other:add { id = "4", address = NOWHERE })
        local begun = core.now() + 0.1 -- a dead node never becomes a voter
        local freezing = beside(function() return core.now() > begun end,
          function() leader:freeze() end)
        local seconds, assigned, err = timed(function() return other:assign("4", "voter") end)
        freezing:wait()
        leader:thaw()
        live.fails("not_leader", assigned, err)
        assert.is_true(err.ambiguous)
        assert.is_true(seconds < 6)
        eventually("the old leader follows", function() return #three:followers() == 2 end)
      end)
    end

    it("that no leader was found for has certainly not been made", function()
      for _, node in ipairs(three.nodes) do node.proxy:black_hole() end
      local err = live.fails("no_leader", object:add { id = "4", address = NOWHERE })
      for _, node in ipairs(three.nodes) do node.proxy:pass() end
      assert.is_true(err.retryable)
      assert.is_false(err.ambiguous)
      assert.is_nil(roles.seen_by(object)["4"])
    end)
  end)
end)
