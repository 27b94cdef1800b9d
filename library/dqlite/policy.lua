---@meta dqlite.policy

---Says of an address whether it may be dialled: true, or false and perhaps a reason.
---@alias dqlite.Policy fun(address: string): boolean, string?

---What `safe` lets through.
---@class dqlite.SafeOptions
---@field public private? boolean addresses of private networks (true)
---@field loopback? boolean this machine (false)
---@field names? boolean other host names (true)

---Policies for the option `redirect`.
---@class dqlite.policy
local policy = {}

---Allows these addresses and no others.
---@nodiscard
---@param list string[]
---@return dqlite.Policy policy
function policy.allow(list) end

---Refuses this machine and what is link-local, multicast or reserved, in all spellings.
---@nodiscard
---@param opts? dqlite.SafeOptions
---@return dqlite.Policy policy
function policy.safe(opts) end

return policy
