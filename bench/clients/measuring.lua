-- What a client in Lua measures with: calls for some time, one large call, what the
-- process has needed.
local now = require "dqlite.core".now

local measuring = {}

local Task = {}
Task.__index = Task

--- A field of /proc/self/status, in KiB: "VmRSS", or "VmHWM" for its peak.
function measuring.memory(field)
  local file = assert(io.open "/proc/self/status")
  local status = file:read "*a"
  file:close()
  return tonumber(status:match(field .. ":%s*(%d+)"))
end

local function peak()
  return measuring.memory "VmHWM"
end

--- One measurement.
-- @tparam number seconds
-- @tparam boolean timed is each call timed?
-- @treturn table `batch`: calls between two looks at the clock; `memory`: a function
-- that answers what is printed as such, in KiB
function measuring.new(seconds, timed)
  return setmetatable({ seconds = seconds, timed = timed, batch = 16, memory = peak }, Task)
end

local function print_result(operations, wall, cpu, memory, samples)
  local words = { ("%d %.9f %.6f %d"):format(operations, wall, cpu, memory) }
  if samples then
    table.sort(samples)
    for i, part in ipairs { 0.50, 0.99 } do
      local sample = samples[math.floor((#samples - 1) * part) + 1]
      words[i + 1] = ("%.3f"):format(sample * 1e6)
    end
  end
  print(table.concat(words, " "))
end

local function time_each(seconds, fn, first)
  local samples, n = {}, 0
  local begin = now()
  local deadline = begin + seconds
  while begin < deadline do
    fn(first + n)
    local done = now()
    n = n + 1
    samples[n] = done - begin
    begin = done
  end
  return samples
end

-- Calls fn(i) for some time, with i from first + 1 on. Answers how often.
local function call_for(time, fn, first, batch)
  local calls, deadline = 0, now() + time
  repeat
    for i = 1, batch do fn(first + calls + i) end
    calls = calls + batch
  until now() >= deadline
  return calls
end

--- Calls fn(i) for its seconds, after a fifth of that to warm up, and prints what
-- that took.
-- @tparam function fn
-- @tparam[opt=1] number each operations of one call
function Task:measure(fn, each)
  local before = call_for(self.seconds / 5, fn, 0, self.batch)
  local wall, cpu = now(), os.clock()
  local calls = call_for(self.seconds, fn, before, self.batch)
  wall, cpu = now() - wall, os.clock() - cpu
  local samples = self.timed and time_each(self.seconds, fn, before + calls) or nil
  print_result(calls * (each or 1), wall, cpu, self.memory(), samples)
end

--- Calls fn() once and prints what that took.
-- @tparam function fn may answer how many operations it was
-- @tparam[opt] number operations where fn does not say
-- @tparam[opt] table samples seconds of each
function Task:measure_once(fn, operations, samples)
  local wall, cpu = now(), os.clock()
  operations = fn() or operations
  wall, cpu = now() - wall, os.clock() - cpu
  print_result(operations, wall, cpu, self.memory(), samples)
end

return measuring
