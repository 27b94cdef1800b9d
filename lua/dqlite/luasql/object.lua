--- What environments, connections and cursors of dqlite.luasql share: classes whose
-- metatables are kept to themselves, as LuaSQL's are, and whose methods raise on any other
-- object, and on one that is closed.
-- @module dqlite.luasql.object

local errors = require "dqlite.error"

local object = {}

-- getmetatable answers a text for these.
local metatable_of = debug.getmetatable

local function show(self)
  local place = self.closed and "closed" or self.address
  return ("%s (%s)"):format(metatable_of(self).__name, place)
end

--- Makes a class.
-- @tparam string noun "connection"
-- @treturn table its metatable, which has its methods as well
function object.class(noun)
  local class = {
    __name = "dqlite " .. noun,
    __metatable = "LuaSQL: you're not allowed to get this metatable",
    __tostring = show,
    noun = noun,
  }
  class.__index = class
  return class
end

--- Makes an object, open.
-- @tparam table class
-- @tparam table fields
-- @treturn table the same
function object.new(class, fields)
  fields.closed = false
  fields.address = tostring(fields):match ": (.*)" -- what tells it from others, in print
  return setmetatable(fields, class)
end

--- Raises where a method gets an object of another kind.
-- @tparam table class whose method it is
-- @param self that it got
-- @tparam string method its name
function object.check_kind(class, self, method)
  if metatable_of(self) == class then return end
  errors.misuse(("bad argument #1 to '%s' (%s expected, got %s)"):format(method, class.__name,
    type(self)))
end

--- Raises the same, and where the object is closed.
function object.check(class, self, method)
  if metatable_of(self) ~= class then object.check_kind(class, self, method) end
  if self.closed then
    errors.misuse(("bad argument #1 to '%s' (LuaSQL: %s is closed)"):format(method, class.noun))
  end
end

--- Reads an argument as Lua's own functions do, which take numbers for strings.
-- @param value
-- @tparam number position of it, without the object
-- @tparam string method
-- @treturn string
function object.text(value, position, method)
  if type(value) == "string" then return value end
  if type(value) == "number" then return tostring(value) end
  errors.misuse(("bad argument #%d to '%s' (string expected, got %s)"):format(position, method,
    value == nil and "no value" or type(value)))
end

--- What a call answers that has failed.
-- @tparam table err of dqlite.error
-- @treturn nil
-- @treturn string "LuaSQL: " and the error's message: SQLite's own text for what it refuses
-- @treturn table the error
function object.failed(err)
  local text = "LuaSQL: " .. err.message
  if err.address and not err.code then text = text .. " at " .. errors.visible(err.address) end
  return nil, text, err
end

return object
