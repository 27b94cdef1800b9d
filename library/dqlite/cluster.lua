---@meta _

---Who leads.
---@class dqlite.Leader
---@field id string decimal
---@field address string

---What a node says of itself.
---@class dqlite.Description
---@field failure_domain integer|string
---@field weight integer|string

---A node to add.
---@class dqlite.NewMember
---@field id dqlite.NodeId
---@field address string
---@field role? dqlite.Role "spare" if left out

---How a copy of a database is made, by one node.
---@class dqlite.ViewDumpOptions
---@field to? string a directory for the files, replaced if they are there
---@field max_size? integer bytes of the files, up to 1023 MiB (256 MiB)

---How a copy of a database is made.
---@class dqlite.DumpOptions: dqlite.ViewDumpOptions
---@field address? string of the node to ask; left out: the leader

---How one node is.
---@class dqlite.NodeHealth
---@field address string
---@field id? string decimal
---@field role? dqlite.Role
---@field answers boolean
---@field leader? string whom it names
---@field seconds? number that its answer took
---@field failure_domain? integer|string
---@field weight? integer|string
---@field error? dqlite.Error

---How a cluster is.
---@class dqlite.Health
---@field nodes dqlite.NodeHealth[]
---@field voters integer
---@field answering integer of the voters
---@field quorum boolean do enough answer?
---@field leader? string address; nil when none names itself

---The way to the leader, and the administration of the nodes.
---@class dqlite.Cluster
---@field refresh_error? dqlite.Error of the last time that the store was written
local Cluster = {}

---Connects to the leader.
---@async
---@nodiscard
---@param opts? dqlite.ConnectOptions over those of the cluster
---@return dqlite.Connection? conn
---@return dqlite.Error? err
function Cluster:connect(opts) end

---Makes a pool of connections to the leader.
---@async
---@nodiscard
---@param opts? dqlite.ClusterPoolOptions over those of the cluster
---@return dqlite.Pool? pool
---@return dqlite.Error? err of the first connections
function Cluster:pool(opts) end

---Who leads.
---@async
---@nodiscard
---@return dqlite.Leader? leader
---@return dqlite.Error? err
function Cluster:leader() end

---The nodes, as the leader knows them.
---@async
---@nodiscard
---@return dqlite.Member[]? nodes
---@return dqlite.Error? err
function Cluster:nodes() end

---One node's own view, whoever leads.
---@nodiscard
---@param address string
---@return dqlite.View view
function Cluster:node(address) end

---What a node says of itself.
---@async
---@nodiscard
---@param address? string of the node; the leader's if left out
---@return dqlite.Description? description
---@return dqlite.Error? err
function Cluster:describe(address) end

---Copies a database: its file and that of its log.
---@async
---@param database string
---@param opts? dqlite.DumpOptions
---@return table<string, string|integer>? files by name: bytes; with `to` how many they are
---@return dqlite.Error? err
function Cluster:dump(database, opts) end

---Adds a node that runs and has joined no cluster yet.
---@async
---@param node dqlite.NewMember
---@return true? done
---@return dqlite.Error? err
function Cluster:add(node) end

---Gives a node a role.
---@async
---@param id dqlite.NodeId
---@param role dqlite.Role
---@return true? done
---@return dqlite.Error? err
function Cluster:assign(id, role) end

---Removes a node; not the leader: transfer first.
---@async
---@param id dqlite.NodeId
---@return true? done
---@return dqlite.Error? err
function Cluster:remove(id) end

---Makes another voter the leader.
---@async
---@param id dqlite.NodeId
---@return true? done
---@return dqlite.Error? err
function Cluster:transfer(id) end

---Sets a node's weight, which it forgets when it stops.
---@async
---@param weight integer
---@param address? string of the node; the leader's if left out
---@return true? done
---@return dqlite.Error? err
function Cluster:set_weight(weight, address) end

---How the cluster is: every node that is known is asked, at once.
---@async
---@nodiscard
---@return dqlite.Health? health
---@return dqlite.Error? err
function Cluster:health() end

---Closes: no call is possible any more. Connections stay open.
---@return true done
function Cluster:close() end
