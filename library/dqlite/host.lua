---@meta dqlite.host

---What a descriptor is to be watched for.
---@alias dqlite.host.Events
---| "r"
---| "w"
---| "rw"

---A descriptor to be watched.
---@class dqlite.host.Pollfd
---@field fd integer
---@field events dqlite.host.Events

---Loops for programs that have one of their own.
---@class dqlite.host
local hosts = {}

---Makes a loop, to be given as the option `loop`.
---@nodiscard
---@return dqlite.host.Host host
function hosts.new() end

---A loop that a program drives: it asks what to watch and until when, waits, takes a step.
---@class dqlite.host.Host: dqlite.CustomLoop
local Host = {}

---Runs a function in a coroutine of its own, begun by the next step.
---@param fn async fun(...: any): ...
---@param ... any its arguments
---@return dqlite.Task task
function Host:spawn(fn, ...) end

---The descriptors to be watched, until the next step.
---@nodiscard
---@return dqlite.host.Pollfd[] list
function Host:pollfds() end

---The same at the least cost.
---@nodiscard
---@return integer[] fds
---@return integer[] events POLLIN, POLLOUT or both, as a number
---@return integer count
function Host:descriptors() end

---When is the next step due, should no descriptor become ready before?
---@nodiscard
---@return number? seconds 0: at once; nil: never
function Host:timeout() end

---Lets every coroutine go on that can. Does not wait.
---@param ready? integer[] descriptors that may be ready; left out: asks the system for all
---@param n? integer how many entries of it count
---@return boolean busy is there anything left to wait for?
function Host:step(ready, n) end

---Is there nothing left to wait for?
---@nodiscard
---@return boolean
function Host:is_idle() end

---Waits itself until a step is due, for a program that has nothing else to watch.
---@param limit? number seconds at most
---@return integer[] ready the descriptors that are ready, for `step`
---@return integer count
function Host:wait(limit) end

return hosts
