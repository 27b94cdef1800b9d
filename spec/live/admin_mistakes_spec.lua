-- Mistakes in the administration of a cluster: refused before anything is dialled.
-- Needs no DQLITE_SERVERS.

local cluster = require "spec.support.cluster"
local dqlite = require "dqlite"
local live = require "spec.support.live"
local proxy = require "spec.support.proxy"
local raises = require "spec.support.raises"
local roles = require "spec.support.roles"

local NOWHERE = "127.0.0.1:1" -- nobody listens there

describe("a mistake in the administration", function()
  local alone, front, object

  setup(function()
    alone = cluster.start { nodes = 1, proxied = true }
    front = alone.nodes[1].proxy
  end)
  teardown(cluster.stop_all)
  teardown(proxy.stop_all)
  before_each(function()
    front:reset()
    object = assert(dqlite.cluster(front.address, { translate = alone:translate() }))
  end)
  -- Nobody was dialled, and the object is as good as before.
  after_each(function()
    assert.equal(0, front:count())
    assert.equal("1", object:leader().id)
    assert.same({ ["1"] = "voter" }, roles.seen_by(object))
  end)

  local NO_IDS = { 0, "0", -1, 1.5, "abc", "", "-1", "1.5", "01", "+1", " 1", "0x1", 2 ^ 64,
    "18446744073709551616", 1e300, 0 / 0, 1 / 0, true, {}, print }

  it("is an id that is none", function()
    for _, id in ipairs(NO_IDS) do
      local node = { id = id, address = NOWHERE }
      raises("%f[%w]id%f[%W]", function() object:remove(id) end)
      raises("%f[%w]id%f[%W]", function() object:transfer(id) end)
      raises("%f[%w]id%f[%W]", function() object:assign(id, "voter") end)
      raises("%f[%w]id%f[%W]", function() object:add(node) end)
    end
  end)

  it("is an id that is missing", function()
    raises("%f[%w]id%f[%W]", function() object:remove() end)
    raises("%f[%w]id%f[%W]", function() object:transfer() end)
    raises("%f[%w]id%f[%W]", function() object:assign(nil, "voter") end)
    raises("%f[%w]id%f[%W]", function() object:add { address = NOWHERE } end)
  end)

  it("is an id of zero that only LuaJIT has", function()
    local zero = rawget(_G, "jit") and load "return 0ULL"() or 0
    local negative = rawget(_G, "jit") and load "return -1LL"() or -1
    raises("no node", function() object:remove(zero) end)
    raises("%f[%w]id%f[%W]", function() object:remove(negative) end)
  end)

  it("is a role that is none", function()
    for _, role in ipairs { 0, 1, 2, 3, "0", "", "Voter", "leader", "voter ", true, {} } do
      local node = { id = "4", address = NOWHERE, role = role }
      raises("a role is", function() object:assign("1", role) end)
      raises("a role is", function() object:add(node) end)
    end
    raises("a role is", function() object:assign "1" end)
    raises("a role is", function() object:add { id = 4, address = "a:1", role = false } end)
  end)

  local NO_ADDRESSES = { "", "127.0.0.1", "127.0.0.1:", ":", "127.0.0.1:0", "127.0.0.1:65536",
    "127.0.0.1:x", "[::1", "::1:9001x", "a b:1", "a:1\n", "a:1\0", "@", 9001, true, {} }

  it("is an address that is malformed", function()
    for _, address in ipairs(NO_ADDRESSES) do
      raises("", function() object:add { id = "4", address = address } end)
      raises("", function() object:node(address) end)
      raises("", function() object:describe(address) end)
      raises("", function() object:set_weight(1, address) end)
      raises("", function() object:dump("default", { address = address }) end)
    end
    raises("an address is a string", function() object:add { id = "4" } end)
    raises("an address is a string", function() object:node() end)
  end)

  it("is a weight that is none", function()
    for _, weight in ipairs { -1, 0.5, 0 / 0, 1 / 0, -1 / 0, 2 ^ 54, 1e300, "1", true, {} } do
      raises("a weight is", function() object:set_weight(weight) end)
      raises("a weight is", function() object:set_weight(weight, alone.nodes[1].address) end)
      raises("a weight is", function() object:node(front.address):set_weight(weight) end)
    end
    raises("a weight is", function() object:set_weight() end)
  end)

  it("is a field or an option that nobody knows", function()
    raises("'rol'", function() object:add { id = "4", address = "a:1", rol = "spare" } end)
    raises("'1'", function() object:add { "4", id = "4", address = "a:1" } end)
    raises("not a string", function() object:add "a:1" end)
    raises("not a nil", function() object:add() end)
    raises("'dir'", function() object:dump("default", { dir = "/tmp" }) end)
    raises("'max_size'", function() object:dump("default", { max_size = "1" }) end)
    raises("'max_size'", function() object:dump("default", { max_size = 1.5 }) end)
    raises("'max_size'", function() object:dump("default", { max_size = -1 }) end)
    raises("'max_size'", function() object:dump("default", { max_size = 2 ^ 40 }) end)
    raises("'to'", function() object:dump("default", { to = 1 }) end)
    raises("NUL", function() object:dump("default", { to = "a\0b" }) end)
    raises("a directory", function() object:dump("default", { to = "" }) end)
  end)

  it("are options of a dump that are no table", function()
    raises("a table", function() object:dump("default", "/tmp") end)
    raises("a table", function() object:node(front.address):dump("default", true) end)
  end)

  it("is a name of a database that is none", function()
    raises("name of a database", function() object:dump() end)
    raises("name of a database", function() object:dump(1) end)
    local view = object:node(front.address)
    for _, name in ipairs { "", ":memory:", "file:x", ("x"):rep(505), "a\0b" } do
      assert.is_false(live.fails("value", object:dump(name)).fatal)
      live.fails("value", object:dump(name, { address = front.address }))
      live.fails("value", view:dump(name))
    end
  end)

  it("is a call after its end", function()
    local other = assert(dqlite.cluster(alone.nodes[1].address))
    other:close()
    for _, call in ipairs { "leader", "nodes", "describe", "health", "connect" } do
      raises("is closed", function() other[call](other) end)
    end
    raises("is closed", function() other:remove "1" end)
    raises("is closed", function() other:node(NOWHERE) end)
  end)
end)
