--- An nginx with a node in its first worker (dqlite.node.nginx), for specs:
--
--    local server, place = nginx_node.start()
--    nginx_node.add(server)
--    nginx_node.await_start(server, 2) -- it has started twice
--
-- with `setup(nginx_node.open)`, `teardown(nginx_node.close)` and
-- `after_each(nginx_node.stop_all)`.
local eventually = require "spec.support.eventually"
local nginx = require "spec.support.nginx"
local nodes = require "spec.support.nodes"
local ports = require "spec.support.ports"
local scratch = require "spec.support.scratch"

local SERVES = "dqlite node: 1 serves at "
local LOCATIONS = {
  ["= /id"] = "ngx.print(ngx.worker.id())",
  ["= /status"] = [[
    local state, err = require "dqlite.node.nginx".status()
    ngx.print(state or "none", " ", err and err.kind or "")]],
  ["= /add"] = [[
    assert(require "spec_pool":execute "CREATE TABLE IF NOT EXISTS t (n)")
    assert(require "spec_pool":execute "INSERT INTO t VALUES (1)")
    ngx.print(assert(require "spec_pool":fetchval "SELECT count(*) FROM t"))]],
  ["= /count"] = [[
    local count, err = require "spec_pool":fetchval "SELECT count(*) FROM t"
    ngx.print(count or tostring(err))]],
  ["= /hold"] = [[
    ngx.log(ngx.WARN, "it is held")
    while not ngx.shared.spec:get "go" do ngx.sleep(0.005) end
    ngx.print(assert(require "spec_pool":fetchval "SELECT count(*) FROM t"))]],
  ["= /go"] = "ngx.shared.spec:set('go', true)",
}

local POOL = [[return (require "dqlite".create_pool({ "$address" }, { acquire_timeout = 10 }))]]

local HTTP = [[
  lua_shared_dict spec 1m;
  init_worker_by_lua_block { require "dqlite.node.nginx".start { $options } $again }
  exit_worker_by_lua_block { $exit }
]]

local STOP = [[require "dqlite.node.nginx".stop()]]

local nginx_node = {}

local root

function nginx_node.open()
  nodes.open()
  root = scratch.new()
end

function nginx_node.close()
  root:close()
  nodes.close()
end

function nginx_node.stop_all()
  nginx.stop_all()
  nodes.stop_all()
end

--- The name of a directory that does not exist yet.
function nginx_node.fresh_dir()
  return root:fresh "node"
end

--- Starts one. Its locations: /id and /status of the worker, /add (a row: how many there
-- are), /count, and /hold, which ends with /go.
-- @tparam[opt] table where `address`, `dir` of the node: free and fresh ones
-- @tparam[opt] table more `workers`, `user`, `http` as of nginx.start; `again`, Lua behind
-- the call of start; `exit`, Lua instead of the call of stop
-- @return the server, and `address` and `dir` of its node
function nginx_node.start(where, more)
  where, more = where or {}, more or {}
  local address = where.address or "127.0.0.1:" .. ports.free()
  local dir = where.dir or nginx_node.fresh_dir()
  local opts = {
    locations = LOCATIONS,
    lua = { spec_pool = POOL:gsub("$address", address) },
    workers = more.workers,
    user = more.user,
    http = (more.http or "") .. HTTP:gsub("$(%a+)", {
      options = ("address = %q, dir = %q"):format(address, dir),
      exit = more.exit or STOP,
      again = more.again or "",
    }),
  }
  return nginx.start(opts), { address = address, dir = dir }
end

--- The worker that has told last that its node serves, and how often that was told.
function nginx_node.first_worker(server)
  local last, count = nil, 0
  for pid in server:log():gmatch("%[notice%] (%d+)#%d+: [^\n]-" .. SERVES) do
    last, count = tonumber(pid), count + 1
  end
  return last, count
end

--- Waits until the node has started so often.
-- @treturn number the worker
function nginx_node.await_start(server, times)
  return eventually("the node serves", function()
    local pid, count = nginx_node.first_worker(server)
    return count == times and pid
  end, 5)
end

--- What a worker answers.
-- @tparam[opt] number pid
function nginx_node.ask(server, path, pid)
  local conn = server:connection(pid)
  local answer = assert(conn:get(path))
  conn:close()
  assert(answer.status == 200, answer.body)
  return answer.body
end

--- Adds a row.
-- @treturn number how many there are
function nginx_node.add(server)
  local answer = assert(server:get "/add")
  assert(answer.status == 200, answer.body)
  return tonumber(answer.body)
end

--- How often it has logged a text (a pattern).
function nginx_node.logged(server, text)
  local _, count = server:log():gsub(text, "")
  return count
end

--- How many rows there are in what an nginx that has ended has left. That its directory or
-- its address are not free raises.
function nginx_node.rows_left(place)
  local started = nodes.start { address = place.address, dir = place.dir }
  local count = nodes.with_connection(started.address, function(conn)
    return assert(conn:fetchval "SELECT count(*) FROM t")
  end)
  started:stop()
  return count
end

return nginx_node
