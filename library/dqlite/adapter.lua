---@meta dqlite.adapter

---Makes the scheduler of a program, or of a framework, a loop of dqlite's.
---@class dqlite.adapter
local adapter = {}

---A place where a coroutine waits. What else is in the table is the scheduler's.
---@class dqlite.adapter.Wait
---@field fd? integer a descriptor
---@field wanted? dqlite.host.Events what of it ends the wait; nil: it is not to be looked at
---@field [string] any

---What a scheduler does.
---@class dqlite.adapter.Scheduler
---@field name? string
---@field park async fun(wait: dqlite.adapter.Wait, deadline?: number): true?, string?, string? stands still until it is woken, its descriptor is ready or the deadline has passed
---@field wake fun(wait: dqlite.adapter.Wait) lets the coroutine go on that waits there, by and by
---@field later fun(fn: fun(arg: any), arg: any) calls a function by and by
---@field start fun(fn: async fun()) runs a function in a coroutine, by and by
---@field forget? fun(wait: dqlite.adapter.Wait) its descriptor is about to be closed
---@field refusal? fun(): string? why nobody can wait here
---@field lookup? async fun(host: string, deadline: number): string[]?, string?, string? numeric addresses of a name

---Makes a loop, to be given as the option `loop`.
---@nodiscard
---@param scheduler dqlite.adapter.Scheduler
---@return dqlite.CustomLoop loop
function adapter.new(scheduler) end

---Seconds of the clock that deadlines are of. It never goes back.
---@nodiscard
---@return number seconds
function adapter.now() end

return adapter
