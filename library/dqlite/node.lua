---@meta dqlite.node

---How often the log is made into a snapshot.
---@class dqlite.node.SnapshotOptions
---@field threshold? integer entries of the log between two snapshots (1024)
---@field trailing? integer entries that are kept after one (8192), at least `threshold`
---@field strategy? dqlite.node.Strategy since libdqlite 1.18.2

---How `threshold` and `trailing` are taken.
---@alias dqlite.node.Strategy
---| "static"
---| "dynamic"

---Options of a node.
---@class dqlite.node.Options
---@field address string what is dialled: "host:port", or "@name" in this process
---@field dir string where the data are
---@field id? dqlite.NodeId "1" if left out: a cluster of its own; others wait to be added
---@field bind_address? string what to listen on, where that differs from `address`
---@field latency? number seconds that a message takes between nodes
---@field failure_domain? dqlite.NodeId a whole number below 2^64
---@field snapshot? dqlite.node.SnapshotOptions
---@field snapshot_compression? boolean since libdqlite 1.16.2
---@field block_size? integer bytes of a disk write, a power of two; since 1.15
---@field target_voters? integer for role management (3); since 1.15
---@field target_standbys? integer for role management (0); since 1.15
---@field role_management? boolean the servers promote and demote each other; since 1.15
---@field auto_recovery? boolean damaged files are put aside at start (true)
---@field busy_timeout? number seconds that a write waits in the server's queue; since 1.18.2

---A node of the cluster that `recover` makes.
---@class dqlite.node.RecoverMember
---@field id dqlite.NodeId
---@field address string
---@field role? dqlite.Role "voter" if left out

---What `recover` needs.
---@class dqlite.node.RecoverOptions
---@field id dqlite.NodeId of the node that the directory belongs to
---@field address string of that node
---@field dir string its data
---@field members dqlite.node.RecoverMember[] this node among them

---The embedded node, of the rock lua-dqlite-node.
---@class dqlite.node
---@field features table<string, boolean> what the loaded libdqlite can do
---@field version string what it calls itself
local node = {}

---Makes a node. Nothing is created, bound or locked before `start`.
---@nodiscard
---@param opts dqlite.node.Options
---@return dqlite.node.Node? node
---@return dqlite.Error? err
function node.new(opts) end

---A new id, never 0. Each call gives another one: keep it.
---@nodiscard
---@param where string the node's address
---@return string id decimal
function node.generate_id(where) end

---Gives the data in a directory a new membership, for a cluster that has lost its majority
---for good. Done on more than one node, or on one that is behind, it loses data.
---@param opts dqlite.node.RecoverOptions
---@return true? done
---@return dqlite.Error? err
function node.recover(opts) end

---A node in this process. Keep it in a variable: one that is collected is stopped.
---@class dqlite.node.Node
---@field id string decimal
---@field address string what clients dial
---@field dir string the data directory
---@field bind_address? string what libdqlite listens on; nil before the first start
local Node = {}

---Starts it: when this returns true, it serves.
---@return true? done
---@return dqlite.Error? err of kind "busy", "value" or "connect"
function Node:start() end

---Stops it; does nothing when it does not run.
---@return true? done
---@return dqlite.Error? err the node is stopped all the same
function Node:stop() end

return node
