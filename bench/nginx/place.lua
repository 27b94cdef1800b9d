-- What make bench-nginx measures on: an nginx with two workers, one node of dqlite on
-- tmpfs and a Redis that keeps nothing on disk, each with the same values for the same
-- keys. Everything listens on 127.0.0.1.
local core = require "dqlite.core"
local eventually = require "spec.support.eventually"
local leashed = require "spec.support.leashed"
local machine = require "bench.machine"
local nginx = require "spec.support.nginx"
local nodes = require "bench.node"
local tables = require "bench.tables"

local HOST = "127.0.0.1"

local place = { KEYS = 10000 }

-- What is fetched for a key, everywhere.
local VALUE = "user %06d"

--- The locations, each with what it answers for a key. `ok` answers without a look at it.
place.locations = {
  { name = "ok", what = 'ngx.say "ok"', answer = "ok", source = 'ngx.say "ok"' },
  { name = "redis", what = "lua-nginx-redis: connect, get, set_keepalive", source = [[
    local redis = require "nginx.redis":new()
    redis:set_timeout(1000)
    assert(redis:connect("127.0.0.1", REDIS_PORT))
    local value = assert(redis:get("user:" .. ngx.var.arg_id))
    assert(redis:set_keepalive(10000, 64))
    ngx.say(value)]] },
  { name = "pool", what = "a pool of dqlite: fetchval", source = [[
    local pool = require "bench_pool"
    ngx.say(assert(pool:fetchval("SELECT name FROM point WHERE id = ?", ngx.var.arg_id)))]] },
  { name = "connect", what = "dqlite: connect, fetchval, set_keepalive", source = [[
    local conn = assert(require "dqlite".connect("NODE", { database = "bench" }))
    local value = assert(conn:fetchval("SELECT name FROM point WHERE id = ?", ngx.var.arg_id))
    assert(conn:set_keepalive(10, 64))
    ngx.say(value)]] },
}

local POOL = [[
return assert(require "dqlite".create_pool("NODE", { database = "bench", max_size = 64 }))
]]

local FILL = [[redis-cli -p %d EVAL "for key = 1, %d do
  redis.call('set', 'user:' .. key, string.format('%s', key)) end" 0 2>/dev/null]]

local function start_redis(self)
  local port = assert(core.unused_port(HOST))
  local command = ("redis-server --bind %s --port %d --save '' --appendonly no --dir %s"):format(
    HOST, port, self.dir)
  self.redis = leashed.start(command, self.dir .. "/redis")
  eventually("Redis serves", function() return os.execute(FILL:format(port, place.KEYS, VALUE)) end)
  return port
end

local function start_nginx(self, redis_port)
  local words = { REDIS_PORT = redis_port, NODE = self.node.address }
  local locations = {}
  for _, each in ipairs(place.locations) do
    locations["= /" .. each.name] = each.source:gsub("[%u_]+", words)
  end
  self.nginx = nginx.start {
    workers = 2,
    locations = locations,
    lua = { bench_pool = POOL:gsub("%u+", words) },
    http = "keepalive_requests 1000000000;",
    error_log_level = "error",
  }
end

--- Starts everything. Whatever was started can be stopped.
-- @tparam table self to be filled: `dir`, `node`, `redis`, `nginx`
function place.start(self)
  self.dir = machine.new_dir()
  self.node = nodes.start(self.dir .. "/node", "")
  tables.make(self.node.address, 1)
  start_nginx(self, start_redis(self))
end

function place.stop(self)
  nginx.stop_all()
  if self.redis then self.redis:kill() end
  if self.node then self.node:stop() end
  if self.dir then machine.remove_dir(self.dir) end
end

--- Asks a location for some of the keys; raises for a wrong answer.
function place.check(self, location)
  for key = 1, place.KEYS, math.floor(place.KEYS / 20) do
    local answer = assert(self.nginx:get(("/%s?id=%d"):format(location.name, key)))
    local expected = location.answer or VALUE:format(key)
    if answer.status ~= 200 or answer.body ~= expected .. "\n" then
      error(("%s answered %d: %s"):format(location.name, answer.status, answer.body), 0)
    end
  end
end

return place
