--- Stores: where the addresses of a cluster's nodes are kept. A store is a table
-- with `get` and perhaps `set`, called as methods; these two are here.
--
-- A node is a table of `id` (a decimal string, or nil where it is not known),
-- `address` and `role` ("voter", "standby" or "spare").
-- @module dqlite.store
-- @alias stores

local core = require "dqlite.core"
local errors = require "dqlite.error"
local later = require "dqlite.later"
local members = require "dqlite.members"

local yaml = later.require "dqlite.yaml"

local stores = {}

local FILE_MAX = 1024 * 1024 -- bytes

local function value_error(...)
  return errors.new { kind = "value", message = string.format(...) }
end

local function check_list(list)
  if type(list) ~= "table" then
    errors.misuse("a store is set to a list of nodes, not to a " .. type(list))
  end
end

-- ---- in memory ----

local Memory = {}
Memory.__index = Memory

--- Makes a store in memory. Raises what is no list of nodes.
-- @tparam[opt] table list of addresses, or of tables of `address`, `id` (may be
-- missing) and `role` ("voter" where it is missing); of those with the same address
-- the first is taken
-- @treturn Memory
function stores.memory(list)
  local read, wrong = members.read(list == nil and {} or list)
  if not read then errors.misuse("the list of a store: " .. wrong) end
  local store = {
    quick = true, -- get and set never wait
    _list = read,
  }
  return setmetatable(store, Memory)
end

--- A store in memory, by @{memory}.
-- @type Memory

--- The nodes, as copies.
-- @treturn table list of nodes
function Memory:get()
  return members.copy(self._list)
end

--- Takes other nodes. A list that is refused changes nothing.
-- @tparam table list as in stores.memory
-- @treturn boolean|nil true
-- @treturn dqlite.error|nil an error of kind "value"
function Memory:set(list)
  check_list(list)
  local read, wrong = members.read(list)
  if not read then return nil, value_error("the list of nodes: %s", wrong) end
  self._list = read
  return true
end

function Memory:__tostring()
  return ("dqlite store in memory (%d nodes)"):format(#self._list)
end

-- ---- in a file ----

local Yaml = {}
Yaml.__index = Yaml

--- @section end

--- Makes a store of go-dqlite's file cluster.yaml, which programs in Go may share.
-- It is read at each get, and holds up to 10,000 nodes and 1 MiB. No file and an
-- empty one are an empty store; a symbolic link is refused.
-- @tparam string path
-- @treturn Yaml
function stores.yaml(path)
  if type(path) ~= "string" or path == "" or path:find "%z" then
    errors.misuse "the path of a store must be a string that is not empty and has no NUL"
  end
  local store = {
    quick = true,
    path = path,
  }
  return setmetatable(store, Yaml)
end

function Yaml:_error(reason)
  return value_error("%s: %s", errors.visible(self.path), reason)
end

--- A store in a file, by @{yaml}; its `path`.
-- @type Yaml

--- The nodes in the file. Ids are 0 where go-dqlite did not know them.
-- @treturn table|nil list of nodes
-- @treturn dqlite.error|nil an error of kind "value": what the file holds, or why it cannot
-- be read
function Yaml:get()
  local text, kind, reason = core.read_file(self.path, FILE_MAX)
  if not text and kind == "missing" then return {} end
  if not text then return nil, self:_error(reason) end
  local list, wrong = yaml.read(text)
  if not list then return nil, self:_error(wrong) end
  return (members.read(list))
end

--- Replaces the file at once, readable by its owner alone. On an error it is as it
-- was.
-- @tparam table list as in stores.memory; an id that is missing becomes 0
-- @treturn boolean|nil true
-- @treturn dqlite.error|nil an error of kind "value"
function Yaml:set(list)
  check_list(list)
  local read, wrong = members.read(list)
  if not read then return nil, value_error("the list of nodes: %s", wrong) end
  local text, unwritable = yaml.write(read)
  if not text then return nil, self:_error(unwritable) end
  if #text > FILE_MAX then
    return nil, self:_error(("the list takes more than %d bytes"):format(FILE_MAX))
  end
  local done, _, reason = core.replace_file(self.path, text)
  if not done then return nil, self:_error(reason) end
  return true
end

function Yaml:__tostring()
  return "dqlite store in " .. errors.visible(self.path)
end

-- ---- any store ----

local Error = getmetatable(value_error "")

-- What a store's method answers when it fails: an error of ours goes on.
local function failure(name, err)
  if getmetatable(err) == Error then return err end
  return value_error("the store's %s: %s", name, errors.visible(errors.describe(err)))
end

-- Calls a method of a store of the user's: it may raise, or not be there.
local function call(store, name, ...)
  local ok, answer, err = pcall(function(...) return store[name](store, ...) end, ...)
  if not ok then return nil, failure(name, answer) end
  if not answer then return nil, failure(name, err == nil and "it answered nothing" or err) end
  return answer
end

--- Reads a store of whoever's making. It may wait, if its `get` does.
-- @tparam table store
-- @treturn table|nil list of nodes, the list's and theirs own tables
-- @treturn dqlite.error|nil the error: the store's own, if that is an error of this
-- library's; else one of kind "value" for what it raised or answered
-- @local
function stores.read(store)
  local answer, err = call(store, "get")
  if not answer then return nil, err end
  local list, wrong = members.read(answer)
  if not list then return nil, value_error("the store's get answered a list: %s", wrong) end
  return list
end

--- Writes to a store of whoever's making. One without a `set` is left alone.
-- @tparam table store
-- @tparam table list of nodes, which the store may keep
-- @treturn boolean|nil true
-- @treturn dqlite.error|nil the error, as in stores.read
-- @local
function stores.write(store, list)
  if store.set == nil then return true end
  local answer, err = call(store, "set", members.copy(list))
  if not answer then return nil, err end
  return true
end

return stores
