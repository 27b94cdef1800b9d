-- The search on a clock that only moves when told: the pauses of behaviour 11, and 3 and 13 as
-- far as a script tells.
local dqlite = require "dqlite"
local scripted = require "spec.support.scripted"
local search_nodes = require "spec.support.search_nodes"

local fails, WAYS = search_nodes.fails, search_nodes.WAYS

local LIST = { "127.0.0.1:9001", "127.0.0.1:9002", "127.0.0.1:9003" }

local NO_LEADER = { scripted.frame("SERVER", { id = "0", address = "" }) }

local function scripted_ways(title, body)
  for _, way in ipairs(WAYS) do
    it(title .. ", by " .. way.name, function()
      local server = scripted.server()
      body(server, way.name == "a cluster" and function(where, opts)
        return assert(dqlite.cluster(where, { loop = server.loop })):connect(opts)
      end or function(where, opts)
        opts.loop = server.loop
        return dqlite.connect(where, opts)
      end)
    end)
  end
end

-- The pauses between the times of a list: the longest, and how many differ.
local function pauses(times)
  local longest, kinds, seen = 0, 0, {}
  for i = 2, #times do
    local key = ("%.6f"):format(times[i] - times[i - 1])
    if not seen[key] then kinds = kinds + 1 end
    seen[key], longest = true, math.max(longest, times[i] - times[i - 1])
  end
  return longest, kinds
end

describe("the search on a clock of its own", function()
  scripted_ways("behaviour 3: an id without an address is none", function(server, connect)
    server.answers.LEADER = { scripted.frame("SERVER", { id = "7", address = "" }) }
    for _, where in ipairs { LIST, LIST[1] } do
      local err = fails("no_leader", connect(where, { timeout = 2 }))
      assert.matches("the node knows no leader", err.message)
      assert.is_true(err.retryable)
    end
  end)

  scripted_ways("behaviour 11: ends exactly at its deadline", function(server, connect)
    server.answers.LEADER = NO_LEADER
    for _, where in ipairs { LIST, LIST[1], { LIST[1] } } do
      local began = server.time
      fails("no_leader", connect(where, { timeout = 7 }))
      assert.is_true(math.abs(server.time - began - 7) < 1e-6, server.time - began)
    end
  end)

  scripted_ways("behaviour 11: pauses are short, and no two alike", function(server, connect)
    local times = {}
    server.answers.LEADER = function()
      times[#times + 1] = server.time
      return NO_LEADER
    end
    fails("no_leader", connect(LIST[1], { timeout = 120 }))
    local longest, kinds = pauses(times)
    assert.is_true(longest <= 1, longest)
    assert.is_true(#times > 120 and #times < 2400, #times)
    assert.is_true(kinds > #times / 2, kinds)
  end)

  -- What the pause adds to an election is lost to a program that waits to write.
  scripted_ways("asks more often as long as a quick election may take", function(server, connect)
    local early, late, began = {}, {}, server.time
    server.answers.LEADER = function()
      local list = server.time - began < 5 and early or late
      list[#list + 1] = server.time
      return NO_LEADER
    end
    fails("no_leader", connect(LIST[1], { timeout = 15 }))
    assert.is_true(pauses(early) < 0.04, (pauses(early)))
    assert.is_true(#early < 250 and #late < 110, #early .. " and " .. #late)
    local likely = {} -- from one second on followers stand for election
    for _, time in ipairs(early) do
      if time - began > 1 and time - began < 2 then likely[#likely + 1] = time end
    end
    assert.is_true(pauses(likely) < 0.015, (pauses(likely)))
  end)

  scripted_ways("behaviour 11: also with nodes that cannot be reached", function(server, connect)
    local times = {}
    server.loop.connect = function(address)
      times[address] = times[address] or {}
      table.insert(times[address], server.time)
      return nil, "connect", "Connection refused"
    end
    fails("no_leader", connect(LIST, { timeout = 120 }))
    for _, address in ipairs(LIST) do
      local longest, kinds = pauses(times[address])
      assert.is_true(longest <= 1, longest)
      assert.is_true(#times[address] > 120 and #times[address] < 2400)
      assert.is_true(kinds > #times[address] / 2, kinds)
    end
  end)

  scripted_ways("behaviour 13: the first write has the opening", function(server, connect)
    assert(connect(LIST, { database = "shop" }))
    assert.equal(1, #server.writes)
    local list = {}
    for i, request in ipairs(server.sent) do list[i] = request.name end
    assert.matches("^HANDSHAKE LEADER CLIENT OPEN", table.concat(list, " "))
    assert.equal("shop", server.sent[4].database)
  end)
end)
