---@meta _

---SQL's NULL where nil cannot stand for it: a light userdata, `dqlite.null`.
---@alias dqlite.Null lightuserdata

---Bytes that are bound as a BLOB; `tostring` gives them back.
---@class dqlite.Blob: userdata
---@operator len: integer

---A number that is bound as a REAL.
---@class dqlite.Real: userdata

---An integer of 64 bits; `tostring` gives its digits.
---@class dqlite.Int64: userdata

---What can be bound. Nil and `dqlite.null` are NULL; an int64_t of LuaJIT works, too.
---@alias dqlite.Parameter
---| nil
---| boolean
---| number
---| string
---| dqlite.Null
---| dqlite.Blob
---| dqlite.Real
---| dqlite.Int64

---The parameters of a call in one table: a list (`n` counts trailing nils), or by name.
---@alias dqlite.Parameters table<integer|string, dqlite.Parameter>

---A row by column name. NULL is absent, unless the option `null` says otherwise.
---@alias dqlite.Row table<string, any>

---A row in the order of its columns. NULL is `dqlite.null`, so that there are no holes.
---@alias dqlite.Array any[]

---What a value had as its type when it came from the server.
---@alias dqlite.ColumnType
---| "INTEGER"
---| "FLOAT"
---| "TEXT"
---| "BLOB"
---| "NULL"
---| "UNIXTIME" # of a column of dates, as an integer
---| "ISO8601" # of a column of dates, as a text
---| "BOOLEAN"

---What a statement has changed.
---@class dqlite.Outcome
---@field rows_affected? integer of INSERT, REPLACE, UPDATE and DELETE
---@field last_insert_id? integer|string of INSERT and REPLACE

---Everything there is to know about a result: rows by position, and what describes them.
---@class dqlite.Result
---@field [integer] dqlite.Array
---@field columns string[] names of the columns
---@field types? dqlite.ColumnType[] of the first row; nil without a row
---@field row_types? dqlite.ColumnType[][] of each row, with the option `row_types`
