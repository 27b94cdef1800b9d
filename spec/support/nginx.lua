--- A real nginx with its Lua module, for specs: in a scratch directory of its own, on
-- free ports of 127.0.0.1, with this tree's modules as LuaJIT has them.
--
--    local server = nginx.start { locations = { ["/pid"] = "ngx.say(ngx.worker.pid())" } }
--    local answer = assert(server:get "/pid")
--    server:stop()
--
-- Nothing of it outlives this process. A spec has `after_each(nginx.stop_all)` all the
-- same. Requests are those of spec/support/http.lua, to the first port; that module
-- asks the others.
local eventually = require "spec.support.eventually"
local http = require "spec.support.http"
local leashed = require "spec.support.leashed"
local nginx_conf = require "spec.support.nginx_conf"
local nodes = require "spec.support.nodes"
local ports = require "spec.support.ports"
local scratch = require "spec.support.scratch"
local uv = require "luv"

local HOST = "127.0.0.1"
local BEGINNING = "^nginx: worker process" -- of a worker's title

local nginx = {}

local Server = {}
Server.__index = Server

local running = {}

-- ---- its processes ----

-- Words with the ids of a process' children. What is read while one of them ends may
-- lack others.
local function children_of(pid)
  local path = ("/proc/%d/task/%d/children"):format(pid, pid)
  local text
  local again = nodes.read_file(path)
  repeat
    text, again = again, nodes.read_file(path)
  until text == again
  return text
end

-- The title of a process; "" where there is none.
local function title_of(pid)
  return nodes.read_file(("/proc/%d/cmdline"):format(pid)):match "^[%w :]*"
end

