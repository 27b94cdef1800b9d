--- An environment of dqlite.luasql: where connections come from.
-- @classmod dqlite.luasql.environment

local connections = require "dqlite.luasql.connection"
local dqlite = require "dqlite"
local errors = require "dqlite.error"
local object = require "dqlite.luasql.object"

local environment = {}

local Environment = object.class "environment"

-- The path of a socket stays whole. One node alone stays a string: where that cannot be
-- reached nobody else is asked.
local function nodes_of(text)
  if text:find "^[/@]" then return text end
  local list = {}
  for address in text:gmatch "[^,%s]+" do list[#list + 1] = address end
  return #list > 1 and list or list[1] or text
end

-- "host:port,host:port/database" in two.
local function parse(source)
  local nodes, database = source:match "^([^/@][^/]*)/(.*)$"
  return nodes_of(nodes or source), database
end

-- What dqlite.connect is asked for.
local function place_of(self, source)
  if type(source) == "number" then source = tostring(source) end
  if self.where then return self.where, object.text(source, 1, "connect") end
  if type(source) == "table" then return source end
  return parse(object.text(source, 1, "connect"))
end

-- LuaSQL's user name and password mean nothing here; a table among what follows the source
-- name is options.
local function with_options(base, database, ...)
  local settings = {}
  for name, value in pairs(base) do settings[name] = value end
  for i = 1, select("#", ...) do
    local given = select(i, ...)
    for name, value in pairs(type(given) == "table" and given or {}) do settings[name] = value end
  end
  settings.database = database or settings.database
  return settings
end

--- Makes one: see dqlite.luasql.
-- @local
function environment.new(where, opts)
  if opts ~= nil and type(opts) ~= "table" then
    errors.misuse("options are a table, not a " .. type(opts))
  end
  if type(where) == "string" then where = nodes_of(where) end
  return object.new(Environment, {
    where = where, -- nil: source names tell
    options = opts or {},
  })
end

--- Connects to the leader.
-- @tparam string|table source nodes and database: "10.0.0.1:9001",
-- "10.0.0.1:9001,10.0.0.2:9001/inventory" (several, any of which may be down; without a name
-- the database is "default"), "[::1]:9001/inventory", "/path/to/socket"; or what else
-- dqlite.connect takes: a list, a store, a cluster. Where the environment knows the nodes:
-- the name of the database
-- @param ... LuaSQL's user name and password, which are ignored; and, which LuaSQL has not,
-- a table of options of dqlite.connect, in any place
-- @treturn dqlite.luasql.connection|nil
-- @treturn string|nil "LuaSQL: " and what is wrong
-- @treturn dqlite.error|nil the error, as of dqlite.connect
function Environment:connect(source, ...)
  object.check(Environment, self, "connect")
  local where, database = place_of(self, source)
  local handle, err = dqlite.connect(where, with_options(self.options, database, ...))
  if not handle then return object.failed(err) end
  return connections.new(handle)
end

--- Closes. Connections of it stay open, as those to SQLite do.
-- @treturn boolean false where it was closed
function Environment:close()
  object.check_kind(Environment, self, "close")
  if self.closed then return false end
  self.closed = true
  return true
end

Environment.__close = Environment.close

return environment
