--- The demo of examples/openresty as `make demo-nginx` runs it, for specs.
--
--    local inventory = demo.start()
--    local status, answer = inventory:call("GET", "/api/items")
--    inventory:kill(inventory:leader().id)
--    inventory:stop()
--
-- Nothing of it outlives this process.
local cjson = require "cjson"
local eventually = require "spec.support.eventually"
local http = require "spec.support.http"
local leashed = require "spec.support.leashed"
local nodes = require "spec.support.nodes"
local ports = require "spec.support.ports"
local scratch = require "spec.support.scratch"
local uv = require "luv"

local demo = {}

local Demo = {}
Demo.__index = Demo

local running = {}

-- Where make has built for each Lua.
local function build_directory()
  return assert(package.cpath:match "([^;]+)/[^/;]+/%?%.so", "no build directory in package.cpath")
end

--- Starts it, and returns once it has said where it is.
-- @treturn table `address`, `url`, `dir` (its temporary directory)
function demo.start()
  local place = scratch.new()
  local command = ("env TMPDIR=%s BUILD=%s bash examples/openresty/run.sh %d"):format(
    nodes.quote(place.path), nodes.quote(build_directory()), ports.free())
  local self = setmetatable({
    scratch = place,
    process = leashed.start(command, place:fresh "log"),
    address = nil,
    url = nil,
    dir = nil,
  }, Demo)
  running[self] = true
  eventually("the demo is there", function()
    local output, message = self.process:output()
    if not self.process:is_running() then error("the demo has ended: " .. message, 0) end
    self.url, self.address = output:match "(http://([%d.:]+)/)"
    self.dir = output:match "cat (%S+)/3%.pid"
    return self.dir
  end)
  return self
end

--- What it has printed so far.
function Demo:output()
  return (self.process:output())
end

-- ---- its API ----

--- A request of the API.
-- @tparam string method
-- @tparam string path
-- @tparam[opt] table body what becomes JSON
-- @treturn number the status
-- @treturn table the answer, decoded
-- @treturn string the answer
function Demo:call(method, path, body)
  local answer = assert(http.request(self.address, {
    method = method,
    path = path,
    headers = body and { ["Content-Type"] = "application/json" },
    body = body and cjson.encode(body),
    timeout = 20,
  }))
  return answer.status, cjson.decode(answer.body), answer.body
end

-- ---- its processes ----

--- The process id that a file of it has: "1" to "3" for the nodes, "nginx".
function Demo:pid(name)
  return tonumber(nodes.read_file(("%s/%s.pid"):format(self.dir, name)))
end

--- Its two workers.
-- @treturn table list of process ids
function Demo:workers()
  local children = ("/proc/%d/task/%d/children"):format(self:pid "nginx", self:pid "nginx")
  return eventually("there are two workers", function()
    local first, second = nodes.read_file(children):match "^(%d+) (%d+) $"
    return first and { tonumber(first), tonumber(second) }
  end)
end

--- Waits until the API tells of a leader.
-- @tparam[opt] string other_than the id of one that it must not be
-- @treturn table as /api/cluster has it
function Demo:leader(other_than)
  return eventually("there is a leader", function()
    local _, answer = self:call("GET", "/api/cluster")
    for _, node in ipairs(answer.nodes or {}) do
      if node.leads and node.id ~= other_than then return node end
    end
  end)
end

--- Kills a node as its user would; the demo starts it again.
-- @tparam string id
function Demo:kill(id)
  assert(uv.kill(self:pid(id), "sigkill"))
end

local function signal(pids, name)
  for _, pid in ipairs(pids) do assert(uv.kill(pid, name)) end
end

local function is_stopped(pid)
  return nodes.read_file(("/proc/%d/stat"):format(pid)):match ".*%) (%a)" == "T"
end

--- Calls a function while some of its processes are stopped where they are.
-- @tparam table pids
-- @tparam function fn
function demo.without(pids, fn)
  signal(pids, "sigstop")
  for _, pid in ipairs(pids) do
    eventually("a process is stopped", function() return is_stopped(pid) end)
  end
  local ok, err = pcall(fn)
  signal(pids, "sigcont")
  if not ok then error(err, 0) end
end

--- Where its nodes are.
-- @treturn table list of addresses
function Demo:addresses()
  local list = {}
  for id = 1, 3 do
    list[id] = nodes.read_file(("%s/%d.address"):format(self.dir, id)):match "%S+"
  end
  return list
end

--- Sends what Ctrl-C sends, to all that it has started, and waits for the end.
function Demo:interrupt()
  assert(uv.kill(-self.process.pid, "sigint"))
  eventually("the demo has ended", function() return not self.process:is_running() end)
end

--- Ends it, and waits for that. Again does nothing.
function Demo:stop()
  if not running[self] then return end
  running[self] = nil
  self.process:stop "TERM"
  self.scratch:close()
end

--- For teardown.
function demo.stop_all()
  for each in pairs(running) do each:stop() end
end

return demo