--- The processes that it has started: workers, those that are shutting down too, and the
-- like.
-- @treturn table list of ids
function Server:processes()
  local list = {}
  for pid in children_of(self.pid):gmatch "%d+" do list[#list + 1] = tonumber(pid) end
  return list
end

--- The workers that serve: init_worker_by_lua is behind them, no end before them.
-- @treturn table list of process ids
function Server:workers()
  local list = {}
  for _, pid in ipairs(self:processes()) do
    local title = title_of(pid)
    if title:find(BEGINNING) and not title:find "shutting down" then list[#list + 1] = pid end
  end
  return list
end

--- Is its first process there?
function Server:is_running()
  return self.process ~= nil and self.process:is_running()
end

-- ---- what it logs ----

--- The text of the error log, after the end too.
function Server:log()
  return self.last_log or nodes.read_file(self.dir .. "/error.log")
end

--- The entries of level error and worse, those of several lines whole.
-- @treturn table list of texts
function Server:errors()
  local list, is_one = {}, false
  for line in self:log():gmatch "[^\n]+" do
    local level = line:match "^%d+/%d+/%d+ [%d:]+ %[(%a+)%]"
    if level then
      is_one = level == "error" or level == "crit" or level == "alert" or level == "emerg"
      if is_one then list[#list + 1] = line end
    elseif is_one then
      list[#list] = list[#list] .. "\n" .. line
    end
  end
  return list
end

--- Waits until the log has a text.
-- @tparam string text plain
-- @tparam[opt] number seconds of patience
function Server:await_log(text, seconds)
  return eventually("the log has: " .. text, function()
    return self:log():find(text, 1, true)
  end, seconds)
end

-- ---- starting ----

local function defaults(opts)
  local all = {
    workers = 2,
    user = "root",
    main = "",
    http = "",
    server = "",
    locations = {},
    lua = {},
    env = {},
    modules = {},
    listen = { "" },
    error_log_level = "notice",
    lua_socket_log_errors = true,
  }
  for name, value in pairs(opts or {}) do
    assert(all[name] ~= nil, "no such option of nginx: " .. name)
    all[name] = value
  end
  all.modules = { "ndk_http_module", "ngx_http_lua_module", (table.unpack or unpack)(all.modules) }
  return all
end

local function write_files(self)
  for name, source in pairs(self.opts.lua) do
    nodes.write(("%s/lua/%s.lua"):format(self.dir, name), source)
  end
  nodes.write(self.dir .. "/nginx.conf", nginx_conf.text(self.opts, self.dir, self.ports))
end

-- The specs' own variables are for another Lua.
local COMMAND = "env -u LUA_PATH -u LUA_CPATH -u LUA_INIT "
  .. "nginx -p %s -c %s/nginx.conf -e %s/error.log"

local function try_start(self)
  for i in ipairs(self.opts.listen) do self.ports[i] = ports.free(HOST) end
  self.port = self.ports[1]
  self.address = ("%s:%d"):format(HOST, self.port)
  write_files(self)
  local dir = nodes.quote(self.dir)
  self.process = leashed.start(COMMAND:format(dir, dir, dir), self.scratch:fresh "leash")
  self.pid = self.process.pid
end

local function accepts(self)
  local conn = http.connect(self.address)
  if conn then conn:close() end
  return conn ~= nil
end

-- A port that was free may be taken by the time it is used: try again.
local function await(self)
  local tries = 1
  eventually("nginx serves", function()
    if self:is_running() then
      return #self:workers() == self.opts.workers and accepts(self)
    end
    local _, message = self.process:output()
    self.process:kill()
    if tries == 5 or not message:find("bind()", 1, true) then
      error("nginx did not start: " .. message, 0)
    end
    tries = tries + 1
    try_start(self)
  end)
end

--- Starts one, and returns once all of its workers serve.
-- @tparam[opt] table opts
--
-- - `locations`: map of what stands behind `location` ("/path", "= /path") to Lua source
-- - `workers` (2), `user` ("root")
-- - `main`, `http`, `server`: more text for nginx.conf on those levels
-- - `lua`: map of module names to Lua source, for `require` there
-- - `env`: list of names, or of "NAME=value"
-- - `modules`: list of names of dynamic modules, "ngx_stream_module"
-- - `listen`: list of what stands behind each address, { "", "reuseport" } for two
-- - `error_log_level` ("notice"), `lua_socket_log_errors` (true)
-- @treturn table `port`, `ports`, `address`, `pid`, `dir`
function nginx.start(opts)
  local place = scratch.new()
  local self = setmetatable({
    opts = defaults(opts),
    scratch = place,
    dir = place.path,
    ports = {}, -- one for each of `listen`
    port = nil, -- the first
    address = nil,
    process = nil,
    pid = nil,
    last_log = nil, -- when it was stopped
  }, Server)
  running[self] = true
  assert(uv.fs_mkdir(self.dir .. "/lua", 448)) -- 0700
  try_start(self)
  await(self)
  return self
end

--- Makes it read its configuration again, and returns once only new workers serve.
-- @tparam[opt] table changes of the options, but for `listen`
function Server:reload(changes)
  local old, logged = {}, #self:log()
  for name, value in pairs(changes or {}) do self.opts[name] = value end
  write_files(self)
  for _, pid in ipairs(self:workers()) do old[pid] = true end
  assert(uv.kill(self.pid, "sighup"))
  eventually("new workers serve", function()
    local refusal = self:log():sub(logged + 1):match "%[emerg%][^\n]*"
    if refusal then error("nginx did not reload: " .. refusal, 0) end
    local workers = self:workers()
    for _, pid in ipairs(workers) do
      if old[pid] then return false end
    end
    return #workers == self.opts.workers
  end)
end

-- ---- ending ----

--- Asks it to end once all requests have their answers; does not wait.
function Server:quit()
  assert(uv.kill(self.pid, "sigquit"))
end

--- Waits for that.
-- @tparam[opt] number seconds of patience
function Server:await_end(seconds)
  eventually("nginx has ended", function() return not self:is_running() end, seconds)
end

--- Ends it at once, and waits for that. Again does nothing.
function Server:stop()
  if not running[self] then return end
  running[self] = nil
  if self.process then self.process:stop "TERM" end
  self.last_log = self:log()
  self.scratch:close()
end

--- For after_each.
function nginx.stop_all()
  for each in pairs(running) do each:stop() end
end

-- ---- requests ----

--- One request, over a connection of its own.
-- @tparam table request `path`, `method`, `headers`, `body`, `timeout`
-- @return `status`, `headers` and `body`, or nil and the reason
function Server:request(request)
  return http.request(self.address, request)
end

function Server:get(path, opts)
  return http.get(self.address, path, opts)
end

function Server:post(path, body, opts)
  return http.post(self.address, path, body, opts)
end

--- Sends a request, and does not wait.
-- @return what is pending: `read(timeout)`, `close()`
function Server:send(request)
  return http.send(self.address, request)
end

local function signal_all(pids, name)
  for _, pid in ipairs(pids) do uv.kill(pid, name) end
end

local function is_stopped(pid)
  local state = nodes.read_file(("/proc/%d/stat"):format(pid)):match ".*%) (%a)"
  return state == "T" or state == nil
end

-- Calls with a new connection that is for the worker: the others are stopped meanwhile.
local function connect_alone(self, pid, others)
  signal_all(others, "sigstop")
  for _, other in ipairs(others) do
    eventually("a worker is stopped", function() return is_stopped(other) end)
  end
  local conn = assert(http.connect(self.address))
  local answer = assert(conn:get(nginx_conf.PID))
  assert(tonumber(answer.body) == pid, "another worker has answered: " .. answer.body)
  return conn
end

--- A connection that stays open: one worker answers all that is asked over it.
-- @tparam[opt] number pid of that worker; not where it listens with "reuseport"
-- @treturn table `request`, `get`, `post`, `send`, `read`, `close`
function Server:connection(pid)
  if not pid then return assert(http.connect(self.address)) end
  local others = {}
  for _, each in ipairs(self:processes()) do
    if each ~= pid then others[#others + 1] = each end
  end
  local ok, result = pcall(connect_alone, self, pid, others)
  signal_all(others, "sigcont")
  if not ok then error(result, 0) end
  return result
end

return nginx
