--- An embedded dqlite node: the server, inside this process, on threads of
-- libdqlite's own.
--
-- `require "dqlite.node"` needs its C part, the rock lua-dqlite-node, and libdqlite,
-- 1.11.1 or newer; it raises, with what to install, where one is missing. An assertion that
-- trips in libdqlite ends the whole process: in production give the node a
-- process of its own.
--
-- Keep the node in a variable: one that is collected is stopped.
--
-- Expected failures are `nil, err`; `err.kind` is
--
-- * `"value"`: an address or a directory that cannot be used, members that do
--   not make a cluster;
-- * `"unsupported"`: something that the loaded libdqlite does not have; the
--   message names the version that does;
-- * `"busy"`: another node, of this process or another, runs on the directory;
-- * `"connect"`: the address could not be bound (`err.retryable` where somebody
--   else listens there), or libdqlite could not create, start, stop or recover
--   the node (`err.code` is libdqlite's code; 1.11.1 often has no text for it).
--
-- A wrong type, an unknown option and a number out of range raise.
--
-- A `start` that fails for another reason than a lock or a port that is taken
-- leaves some file descriptors of libdqlite's event loop open and, where the
-- data were the reason, the bound port too, until the process ends: libdqlite
-- has no way to give them back.
--
-- @module dqlite.node

local native = require "dqlite.native"
local core = native.load "dqlite.core"
local node_core = native.load "dqlite.node_core"

local address = require "dqlite.node.address"
local errors = require "dqlite.error"
local library = require "dqlite.node.library"
local options = require "dqlite.node.options"
local process = require "dqlite.process"

-- raft's UV__DIR_LEN is a little under 900 bytes.
local DIR_MAX = 800

-- The options that are one call of a setter each, in this order.
local SETTINGS = {
  "latency", "failure_domain", "snapshot", "snapshot_compression", "block_size",
  "target_voters", "target_standbys", "role_management", "auto_recovery",
  "busy_timeout",
}

local node = {}

--- What the loaded libdqlite can do: name -> boolean. The names are those of
-- options of `new`, and `snapshot_strategy` (the field `strategy` of
-- `snapshot`) and `ipv6`.
-- @table features
node.features = library.features

--- The version that the loaded libdqlite gives itself, such as "1.18.6".
-- Some releases say less than they are, 1.11.1 says "1.10.0": ask `features`.
-- @field version
node.version = library.version

-- Errors ------------------------------------------------------------------

local function refused(message)
  return nil, errors.new { kind = "value", message = message }
end

local function failed(message, code, where)
  return nil, errors.new {
    kind = "connect",
    message = errors.visible(message),
    code = code,
    address = where,
  }
end

-- Steps -------------------------------------------------------------------

-- The setter that a checked option calls, with its arguments.
local function setter_call(name, value)
  if name ~= "snapshot" then return { name, value } end
  if not value.strategy then return { name, value.threshold, value.trailing } end
  return { "snapshot_strategy", value.threshold, value.trailing, value.strategy }
end

-- The calls to make on a node that was created, or nil and the error for the
-- first one that the loaded libdqlite does not have.
local function plan(checked)
  local calls = {}
  for _, name in ipairs(SETTINGS) do
    local value = checked[name]
    -- Role management can be turned on only, and is off from the start.
    if value ~= nil and not (name == "role_management" and value == "0") then
      local call = setter_call(name, value)
      if not library.features[call[1]] then
        return nil, library.unsupported(call[1])
      end
      calls[#calls + 1] = call
    end
  end
  return calls
end

local function check_dir(dir)
  if dir == "" or dir:find("\0", 1, true) then
    return refused "dir is not the name of a directory"
  elseif #dir > DIR_MAX then
    return refused(string.format("dir of %d bytes: %d is the most", #dir, DIR_MAX))
  end
  return true
end

-- After this no other handle, here or in another process, gets the directory.
local function lock(handle, dir, make)
  local locked, message = handle:lock(dir, make)
  if locked then return true end
  if locked == nil then return refused(message) end
  return nil, errors.new {
    kind = "busy",
    message = "another node runs on the directory " .. dir,
    retryable = true,
  }
end

-- A node that could not listen would leave descriptors behind, each time.
local function check_port(bind)
  local kind, host, port = core.parse_address(bind)
  if kind ~= "tcp" then return true end
  local free, reason, taken = core.unused_port(host, port)
  if free then return true end
  return nil, errors.new {
    kind = "connect",
    message = "cannot listen: " .. reason,
    address = bind,
    retryable = taken,
  }
end

-- Each of these answers what node_core does: true (bring_up: the bound
-- address) | nil, message, code. The caller stops the handle.

local function apply(handle, calls)
  for _, call in ipairs(calls) do
    local ok, message, code = handle:set(call[1], call[2], call[3], call[4])
    if not ok then return nil, message, code end
  end
  return true
end

local function bring_up(self)
  local handle = self._handle
  local ok, message, code = handle:create(self.id, self.address, self.dir)
  if not ok then return nil, message, code end
  ok, message, code = apply(handle, self._calls)
  if not ok then return nil, message, code end
  local bound
  bound, message, code = handle:bind(self._bind)
  if not bound then return nil, message, code end
  ok, message, code = handle:run()
  return ok and bound, message, code
end

local function rewrite(handle, checked)
  local ok, message, code = handle:create(checked.id, checked.address, checked.dir)
  if not ok then return nil, message, code end
  local flat = {}
  for _, member in ipairs(checked.members) do
    flat[#flat + 1] = member.id
    flat[#flat + 1] = member.address
    flat[#flat + 1] = member.role
  end
  return handle:recover(flat)
end

-- The node ----------------------------------------------------------------

--- A node, made by @{new}. Its fields: `id` (decimal), `address` (what clients dial), `dir`
-- (the data directory), `bind_address` (what libdqlite listens on; nil before the first start).
-- @type Node
local Node = {}
Node.__index = Node

--- Starts the node: when this returns true, it serves at `node.address`.
-- Blocks while libdqlite probes the file system and loads the data (30 to
-- 60 ms on an empty directory). A node that was stopped can be started again;
-- one that runs raises.
--
-- Makes the directory where it is missing (mode 0700, the parent must exist)
-- and locks it through the file `lua-dqlite.lock` in it, which stays there.
--
-- A SIGPIPE that would end the process is ignored from here on, as libdqlite
-- writes to sockets that may be closed; a handler of your own stays. Signal
-- handlers never run on libdqlite's threads.
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] dqlite.error of kind "busy", "value" or "connect"
function Node:start()
  process.check(self._process, "the node", "make one in this process, after the fork")
  if self._running then errors.misuse "the node is running already" end
  self._handle:stop() -- where running out of memory broke an earlier start off
  local locked, err = lock(self._handle, self.dir, true)
  if not locked then return nil, err end
  local free, taken = check_port(self._bind)
  if not free then
    self._handle:stop()
    return nil, taken
  end
  local bound, message, code = bring_up(self)
  if not bound then
    self._handle:stop()
    return failed(message, code, self._bind)
  end
  self._running = true
  self.bind_address = bound
  return true
end

--- Stops the node, waits for its thread and unlocks the directory; does
-- nothing when it does not run. Clients lose their connections.
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] dqlite.error of kind "connect"; the node is stopped all the same
function Node:stop()
  self._running = false
  local ok, message, code = self._handle:stop()
  if not ok then return failed(message, code, self.address) end
  return true
end

function Node:__tostring()
  return string.format("dqlite.node %s at %s (%s)", self.id, self.address,
    self._running and "running" or "stopped")
end

Node.__close = Node.stop

--- Functions
-- @section functions

--- Makes a node. Nothing is created, bound or locked before `start`.
--
-- An address with port 0 takes a port that is free now; another program may
-- take it before `start`, which then fails.
--
-- @tparam table opts
-- @string opts.address what clients and other nodes dial: "host:port", or
--   "@name" (an abstract socket, on which libdqlite serves this process only).
--   Numeric, IPv4 only before libdqlite 1.12; a name only where `bind_address`
--   is given, and then no other node can dial it.
-- @string opts.dir where the data are
-- @param[opt="1"] opts.id decimal string or integer, all 64 bits, not 0. It
--   belongs to the directory and differs within a cluster. "1" bootstraps
--   itself: at its first start it is a cluster of one. Any other node waits to
--   be added to a cluster.
-- @string[opt] opts.bind_address what to listen on, where that differs from
--   `address`: numeric, with a port, or "@name", or "@" for any abstract name
-- @number[opt] opts.latency seconds, 0.001 to 3600, that a message takes
--   between nodes: heartbeats go out every 1.5 of it, an election begins after
--   15 of it in silence (without the option: 0.5 s and 3 s)
-- @tparam[opt] table opts.snapshot `threshold` (1024) entries of the log between
--   two snapshots, `trailing` (8192) entries kept after one, at least 4 and at
--   least `threshold`, `strategy` "static" or "dynamic" (since 1.18.2)
-- @param[opt="0"] opts.failure_domain decimal string or integer, all 64 bits
-- @int[opt] opts.block_size bytes of a disk write, a power of two from 512 to
--   262144; since 1.15
-- @bool[opt=false] opts.role_management the servers of a cluster promote and
--   demote each other; since 1.15
-- @int[opt=3] opts.target_voters for role management; since 1.15
-- @int[opt=0] opts.target_standbys for role management; since 1.15
-- @bool[opt=true] opts.auto_recovery at start, damaged files are put aside and
--   what is in them is lost; since 1.16 it can be turned off
-- @bool[opt] opts.snapshot_compression since 1.16.2
-- @number[opt=0] opts.busy_timeout seconds that a write waits in the server's
--   queue before it fails as busy; since 1.18.2
-- @treturn[1] Node
-- @treturn[2] nil
-- @treturn[2] dqlite.error of kind "value", "unsupported" or "connect"
-- @usage
-- local node = assert(require "dqlite.node".new {
--   address = "127.0.0.1:0", dir = "/var/lib/app/node" })
-- assert(node:start())
-- print(node.address)
function node.new(opts)
  local checked = options.check_new(opts)
  local calls, err = plan(checked)
  if not calls then return nil, err end
  local ok
  ok, err = check_dir(checked.dir)
  if not ok then return nil, err end
  local advertised, bind = address.resolve(checked.address, checked.bind_address)
  if not advertised then return nil, bind end
  return setmetatable({
    id = checked.id or "1",
    address = advertised,
    dir = checked.dir,
    bind_address = nil,
    _bind = bind,                 -- what libdqlite is told to listen on
    _calls = calls,               -- setters to call before each start
    _handle = node_core.handle(), -- owns the node and the lock; its __gc stops
    _running = false,
    _process = process.current(), -- that the node is in
  }, Node)
end

--- A new id for a node, never 0: a digest of the address and the clock
-- (dqlite_generate_node_id). Each call gives another one, so keep it.
-- @string where the node's address
-- @treturn string decimal
function node.generate_id(where)
  if type(where) ~= "string" then
    errors.misuse("dqlite.node.generate_id: a string expected, got " .. type(where))
  end
  return node_core.generate_id(where)
end

-- A repeated id or address trips an assertion in libdqlite; without a voter,
-- or without this node, no leader could ever be elected here.
local function check_cluster(members, id, where)
  local seen, voters = {}, 0
  for _, member in ipairs(members) do
    local kind, err = address.parse(member.address)
    if not kind then return nil, err end
    local key = "id " .. member.id
    if seen[key] or seen[member.address] then
      return refused(string.format("member %s at %s: this id or address appears twice",
        member.id, member.address))
    end
    seen[key], seen[member.address] = member.address, true
    if member.role == options.VOTER then voters = voters + 1 end
  end
  if voters == 0 then return refused "no member is a voter" end
  if seen["id " .. id] ~= where then
    return refused(string.format("node %s at %s is not among the members", id, where))
  end
  return true
end

-- Whether raft has been here: an empty directory, "recovered", would be a new
-- and empty cluster.
local function check_data(dir)
  for _, name in ipairs { "metadata1", "metadata2" } do
    local file = io.open(dir .. "/" .. name, "rb")
    if file then
      file:close()
      return true
    end
  end
  return refused(dir .. " holds no data of a node")
end

--- Gives the data in a directory a new membership, for a cluster that has lost
-- its majority for good. Done on more than one node, or on one that is behind,
-- it loses data. The procedure (dqlite.h):
--
-- 1. stop every node of the cluster;
-- 2. find, among the survivors, the one with the most recent term and log;
-- 3. call this once, there, with all survivors as members;
-- 4. copy its directory over those of the other survivors;
-- 5. start them all.
--
-- @tparam table opts
-- @param opts.id of the node that the directory belongs to
-- @string opts.address of that node
-- @string opts.dir its data
-- @tparam table opts.members list of `{ id =, address =, role = }`, this node
--   among them; role "voter" (the default), "standby" or "spare"
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] dqlite.error of kind "value", "unsupported", "busy" or "connect"
function node.recover(opts)
  local checked = options.check_recover(opts)
  local ok, err = check_cluster(checked.members, checked.id, checked.address)
  if ok then ok, err = check_dir(checked.dir) end
  if ok then ok, err = check_data(checked.dir) end
  if not ok then return nil, err end
  local handle = node_core.handle()
  ok, err = lock(handle, checked.dir, false)
  if not ok then return nil, err end
  local message, code
  ok, message, code = rewrite(handle, checked)
  handle:stop()
  if not ok then return failed(message, code, checked.address) end
  return true
end

return node
