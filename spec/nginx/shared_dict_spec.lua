-- What all workers know of the leader, by a lua_shared_dict.
local cluster = require "spec.support.cluster"
local eventually = require "spec.support.eventually"
local nginx = require "spec.support.nginx"
local nginx_cluster = require "spec.support.nginx_cluster"
local nginx_inside = require "spec.support.nginx_inside"

describe("what the workers know of the leader", function()
  local three, server, conns, insides

  setup(function()
    three = cluster.start { cuttable = true }
    server = nginx.start(nginx_inside.options(nginx_cluster.options(three, {
      http = "lua_shared_dict leaders 1m;",
      lua = { spec_shared = [[
        return assert(require "dqlite".create_pool(require "spec_where",
          { shared_dict = "leaders" }))]] },
    })))
    conns, insides = {}, {}
    for i, pid in ipairs(server:workers()) do
      conns[i] = server:connection(pid)
      insides[i] = nginx_inside.of(server, conns[i])
    end
  end)
  teardown(function()
    for _, conn in ipairs(conns or {}) do conn:close() end
    local errors = server and server:errors()
    nginx_cluster.stop_all()
    assert.same({}, errors)
  end)

  local ASK = "return require 'spec_shared':fetchval 'SELECT 1'"

  local function counts()
    local leader, others = 0, 0
    for _, node in ipairs(three.nodes) do
      if node == three:leader() then
        leader = leader + node.proxy:count()
      else
        others = others + node.proxy:count()
      end
    end
    return leader, others
  end

  local function reset()
    for _, node in ipairs(three.nodes) do node.proxy:reset() end
  end

  it("the other learns by the shared dictionary, and asks nobody", function()
    assert.equal(1, insides[1](ASK))
    reset()
    assert.equal(1, insides[2](ASK))
    assert.same({ 1, 0 }, { counts() })
  end)

  it("needs the dictionary, and says what to add", function()
    local text = insides[1] [[
      return raises(function() dqlite.create_pool(where, { shared_dict = "nowhere" }) end)]]
    assert.matches("^inside:1: option 'shared_dict'", text)
    assert.matches("lua_shared_dict nowhere 1m;", text, 1, true)
  end)

  it("changes when the leader does: sockets that are kept to the old one rest", function()
    for _, inside in ipairs(insides) do assert.equal(1, inside(ASK)) end
    local old, target = three:leader(), three:followers()[1]
    insides[1](([[
      local cluster = assert(dqlite.cluster(where))
      assert(cluster:transfer "%s")]]):format(target.id))
    eventually("it leads", function() return three:leader() == target end)
    for _, inside in ipairs(insides) do assert.equal(1, inside(ASK)) end
    for _, inside in ipairs(insides) do
      for i = 1, 5 do
        local address, value, tries = inside(([[
          local pool = require "spec_shared"
          local before = pool:stats().retries
          local address = pool:with(function(conn)
            assert(conn:ping())
            return conn.address
          end)
          return address, pool:fetchval "SELECT %d", pool:stats().retries - before]]):format(i))
        assert.same({ target.address, i, 0 }, { address, value, tries })
      end
    end
    assert.not_equal(old, three:leader())
  end)
end)
