---@meta dqlite.store

---A role of a node in its cluster.
---@alias dqlite.Role
---| "voter" # counts for the majority, and can lead
---| "standby" # has the data, and does not vote
---| "spare" # has nothing yet

---An id of a node: decimal digits, as it uses all 64 bits. Integers are accepted.
---@alias dqlite.NodeId string|integer

---A node as the cluster knows it.
---@class dqlite.Member
---@field id? string decimal; nil where it is not known
---@field address string
---@field role? dqlite.Role

---A node as it is given to a store: its address alone, or more of it.
---@alias dqlite.Address string|dqlite.Member

---Where the addresses of nodes are kept: one of these two, or a table of one's own.
---@class dqlite.Store
---@field get async fun(self: dqlite.Store): dqlite.Address[]?, any the nodes
---@field set? async fun(self: dqlite.Store, list: dqlite.Member[]): any, any takes other nodes, for the option `refresh`

---Stores of the library.
---@class dqlite.store
local store = {}

---Makes a store in memory.
---@nodiscard
---@param list? dqlite.Address[]
---@return dqlite.store.Memory store
function store.memory(list) end

---Makes a store of go-dqlite's file cluster.yaml, which is read anew each time.
---@nodiscard
---@param path string
---@return dqlite.store.Yaml store
function store.yaml(path) end

---A store in memory.
---@class dqlite.store.Memory: dqlite.Store
local Memory = {}

---The nodes, as copies.
---@nodiscard
---@return dqlite.Member[] list
function Memory:get() end

---Takes other nodes. A list that is refused changes nothing.
---@param list dqlite.Address[]
---@return true? done
---@return dqlite.Error? err
function Memory:set(list) end

---A store in a file.
---@class dqlite.store.Yaml: dqlite.Store
---@field path string
local Yaml = {}

---The nodes in the file.
---@nodiscard
---@return dqlite.Member[]? list
---@return dqlite.Error? err
function Yaml:get() end

---Replaces the file in one piece.
---@param list dqlite.Address[]
---@return true? done
---@return dqlite.Error? err
function Yaml:set(list) end

return store
