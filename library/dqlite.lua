---@meta dqlite

---A client for dqlite, SQLite replicated by Raft.
---
---What can be expected to fail answers `nil, err`; misuse raises at the caller's line.
---Times are seconds.
---@class dqlite
---@field _VERSION string the library's version
---@field null dqlite.Null SQL's NULL; equal to ngx.null and cjson.null
---@field policy dqlite.policy which addresses may be dialled
---@field session dqlite.session raw sessions with one node
---@field store dqlite.store where addresses of nodes are kept
---@field wire dqlite.wire the codec alone
---@field host dqlite.host loops for programs that poll themselves
---@field node dqlite.node the embedded node, where the rock lua-dqlite-node is installed
local dqlite = {}

---Connects to the leader, whichever node is given, and opens a database.
---
---Kinds of error: "no_leader", "policy", "value"; for one address alone "connect" and
---"timeout", too.
---@async
---@nodiscard
---@param where dqlite.Where
---@param opts? dqlite.ClusterOptions
---@return dqlite.Connection? conn
---@return dqlite.Error? err
function dqlite.connect(where, opts) end

---Makes a cluster: the way to its leader, and its administration. Nothing is dialled yet.
---@nodiscard
---@param where dqlite.Where
---@param opts? dqlite.ClusterOptions
---@return dqlite.Cluster? cluster
---@return dqlite.Error? err of kind "value" for a malformed address
function dqlite.cluster(where, opts) end

---Makes a pool of connections to the leader, `min_size` of them at once.
---@async
---@nodiscard
---@param where dqlite.Where
---@param opts? dqlite.PoolOptions
---@return dqlite.Pool? pool
---@return dqlite.Error? err of the first connections
function dqlite.create_pool(where, opts) end

---Runs a function again as long as it fails with what is `retryable` and not `ambiguous`.
---@async
---@generic T
---@param fn async fun(try: integer): T?, any called with the number of the try, from 1 on
---@param opts? dqlite.RetryOptions
---@return T? result what the last try answered
---@return any ...
function dqlite.retry(fn, opts) end

---Runs a function in a coroutine under luv's loop until it is done. For the main chunk.
---@generic T
---@param fn async fun(...: any): T
---@param ... any its arguments
---@return T result what it returned
---@return any ...
function dqlite.run(fn, ...) end

---Runs a function beside the caller, in a coroutine of its own under luv's loop, or that of
---cqueues or a host where it is called there.
---@param fn async fun(...: any): ...
---@param ... any its arguments
---@return dqlite.Task task
function dqlite.spawn(fn, ...) end

---Waits; in a coroutine under luv or cqueues, of a host, or in nginx, others run meanwhile.
---@async
---@param seconds number
function dqlite.sleep(seconds) end

---Wraps bytes, to be bound as a BLOB.
---@nodiscard
---@param bytes string
---@return dqlite.Blob blob
function dqlite.blob(bytes) end

---Wraps a number, to be bound as a REAL also when it is whole.
---@nodiscard
---@param value number
---@return dqlite.Real real
function dqlite.real(value) end

---Makes an integer of 64 bits, of decimal digits or a whole number.
---@nodiscard
---@param value string|number
---@return dqlite.Int64 int64
function dqlite.int64(value) end

---Packs values into one parameter for `WHERE id IN (SELECT value FROM json_each(?))`.
---@nodiscard
---@param list dqlite.Parameter[] no blobs; `n` counts trailing nils
---@return string json
function dqlite.list(list) end

---Quotes the name of a table or a column for SQL.
---@nodiscard
---@param name string
---@return string quoted in double quotes
function dqlite.quote_name(name) end

return dqlite
