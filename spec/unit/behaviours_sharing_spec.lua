-- What searches share, and what is remembered of the leader: behaviours 7 to 9.
local dqlite = require "dqlite"
local handles = require "spec.support.handles"
local scripted = require "spec.support.scripted"
local search_nodes = require "spec.support.search_nodes"
local till = require "spec.support.till"

local says, node, follower, refusing_address =
  search_nodes.says, search_nodes.node, search_nodes.follower, search_nodes.refusing_address
local each_way, fails, reaches, timed =
  search_nodes.each_way, search_nodes.fails, search_nodes.reaches, search_nodes.timed
local PROMPT = search_nodes.PROMPT

search_nodes.describe("a search that is shared", function()
  -- ---- 7 ----

  each_way("behaviour 7: callers at once share a search", function(make)
    local leader = node()
    local other = follower(leader)
    local connect = make { other.address }
    dqlite.run(function()
      local tasks = {}
      for i = 1, 12 do tasks[i] = dqlite.spawn(connect) end
      for i = 1, 12 do reaches(leader, tasks[i]:wait()) end
    end)
    assert.same({ 1, 1 }, { other.asked, other.accepted })
    assert.equal(12, leader.accepted)
  end)

  each_way("behaviour 7: one that times out leaves the search to the others", function(make)
    local leader = follower ""
    local connect = make { leader.address }
    dqlite.run(function()
      local hasty = dqlite.spawn(connect, { timeout = 0.03 })
      local patient = dqlite.spawn(connect)
      fails("no_leader", hasty:wait())
      local accepted = leader.accepted
      says(leader, leader.address)
      reaches(leader, patient:wait())
      assert.equal(accepted + 1, leader.accepted) -- for the session, and no probe anew
    end)
  end)

  local close = rawget(coroutine, "close")
  if close then
    local function begun(connect)
      local thread = coroutine.create(connect)
      assert(coroutine.resume(thread))
      return thread
    end

    each_way("behaviour 7: one that is closed leaves the search to the others", function(make)
      local leader = follower ""
      local connect = make { leader.address }
      dqlite.run(function()
        local first = begun(connect)
        local second = dqlite.spawn(connect)
        till(function() return leader.asked >= 2 end)
        assert(close(first))
        local accepted = leader.accepted
        says(leader, leader.address)
        reaches(leader, second:wait())
        assert.equal(accepted + 1, leader.accepted)
      end)
    end)

    each_way("behaviour 7: one that is closed while it is alone ends the search", function(make)
      local leader = follower ""
      local connect = make { leader.address }
      dqlite.run(function()
        local first = begun(connect)
        till(function() return leader.asked >= 2 end)
        assert(close(first))
        till(function() return leader.peers == 0 end)
        assert.equal(0, handles.count "poll")
        says(leader, leader.address)
        reaches(leader, connect())
      end)
    end)
  end

  each_way("behaviour 7: a failure is not remembered", function(make)
    local leader = follower ""
    local connect = make { leader.address, refusing_address() }
    dqlite.run(function()
      for _ = 1, 2 do
        local accepted = leader.accepted
        fails("no_leader", connect { timeout = 0.03 })
        assert.is_true(leader.accepted > accepted)
      end
      says(leader, leader.address)
      reaches(leader, connect())
    end)
  end)

  it("behaviour 7: nobody gets past a policy of its own by what another has found", function()
    local leader = node()
    local cluster = assert(dqlite.cluster { leader.address })
    dqlite.run(function()
      local free = dqlite.spawn(function() return cluster:connect() end)
      local bound = dqlite.spawn(function()
        return cluster:connect { redirect = { "127.0.0.1:1" } }
      end)
      reaches(leader, free:wait())
      fails("policy", bound:wait())
      bound = dqlite.spawn(function()
        return cluster:connect { redirect = { "127.0.0.1:1" } }
      end)
      fails("policy", bound:wait())
    end)
  end)

  -- ---- 8 ----

  local function knows(cluster, leader)
    local expected = leader and "leader " .. leader.address or "no leader known"
    assert.equal(("dqlite cluster (%s)"):format(expected), tostring(cluster))
  end

  local function of_three()
    local leader = node()
    local second, third = follower(leader), follower(leader)
    return leader, second, third,
      assert(dqlite.cluster { second.address, third.address, leader.address })
  end

  it("behaviour 8: a remembered leader that hangs up is searched for", function()
    local old, new, third, cluster = of_three()
    dqlite.run(function()
      reaches(old, cluster:connect())
      knows(cluster, old)
      old.source.answers.LEADER = { "close" }
      says(new, new.address)
      says(third, new.address)
      reaches(new, cluster:connect())
      knows(cluster, new)
    end)
  end)

  it("behaviour 8: so is one that leads no more", function()
    local old, new, third, cluster = of_three()
    dqlite.run(function()
      reaches(old, cluster:connect())
      for _, each in ipairs { old, new, third } do says(each, new.address) end
      third.asked = 0
      reaches(new, cluster:connect())
      assert.equal(0, third.asked) -- the old one has said so
      knows(cluster, new)
    end)
  end)

  it("behaviour 8: so is one that hangs", function()
    local old, new, third, cluster = of_three()
    dqlite.run(function()
      reaches(old, cluster:connect())
      old.source.answers.LEADER = {}
      for _, each in ipairs { new, third } do says(each, new.address) end
      local seconds, conn = timed(cluster.connect, cluster)
      assert.is_true(seconds < PROMPT, seconds)
      reaches(new, conn)
    end)
  end)

  local READS = {
    leader = {}, nodes = {}, describe = {}, dump = { "default" },
  }
  local CHANGES = {
    add = { { id = "4", address = "127.0.0.1:9004" } }, assign = { "2", "voter" },
    remove = { "2" }, transfer = { "2" },
  }

  local function administer(leader)
    local answers, done = leader.source.answers, { scripted.frame("EMPTY", {}) }
    for _, name in ipairs { "ADD", "ASSIGN", "REMOVE", "TRANSFER" } do answers[name] = done end
    answers.DESCRIBE = { scripted.frame("METADATA", { failure_domain = 1, weight = 2 }) }
    answers.DUMP = { scripted.frame("FILES",
      { files = { { name = "default", content = ("x"):rep(4096) } } }) }
  end

  local unpack = table.unpack or rawget(_G, "unpack")

  for name, args in pairs(READS) do
    it("behaviour 8: the leader is remembered after " .. name, function()
      local leader, _, _, cluster = of_three()
      administer(leader)
      dqlite.run(function()
        reaches(leader, cluster:connect())
        assert(cluster[name](cluster, unpack(args)))
        knows(cluster, leader)
      end)
    end)
  end

  for name, args in pairs(CHANGES) do
    it("behaviour 8: the leader is forgotten after " .. name, function()
      local leader, second, third, cluster = of_three()
      administer(leader)
      dqlite.run(function()
        reaches(leader, cluster:connect())
        assert(cluster[name](cluster, unpack(args)))
        knows(cluster, nil)
        for _, each in ipairs { leader, second, third } do says(each, second.address) end
        reaches(second, cluster:connect())
      end)
    end)

    it("behaviour 8: also when " .. name .. " fails", function()
      local leader, _, _, cluster = of_three()
      leader.source.answers[name:upper()] = { scripted.failure(1, "no") }
      dqlite.run(function()
        reaches(leader, cluster:connect())
        fails("sql", cluster[name](cluster, unpack(args)))
        knows(cluster, nil)
      end)
    end)
  end

  -- ---- 9 ----

  it("behaviour 9: a leader that could not be reached is not remembered", function()
    local old, second, third, cluster = of_three()
    dqlite.run(function()
      reaches(old, cluster:connect())
      old.source.answers.LEADER = { "close" }
      for _, each in ipairs { second, third } do says(each, "") end
      fails("no_leader", cluster:connect { timeout = 0.05 })
      knows(cluster, nil)
    end)
  end)

  it("behaviour 9: nor is one whose connection was lost", function()
    local leader, second, _, cluster = of_three()
    dqlite.run(function()
      local conn = assert(cluster:connect())
      leader.source:on("SELECT 2", { "close" })
      fails("closed", conn:fetchval "SELECT 2")
      knows(cluster, nil)
      for _, each in ipairs(search_nodes.all()) do says(each, second.address) end
      reaches(second, cluster:connect())
    end)
  end)

  it("behaviour 9: nor is one whose idle connection has ended", function()
    local leader, _, _, cluster = of_three()
    dqlite.run(function()
      local conn = assert(cluster:connect())
      leader:peer():close()
      dqlite.sleep(0.01) -- what was used just now is not looked at
      fails("closed", conn:fetchval "SELECT 2")
      knows(cluster, nil)
    end)
  end)

  it("behaviour 9: nor is one that has said it leads no more", function()
    local leader, _, _, cluster = of_three()
    dqlite.run(function()
      local conn = assert(cluster:connect())
      leader.source:on("DELETE FROM t", { scripted.failure(10250, "not leader") })
      fails("not_leader", conn:execute "DELETE FROM t")
      knows(cluster, nil)
    end)
  end)
end)
