-- The search for the leader among real nodes that are frozen, dead, or electing one.
-- Needs no DQLITE_SERVERS.

local ask = require "spec.support.ask"
local cluster = require "spec.support.cluster"
local dqlite = require "dqlite"
local eventually = require "spec.support.eventually"
local leading = require "spec.support.leading"
local live = require "spec.support.live"
local proxy = require "spec.support.proxy"

local close_all, leads, leads_soon = leading.close_all, leading.leads, leading.leads_soon
local connects_soon, fails_after, has = leading.connects_soon, leading.fails_after, leading.has
local is_worth_another_try = leading.is_worth_another_try

describe("the leader of a cluster in trouble", function()
  local three

  setup(function() three = cluster.start() end)
  teardown(cluster.stop_all)
  teardown(proxy.stop_all)
  after_each(close_all)

  local function settle()
    eventually("all nodes name the leader", function()
      local leader = three:leader().address
      for _, node in ipairs(three.nodes) do
        local answer = ask(node.address, "LEADER")
        if not answer or answer.address ~= leader then return false end
      end
      return true
    end)
  end

  it("is found past the old one, which is frozen", function()
    local known = assert(dqlite.cluster(three:addresses()))
    local old, followers = three:leader(), three:followers()
    leads(known:connect())
    old:freeze()
    local new = three:wait_for_leader(old)
    for _, where in ipairs {
      three:addresses(),
      followers[1].address,
      followers[2].address,
      { old.address, followers[1].address, followers[2].address },
      { old.address, (new == followers[1] and followers[2] or followers[1]).address },
      known, -- which takes the frozen one for the leader
    } do
      assert.equal(new.address, connects_soon(where).address)
    end
    old:thaw()
    settle()
  end)

  it("is waited for while it is being elected", function()
    local known = assert(dqlite.cluster(three:addresses()))
    local old, follower = three:leader(), three:followers()[1]
    leads(known:connect())
    old:kill()
    local seconds, conn, err = live.timed(function()
      return dqlite.connect { old.address, follower.address }
    end)
    leads(conn, err)
    assert.is_true(seconds < 5, ("it took %.3f s"):format(seconds))
    assert.not_equal(old.address, conn.address)
    assert.equal(conn.address, leads_soon(function() return known:connect() end).address)
    old:restart()
    settle()
  end)

  -- Of all three addresses.
  local function tells_of_the_dead(err, dead)
    for _, node in ipairs(three.nodes) do
      has(node.address .. (dead[node] and ": Connection refused" or ": "), err)
    end
    is_worth_another_try(err)
  end

  it("is not found by a lone survivor", function()
    local leader, followers = three:leader(), three:followers()
    local dead = { [leader] = true, [followers[1]] = true }
    leader:kill()
    followers[1]:kill()
    for _, where in ipairs { followers[2].address, three:addresses() } do
      local err = fails_after(0.6, "no_leader", function()
        return dqlite.connect(where, { timeout = 0.6 })
      end)
      has("the quorum is missing: 1 of 3 voters", err)
      tells_of_the_dead(err, dead)
    end
  end)

  it("is not found where nobody lives", function()
    local dead = {}
    for _, node in ipairs(three.nodes) do
      node:kill()
      dead[node] = true
    end
    local err = fails_after(0.5, "no_leader", function()
      return dqlite.connect(three:addresses(), { timeout = 0.5 })
    end)
    has("the quorum is missing: 0 of 3 voters", err)
    tells_of_the_dead(err, dead)
    fails_after(0, "connect", function() return dqlite.connect(three.nodes[1].address) end)
  end)
end)
