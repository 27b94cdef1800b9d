-- Whom a search asks first, and how many at once.
local dqlite = require "dqlite"
local search_nodes = require "spec.support.search_nodes"

local node, silent = search_nodes.node, search_nodes.silent
local fails, reaches = search_nodes.fails, search_nodes.reaches

local function stored(list)
  return dqlite.store.memory(list)
end

search_nodes.describe("a search", function()
  it("asks voters first, then those whose role is not known, standbys, spares", function()
    local spare, standby, unknown, voter = silent(), silent(), silent(), node()
    local cluster = assert(dqlite.cluster(stored {
      { address = spare.address, role = "spare" },
      { address = standby.address, role = "standby" },
      unknown.address,
      { address = voter.address, role = "voter" },
    }))
    dqlite.run(function() reaches(voter, cluster:connect()) end)
    assert.same({ 0, 0, 0 }, { spare.accepted, standby.accepted, unknown.accepted })
  end)

  it("goes on to the others in that order", function()
    local order = {}
    local function mute(name)
      local self = silent()
      self.source.answers.LEADER = function()
        order[#order + 1] = name
        return {}
      end
      return self.address
    end
    local cluster = assert(dqlite.cluster(stored {
      { address = mute "spare", role = "spare" },
      { address = mute "standby", role = "standby" },
      mute "unknown",
      { address = mute "voter", role = "voter" },
    }))
    dqlite.run(function() fails("no_leader", cluster:connect { timeout = 0.3 }) end)
    assert.same({ "voter", "unknown", "standby", "spare" }, order)
  end)

  it("is done without where there is one node, which leads", function()
    local alone = node()
    dqlite.run(function()
      for _ = 1, 3 do reaches(alone, dqlite.connect(alone.address)) end
    end)
    assert.same({ 3, 3 }, { alone.asked, alone.accepted })
  end)

  it("begins with what that one has answered, and does not ask it again", function()
    local leader = node()
    local alone = search_nodes.follower(leader)
    dqlite.run(function() reaches(leader, dqlite.connect(alone.address)) end)
    assert.same({ 1, 1, 1 }, { alone.asked, alone.accepted, leader.accepted })
  end)

  it("is done without again once that one leads, by each for himself", function()
    local alone = node()
    dqlite.run(function()
      local tasks = {}
      for i = 1, 4 do
        tasks[i] = dqlite.spawn(function() reaches(alone, dqlite.connect(alone.address)) end)
      end
      for i = 1, 4 do tasks[i]:wait() end
    end)
    assert.same({ 4, 4 }, { alone.asked, alone.accepted })
  end)

  it("asks ten nodes at once, and the next when one of them has failed", function()
    local list, asked = {}, 0
    for i = 1, 13 do
      local self = silent()
      self.source.answers.LEADER = function()
        asked = asked + 1
        return {}
      end
      list[i] = self.address
    end
    dqlite.run(function()
      fails("no_leader", dqlite.connect(list, { timeout = 0.6 }))
      assert.equal(10, asked)
      asked = 0
      fails("no_leader", dqlite.connect(list, { timeout = 0.6, connect_timeout = 0.4 }))
      assert.is_true(asked >= 13, asked)
    end)
  end)
end)
