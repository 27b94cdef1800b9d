--- The roles of nodes by id.
local roles = {}

--- In a list, as a store has it.
-- @tparam table list of nodes
-- @treturn table
function roles.of(list)
  local by_id = {}
  for _, each in ipairs(list) do by_id[each.id] = each.role end
  return by_id
end

--- As a cluster object, or a view of one node, tells them.
-- @tparam table view
-- @treturn table
function roles.seen_by(view)
  return roles.of(assert(view:nodes()))
end

return roles
