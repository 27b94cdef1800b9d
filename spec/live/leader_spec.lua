-- The search for the leader among real nodes that are all well: whichever address is
-- given. Needs no DQLITE_SERVERS.

local ask = require "spec.support.ask"
local cluster = require "spec.support.cluster"
local dqlite = require "dqlite"
local eventually = require "spec.support.eventually"
local in_loop = require "spec.support.in_loop"
local leading = require "spec.support.leading"
local live = require "spec.support.live"
local proxy = require "spec.support.proxy"
local raises = require "spec.support.raises"
local scratch = require "spec.support.scratch"

local close_all, leads, leads_soon = leading.close_all, leading.leads, leading.leads_soon
local connects_soon, fails_after, has = leading.connects_soon, leading.fails_after, leading.has
local is_worth_another_try = leading.is_worth_another_try

local IDS = { "18446744073709551615", "9223372036854775809", "3", "4", "5" }
local ROLES = { "voter", "voter", "voter", "standby", "standby" }
local MANY = 200
local TRIES = 5

describe("the leader of a healthy cluster", function()
  local five, leader, followers, standby, spare

  -- A spare knows the others if it has been something else before.
  local function await_standby(node)
    eventually("the standby knows the others", function()
      local answer = ask(node.address, "CLUSTER", { format = 1 })
      return answer and #answer.servers == #IDS
    end)
  end

  setup(function()
    five = cluster.start { nodes = #IDS, ids = IDS, roles = ROLES, proxied = true }
    standby, spare = five.nodes[4], five.nodes[5]
    await_standby(standby)
    await_standby(spare)
    five:assign(spare, "spare")
  end)
  teardown(cluster.stop_all)
  teardown(proxy.stop_all)

  before_each(function()
    leader, followers = five:leader(), {}
    for i = 1, 3 do
      local node = five.nodes[i]
      if node ~= leader then followers[#followers + 1] = node end
      node.proxy:reset()
    end
  end)
  after_each(close_all)

  local function counts()
    return { followers[1].proxy:count(), followers[2].proxy:count(), leader.proxy:count() }
  end

  -- Through the proxies.
  local function proxied(where, opts)
    opts = opts or {}
    opts.translate = five:translate()
    return assert(dqlite.cluster(where, opts))
  end

  -- Each follower so many times, and the leader exactly: on a busy machine it takes
  -- longer than the stagger to answer, and another node is asked as well.
  local function asked_at_most(most, of_leader)
    local found = counts()
    assert.equal(of_leader, found[3])
    assert.is_true(found[1] <= most and found[2] <= most, table.concat(found, " "))
  end

  describe("is found", function()
    it("by itself", function()
      local conn = leads_soon(function() return proxied(leader.address):connect() end)
      assert.equal(leader.proxy.address, conn.address)
      assert.same({ 0, 0, 1 }, counts())
    end)

    it("through a follower", function()
      assert.equal(leader.address, connects_soon(followers[1].address).address)
      leads_soon(function() return proxied(followers[2].address):connect() end)
      assert.same({ 0, 1, 1 }, counts())
    end)

    it("through a standby and a spare, which know no leader", function()
      assert.equal("", ask(standby.address, "LEADER").address)
      assert.equal(leader.address, connects_soon(standby.address).address)
      assert.equal("", ask(spare.address, "LEADER").address)
      assert.equal(leader.address, connects_soon(spare.address).address)
    end)

    if live.is_concurrent then
      it("through a node that joins while it is asked", function()
        local outsider = five:add_node()
        local known = proxied(outsider.address)
        local task = dqlite.spawn(function() return known:connect { timeout = 5 } end)
        eventually("it was asked again", function() return outsider.proxy:count() > 1 end)
        five:assign(outsider, "standby")
        leads(task:wait())
      end)
    end

    it("through a list", function()
      assert.equal(leader.address, connects_soon(five:addresses()).address)
      connects_soon { spare.address, followers[1].address }
    end)

    it("past an address that refuses", function()
      connects_soon { proxy.unused_address(), followers[1].address }
    end)

    it("past an address where nothing comes back", function()
      connects_soon { proxy.black_hole_address(), followers[1].address }
    end)

    it("past a node that accepts and says nothing", function()
      local silent = followers[2].proxy
      silent:black_hole()
      connects_soon { silent.address, followers[1].address }
      silent:pass()
      assert.equal(1, silent:count())
    end)

    it("by a host name that has addresses where nobody listens", function()
      connects_soon("localhost:" .. followers[1].address:match "%d+$")
    end)
  end)

  describe("of addresses that none was found at", function()
    it("is an error at once where there is one, which refuses", function()
      local address = proxy.unused_address()
      local err = fails_after(0, "connect", function() return dqlite.connect(address) end)
      has("refused", err)
      is_worth_another_try(err)
    end)

    it("is an error after connect_timeout where there is one, which is silent", function()
      local address = proxy.black_hole_address()
      is_worth_another_try(fails_after(0.2, "timeout", function()
        return dqlite.connect(address, { connect_timeout = 0.2 })
      end))
    end)

    it("is an error at the deadline, which tells of each", function()
      local list = { proxy.unused_address(), proxy.black_hole_address() }
      local err = fails_after(0.3, "no_leader", function()
        return dqlite.connect(list, { timeout = 0.3 })
      end)
      has(list[1] .. ": Connection refused", err)
      has(list[2] .. ": no answer", err)
      has("0 of 2 voters", err)
      is_worth_another_try(err)
    end)
  end)

  describe("that must not be dialled", function()
    local function is_refused(where, opts, address)
      local err = fails_after(0, "policy", function() return dqlite.connect(where, opts) end)
      has(address, err)
      assert.is_false(err.retryable)
      assert.is_false(err.ambiguous)
      assert.equal(0, leader.proxy:count())
      return err
    end

    it("is not, by a function's word", function()
      local forbidden, asked = leader.proxy.address, {}
      local err = is_refused(followers[1].address, {
        translate = five:translate(),
        redirect = function(address)
          asked[address] = true
          return address ~= forbidden, "as asked"
        end,
      }, forbidden)
      has("as asked", err)
      assert.is_true(asked[forbidden])
      assert.same({ 1, 0, 0 }, counts())
    end)

    it("is not, by a list", function()
      is_refused(followers[1].address, {
        translate = five:translate(),
        redirect = { followers[1].proxy.address, followers[2].proxy.address },
      }, leader.proxy.address)
      assert.same({ 1, 0, 0 }, counts())
    end)

    it("is not, nor anybody else, where this machine is forbidden", function()
      local dialled = 0
      local err = is_refused(followers[1].address, {
        redirect = dqlite.policy.safe(),
        dial = function() dialled = dialled + 1 end,
      }, followers[1].address)
      has("loopback", err)
      assert.equal(0, dialled)
    end)

    it("is not by one cluster object, and is by another", function()
      local strict = proxied(followers[1].address, { redirect = { followers[1].proxy.address } })
      live.fails("policy", strict:connect())
      leads(proxied(followers[1].address, { redirect = five:proxied_addresses() }):connect())
      leads(strict:connect { redirect = five:proxied_addresses() })
      assert.same({ 3, 0, 2 }, counts())
    end)
  end)

  describe("is dialled by the user's function", function()
    local dialled, deadlines

    local function dial(address, deadline)
      dialled[#dialled + 1], deadlines[#deadlines + 1] = address, deadline
      return in_loop.module().connect(address, deadline)
    end

    before_each(function() dialled, deadlines = {}, {} end)

    it("each address once", function()
      local now = in_loop.module().now()
      leads(dqlite.connect(followers[1].address, { dial = dial, connect_timeout = 1.5 }))
      assert.same({ followers[1].address, leader.address }, dialled)
      for _, deadline in ipairs(deadlines) do
        assert.is_true(deadline > now + 1 and deadline < now + 2)
      end
    end)

    it("or is not, for a reason, which is told", function()
      local function refuse(address)
        dialled[#dialled + 1] = address
        return nil, "no line to " .. address
      end
      local err = live.fails("connect", dqlite.connect(leader.address, { dial = refuse }))
      has("no line to " .. leader.address, err)
      assert.same({ leader.address }, dialled)
      err = live.fails("no_leader",
        dqlite.connect(five:addresses(), { dial = refuse, timeout = 0.2 }))
      for _, node in ipairs(five.nodes) do has("no line to " .. node.address, err) end
    end)

    it("or is not, for an error that it raises, which is told", function()
      local function fail() error("the cable is cut", 0) end
      has("the cable is cut",
        live.fails("connect", dqlite.connect(leader.address, { dial = fail })))
      local err = live.fails("no_leader",
        dqlite.connect(five:addresses(), { dial = fail, timeout = 0.2 }))
      has(followers[2].address .. ": the dial function raised: the cable is cut", err)
    end)

    it("or others are, past whom it cannot dial", function()
      local function choosy(address, deadline)
        if address == followers[1].address then return nil, "not that one" end
        return dial(address, deadline)
      end
      connects_soon({ followers[1].address, followers[2].address }, { dial = choosy })
      assert.same({ followers[2].address, leader.address }, dialled)
    end)

    it("or it is not looked for, where a node is to be reached directly", function()
      local conn, err = dqlite.connect(followers[1].address, { direct = true, dial = dial })
      if conn then
        leading.keep(conn)
        conn, err = conn:fetchval "SELECT 1"
      end
      live.fails("not_leader", conn, err)
      is_worth_another_try(err)
      assert.same({ followers[1].address }, dialled)
      leads(dqlite.connect(leader.address, { direct = true, dial = dial }))
      assert.same({ followers[1].address, leader.address }, dialled)
    end)
  end)

  describe("is found from a store", function()
    local place

    setup(function() place = scratch.new() end)
    teardown(function() place:close() end)

    -- Id and role by address.
    local function membership(list)
      local members = {}
      for _, node in ipairs(list) do members[node.address] = { node.id, node.role } end
      return members
    end

    local function real_membership()
      return membership(five.nodes)
    end

    it("in memory", function()
      connects_soon(dqlite.store.memory(five:addresses()))
      connects_soon(dqlite.store.memory { { address = followers[1].address, role = "voter" } })
    end)

    it("of the user's", function()
      local gets = 0
      local store = { get = function()
        gets = gets + 1
        return { followers[1].address, { address = followers[2].address } }
      end }
      connects_soon(store)
      assert.is_true(gets > 0)
      connects_soon(store, { refresh = true }) -- it has no `set`
    end)

    it("of the user's that fails, which is told", function()
      local function fail() error "the disk is gone" end
      has("the disk is gone", live.fails("value", dqlite.connect { get = fail }))
      live.fails("no_leader", dqlite.connect { get = function() return {} end })
    end)

    it("in a file", function()
      local path = place:fresh "yaml"
      assert(dqlite.store.yaml(path):set {
        { id = followers[1].id, address = followers[1].address, role = "voter" },
        { id = spare.id, address = spare.address, role = "spare" },
      })
      local before = dqlite.store.yaml(path):get()
      connects_soon(dqlite.store.yaml(path))
      assert.same(before, dqlite.store.yaml(path):get())
    end)

    it("that is told of the whole cluster if it is to be", function()
      local store = dqlite.store.memory { followers[1].address }
      connects_soon(store)
      assert.equal(1, #store:get())
      connects_soon(store, { refresh = true })
      assert.same(real_membership(), membership(store:get()))
    end)

    it("that is told through a node that names the leader, into its file", function()
      local path = place:fresh "yaml"
      assert(dqlite.store.yaml(path):set { { address = standby.address, role = "standby" } })
      connects_soon(dqlite.store.yaml(path), { refresh = true })
      assert.same(real_membership(), membership(dqlite.store.yaml(path):get()))
    end)
  end)

  describe("by a cluster object", function()
    it("is asked for a session alone once it is known", function()
      local known = proxied { followers[1].address, followers[2].address }
      for _ = 1, 5 do leads_soon(function() return known:connect() end) end
      asked_at_most(2, 5)
      leads(dqlite.connect(known))
      asked_at_most(2, 6)
    end)

    it("serves connections of several databases", function()
      local known = proxied(followers[1].address)
      local names = { live.database(), live.database() }
      local one = leads(known:connect { database = names[1] })
      local other = leads(known:connect { database = names[2] })
      assert(one:execute "CREATE TABLE t (a)")
      assert.equal(0, other:fetchval "SELECT count(*) FROM sqlite_schema")
      assert.equal(1, one:fetchval "SELECT count(*) FROM sqlite_schema")
      assert.same({ 1, 0, 2 }, counts())
    end)

    it("is not once that is closed, while its connections stay", function()
      local known = proxied(five:addresses())
      local conn = leads(known:connect())
      assert.is_true(known:close())
      raises("the cluster is closed", function() known:connect() end)
      raises("the cluster is closed", function() dqlite.connect(known) end)
      live.usable(conn)
    end)
  end)

  -- What runs at once shares a search.
  local function at_once(n, connect)
    local tasks = {}
    for i = 1, n do tasks[i] = dqlite.spawn(connect, i) end
    for i = 1, n do leads(tasks[i]:wait()) end
  end

  if live.is_concurrent then
    describe("is searched for once, by many coroutines", function()
      it("of one cluster object", function()
        -- The search asks the leader, too, when a follower has not answered within the
        -- stagger: on a busy machine that is tried again.
        for _ = 1, TRIES do
          for _, node in ipairs(five.nodes) do
            if node.proxy then node.proxy:reset() end
          end
          local known = proxied { followers[1].address, followers[2].address, leader.address }
          at_once(MANY, function() return known:connect() end)
          if counts()[3] == MANY then break end
          close_all()
        end
        asked_at_most(1, MANY)
      end)

      it("of one cluster object with one address", function()
        local known = proxied(followers[2].address)
        at_once(MANY, function() return known:connect() end)
        asked_at_most(1, MANY)
      end)

      it("of the same list", function()
        at_once(MANY, function()
          return dqlite.connect { followers[1].proxy.address, followers[2].proxy.address }
        end)
        asked_at_most(1, 0) -- who is not translated dials the leader itself
      end)

      it("of the same address", function()
        at_once(MANY, function() return dqlite.connect(followers[2].proxy.address) end)
        asked_at_most(1, 0)
      end)

      -- It is the one that begins the search.
      it("of whom one gives up early", function()
        local known = proxied(followers[1].address)
        followers[1].proxy:delay(0.1)
        local hasty = dqlite.spawn(function()
          return live.timed(function() return known:connect { timeout = 0.05 } end)
        end)
        at_once(10, function() return known:connect() end)
        followers[1].proxy:pass()
        local seconds, conn, err = hasty:wait()
        assert.is_nil(conn)
        is_worth_another_try(err)
        assert.is_true(seconds > 0.04 and seconds < 0.3)
        assert.equal(10, leader.proxy:count())
      end)
    end)
  end
end)
