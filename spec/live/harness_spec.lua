-- What the other specs of clusters stand on: real nodes that can be killed and
-- frozen, and the proxies in front of them. Needs no DQLITE_SERVERS.

local ask = require "spec.support.ask"
local cluster = require "spec.support.cluster"
local dqlite = require "dqlite"
local eventually = require "spec.support.eventually"
local leashed = require "spec.support.leashed"
local live = require "spec.support.live"
local nodes = require "spec.support.nodes"
local proxy = require "spec.support.proxy"
local scratch = require "spec.support.scratch"
local session = require "dqlite.session"
local uv = require "luv"

local IDS = { "18446744073709551615", "9223372036854775809", "3" }

local function is_gone(pid)
  return uv.kill(pid, 0) ~= 0
end

local function exists(path)
  return uv.fs_stat(path) ~= nil
end

-- The roles by id, as one node knows them.
local function members(node)
  local roles = {}
  for _, member in ipairs(assert(ask(node.address, "CLUSTER", { format = 1 })).servers) do
    roles[member.id] = member.role
  end
  return roles
end

-- A follower hears of a new role by and by.
local function knows_voters_alone(node)
  for _, role in pairs(members(node)) do
    if role ~= 0 then return false end
  end
  return true
end

describe("a cluster", function()
  local three

  setup(function() three = cluster.start { ids = IDS, proxied = true } end)
  teardown(cluster.stop_all)

  local function count()
    local conn = assert(dqlite.connect(three:leader().address))
    local rows = assert(conn:fetchval "SELECT count(*) FROM t")
    conn:close()
    return rows
  end

  it("forms, with ids of all 64 bits", function()
    assert.equal(3, #three.nodes)
    assert.equal(2, #three:followers())
    for i, node in ipairs(three.nodes) do
      assert.equal(IDS[i], node.id)
      assert.equal("voter", node.role)
      assert.is_true(node:is_running())
      assert.equal(three:leader().address, ask(node.address, "LEADER").address)
      eventually("its nodes are voters", function() return knows_voters_alone(node) end)
      assert.same({ [IDS[1]] = 0, [IDS[2]] = 0, [IDS[3]] = 0 }, members(node))
    end
  end)

  it("has a new leader after kill -9, and the old node back on its data", function()
    local old = three:leader()
    local conn = assert(dqlite.connect(old.address))
    assert(conn:script "CREATE TABLE t (a); INSERT INTO t VALUES (1)")
    conn:close()
    local pid = old.pid
    old:kill()
    assert.is_true(is_gone(pid))
    assert.is_false(old:is_running())
    local new = three:wait_for_leader()
    assert.not_equal(old, new)
    assert.equal(1, #three:followers())
    assert.equal(1, count())
    old:restart()
    assert.not_equal(pid, old.pid)
    assert.same(members(new), members(old))
    assert.equal(2, #three:followers())
  end)

  it("has a new leader while the old one is frozen", function()
    local old = three:leader()
    old:freeze()
    assert.is_nil(ask(old.address, "LEADER", nil, 0.1))
    assert.is_true(old:is_running())
    local new = three:wait_for_leader(old)
    old:thaw()
    eventually("the old leader follows", function()
      local answer = ask(old.address, "LEADER")
      return answer and answer.address == new.address
    end)
    assert.equal(1, count())
  end)

  it("gets nodes beside the voters, which may stop in good order", function()
    local outsider, standby = three:add_node(), three:add_node "standby"
    assert.is_nil(outsider.role)
    assert.is_nil(members(three:leader())[outsider.id])
    assert.equal(1, members(three:leader())[standby.id])
    three:assign(outsider, "spare")
    assert.equal(2, members(three:leader())[outsider.id])
    standby:stop()
    assert.is_true(is_gone(standby.pid))
    standby:restart()
    eventually("it has heard of itself", function() return members(standby)[standby.id] == 1 end)
  end)

  it("is reached through its proxies as well", function()
    local translate, proxied = three:translate(), three:proxied_addresses()
    assert.equal("127.0.0.1:1", translate "127.0.0.1:1")
    for i, node in ipairs(three.nodes) do
      assert.equal(proxied[i], translate(node.address))
      assert.same(members(node), members { address = proxied[i] })
      assert.equal(1, node.proxy:count())
    end
  end)
end)

describe("a cluster of Debian's dqlite-demo", function()
  after_each(cluster.stop_all)

  it("forms by itself, and hands over", function()
    local three = cluster.start { kind = "demo" }
    local old = three:leader()
    assert.equal(3, #three.nodes)
    for _, node in ipairs(three.nodes) do assert.equal(0, members(old)[node.id]) end
    old:stop()
    assert.not_equal(old, three:wait_for_leader(old))
    old:restart()
    assert.equal(2, #three:followers())
  end)
end)

describe("nothing is left", function()
  local place

  setup(function() place = scratch.new() end)
  teardown(function() place:close() end)

  it("of a cluster that was stopped, with a frozen node", function()
    local two = cluster.start { nodes = 2 }
    two.nodes[2]:freeze()
    two:stop()
    for _, node in ipairs(two.nodes) do
      assert.is_true(is_gone(node.pid))
      assert.is_false(exists(node.dir))
    end
    assert.is_false(exists(two.scratch.path))
  end)

  -- Prints a process id and a proxy's address of each node, and the directory.
  local PROGRAM = [[
    require "spec.support.in_loop".run(function()
      local two = require "spec.support.cluster".start { nodes = 2, proxied = true }
      two.nodes[2]:freeze()
      for _, node in ipairs(two.nodes) do print(node.pid, node.proxy.address) end
      print("in " .. two.scratch.path)
      io.stdout:flush()
      if arg[1] == "fail" then error "as asked" end
      io.read()
    end)]]

  -- Of a run that `finish` ends.
  local function leaves_nothing(finish, ...)
    local program = place:fresh "program"
    nodes.write(program, PROGRAM)
    local run = leashed.start(nodes.lua_command(program, ...):gsub("^exec ", ""),
      place:fresh "log")
    local dir = eventually("the run is ready", function()
      local output, message = run:output()
      return output:match "in (%S+)\n" or not run:is_running() and error(message)
    end)
    finish(run)
    assert.is_true(is_gone(run.pid))
    local nodes_seen = 0
    for pid, address in run:output():gmatch "(%d+)\t(%S+)\n" do
      nodes_seen = nodes_seen + 1
      eventually("the node is gone", function() return is_gone(tonumber(pid)) end, 2)
      eventually("the proxy is gone", function() return not session.connect(address) end, 2)
    end
    assert.equal(2, nodes_seen)
    eventually("the data are gone", function() return not exists(dir) end, 2)
  end

  it("of a run that is killed, with a frozen node", function()
    leaves_nothing(function(run) run:kill() end)
  end)

  it("of a run that fails, with a frozen node", function()
    leaves_nothing(function(run)
      eventually("the run has ended", function() return not run:is_running() end)
      run:kill()
    end, "fail")
  end)
end)

describe("a proxy", function()
  local alone, front, raw

  setup(function() alone = cluster.start { nodes = 1, proxied = true } end)
  teardown(cluster.stop_all)
  after_each(function()
    if raw then raw:close() end
    front:accept()
    front:pass()
  end)
  before_each(function()
    front = alone.nodes[1].proxy
    front:reset()
    raw = assert(session.connect(front.address, { timeout = 2 }))
    assert(raw:request "LEADER")
  end)
  teardown(proxy.stop_all)

  local function timed_request()
    return live.timed(function() assert(raw:request "LEADER") end)
  end

  local function refuses(address)
    local seconds, _, err = live.timed(function()
      return session.connect(address, { timeout = 2 })
    end)
    assert.equal("connect", err and err.kind)
    assert.is_true(seconds < 0.5)
  end

  it("carries, and counts connections", function()
    assert.equal(1, front:count())
    assert.equal(1, front:open_count())
    assert(ask(front.address, "LEADER"))
    assert.equal(2, front:count())
    raw:close()
    eventually("none is open", function() return front:open_count() == 0 end)
    front:reset()
    assert.equal(0, front:count())
  end)

  it("carries much, in order, to one who is slow to read", function()
    local SQL = [[WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 300000)
      SELECT n FROM c]]
    local conn = assert(dqlite.connect(front.address, { direct = true }))
    local n = 0
    for row in conn:rows(SQL) do
      if n == 0 then dqlite.sleep(0.05) end
      n = n + 1
      if row.n ~= n then error("row " .. n .. " is out of order") end
    end
    assert.equal(300000, n)
    conn:close()
  end)

  it("cuts all connections", function()
    front:cut()
    assert.equal(0, front:open_count())
    live.fails("closed", raw:request "LEADER")
    assert(ask(front.address, "LEADER"))
  end)

  it("refuses connections, and leaves those that are open", function()
    front:refuse()
    refuses(front.address)
    assert(raw:request "LEADER")
    front:accept()
    assert(ask(front.address, "LEADER"))
  end)

  it("gives those who connect no answer", function()
    front:vanish()
    live.fails("timeout", session.connect(front.address, { timeout = 0.1 }))
    assert(raw:request "LEADER")
    front:accept()
    assert(ask(front.address, "LEADER"))
  end)

  it("delays", function()
    front:delay(0.1)
    local seconds = timed_request()
    assert.is_true(seconds > 0.19 and seconds < 0.6)
    front:pass()
    assert.is_true(timed_request() < 0.1)
  end)

  it("drips", function()
    front:drip(8, 0.02)
    local seconds = timed_request() -- 16 bytes there, 32 back, the first ones at once
    assert.is_true(seconds > 0.07 and seconds < 0.6)
  end)

  it("ends the stream to the client alone", function()
    front:half_close()
    live.fails("closed", raw:request "LEADER")
    eventually("the client has closed", function() return front:open_count() == 0 end)
  end)

  it("is a black hole, and gives back what fell into it", function()
    front:black_hole()
    local silent = assert(session.connect(front.address, { timeout = 0.1 }))
    live.fails("timeout", silent:request "LEADER")
    silent:close()
    assert.equal(2, front:count())
    assert.equal(2, front:open_count())
    front:pass()
    eventually("its end has been carried", function() return front:open_count() == 1 end)
    assert.is_true(timed_request() < 0.1)
  end)

  it("hangs after some bytes", function()
    front:hang_after(20)
    live.fails("timeout", raw:request("LEADER", nil, 0.1))
  end)

  it("resets after some bytes of the client", function()
    front:cut_after(20)
    assert(raw:request "LEADER") -- of 16 bytes
    live.fails("closed", raw:request "LEADER")
    eventually("the node has no client", function() return front:open_count() == 0 end)
    assert(ask(front.address, "LEADER"))
  end)

  it("has addresses where nobody is", function()
    refuses(proxy.unused_address())
    live.fails("timeout", session.connect(proxy.black_hole_address(), { timeout = 0.3 }))
  end)
end)
