-- The search for the leader among several nodes, on real sockets, as a caller sees it:
-- behaviours 1 to 6.
local dqlite = require "dqlite"
local handles = require "spec.support.handles"
local loop = require "dqlite.loop.luv"
local scripted = require "spec.support.scripted"
local search_nodes = require "spec.support.search_nodes"
local till = require "spec.support.till"

local says, node, follower, silent =
  search_nodes.says, search_nodes.node, search_nodes.follower, search_nodes.silent
local refusing_address, deaf_address = search_nodes.refusing_address, search_nodes.deaf_address
local each_way, fails = search_nodes.each_way, search_nodes.fails
local reaches, timed, connects_to, count_requests =
  search_nodes.reaches, search_nodes.timed, search_nodes.connects_to, search_nodes.count_requests
local PROMPT = search_nodes.PROMPT

search_nodes.describe("the search for the leader", function()
  -- ---- 1 ----

  each_way("behaviour 1: nodes that hang hold nobody up, and are hung up on", function(make)
    local first, second, leader = silent(), silent(), node()
    local connect = make { first.address, second.address, leader.address }
    dqlite.run(function()
      local seconds, conn = timed(connect)
      assert.equal(leader.address, conn.address)
      assert.is_true(seconds < PROMPT, seconds)
      assert.equal(1, handles.count "poll")
      till(function() return first.peers + second.peers == 0 end)
      assert.same({ 1, 1 }, { first.accepted, second.accepted })
      assert.equal(1, conn:fetchval "SELECT 1")
      conn:close()
    end)
  end)

  each_way("behaviour 1: so are those that do not even accept", function(make)
    local deaf, leader = deaf_address(), node()
    local connect = make { deaf, leader.address }
    dqlite.run(function()
      local seconds, conn = timed(connect)
      assert.equal(leader.address, conn.address)
      assert.is_true(seconds < PROMPT, seconds)
      assert.equal(1, handles.count "poll")
      conn:close()
    end)
  end)

  each_way("behaviour 1: a node that hangs when it is asked again is hung up on", function(make)
    local mute, leader = follower "", node()
    says(leader, "")
    mute.source.answers.CLUSTER = function()
      says(leader, leader.address)
      return {}
    end
    local connect = make { mute.address, leader.address }
    dqlite.run(function()
      local seconds, conn = timed(connect)
      assert.equal(leader.address, conn.address)
      assert.is_true(seconds < PROMPT, seconds)
      assert.equal(1, handles.count "poll")
      till(function() return mute.peers == 0 end)
      conn:close()
    end)
  end)

  each_way("behaviour 1: what a user's dial brings too late is closed", function(make)
    local late, leader = node(), node()
    local connect = make { late.address, leader.address }
    dqlite.run(function()
      local over = loop.cond()
      local function dial(address, deadline)
        if address == late.address then over:wait() end
        return loop.connect(address, deadline)
      end
      local conn = assert(connect { dial = dial })
      assert.equal(leader.address, conn.address)
      over:signal()
      till(function() return late.accepted == 1 and late.peers == 0 end)
      assert.equal(0, count_requests(late, "OPEN"))
      conn:close()
    end)
  end)

  -- ---- 2 ----

  each_way("behaviour 2: a node that is named and does not name itself is a miss", function(make)
    local stale, leader = follower "", node()
    local misled = follower(stale)
    connects_to(leader, make { misled.address, leader.address })
    assert.is_true(misled.asked >= 1 and stale.asked >= 1)
  end)

  each_way("behaviour 2: also when it names the one that has named it", function(make)
    local stale, leader = node(), node()
    local misled = follower(stale)
    says(stale, misled.address)
    connects_to(leader, make { misled.address, stale.address, leader.address })
  end)

  each_way("behaviour 2: the one that named it is asked again", function(make)
    local leader, stale = node(), node()
    local misled = follower(stale)
    local frame = scripted.frame("SERVER", { id = "0", address = "" })
    stale.source.answers.LEADER = function()
      says(misled, leader.address)
      return { frame }
    end
    connects_to(leader, make(misled.address))
  end)

  -- ---- 3 ----

  each_way("behaviour 3: an id without an address is no leader", function(make)
    local unsure, leader = node(), node()
    says(unsure, "", "7")
    connects_to(leader, make { unsure.address, leader.address })
    assert.is_true(unsure.asked >= 1)
  end)

  each_way("behaviour 3: an address without an id is one node's mistake", function(make)
    local named, broken, leader = node(), node(), node()
    says(broken, named.address, "0")
    connects_to(leader, make { broken.address, leader.address })
    assert.is_true(broken.asked >= 1)
    assert.equal(0, named.accepted)
  end)

  each_way("behaviour 3: and the error of that node alone", function(make)
    local broken = node()
    says(broken, broken.address, "0")
    dqlite.run(function()
      local seconds, conn, err = timed(make(broken.address))
      fails("protocol", conn, err)
      assert.is_true(seconds < PROMPT, seconds)
    end)
    assert.equal(1, broken.accepted)
  end)

  -- ---- 4 ----

  local function policy()
    local self = { asked = {}, refuses = {} }
    function self.ask(address)
      self.asked[#self.asked + 1] = address
      return not self.refuses[address], "it is not ours"
    end
    return self
  end

  each_way("behaviour 4: the policy is asked for a leader that names itself", function(make)
    local leader, rules = node(), policy()
    local connect = make(leader.address)
    dqlite.run(function()
      assert(connect { redirect = rules.ask }):close()
      assert.same({ leader.address }, rules.asked)
      rules.refuses[leader.address] = true
      local seconds, conn, err = timed(connect, { redirect = rules.ask })
      assert.matches("it is not ours", fails("policy", conn, err).message)
      assert.is_false(err.retryable)
      assert.is_true(seconds < PROMPT, seconds)
    end)
    assert.same({ leader.address, leader.address }, rules.asked)
    assert.equal(1, leader.accepted)
  end)

  it("behaviour 4: the policy is asked for the leader that is remembered", function()
    local leader, rules = node(), policy()
    local other = follower(leader)
    local cluster = assert(dqlite.cluster({ other.address, leader.address },
      { redirect = rules.ask }))
    dqlite.run(function()
      reaches(leader, cluster:connect())
      rules.asked, rules.refuses[leader.address], other.asked = {}, true, 0
      local seconds, conn, err = timed(cluster.connect, cluster)
      fails("policy", conn, err)
      assert.is_true(seconds < PROMPT, seconds)
    end)
    assert.equal(leader.address, rules.asked[1])
    assert.same({ 1, 1 }, { leader.accepted, other.asked })
  end)

  each_way("behaviour 4: a leader that is refused is not asked for again", function(make)
    local leader, rules = node(), policy()
    local other = follower(leader)
    rules.refuses[leader.address] = true
    dqlite.run(function()
      local seconds, conn, err = timed(make { other.address }, { redirect = rules.ask })
      fails("policy", conn, err)
      assert.is_true(seconds < PROMPT, seconds)
    end)
    assert.same({ other.address, leader.address }, rules.asked)
    assert.same({ 0, 1 }, { leader.accepted, other.asked })
  end)

  each_way("behaviour 4: a refusal does not stand in another leader's way", function(make)
    local leader, refused, rules = node(), node(), policy()
    local misled = follower(refused)
    rules.refuses[refused.address] = true
    connects_to(leader, make { misled.address, leader.address }, { redirect = rules.ask })
    assert.equal(0, refused.accepted)
  end)

  -- ---- 5 ----

  local MALFORMED = {
    garbage = "garbage", blank = "a b:9001", ["no port"] = "127.0.0.1:",
    ["port 0"] = "127.0.0.1:0", ["port 65536"] = "127.0.0.1:65536", ["no host"] = ":9001",
    ["no path"] = "/", ["no abstract name"] = "@", ["half of brackets"] = "[::1:9001",
    controls = "127.0.0.1:9001\r\n\27[2J", bidi = "\226\128\174:9001", bytes = "\255\254:9001",
    long = ("x"):rep(65536), ["long with a port"] = ("x"):rep(65536) .. ":9001",
  }

  for name, address in pairs(MALFORMED) do
    each_way("behaviour 5: " .. name .. " for a leader does not end the search", function(make)
      local leader = node()
      local liar = follower(address)
      connects_to(leader, make { liar.address, leader.address })
      assert.is_true(liar.asked >= 1)
    end)
  end

  each_way("behaviour 5: a node alone that has named such one is asked again", function(make)
    local leader, asked = node(), 0
    local liar = follower ""
    liar.source.answers.LEADER = function()
      asked = asked + 1
      local address = asked == 1 and MALFORMED.controls or leader.address
      return { scripted.frame("SERVER", { id = "1", address = address }) }
    end
    connects_to(leader, make(liar.address))
  end)

  -- ---- 6 ----

  each_way("behaviour 6: addresses that refuse connections fall through", function(make)
    local leader = node()
    connects_to(leader, make { refusing_address(), leader.address })
    connects_to(leader, make { refusing_address(), refusing_address(), leader.address })
  end)

  each_way("behaviour 6: so does a follower's leader that refuses them", function(make)
    local leader = node()
    local misled = follower(refusing_address())
    connects_to(leader, make { misled.address, leader.address })
  end)
end)
