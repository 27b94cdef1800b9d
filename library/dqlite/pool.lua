---@meta _

---How long calls took: a histogram. Its list has what took up to `le` seconds.
---@class dqlite.PoolLatency
---@field count integer of all calls
---@field sum number seconds of all calls
---@field [integer] dqlite.PoolBucket

---A bucket of it.
---@class dqlite.PoolBucket
---@field le number seconds
---@field count integer

---How a pool is. What nginx keeps it does not tell: `size`, `min_size`, `idle`, `in_use`,
---`connecting` and `waiting` are nil there.
---@class dqlite.PoolStats
---@field max_size integer
---@field size? integer connections that there are, or are made
---@field min_size? integer
---@field idle? integer
---@field in_use? integer
---@field connecting? integer on the way to one of these
---@field waiting? integer coroutines that wait for one
---@field acquires integer connections that were taken out
---@field waits integer times that somebody waited for one and got it
---@field timeouts integer times that somebody waited in vain
---@field connects integer connections that were made
---@field connect_failures integer connections that could not be made
---@field closes integer connections that were closed or lost
---@field leaks integer connections that were collected in use
---@field leader_changes integer times that another node led, or none that was known
---@field retries integer calls and transactions that were run again
---@field queries integer calls that were sent
---@field query_errors integer of them, those that failed
---@field latency dqlite.PoolLatency

---What a request came to, by `pool:once`.
---@class dqlite.OnceAnswer
---@field value any what its function answered, then or now
---@field repeated boolean was it applied before?

---A pool of connections to the leader. Its calls run again on another connection when theirs
---was lost and they have certainly not been applied.
---@class dqlite.Pool
local Pool = {}

---Takes a connection, to be given back by `conn:release()`, or `<close>` of Lua 5.4.
---@async
---@nodiscard
---@param opts? dqlite.AcquireOptions
---@return dqlite.Connection? conn
---@return dqlite.Error? err of kind "pool" when none came free in time
function Pool:acquire(opts) end

---Runs a function with a connection, which is given back however that ends.
---@async
---@generic T
---@param fn async fun(conn: dqlite.Connection): T?, any
---@param opts? dqlite.AcquireOptions
---@return T? result what the function answered
---@return any err
---@return any ...
function Pool:with(fn, opts) end

---Runs a function in a transaction; again as a whole when it was certainly not applied.
---@async
---@generic T
---@param fn async fun(conn: dqlite.Connection): T?, any
---@param opts? dqlite.PoolTransactionOptions
---@return T? result what the function answered
---@return any err
---@return any ...
function Pool:transaction(fn, opts) end

---Runs a function in a transaction that is applied exactly once for a request id.
---@async
---@param id string of the request, chosen by the caller
---@param fn async fun(conn: dqlite.Connection): any, any answers one value that SQL can hold
---@param opts? dqlite.AcquireOptions
---@return dqlite.OnceAnswer? answer
---@return any err where it is `ambiguous`, call again with the same id
function Pool:once(id, fn, opts) end

---Forgets request ids that are older.
---@async
---@param seconds number
---@return integer? count how many
---@return dqlite.Error? err
function Pool:forget_requests(seconds) end

---Runs a statement; rows that it yields are dropped.
---@async
---@overload async fun(self: dqlite.Pool, text: string, params: dqlite.Parameters, opts?: dqlite.FetchOptions): dqlite.Outcome?, dqlite.Error?
---@param text string one statement
---@param ... dqlite.Parameter
---@return dqlite.Outcome? outcome
---@return dqlite.Error? err `ambiguous` when it may have been applied
function Pool:execute(text, ...) end

---Fetches all rows by column name; of duplicate names the last wins.
---@async
---@nodiscard
---@overload async fun(self: dqlite.Pool, text: string, params: dqlite.Parameters, opts?: dqlite.FetchOptions): dqlite.Row[]?, dqlite.Error?
---@param text string one statement that yields rows
---@param ... dqlite.Parameter
---@return dqlite.Row[]? rows
---@return dqlite.Error? err
function Pool:fetch(text, ...) end

