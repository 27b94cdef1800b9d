-- A cluster of Debian's dqlite-demo, which uses go-dqlite: read and administered, and
-- each side with the other's cluster.yaml. Needs no DQLITE_SERVERS.

local cluster = require "spec.support.cluster"
local cluster_node = require "spec.support.cluster_node"
local dqlite = require "dqlite"
local eventually = require "spec.support.eventually"
local nodes = require "spec.support.nodes"
local roles = require "spec.support.roles"
local temporary = require "spec.support.temporary"

local DATABASE = "demo" -- that the program keeps its table in

describe("a cluster of dqlite-demo", function()
  local three, object

  setup(function() three = cluster.start { kind = "demo" } end)
  teardown(cluster.stop_all)
  before_each(function() object = assert(dqlite.cluster(three:followers()[1].address)) end)

  -- All three as voters, and perhaps others.
  local function with(others)
    for _, node in ipairs(three.nodes) do others[node.id] = others[node.id] or "voter" end
    return others
  end

  local function yaml_path(node)
    return ("%s/%s/cluster.yaml"):format(node.dir, node.address)
  end

  local function is_the_table(conn)
    assert.equal("model", conn:fetchval "SELECT name FROM sqlite_master WHERE type = 'table'")
    conn:close()
  end

  it("tells its leader, its nodes, and how they are", function()
    local leader, first = three:leader(), three.nodes[1]
    assert.same({ id = leader.id, address = leader.address }, object:leader())
    assert.same(with {}, roles.seen_by(object))
    for _, each in ipairs(object:nodes()) do
      assert.equal(three:node(each.id).address, each.address)
    end
    assert.equal("3297041220608546238", first.id) -- always
    local health = assert(object:health())
    assert.same({ 3, 3, true, leader.address },
      { health.voters, health.answering, health.quorum, health.leader })
  end)

  it("tells each node's own view", function()
    for _, node in ipairs(three.nodes) do
      local view = object:node(node.address)
      assert.equal(three:leader().id, view:leader().id)
      assert.equal(3, #view:nodes())
      assert.same({ failure_domain = 0, weight = 0 }, view:describe())
    end
  end)

  it("gives away its database", function()
    is_the_table(assert(object:connect { database = DATABASE }))
    local files = assert(object:dump(DATABASE))
    assert.equal("SQLite format 3\0", files[DATABASE]:sub(1, 16))
  end)

  it("has its nodes demoted, promoted, and made the leader", function()
    local follower = three:followers()[1]
    for _, role in ipairs { "standby", "spare" } do
      assert.is_true(object:assign(follower.id, role))
      assert.same(with { [follower.id] = role }, roles.seen_by(object))
    end
    assert.is_true(object:assign(follower.id, "voter"))
    assert.same(with {}, roles.seen_by(object))
    eventually("it knows that it may lead", function()
      return roles.seen_by(object:node(follower.address))[follower.id] == "voter"
    end)
    assert.is_true(object:transfer(follower.id))
    assert.equal(follower.id, object:leader().id)
    is_the_table(assert(object:connect { database = DATABASE }))
  end)

  -- At the speed of the others: they do not tell it.
  it("takes one of our nodes in", function()
    local ID = "18446744073709551615"
    local ours = cluster_node.start { kind = "node", id = ID, scratch = three.scratch }
    ours:await()
    assert.is_true(object:add { id = ID, address = ours.address })
    assert.same(with { [ID] = "spare" }, roles.seen_by(object))
    assert.is_true(object:assign(ID, "voter"))
    assert.same(with { [ID] = "voter" }, roles.seen_by(object))
    eventually("our node knows the leader", function()
      local leader = object:node(ours.address):leader()
      return leader and leader.id == three:leader().id
    end)
    assert.is_true(object:remove(ID))
    assert.same(with {}, roles.seen_by(object))
    ours:kill()
  end)

  it("keeps a cluster.yaml that we read", function()
    local listed = assert(object:nodes()) -- in the order of coming
    local path = yaml_path(three:node(listed[3].address))
    local store = dqlite.store.yaml(path)
    eventually("the last to come has written down all", function() return #store:get() == 3 end)
    local text = temporary.read(path)
    for i, node in ipairs(store:get()) do
      assert.equal(listed[i].address, node.address)
      assert.equal(listed[i].id, node.id)
      assert.is_not_nil(text:find("  ID: " .. node.id .. "\n", 1, true))
    end
    is_the_table(assert(dqlite.connect(store, { database = DATABASE })))
    assert.equal(three:leader().id, assert(dqlite.cluster(store)):leader().id)
  end)

  -- Our file, with a node that is not there, and one that is no voter.
  local function write_ours()
    local path = three.scratch:fresh "cluster" .. ".yaml"
    local list = assert(object:nodes())
    table.insert(list, 1, { id = "18446744073709551615", address = "127.0.0.1:1", role = "spare" })
    table.insert(list, { id = "5", address = "@nowhere", role = "standby" })
    assert(dqlite.store.yaml(path):set(list))
    return path
  end

  local function shell(path, options, command)
    return nodes.output_of(("dqlite -s file://%s %s %s %s 2>&1"):format(nodes.quote(path), options,
      DATABASE, nodes.quote(command)))
  end

  it("is found by go-dqlite's shell in our cluster.yaml", function()
    local path = write_ours()
    assert.equal(three:leader().address .. "\n", shell(path, "", ".leader"))
    assert.equal("42\n", shell(path, "", "SELECT 40 + 2"))
    local listed = shell(path, "-f json", ".cluster")
    for _, node in ipairs(three.nodes) do
      assert.matches(('"ID": %s,%%s*"Address": "%s"'):format(node.id, node.address), listed)
    end
  end)

  it("is found by one of its nodes in our cluster.yaml", function()
    local node = three:followers()[1]
    local store = dqlite.store.yaml(yaml_path(node))
    local leader = three:leader()
    node:kill()
    assert(store:set { { id = leader.id, address = leader.address } })
    node:restart()
    eventually("it has found the others and written them down", function()
      return #assert(store:get()) == 3
    end)
    assert.same(with {}, roles.seen_by(object))
    is_the_table(assert(dqlite.connect(store, { database = DATABASE })))
  end)
end)
