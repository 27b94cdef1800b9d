--- A case: one behaviour of LuaSQL, to be looked at with any driver of it. A list: its title,
-- a function, and
--
-- * `gives`: what the function returns with dqlite.luasql, in a list, `case.NIL` for nil;
-- * `luasql` and `because`: what it returns with LuaSQL's own driver for SQLite, where that
--   is something else, and why it is.
--
-- The function is called with a table of `driver` (the module), `env`, `source` (a name to
-- connect to), `conn` (a connection to it) and `connect()` (another one).
local case = {}

case.NIL = "nil"

--- Closes a connection, whose cursors may have been left to the collector: with open ones it
-- does not close.
function case.close(conn)
  if pcall(conn.close, conn) then return end
  collectgarbage()
  collectgarbage()
  conn:close()
end

--- Opens what cases are run with.
-- @tparam table driver a module
-- @tparam string source a name to connect to
-- @tparam {function,...} closers to which those are added that close what is opened
-- @treturn table as above
function case.open(driver, source, closers)
  local env = driver.sqlite3()
  local function connect()
    local conn = assert(env:connect(source))
    closers[#closers + 1] = function() case.close(conn) end
    return conn
  end
  return { driver = driver, env = env, source = source, conn = connect(), connect = connect }
end

--- Runs one.
-- @tparam table one the case
-- @tparam table it as above
-- @treturn table what its function returns
function case.run(one, it)
  local function list_of(...)
    local list = { ... }
    for i = 1, select("#", ...) do
      if list[i] == nil then list[i] = case.NIL end
    end
    return list
  end
  return list_of(one[2](it))
end

--- Does a function raise, and say so?
-- @tparam string text a part of what it raises
-- @tparam function fn
-- @param ... its arguments
-- @return true; else what it does instead
function case.raises(text, fn, ...)
  local ok, raised = pcall(fn, ...)
  if ok then return "it did not raise" end
  return tostring(raised):find(text, 1, true) ~= nil or raised
end

--- The first column of all rows, with commas between them.
function case.column(conn, sql)
  local cur, values = assert(conn:execute(sql)), {}
  local value = cur:fetch()
  while value ~= nil do
    values[#values + 1] = tostring(value)
    value = cur:fetch()
  end
  return table.concat(values, ",")
end

--- Makes a table `people` with three rows.
function case.people(conn)
  assert(conn:execute "CREATE TABLE people (id INTEGER PRIMARY KEY, name VARCHAR(50), age)")
  assert(conn:execute [[INSERT INTO people VALUES
    (1, 'Ada', 36), (2, 'Blaise', NULL), (3, 'Carl', 77)]])
end

return case
