---@meta _

---A statement that the server has prepared, by `conn:prepare`.
---@class dqlite.Statement
---@field nparams integer how many parameters it takes
local Statement = {}

---Runs it; rows that it yields are dropped.
---@async
---@overload async fun(self: dqlite.Statement, params: dqlite.Parameters, opts?: dqlite.FetchOptions): dqlite.Outcome?, dqlite.Error?
---@param ... dqlite.Parameter
---@return dqlite.Outcome? outcome
---@return dqlite.Error? err `ambiguous` when it may have been applied
function Statement:execute(...) end

---Fetches all rows by column name; of duplicate names the last wins.
---@async
---@nodiscard
---@overload async fun(self: dqlite.Statement, params: dqlite.Parameters, opts?: dqlite.FetchOptions): dqlite.Row[]?, dqlite.Error?
---@param ... dqlite.Parameter
---@return dqlite.Row[]? rows
---@return dqlite.Error? err
function Statement:fetch(...) end

---Fetches all rows by position.
---@async
---@nodiscard
---@overload async fun(self: dqlite.Statement, params: dqlite.Parameters, opts?: dqlite.FetchOptions): dqlite.Array[]?, dqlite.Error?
---@param ... dqlite.Parameter
---@return dqlite.Array[]? rows
---@return dqlite.Error? err
function Statement:fetchall(...) end

---The same as `fetchall`.
---@async
---@nodiscard
---@overload async fun(self: dqlite.Statement, params: dqlite.Parameters, opts?: dqlite.FetchOptions): dqlite.Array[]?, dqlite.Error?
---@param ... dqlite.Parameter
---@return dqlite.Array[]? rows
---@return dqlite.Error? err
function Statement:fetch_arrays(...) end

---Fetches the first row by column name.
---@async
---@nodiscard
---@overload async fun(self: dqlite.Statement, params: dqlite.Parameters, opts?: dqlite.FetchOptions): dqlite.Row?, dqlite.Error?
---@param ... dqlite.Parameter
---@return dqlite.Row? row nil without an error when there is none
---@return dqlite.Error? err
function Statement:fetchone(...) end

---Fetches the first column of the first row.
---@async
---@nodiscard
---@overload async fun(self: dqlite.Statement, params: dqlite.Parameters, opts?: dqlite.FetchOptions): any, dqlite.Error?
---@param ... dqlite.Parameter
---@return any value nil for NULL, and when there is no row
---@return dqlite.Error? err
function Statement:fetchval(...) end

---Fetches the first column of all rows.
---@async
---@nodiscard
---@overload async fun(self: dqlite.Statement, params: dqlite.Parameters, opts?: dqlite.FetchOptions): any[]?, dqlite.Error?
---@param ... dqlite.Parameter
---@return any[]? values NULL is `dqlite.null`
---@return dqlite.Error? err
function Statement:fetchcol(...) end

---Fetches everything there is to know about a result.
---@async
---@nodiscard
---@overload async fun(self: dqlite.Statement, params: dqlite.Parameters, opts?: dqlite.FetchOptions): dqlite.Result?, dqlite.Error?
---@param ... dqlite.Parameter
---@return dqlite.Result? result
---@return dqlite.Error? err
function Statement:query(...) end

---Iterates over rows by name, in the memory of a frame. Raises the error of a failure.
---
---What a `break` leaves unread is read by the connection's next call, or by `close`.
---@async
---@nodiscard
---@overload async fun(self: dqlite.Statement, params: dqlite.Parameters, opts?: dqlite.RowsOptions): fun(): table<string|integer, any>
---@param ... dqlite.Parameter
---@return fun(): dqlite.Row iterator
function Statement:rows(...) end

---Runs it for each set of parameters, all or nothing.
---@async
---@param list dqlite.Parameters[]|(fun(): dqlite.Parameters?) sets, or an iterator that answers them
---@param opts? dqlite.CallOptions
---@return dqlite.Outcome? outcome of all of them
---@return dqlite.Error? err `index` tells the set
function Statement:executemany(list, opts) end

---Closes. Again does nothing.
---@return true done
function Statement:close() end
