---@meta _

---What runs beside the one that has begun it, by `dqlite.spawn`.
---@class dqlite.Task
---@field traceback? string once it has failed: where its error was raised, and which
local Task = {}

---Waits for its end; raises what its function raised.
---@async
---@return any ... what its function returned
function Task:wait() end
