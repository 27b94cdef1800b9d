---@meta _

---The handle of a transaction, by `conn:begin`. `<close>` of Lua 5.4 rolls it back unless
---it was committed.
---@class dqlite.Transaction
local Transaction = {}

---Commits. One that is refused leaves the transaction open, to be rolled back.
---@async
---@return true? done
---@return dqlite.Error? err `ambiguous` when the answer was lost
function Transaction:commit() end

---Rolls back.
---@async
---@return true? done
---@return dqlite.Error? err
function Transaction:rollback() end
