--- Several nodes at once, on real sockets, for specs of the search for the leader: some
-- lead, some follow, some say nothing.
local core = require "dqlite.core"
local dqlite = require "dqlite"
local handles = require "spec.support.handles"
local luv_server = require "spec.support.luv_server"
local scripted = require "spec.support.scripted"
local simulated = require "spec.support.simulated"
local uv = require "luv"

local assert = require "luassert"
local busted = require "busted"

local search_nodes = {}

local HOST = "127.0.0.1"
search_nodes.PROMPT = 1 -- seconds; less than any connect_timeout here that would show

-- ---- the nodes of a spec ----

local nodes, sockets, before = {}, {}, 0

--- What a node answers to LEADER from now on.
function search_nodes.says(node, address, id)
  local known = address ~= "" and "1" or "0"
  local frame = scripted.frame("SERVER", { id = id or known, address = address })
  node.source.answers.LEADER = function()
    node.asked = node.asked + 1
    return { frame }
  end
end

--- Starts a node that takes itself for the leader, before the client has any handle.
function search_nodes.node()
  local self = luv_server.start(simulated.server())
  self.asked = 0
  nodes[#nodes + 1] = self
  search_nodes.says(self, self.address)
  return self
end

--- One that takes another one for it; "": that knows none.
function search_nodes.follower(leader)
  local self = search_nodes.node()
  search_nodes.says(self, type(leader) == "table" and leader.address or leader)
  return self
end

--- One that accepts connections and answers nothing.
function search_nodes.silent()
  local self = search_nodes.node()
  self.source.answers.LEADER = {}
  return self
end

local function keep(socket)
  sockets[#sockets + 1] = handles.except(socket)
  return socket
end

local function address_of(socket)
  return ("%s:%d"):format(HOST, socket:getsockname().port)
end

--- An address that refuses: nobody else gets the port as long as nobody listens there.
function search_nodes.refusing_address()
  local socket = keep(uv.new_tcp())
  assert(socket:bind(HOST, 0))
  return address_of(socket)
end

--- An address whose queue is full, so that the kernel drops what asks for a connection.
function search_nodes.deaf_address()
  local listener = keep(uv.new_tcp())
  assert(listener:bind(HOST, 0))
  assert(listener:listen(1, function() end))
  for _ = 1, 4 do
    keep(uv.new_tcp()):connect(HOST, listener:getsockname().port, function() end)
    handles.turn(2)
  end
  return address_of(listener)
end

local function count_peers()
  local count = 0
  for _, each in ipairs(nodes) do count = count + each.peers end
  return count
end

local function is_alone()
  return count_peers() == 0
end

local function stop()
  local stopped, closed = nodes, sockets
  handles.settle(is_alone)
  local left = { peers = count_peers(), handles = handles.list() }
  nodes, sockets = {}, {}
  for _, each in ipairs(closed) do each:close() end
  for _, each in ipairs(stopped) do each:stop() end
  handles.turn(2)
  assert.same({ peers = 0, handles = {} }, left)
  assert.equal(before, handles.descriptors())
  simulated.verify()
end

-- ---- the client ----

--- Ways to connect: each makes a function of options that does.
search_nodes.WAYS = {
  { name = "dqlite.connect", make = function(where)
    return function(opts) return dqlite.connect(where, opts) end
  end },
  { name = "a cluster", make = function(where)
    local cluster = assert(dqlite.cluster(where))
    return function(opts) return cluster:connect(opts) end
  end },
}

function search_nodes.each_way(title, body)
  for _, way in ipairs(search_nodes.WAYS) do
    busted.it(title .. ", by " .. way.name, function() body(way.make) end)
  end
end

function search_nodes.fails(kind, conn, err)
  assert.is_nil(conn)
  assert.equal(kind, err.kind, tostring(err))
  return err
end

function search_nodes.reaches(leader, conn, err)
  assert(conn, tostring(err))
  assert.equal(leader.address, conn.address)
  assert.equal(1, conn:fetchval "SELECT 1")
  conn:close()
end

function search_nodes.timed(fn, ...)
  local began = core.now()
  local conn, err = fn(...)
  return core.now() - began, conn, err
end

--- Connects once, in a program of its own.
function search_nodes.connects_to(leader, connect, opts)
  dqlite.run(function()
    local seconds, conn, err = search_nodes.timed(connect, opts)
    search_nodes.reaches(leader, conn, err)
    assert.is_true(seconds < search_nodes.PROMPT, seconds)
  end)
end

function search_nodes.count_requests(self, name)
  local count = 0
  for _, request in ipairs(self.source.sent) do
    count = count + (request.name == name and 1 or 0)
  end
  return count
end

--- Describes searches, each with nodes of its own, of which nothing may be left.
function search_nodes.describe(title, body)
  busted.describe(title, function()
    busted.setup(function() luv_server.start(simulated.server()):stop() end)
    busted.before_each(function() before = handles.descriptors() end)
    busted.after_each(stop)
    body()
  end)
end

--- The nodes of this spec.
function search_nodes.all()
  return nodes
end

return search_nodes
