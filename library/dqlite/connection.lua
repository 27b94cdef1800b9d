---@meta _

---An entry of a pipeline: a statement and its parameters; `n` counts trailing nils.
---@class dqlite.PipelineEntry
---@field [1] string
---@field [integer] dqlite.Parameter
---@field n? integer

---What an entry of a pipeline answers: rows, or an outcome, or its error.
---@class dqlite.PipelineAnswer: dqlite.Outcome
---@field [integer] dqlite.Row|dqlite.Array
---@field error? dqlite.Error

---What a server can do.
---@class dqlite.Features
---@field params_32bit boolean more than 255 parameters
---@field statement_tail boolean several statements in one text are told apart
---@field returning boolean RETURNING outside of a transaction
---@field typed_null? boolean NULL in BOOLEAN and date columns arrives as NULL

---A connection to one database, for one coroutine at a time.
---
---Parameters are given one by one, or as one table that the call's options may follow.
---@class dqlite.Connection
---@field address string of the node
---@field database string its name
local Connection = {}

---Runs a statement; rows that it yields are dropped.
---@async
---@overload async fun(self: dqlite.Connection, text: string, params: dqlite.Parameters, opts?: dqlite.FetchOptions): dqlite.Outcome?, dqlite.Error?
---@param text string one statement
---@param ... dqlite.Parameter
---@return dqlite.Outcome? outcome
---@return dqlite.Error? err `ambiguous` when it may have been applied
function Connection:execute(text, ...) end

---Fetches all rows by column name; of duplicate names the last wins.
---@async
---@nodiscard
---@overload async fun(self: dqlite.Connection, text: string, params: dqlite.Parameters, opts?: dqlite.FetchOptions): dqlite.Row[]?, dqlite.Error?
---@param text string one statement that yields rows
---@param ... dqlite.Parameter
---@return dqlite.Row[]? rows
---@return dqlite.Error? err
function Connection:fetch(text, ...) end

---Fetches all rows by position.
---@async
---@nodiscard
---@overload async fun(self: dqlite.Connection, text: string, params: dqlite.Parameters, opts?: dqlite.FetchOptions): dqlite.Array[]?, dqlite.Error?
---@param text string one statement that yields rows
---@param ... dqlite.Parameter
---@return dqlite.Array[]? rows
---@return dqlite.Error? err
function Connection:fetchall(text, ...) end

---The same as `fetchall`.
---@async
---@nodiscard
---@overload async fun(self: dqlite.Connection, text: string, params: dqlite.Parameters, opts?: dqlite.FetchOptions): dqlite.Array[]?, dqlite.Error?
---@param text string one statement that yields rows
---@param ... dqlite.Parameter
---@return dqlite.Array[]? rows
---@return dqlite.Error? err
function Connection:fetch_arrays(text, ...) end

---Fetches the first row by column name.
---@async
---@nodiscard
---@overload async fun(self: dqlite.Connection, text: string, params: dqlite.Parameters, opts?: dqlite.FetchOptions): dqlite.Row?, dqlite.Error?
---@param text string one statement that yields rows
---@param ... dqlite.Parameter
---@return dqlite.Row? row nil without an error when there is none
---@return dqlite.Error? err
function Connection:fetchone(text, ...) end

---Fetches the first column of the first row.
---@async
---@nodiscard
---@overload async fun(self: dqlite.Connection, text: string, params: dqlite.Parameters, opts?: dqlite.FetchOptions): any, dqlite.Error?
---@param text string one statement that yields rows
---@param ... dqlite.Parameter
---@return any value nil for NULL, and when there is no row
---@return dqlite.Error? err
function Connection:fetchval(text, ...) end

---Fetches the first column of all rows.
---@async
---@nodiscard
---@overload async fun(self: dqlite.Connection, text: string, params: dqlite.Parameters, opts?: dqlite.FetchOptions): any[]?, dqlite.Error?
---@param text string one statement that yields rows
---@param ... dqlite.Parameter
---@return any[]? values NULL is `dqlite.null`
---@return dqlite.Error? err
function Connection:fetchcol(text, ...) end

---Fetches everything there is to know about a result.
---@async
---@nodiscard
---@overload async fun(self: dqlite.Connection, text: string, params: dqlite.Parameters, opts?: dqlite.FetchOptions): dqlite.Result?, dqlite.Error?
---@param text string one statement that yields rows
---@param ... dqlite.Parameter
---@return dqlite.Result? result
---@return dqlite.Error? err
function Connection:query(text, ...) end

