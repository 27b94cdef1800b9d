-- What is tried again, what a store may do, and what leaves at once: behaviours 10, 12
-- and 13, and 11 as far as real time tells.
local dqlite = require "dqlite"
local loop = require "dqlite.loop.luv"
local scripted = require "spec.support.scripted"
local search_nodes = require "spec.support.search_nodes"

local node, follower, silent, refusing_address =
  search_nodes.node, search_nodes.follower, search_nodes.silent, search_nodes.refusing_address
local deaf_address, each_way, fails, reaches =
  search_nodes.deaf_address, search_nodes.each_way, search_nodes.fails, search_nodes.reaches
local timed, connects_to, count_requests =
  search_nodes.timed, search_nodes.connects_to, search_nodes.count_requests
local PROMPT = search_nodes.PROMPT
local WAYS = search_nodes.WAYS

search_nodes.describe("the search and the handshake", function()
  -- ---- 10 ----

  -- Answers a request of the handshake so once, and rightly from then on.
  local function once(self, name, frames)
    local answers = self.source.answers
    local right = answers[name]
    answers[name] = function(...)
      answers[name] = right
      return type(frames) == "function" and frames(...) or frames
    end
  end

  local WELCOME = scripted.frame("WELCOME", { heartbeat = 15000 })
  local TORN = {
    ["a hang-up in place of LEADER"] = { "LEADER", { "close" } },
    ["a hang-up in place of WELCOME"] = { "CLIENT", { "close" } },
    ["a hang-up in place of DB"] = { "OPEN", { "close" } },
    ["a torn WELCOME"] = { "CLIENT", { WELCOME:sub(1, 11), "close" } },
    ["a torn DB"] = { "OPEN", { scripted.frame("DB", {}):sub(1, 5), "close" } },
    ["a message of no kind"] = { "OPEN", { ("\1\0\0\0\99\0\0\0"):rep(2), "close" } },
    ["a reset"] = { "OPEN", function(_, peer)
      peer:reset()
      return {}
    end },
  }

  for name, torn in pairs(TORN) do
    each_way("behaviour 10: " .. name .. " is tried again", function(make)
      local leader = node()
      local other = follower(leader)
      once(leader, torn[1], torn[2])
      connects_to(leader, make { leader.address, other.address })
      assert.equal(2, count_requests(leader, "OPEN"))
    end)

    it("behaviour 10: " .. name .. " is tried again in a list of one", function()
      local leader = node()
      once(leader, torn[1], torn[2])
      connects_to(leader, WAYS[2].make { leader.address })
    end)
  end

  each_way("behaviour 10: an OPEN that the leader refuses is not", function(make)
    local leader = node()
    local other = follower(leader)
    leader.source.answers.OPEN = { scripted.failure(14, "unable to open database file") }
    dqlite.run(function()
      local seconds, conn, err = timed(make { other.address, leader.address })
      assert.equal(14, fails("sql", conn, err).code)
      assert.is_true(seconds < PROMPT, seconds)
    end)
    assert.equal(1, count_requests(leader, "OPEN"))
  end)

  each_way("behaviour 10: nor is a name that no database has", function(make)
    local leader, other = node(), node()
    local connect = make { leader.address, other.address }
    dqlite.run(function()
      for _, name in ipairs { "", ":memory:", "file:x", ("x"):rep(505), "a\0b" } do
        local seconds, conn, err = timed(connect, { database = name })
        fails("value", conn, err)
        assert.is_true(seconds < PROMPT, seconds)
      end
    end)
    assert.equal(0, count_requests(leader, "OPEN") + count_requests(other, "OPEN"))
  end)

  -- ---- 11 ----

  each_way("behaviour 11: the search ends at its deadline, whatever a node does", function(make)
    local deaf, hung, leaderless, unreachable = deaf_address(), silent(), follower "",
      refusing_address()
    local connect = make { deaf, hung.address, leaderless.address, unreachable }
    dqlite.run(function()
      local seconds, conn, err = timed(connect, { timeout = 0.3, connect_timeout = 5 })
      fails("no_leader", conn, err)
      assert.is_true(seconds >= 0.3 and seconds < 0.3 + PROMPT, seconds)
      assert.is_true(leaderless.asked > 3, leaderless.asked)
    end)
  end)

  -- ---- 12 ----

  -- A store that answers `lists` one after the other, and then never.
  local function hanging_store(lists)
    local asked = 0
    return {
      get = function()
        asked = asked + 1
        if lists and lists[asked] then return lists[asked] end
        coroutine.yield() -- to nobody who would resume it
      end,
    }
  end

  each_way("behaviour 12: a store that hangs is an error that says so", function(make)
    local connect = make(hanging_store())
    dqlite.run(function()
      local seconds, conn, err = timed(connect, { connect_timeout = 0.03, timeout = 10 })
      assert.matches("the store did not answer within 0.03 s", fails("timeout", conn, err).message)
      assert.is_true(seconds >= 0.03 and seconds < PROMPT, seconds)
    end)
  end)

  it("behaviour 12: beside a leader that is remembered it is done without", function()
    local leader = node()
    local cluster = assert(dqlite.cluster(hanging_store { { leader.address } },
      { connect_timeout = 0.03 }))
    dqlite.run(function()
      reaches(leader, cluster:connect())
      local seconds, conn, err = timed(cluster.connect, cluster)
      reaches(leader, conn, err)
      assert.is_true(seconds >= 0.03 and seconds < PROMPT, seconds)
    end)
  end)

  it("behaviour 12: so it is beside nodes that it named before", function()
    local leader = node()
    local old = follower(leader)
    local cluster = assert(dqlite.cluster(hanging_store { { old.address } },
      { connect_timeout = 0.03 }))
    leader.source.answers.TRANSFER = { scripted.frame("EMPTY", {}) }
    dqlite.run(function()
      reaches(leader, cluster:connect())
      assert(cluster:transfer "2")
      assert.equal("dqlite cluster (no leader known)", tostring(cluster))
      reaches(leader, cluster:connect())
      assert.is_true(old.asked >= 1)
    end)
  end)

  -- ---- 13 ----

  local luv_connect = loop.connect

  -- Dials, and counts the sends before the first answer was received.
  local function counting_dial(counts)
    return function(address, deadline)
      local stream, kind, reason = luv_connect(address, deadline)
      if not stream then return nil, kind, reason end
      local own = getmetatable(stream).__index
      local sends = 0
      function stream:send(...)
        sends = sends + 1
        return own.send(self, ...)
      end
      function stream:recv(...)
        counts[address] = counts[address] or sends
        return own.recv(self, ...)
      end
      return stream
    end
  end

  local function names(self)
    local list = {}
    for i, request in ipairs(self.source.sent) do list[i] = request.name end
    return table.concat(list, " ")
  end

  each_way("behaviour 13: version, LEADER, CLIENT and OPEN leave in one write", function(make)
    local leader, counts = node(), {}
    local other = follower(leader)
    dqlite.run(function()
      assert(make { other.address } { dial = counting_dial(counts) }):close()
    end)
    assert.same({ [other.address] = 1, [leader.address] = 1 }, counts)
    assert.matches("^HANDSHAKE LEADER CLIENT OPEN", names(leader))
    assert.matches("^HANDSHAKE LEADER CLIENT OPEN", names(other))
  end)
end)
