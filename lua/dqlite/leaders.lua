--- The leader as all workers of nginx know it: in a `lua_shared_dict`, so that what one
-- of them has found out the others need not.
-- @module dqlite.leaders

local errors = require "dqlite.error"
local wheres = require "dqlite.where"

local leaders = {}

local Leaders = {}
Leaders.__index = Leaders

--- What is shared of a cluster.
-- @tparam table settings from dqlite.options: `shared_dict`
-- @param where the cluster is, as the user has given it
-- @treturn table|nil nil where nothing is to be shared
function leaders.of(settings, where)
  local name = settings.shared_dict
  if not name then return nil end
  local dict = ngx.shared[name]
  if not dict then
    errors.misuse(("option 'shared_dict': nginx.conf has no `lua_shared_dict %s 1m;`"):format(name))
  end
  return setmetatable({
    dict = dict,
    key = "dqlite leader\n" .. (wheres.key(where) or ""),
  }, Leaders)
end

--- The leader that somebody has found.
-- @treturn string|nil its name
function Leaders:current()
  return self.dict:get(self.key)
end

--- Another node leads, or none that is known. What somebody else knows better stays.
-- @tparam[opt] string before
-- @tparam[opt] string name
function Leaders:changed(before, name)
  if name then
    self.dict:set(self.key, name)
  elseif self.dict:get(self.key) == before then
    self.dict:delete(self.key)
  end
end

return leaders
