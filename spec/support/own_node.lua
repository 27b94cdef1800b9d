--- Nodes of the libdqlite that this process would load, each in a process of
-- its own: a spec whose server may die fails, and the run goes on.
local dqlite = require "dqlite"
local live = require "spec.support.live"
local nodes = require "spec.support.nodes"

local own_node = {}

local Node = {}
Node.__index = Node

local running = {}

-- The shell becomes the node: its process id is the node's.
local function launch(self)
  self.log = nodes.fresh_dir()
  local command = nodes.lua_command("spec/support/node_process.lua", self.dir,
    self.address or "127.0.0.1:0")
  self.control = assert(io.popen(("echo $$ >%s.pid; %s >%s.out 2>%s.err"):format(
    self.log, command, self.log, self.log), "w"))
  running[self] = true
  live.eventually("the node is ready", function()
    local failure = nodes.read_file(self.log .. ".err")
    if failure ~= "" then error("the node did not start: " .. failure) end
    self.address = nodes.read_file(self.log .. ".out"):match "ready (%S+)\n"
    return self.address
  end)
  self.pid = tonumber(nodes.read_file(self.log .. ".pid"))
end

--- Starts a node. Between nodes.open and nodes.close.
function own_node.start()
  local self = setmetatable({
    address = nil, -- taken when it starts
    dir = nodes.fresh_dir(),
    log = nil, -- what its files begin with
    control = nil, -- its standard input: it lives as long as that is open
    pid = nil,
  }, Node)
  launch(self)
  return self
end

--- For after_each.
function own_node.stop_all()
  for node in pairs(running) do node:stop() end
end

--- Stops it in good order; waits for its end.
function Node:stop()
  if self.control then self.control:close() end
  self.control, running[self] = nil, nil
end

--- Ends it without a warning.
function Node:kill()
  os.execute("kill -KILL " .. self.pid)
  self:stop()
end

--- Stops it and starts another one at the same address, on the same data.
function Node:restart()
  self:stop()
  launch(self)
end

--- dqlite.connect to it.
function Node:connect(opts)
  local all = { timeout = 10, connect_timeout = 10 }
  for name, value in pairs(opts or {}) do all[name] = value end
  return assert(dqlite.connect(self.address, all))
end

--- Asserts that it lives: that a connection of its own reads and writes, the
-- second write being the one that an unreplicated first one would end.
function Node:assert_lives(database)
  local conn, err = dqlite.connect(self.address, { timeout = 10, database = database })
  assert(conn, ("the node is dead: %s\n%s"):format(tostring(err),
    nodes.read_file(self.log .. ".err")))
  assert(conn:execute "CREATE TABLE IF NOT EXISTS alive (n INTEGER)")
  local before = assert(conn:fetchval "SELECT count(*) FROM alive")
  for n = 1, 2 do assert(conn:execute("INSERT INTO alive VALUES (?)", n)) end
  assert(conn:fetchval "SELECT count(*) FROM alive" == before + 2, "a write was lost")
  assert(conn:close())
end

return own_node