---Iterates over rows by name, in the memory of a frame. Raises the error of a failure.
---
---What a `break` leaves unread is read by the connection's next call, or by `close`.
---@async
---@nodiscard
---@overload async fun(self: dqlite.Connection, text: string, params: dqlite.Parameters, opts?: dqlite.RowsOptions): fun(): table<string|integer, any>
---@param text string one statement that yields rows
---@param ... dqlite.Parameter
---@return fun(): dqlite.Row iterator
function Connection:rows(text, ...) end

---Prepares SELECT, VALUES, WITH, INSERT, REPLACE, UPDATE or DELETE.
---@async
---@nodiscard
---@param text string one statement
---@return dqlite.Statement? statement
---@return dqlite.Error? err
function Connection:prepare(text) end

---Runs an INSERT, REPLACE, UPDATE or DELETE for each set of parameters, all or nothing.
---@async
---@param text string one statement
---@param list dqlite.Parameters[]|(fun(): dqlite.Parameters?) sets, or an iterator that answers them
---@param opts? dqlite.CallOptions
---@return dqlite.Outcome? outcome of all of them
---@return dqlite.Error? err `index` tells the set
function Connection:executemany(text, list, opts) end

---Sends statements without waiting for each other's answers. They are no transaction.
---@async
---@param list dqlite.PipelineEntry[]
---@param opts? dqlite.PipelineOptions
---@return dqlite.PipelineAnswer[]? answers what `fetch` or `execute` would answer, or `error`
---@return dqlite.Error? err when nothing was sent; `index` tells the entry
function Connection:pipeline(list, opts) end

---Runs several statements, up to the first failure.
---@async
---@param text string
---@param opts? dqlite.CallOptions
---@return integer? count how many statements there were
---@return dqlite.Error? err `index` and `sql` tell the statement
function Connection:script(text, opts) end

---Runs a function in a transaction; nested, in a savepoint.
---
---Rolls back when the function raises, answers `nil, err`, or a call at its level failed.
---@async
---@generic T
---@param fn async fun(conn: dqlite.Connection): T?, any
---@param opts? dqlite.TransactionOptions
---@return T? result what the function answered
---@return any err
---@return any ...
function Connection:transaction(fn, opts) end

---Begins a transaction.
---@async
---@param mode? dqlite.TransactionMode "immediate" if left out
---@return dqlite.Transaction? transaction
---@return dqlite.Error? err
function Connection:begin(mode) end

---Commits what `begin`, or BEGIN as text, has begun.
---@async
---@return true? done
---@return dqlite.Error? err `ambiguous` when the answer was lost
function Connection:commit() end

---Rolls back what `begin`, or BEGIN as text, has begun.
---@async
---@return true? done
---@return dqlite.Error? err
function Connection:rollback() end

---May a transaction be open?
---@nodiscard
---@return boolean
function Connection:in_transaction() end

---Asks the node for a sign of life.
---@async
---@return true? alive
---@return dqlite.Error? err
function Connection:ping() end

---Asks the server what it can do.
---@async
---@nodiscard
---@return dqlite.Features? features
---@return dqlite.Error? err
function Connection:features() end

---Gives the connection back to its pool; the object cannot be used any more.
---@async
---@return true done
function Connection:release() end

---Closes; a transaction that is open is rolled back. Again does nothing.
---@async
---@return true done
function Connection:close() end

---nginx: keeps the socket for who connects next to the same node and database; the object
---cannot be used any more.
---@async
---@param idle? number seconds that it is kept without use; 0: for ever
---@param size? integer how many are kept
---@return true? kept
---@return dqlite.Error? err
function Connection:set_keepalive(idle, size) end

---nginx: how often the socket was kept for somebody; 0 for a new one.
---@nodiscard
---@return integer? times
---@return dqlite.Error? err
function Connection:get_reused_times() end

---The descriptor of the connection, to be watched.
---@nodiscard
---@return integer? fd nil once it has ended
function Connection:pollfd() end

---On the loop of a host: what the descriptor is to be watched for.
---@nodiscard
---@return dqlite.host.Events? events nil where nobody waits for it
function Connection:events() end

---On the loop of a host: when the next step is due, should the descriptor not become ready.
---@nodiscard
---@return number? seconds 0: at once; nil: never
function Connection:timeout() end

---On the loop of a host: takes a step in which no other connection is looked at.
---@return boolean busy is there anything left to wait for?
function Connection:step() end

---Can statements be sent?
---@nodiscard
---@return boolean
function Connection:is_open() end
