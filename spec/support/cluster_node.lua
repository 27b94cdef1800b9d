--- One node of a cluster of specs, in a process of its own: our node rock, or
-- Debian's dqlite-demo, a server that we did not write.
local ask = require "spec.support.ask"
local eventually = require "spec.support.eventually"
local leashed = require "spec.support.leashed"
local nodes = require "spec.support.nodes"
local ports = require "spec.support.ports"
local proxy = require "spec.support.proxy"

local HOST = "127.0.0.1"

local cluster_node = {}

local Node = {}
Node.__index = Node

-- ---- the kinds: command(node), is_ready(node), the word that ends it ----

local function free_address()
  return ("%s:%d"):format(HOST, ports.free(HOST))
end

local function command_line(...)
  return (nodes.lua_command(...):gsub("^exec ", ""))
end

local NODE = { ending = "end" }

function NODE.command(self)
  local bind = self.inner ~= self.address and self.inner or nil
  return command_line("spec/support/node_process.lua", self.dir, self.address, self.id,
    tostring(self.latency), bind)
end

function NODE.is_ready(self)
  return self.process:output():find("ready ", 1, true)
end

local DEMO = { ending = "TERM" }

function DEMO.command(self)
  local words = { "dqlite-demo", "-a", free_address(), "-d", self.address, "-D", self.dir }
  for _, address in ipairs(self.join) do
    words[#words + 1] = "-j"
    words[#words + 1] = address
  end
  for i, word in ipairs(words) do words[i] = nodes.quote(word) end
  return table.concat(words, " ")
end

function DEMO.is_ready(self)
  return ask(self.address, "LEADER") ~= nil
end

local KINDS = { node = NODE, demo = DEMO }

-- ---- starting ----

-- A port that was free may be taken by the time it is used, for a moment, as
-- that of some connection: try again.
local function try_start(self)
  self.process = leashed.start(self.kind.command(self), self.scratch:fresh "log")
  self.pid, self.ready = self.process.pid, false
end

local function await(self)
  local tries = 1
  eventually("a node is ready at " .. self.address, function()
    if self.kind.is_ready(self) then return true end
    if self.process:is_running() then return false end
    local _, message = self.process:output()
    self.process:kill()
    if tries == 5 then error("the node did not start: " .. message) end
    tries = tries + 1
    try_start(self)
  end)
  self.ready = true
end

-- Node 1 alone is a cluster from the start (dqlite.node). Its data then become
-- another one's.
local RENAME = [[
  local dir, address, id = arg[1], arg[2], arg[3]
  assert(require "dqlite.node".recover { dir = dir, address = address, id = id,
    members = { { id = id, address = address } } })
  print "renamed"]]

local function bootstrap(self)
  local id, program = self.id, self.scratch:fresh "rename"
  self.id = "1"
  try_start(self)
  await(self)
  self:stop()
  self.id = id
  nodes.write(program, RENAME)
  local output = nodes.output_of(nodes.lua_command(program, self.dir, self.address, id) .. " 2>&1")
  assert(output == "renamed\n", output)
end

--- Starts a node, and does not wait until it is ready.
-- @tparam table fields kind "node" or "demo", id, role, scratch, latency in
-- seconds, `first`: it is a cluster of one; `join`: addresses, for a demo;
-- `cuttable`: the other nodes, too, reach it through its proxy
-- @treturn table
function cluster_node.start(fields)
  local self = setmetatable({
    kind = assert(KINDS[fields.kind], "no such kind of node"),
    id = fields.id, -- decimal; a demo takes its own
    role = fields.role, -- nil as long as it is no member
    address = free_address(),
    inner = nil, -- what it listens on; the address of a cuttable node is its proxy's
    proxy = nil, -- in front of it, where the cluster has them
    dir = fields.scratch:fresh "node",
    scratch = fields.scratch,
    latency = fields.latency,
    join = fields.join,
    process = nil, -- the last one
    pid = nil,
    ready = false,
  }, Node)
  self.inner = self.address
  if fields.cuttable then
    self.proxy = proxy.start(self.inner)
    self.address = self.proxy.address
  end
  if fields.first and self.id ~= "1" and self.kind == NODE then bootstrap(self) end
  try_start(self)
  return self
end

-- ---- the node ----

--- Waits until it serves.
function Node:await()
  if not self.ready then await(self) end
end

--- Is there a process, frozen or not?
function Node:is_running()
  return self.process:is_running()
end

--- Does it run, and is it not frozen?
function Node:is_awake()
  return self.process:is_running() and not self.process.frozen
end

--- Ends it without a warning (kill -9), frozen or not; waits until it is gone.
function Node:kill()
  self.process:kill()
end

--- Stops all of its threads where they are: its sockets stay open and silent.
function Node:freeze()
  self.process:freeze()
end

function Node:thaw()
  self.process:thaw()
end

--- Stops it in good order; waits until it is gone.
function Node:stop()
  self.process:stop(self.kind.ending)
end

--- Starts it again, at the same address, on the same data. Waits until it
-- serves, not until it has found the others.
function Node:restart()
  if self:is_running() then self:stop() end
  try_start(self)
  await(self)
end

return cluster_node
