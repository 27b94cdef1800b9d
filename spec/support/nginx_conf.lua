--- The text of an nginx.conf that touches nothing outside of one directory.
local uv = require "luv"

local MODULES = "/usr/lib/nginx/modules/"
local HOST = "127.0.0.1"

local nginx_conf = {}

--- The path of the location that answers with the worker's process id.
nginx_conf.PID = "/-/pid"

-- The modules in C for LuaJIT, beside those of the Lua that runs the specs.
local function luajit_cpath()
  local build = package.cpath:match "([^;]+)/[^/;]+/%?%.so"
  return assert(build, "no build directory in package.cpath") .. "/luajit/?.so;;"
end

local function each(list, template)
  local lines = {}
  for i, item in ipairs(list) do lines[i] = template:format(item) end
  return table.concat(lines, "\n")
end

local function locations(map)
  local paths, blocks = {}, {}
  for path in pairs(map) do paths[#paths + 1] = path end
  table.sort(paths)
  for i, path in ipairs(paths) do
    blocks[i] = ("location %s { content_by_lua_block {\n%s\n} }"):format(path, map[path])
  end
  return table.concat(blocks, "\n")
end

local function listens(opts, ports)
  local lines = {}
  for i, port in ipairs(ports) do
    lines[i] = ("listen %s:%d %s;"):format(HOST, port, opts.listen[i])
  end
  return table.concat(lines, "\n")
end

local MODULE_LINE = "load_module " .. MODULES .. "%s.so;"

local TEXT = [[
user $user;
daemon off;
worker_processes $workers;
pid $dir/nginx.pid;
lock_file $dir/nginx.lock;
error_log $dir/error.log $level;
$modules
$env
$main
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path $dir/body;
  proxy_temp_path $dir/proxy;
  fastcgi_temp_path $dir/fastcgi;
  uwsgi_temp_path $dir/uwsgi;
  scgi_temp_path $dir/scgi;
  lua_package_path "$tree/lua/?.lua;$tree/lua/?/init.lua;$dir/lua/?.lua;;";
  lua_package_cpath "$cpath";
  lua_socket_log_errors $socket_log_errors;
  $http
  server {
    $listens
    location = $pid { return 200 $pid_variable; }
    $locations
    $server
  }
}
]]

--- The text.
-- @tparam table opts of nginx.start, complete
-- @tparam string dir for everything that nginx writes; its lua/ is searched for modules
-- @tparam table ports one for each of `opts.listen`
function nginx_conf.text(opts, dir, ports)
  local fields = {
    workers = opts.workers,
    user = opts.user,
    dir = dir,
    level = opts.error_log_level,
    modules = each(opts.modules, MODULE_LINE),
    env = each(opts.env, "env %s;"),
    main = opts.main,
    tree = uv.cwd(),
    cpath = luajit_cpath(),
    socket_log_errors = opts.lua_socket_log_errors and "on" or "off",
    http = opts.http,
    listens = listens(opts, ports),
    pid = nginx_conf.PID,
    pid_variable = "$pid",
    locations = locations(opts.locations),
    server = opts.server,
  }
  return (TEXT:gsub("%$([%a_]+)", fields))
end

return nginx_conf
