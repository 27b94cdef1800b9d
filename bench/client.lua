-- One measurement: a client as a process of its own, on the processors that it is
-- given, for one workload.
local machine = require "bench.machine"
local plan = require "bench.plan"

local client = {}

local FIELDS = { "operations", "seconds", "cpu", "memory", "p50", "p99" }

--- How a client is called.
-- @tparam string build where make builds
-- @tparam table who of plan.clients
function client.program(build, who)
  if not who.lua then return ("%s/bench/%s"):format(build, who.name) end
  return ("env LUA_CPATH='%s/%s/?.so;;' %s bench/clients/lua.lua %s"):format(build, who.lua,
    who.lua, who.loop)
end

local function parse(line)
  local words = {}
  for word in line:gmatch "%S+" do words[#words + 1] = tonumber(word) end
  if #words < 4 then return nil end
  local sample = {}
  for i, field in ipairs(FIELDS) do sample[field] = words[i] end
  return sample
end

--- Runs it.
-- @tparam table run `build`, `sizes`
-- @tparam table who of plan.clients
-- @tparam table workload of plan.workloads
-- @tparam string target address or directory
-- @tparam string prefix of the command, such as "taskset -c 1"
-- @treturn table `each` and `cpu`, seconds of one operation; `memory`, its peak in
-- MB; `p50` and `p99` in microseconds, where calls are timed
function client.run(run, who, workload, target, prefix)
  local command = ("exec %s %s %s %s %g %d%s"):format(prefix, client.program(run.build, who),
    workload.name, target, run.sizes.seconds, plan.count(workload, run.sizes),
    workload.timed and " timed" or "")
  local pipe = assert(io.popen(machine.MANY_FILES .. command))
  local output = pipe:read "*a"
  local sample = pipe:close() and parse(output)
  if not sample then error("no result of: " .. command, 0) end
  return {
    each = sample.seconds / sample.operations,
    cpu = sample.cpu / sample.operations,
    memory = sample.memory / 1024,
    p50 = sample.p50,
    p99 = sample.p99,
  }
end

return client
