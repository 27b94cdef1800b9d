--- Cases of drivers and environments.
local case = require "spec.support.luasql.case"

local NIL, raises = case.NIL, case.raises

-- How many of these are true, and how many there are.
local function count(...)
  local n = 0
  for i = 1, select("#", ...) do
    if select(i, ...) == true then n = n + 1 end
  end
  return n, select("#", ...)
end

return {
  { "a driver says what it is", function(it)
    local driver = it.driver
    return type(driver._VERSION), type(driver._COPYRIGHT), type(driver._DESCRIPTION)
  end, gives = { "string", "string", "string" } },

  { "an environment shows what it is", function(it)
    return tostring(it.env):match "^%S+ (environment %()0x%x+%)$", (tostring(it.conn):match
      "^%S+ (connection %()0x%x+%)$"), (tostring(it.conn:execute "SELECT 1"):match
      "^%S+ (cursor %()0x%x+%)$")
  end, gives = { "environment (", "connection (", "cursor (" } },

  { "it is an object of Lua", function(it)
    return type(it.env), type(it.conn), type(it.conn:execute "SELECT 1")
  end, gives = { "table", "table", "table" },
    luasql = { "userdata", "userdata", "userdata" },
    because = "Lua 5.2 and later make no userdata but from C" },

  { "its metatable is not given out", function(it)
    return getmetatable(it.env), (pcall(setmetatable, it.env, {}))
  end, gives = { "LuaSQL: you're not allowed to get this metatable", false } },

  { "an environment closes once", function(it)
    return it.env:close(), it.env:close(), tostring(it.env):match "environment %(closed%)"
  end, gives = { true, false, "environment (closed)" } },

  { "a closed one does not connect", function(it)
    it.env:close()
    return raises("LuaSQL: environment is closed", it.env.connect, it.env, it.source)
  end, gives = { true } },

  { "connections outlive it", function(it)
    it.env:close()
    return it.conn:execute("SELECT 7"):fetch()
  end, gives = { 7 } },

  { "connecting fails with nil and a text", function(it)
    local conn, err = it.env:connect "/no/such/directory/database"
    return conn, err:match "^LuaSQL: "
  end, gives = { NIL, "LuaSQL: " } },

  { "a user and a password may be given", function(it)
    local conn = it.env:connect(it.source, "user", "password")
    return conn:execute("SELECT 7"):fetch()
  end, gives = { 7 } },

  { "a source is named", function(it)
    local connect, env = it.env.connect, it.env
    return raises("string expected", connect, env), (pcall(connect, env, true)),
      (pcall(connect, env, {}))
  end, gives = { true, false, false } },

  { "methods take no other object", function(it)
    local env, conn = it.env, it.conn
    local cur = conn:execute "SELECT 1"
    return count(raises("environment expected", env.connect),
      raises("environment expected", env.close, {}),
      raises("environment expected", env.connect, conn, it.source),
      raises("connection expected", conn.execute, env, "SELECT 1"),
      raises("connection expected", conn.close, cur),
      raises("connection expected", conn.commit, 7),
      raises("cursor expected", cur.fetch, conn),
      raises("cursor expected", cur.close, "cur"))
  end, gives = { 8, 8 } },
}
