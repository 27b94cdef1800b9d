--- A cursor of dqlite.luasql: a result, row by row. It holds the whole of it, so others may
-- be open beside it, statements run meanwhile, and none of them changes what it gives; a
-- result beyond the option `max_result_bytes` (256 MiB) is an error of `execute`. What was
-- fetched is given up.
-- @classmod dqlite.luasql.cursor

local dqlite = require "dqlite"
local object = require "dqlite.luasql.object"

local cursor = {}

local Cursor = object.class "cursor"

local NULL = dqlite.null

local unpack = table.unpack or rawget(_G, "unpack")

--- Makes one.
-- @tparam table result of Connection:query
-- @tparam table siblings the open cursors of its connection, as keys
-- @tparam table connection which is to live as long
-- @treturn table
-- @local
function cursor.new(result, siblings, connection)
  local self = object.new(Cursor, {
    rows = result, -- those that are left
    count = #result,
    at = 0, -- of the row that was fetched last
    names = result.columns,
    types = result.types or false, -- of the first row; false: there is none
    siblings = siblings,
    connection = connection,
  })
  siblings[self] = true
  return self
end

local function close(self)
  self.siblings[self] = nil
  self.closed = true
  self.rows, self.siblings, self.connection = nil, nil, nil
end

-- As SQLite itself has it, and so LuaSQL: no booleans, and NULL is nil.
local function plain(row, width)
  for i = 1, width do
    local value = row[i]
    if value == NULL then
      row[i] = nil
    elseif value == true then
      row[i] = 1
    elseif value == false then
      row[i] = 0
    end
  end
  return row
end

local function by_position(into, row, width)
  for i = 1, width do into[i] = row[i] end
end

local function by_name(into, row, names)
  for i = 1, #names do into[names[i]] = row[i] end
end

-- Leaves a row behind, once its values are where they are to be.
local function step(self, at, ...)
  self.at, self.rows[at] = at, nil
  return ...
end

-- "n", "a" or both; LuaSQL ignores what else is in it.
local function fill(into, row, names, modes)
  if modes == nil then
    by_position(into, row, #names)
    return into
  end
  modes = object.text(modes, 2, "fetch")
  if modes:find("n", 1, true) then by_position(into, row, #names) end
  if modes:find("a", 1, true) then by_name(into, row, names) end
  return into
end

--- Fetches the next row. At the end the cursor closes by itself, and one more fetch raises.
-- @tparam[opt] table into what the values are put into
-- @tparam[opt] string modes "n": by position (the default); "a": by column name, of duplicate
-- names the last wins; "an": both
-- @return the values of the row, or `into`; nil when there is no row. NULL is nil, or what
-- the option `null` says. Values are those of dqlite.connect, but for a BOOLEAN, which is 1
-- or 0: integers beyond 2^53 are strings on LuaJIT, 5.1 and 5.2, unless the option `int64`
-- says otherwise
function Cursor:fetch(into, modes)
  object.check(Cursor, self, "fetch")
  local at = self.at + 1
  local row, names = self.rows[at], self.names
  if not row then
    close(self)
    return nil
  end
  plain(row, #names)
  if type(into) ~= "table" then return step(self, at, unpack(row, 1, #names)) end
  return step(self, at, fill(into, row, names, modes))
end

--- The names of the columns.
-- @treturn {string,...}
function Cursor:getcolnames()
  object.check(Cursor, self, "getcolnames")
  return self.names
end

--- The types of the columns. Servers do not tell how these were declared, as LuaSQL's driver
-- for SQLite does: these are the types of the first row's values.
-- @treturn {string,...} "INTEGER", "FLOAT", "TEXT", "BLOB", "NULL", "BOOLEAN", "ISO8601",
-- "UNIXTIME"; without a row all of them "NULL"
function Cursor:getcoltypes()
  object.check(Cursor, self, "getcoltypes")
  if self.types then return self.types end
  local types = {}
  for i = 1, #self.names do types[i] = "NULL" end
  return types
end

--- How many rows the result has, as LuaSQL's drivers for MySQL and PostgreSQL tell; that for
-- SQLite has no such method.
-- @treturn number
function Cursor:numrows()
  object.check(Cursor, self, "numrows")
  return self.count
end

--- Closes.
-- @treturn boolean false where it was closed, as it is behind the last row
function Cursor:close()
  object.check_kind(Cursor, self, "close")
  if self.closed then return false end
  close(self)
  return true
end

Cursor.__close = Cursor.close

return cursor
