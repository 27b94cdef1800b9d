---@meta dqlite.luasql

---dqlite for programs that were written for LuaSQL. What fails answers nil, a text, and the
---error value behind it.
---@class dqlite.luasql
---@field _VERSION string
---@field _COPYRIGHT string
---@field _DESCRIPTION string
---@field _CLIENTVERSION string
local luasql = {}

---Makes an environment. Nothing is opened.
---@nodiscard
---@param where? dqlite.Where the nodes, "host:port" with commas between them; left out: source names tell
---@param opts? dqlite.ClusterOptions for all its connections
---@return dqlite.luasql.Environment env
function luasql.dqlite(where, opts) end

---The same by the name that programs for SQLite call.
---@nodiscard
---@param where? dqlite.Where
---@param opts? dqlite.ClusterOptions
---@return dqlite.luasql.Environment env
function luasql.sqlite3(where, opts) end

---Where connections come from.
---@class dqlite.luasql.Environment
local Environment = {}

---Connects to the leader.
---@async
---@nodiscard
---@param source string|dqlite.Where "host:port,host:port/database"; the name of a database alone where the environment knows the nodes
---@param ... string|dqlite.ClusterOptions a user and a password are ignored, a table is options
---@return dqlite.luasql.Connection? conn
---@return string? message
---@return dqlite.Error? err
function Environment:connect(source, ...) end

---Closes. Connections of it stay open.
---@return boolean closed false where it was closed
function Environment:close() end

---A connection with LuaSQL's calls.
---@class dqlite.luasql.Connection
local Connection = {}

---Runs a statement.
---@async
---@param text string one statement
---@param ... dqlite.Parameter|dqlite.Parameters|dqlite.FetchOptions
---@return dqlite.luasql.Cursor|integer|nil answer a cursor, or how many rows were changed
---@return string? message
---@return dqlite.Error? err `ambiguous` when it may have been applied
function Connection:execute(text, ...) end

---Doubles the quotes in a text, for a literal between quotes.
---@nodiscard
---@param text string
---@return string escaped
function Connection:escape(text) end

---The rowid of the row that this connection has inserted last.
---@async
---@nodiscard
---@return integer|string|nil id 0 where it has inserted none
---@return string? message
---@return dqlite.Error? err
function Connection:getlastautoid() end

---Commits.
---@async
---@return true? done
---@return string? message
---@return dqlite.Error? err `ambiguous` when the answer was lost
function Connection:commit() end

---Rolls back.
---@async
---@return true? done
---@return string? message
---@return dqlite.Error? err
function Connection:rollback() end

---Turns autocommit on, as it is at first, or off. What is open when it is turned on is rolled
---back.
---@async
---@param on boolean
---@return true? done
---@return string? message
---@return dqlite.Error? err
function Connection:setautocommit(on) end

---Closes. Raises where cursors are open.
---@async
---@return boolean closed false where it was closed
function Connection:close() end

---A result, row by row.
---@class dqlite.luasql.Cursor
local Cursor = {}

---Fetches the next row.
---@overload fun(self: dqlite.luasql.Cursor): ...
---@param into? table what the values are put into
---@param modes? dqlite.luasql.Modes "n" if left out
---@return table? row nil when there is no row
function Cursor:fetch(into, modes) end

---Where the values of a row are put.
---@alias dqlite.luasql.Modes
---| "n" # by position
---| "a" # by column name
---| "an" # both

---The names of the columns.
---@nodiscard
---@return string[] names
function Cursor:getcolnames() end

---The types of the columns: those of the first row's values.
---@nodiscard
---@return dqlite.ColumnType[] types
function Cursor:getcoltypes() end

---How many rows the result has.
---@nodiscard
---@return integer count
function Cursor:numrows() end

---Closes.
---@return boolean closed false where it was closed
function Cursor:close() end

return luasql