---Fetches all rows by position.
---@async
---@nodiscard
---@overload async fun(self: dqlite.Pool, text: string, params: dqlite.Parameters, opts?: dqlite.FetchOptions): dqlite.Array[]?, dqlite.Error?
---@param text string one statement that yields rows
---@param ... dqlite.Parameter
---@return dqlite.Array[]? rows
---@return dqlite.Error? err
function Pool:fetchall(text, ...) end

---The same as `fetchall`.
---@async
---@nodiscard
---@overload async fun(self: dqlite.Pool, text: string, params: dqlite.Parameters, opts?: dqlite.FetchOptions): dqlite.Array[]?, dqlite.Error?
---@param text string one statement that yields rows
---@param ... dqlite.Parameter
---@return dqlite.Array[]? rows
---@return dqlite.Error? err
function Pool:fetch_arrays(text, ...) end

---Fetches the first row by column name.
---@async
---@nodiscard
---@overload async fun(self: dqlite.Pool, text: string, params: dqlite.Parameters, opts?: dqlite.FetchOptions): dqlite.Row?, dqlite.Error?
---@param text string one statement that yields rows
---@param ... dqlite.Parameter
---@return dqlite.Row? row nil without an error when there is none
---@return dqlite.Error? err
function Pool:fetchone(text, ...) end

---Fetches the first column of the first row.
---@async
---@nodiscard
---@overload async fun(self: dqlite.Pool, text: string, params: dqlite.Parameters, opts?: dqlite.FetchOptions): any, dqlite.Error?
---@param text string one statement that yields rows
---@param ... dqlite.Parameter
---@return any value nil for NULL, and when there is no row
---@return dqlite.Error? err
function Pool:fetchval(text, ...) end

---Fetches the first column of all rows.
---@async
---@nodiscard
---@overload async fun(self: dqlite.Pool, text: string, params: dqlite.Parameters, opts?: dqlite.FetchOptions): any[]?, dqlite.Error?
---@param text string one statement that yields rows
---@param ... dqlite.Parameter
---@return any[]? values NULL is `dqlite.null`
---@return dqlite.Error? err
function Pool:fetchcol(text, ...) end

---Fetches everything there is to know about a result.
---@async
---@nodiscard
---@overload async fun(self: dqlite.Pool, text: string, params: dqlite.Parameters, opts?: dqlite.FetchOptions): dqlite.Result?, dqlite.Error?
---@param text string one statement that yields rows
---@param ... dqlite.Parameter
---@return dqlite.Result? result
---@return dqlite.Error? err
function Pool:query(text, ...) end

---Runs an INSERT, REPLACE, UPDATE or DELETE for each set of parameters, all or nothing.
---@async
---@param text string one statement
---@param list dqlite.Parameters[]|(fun(): dqlite.Parameters?) sets, or an iterator that answers them
---@param opts? dqlite.CallOptions
---@return dqlite.Outcome? outcome of all of them
---@return dqlite.Error? err `index` tells the set
function Pool:executemany(text, list, opts) end

---Sends statements without waiting for each other's answers. They are no transaction.
---@async
---@param list dqlite.PipelineEntry[]
---@param opts? dqlite.PipelineOptions
---@return dqlite.PipelineAnswer[]? answers what `fetch` or `execute` would answer, or `error`
---@return dqlite.Error? err when nothing was sent; `index` tells the entry
function Pool:pipeline(list, opts) end

---Runs several statements, up to the first failure.
---@async
---@param text string
---@param opts? dqlite.CallOptions
---@return integer? count how many statements there were
---@return dqlite.Error? err `index` and `sql` tell the statement
function Pool:script(text, opts) end

---Asks the leader for a sign of life.
---@async
---@return true? alive
---@return dqlite.Error? err
function Pool:ping() end

---How the pool is: counters, and a histogram of times.
---@nodiscard
---@return dqlite.PoolStats stats
function Pool:stats() end

---The same as text, in Prometheus' format.
---@nodiscard
---@param labels? table<string, any> that each line gets
---@return string text
function Pool:metrics(labels) end

---Waits until all connections are given back, then closes the rest.
---@async
---@param timeout? number seconds
---@return true done
function Pool:close(timeout) end

---Is it open?
---@nodiscard
---@return boolean
function Pool:is_open() end
