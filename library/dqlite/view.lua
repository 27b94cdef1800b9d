---@meta _

---One node's own view of the cluster, by `cluster:node(address)`.
---@class dqlite.View
---@field address string of the node
local View = {}

---Whom the node takes for the leader.
---@async
---@nodiscard
---@return dqlite.Leader? leader
---@return dqlite.Error? err of kind "no_leader" when it knows none
function View:leader() end

---The nodes of the cluster as the node knows them.
---@async
---@nodiscard
---@return dqlite.Member[]? nodes
---@return dqlite.Error? err
function View:nodes() end

---What the node says of itself.
---@async
---@nodiscard
---@return dqlite.Description? description
---@return dqlite.Error? err
function View:describe() end

---Sets the node's weight, which it forgets when it stops.
---@async
---@param weight integer
---@return true? done
---@return dqlite.Error? err
function View:set_weight(weight) end

---Copies a database as the node has it.
---@async
---@param database string
---@param opts? dqlite.ViewDumpOptions
---@return table<string, string|integer>? files by name: bytes; with `to` how many they are
---@return dqlite.Error? err
function View:dump(database, opts) end
