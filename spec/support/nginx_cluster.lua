--- A cluster of real nodes, and an nginx whose Lua knows where they listen:
--
--    local both = nginx_cluster.start { locations = { ["/one"] = [[
--      local conn = assert(require "dqlite".connect(require "spec_where"))
--      ngx.print(conn:fetchval "SELECT 1")]] } }
--    both.cluster:leader():kill()
--    both.server:get "/one"
--
-- with `after_each(nginx_cluster.stop_all)`.
local cluster = require "spec.support.cluster"
local nginx = require "spec.support.nginx"

local nginx_cluster = {}

local function module_of(addresses)
  return ("return { '%s' }\n"):format(table.concat(addresses, "', '"))
end

--- Options for an nginx beside a cluster that runs: the module `spec_where` is added.
-- @tparam table members of cluster.start; its proxies are what is known, where it has them
-- @tparam[opt] table opts of nginx.start
-- @treturn table
function nginx_cluster.options(members, opts)
  local all, lua = {}, {}
  for name, value in pairs(opts or {}) do all[name] = value end
  for name, source in pairs(all.lua or {}) do lua[name] = source end
  lua.spec_where = module_of(members.proxied and members:proxied_addresses()
    or members:addresses())
  all.lua = lua
  return all
end

--- Starts both.
-- @tparam[opt] table opts of nginx.start
-- @tparam[opt] table cluster_opts of cluster.start: three nodes
-- @treturn table `cluster`, `server`
function nginx_cluster.start(opts, cluster_opts)
  local members = cluster.start(cluster_opts)
  return { cluster = members, server = nginx.start(nginx_cluster.options(members, opts)) }
end

--- For after_each.
function nginx_cluster.stop_all()
  nginx.stop_all()
  cluster.stop_all()
end

return nginx_cluster
