---@meta dqlite.node.nginx

---What the node of a worker is in.
---@alias dqlite.node.nginx.Status
---| "waiting" # for the directory or the address to come free
---| "running"
---| "failed"

---A node inside nginx, in the first of its workers.
---@class dqlite.node.nginx
local nginx = {}

---Starts the node, in the first worker; in the others does nothing. For init_worker_by_lua.
---@param opts dqlite.node.Options `address` with a host and a port
---@return true? done also while it waits
---@return dqlite.Error? err
function nginx.start(opts) end

---Stops the node, or the wait for it. For exit_worker_by_lua.
---@return true? done
---@return dqlite.Error? err the node is stopped all the same
function nginx.stop() end

---How the node of this worker is.
---@nodiscard
---@return dqlite.node.nginx.Status? status nil in workers that have none
---@return dqlite.Error? err what it waits for the end of, or has failed with
function nginx.status() end

return nginx
