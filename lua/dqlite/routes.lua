--- From the name that a cluster knows a node by, its own address, to the one that
-- is dialled: the options `translate` and `redirect`.
-- @module dqlite.routes

local core = require "dqlite.core"
local errors = require "dqlite.error"
local later = require "dqlite.later"
local member = require "dqlite.member"

local policy = later.require "dqlite.policy"

local routes = {}

local function translated(settings, name)
  if not settings.translate then return name end
  local ok, address = pcall(settings.translate, name)
  if not ok then return nil, "the translate function raised: " .. errors.describe(address) end
  if address == nil then return name end
  if type(address) ~= "string" then
    return nil, "the translate function answered a " .. type(address)
  end
  return address
end

local function refused(name, reason)
  return errors.new {
    kind = "value",
    message = ("'%s': %s"):format(errors.visible(name), errors.visible(reason)),
  }
end

--- Finds the address to dial, and asks the policy for it.
-- @tparam table settings from dqlite.options
-- @tparam string name
-- @treturn string|nil the address
-- @treturn table|nil the error: "value", or "policy" when the policy refuses
function routes.find(settings, name)
  local address, problem = translated(settings, name)
  if not address then return nil, refused(name, problem) end
  local valid, reason = member.address(address)
  if not valid then return nil, refused(address, reason) end
  if settings.redirect then
    local allowed, err = policy.ask(settings.redirect, address)
    if not allowed then return nil, err end
  end
  return address
end

--- Does a node that was dialled name itself? Behind a unix socket, or a stream of
-- the user's, there is nothing to compare with.
-- @tparam table link that reaches it
-- @tparam table settings
-- @tparam string leader the address that it names
-- @treturn boolean
function routes.is_self(link, settings, leader)
  if member.same(leader, link.name) or member.same(leader, link.address) then return true end
  local peer = link.stream.peer and link.stream:peer()
  if peer == leader then return true end
  if settings.translate and translated(settings, leader) == link.address then return true end
  return not peer and core.parse_address(link.address) ~= "tcp"
end

return routes
