--- The cluster behind dqlite.connect and dqlite.create_pool: connections to the same
-- addresses share what they know.
-- @module dqlite.sharing

local later = require "dqlite.later"
local loops = require "dqlite.loops"
local process = require "dqlite.process"
local wheres = require "dqlite.where"

local tls = later.require "dqlite.tls"

local sharing = {}

local shared = setmetatable({}, { __mode = "k" }) -- loop -> key -> cluster

-- They know of each other as long as one of them lives; those of nginx hardly outlive a
-- request.
local function known_clusters(loop)
  shared[loop] = shared[loop] or setmetatable({}, { __mode = not loop.detach and "v" or nil })
  return shared[loop]
end

-- What tells it from others. One address alone, which has no line break, is as it is.
local function key_of(where, settings)
  if type(where) == "string" and not settings.tls and not settings.shared_dict then return where end
  local key = wheres.key(where)
  if not key then return nil end
  if settings.shared_dict then key = ("%s\nin %s"):format(key, settings.shared_dict) end
  return settings.tls and key .. "\n" .. tls.identity(settings) or key
end

--- The cluster of these nodes; one of its own where the settings have functions of the
-- program's.
-- @tparam string|table where an address, a list of them, or a store
-- @tparam table settings from dqlite.options
-- @tparam function new called with both, makes one that is not known yet
-- @treturn table the cluster
-- @treturn table its loop
function sharing.find(where, settings, new)
  local loop = loops.select(settings.loop)
  local is_own = settings.dial or settings.translate or settings.redirect or settings.on_event
  local key = not is_own and key_of(where, settings)
  if not key then return new(where, settings), loop end
  local known = known_clusters(loop)
  local cluster = known[key]
  if not cluster or process.is_inherited(cluster.process) then
    cluster = new(where, settings)
    known[key] = cluster
  end
  return cluster, loop
end

return sharing
