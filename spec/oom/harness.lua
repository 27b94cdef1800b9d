--- Runs a scenario with memory running out at every request for more of it.
--
-- A scenario: `name`; `open()` makes what the call needs; `run(...)` of that is
-- the call; `want` its results, in a list with `n` where trailing nils count,
-- or `check(...)` of the results, which answers what is wrong; `raises` when it
-- raises what `want` has; `after(ok, ...)` of what was opened looks whether that
-- can still be used, or says so, gives it up, and answers what is wrong; `free`
-- when it may need no memory.
local oom = require "oom"

local harness = {}

local MOST = 3000 -- requests of one call
local NO_MEMORY = "not enough memory"
local NO_STACK = "stack overflow" -- what luaL_checkstack calls a lack of memory

local unpack = table.unpack or rawget(_G, "unpack")

local function pack(...)
  return { n = select("#", ...), ... }
end

--- Are two values alike? Tables by their contents.
function harness.same(a, b)
  if a == b then return true end
  if type(a) ~= "table" or type(b) ~= "table" then return false end
  for key, value in pairs(a) do
    if not harness.same(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

local function show(value, depth)
  if type(value) ~= "table" or depth == 0 or getmetatable(value) then return tostring(value) end
  local parts = {}
  for key, member in pairs(value) do
    parts[#parts + 1] = tostring(key) .. " = " .. show(member, depth - 1)
  end
  return "{ " .. table.concat(parts, ", ") .. " }"
end

-- ---- one run ----

local function is_no_memory(ok, results)
  if ok and results[1] ~= nil then return false end
  local text = tostring(results[ok and 2 or 1])
  if text:find(NO_STACK, 1, true) then return true end
  if not ok then return text:sub(-#NO_MEMORY) == NO_MEMORY end
  return text:find(NO_MEMORY, 1, true) ~= nil
end

local function judge(scenario, failed, ok, results)
  if failed > 0 and is_no_memory(ok, results) then return nil end
  if ok == (scenario.raises or false) then return "raised " .. show(results[1], 2) end
  if scenario.check then return scenario.check(unpack(results, 1, results.n)) end
  local want = scenario.want
  for i = 1, math.max(results.n, want.n or #want) do
    if not harness.same(results[i], want[i]) then
      return ("result %d is %s"):format(i, show(results[i], 3))
    end
  end
end

-- Of oom.call.
local function take_apart(failed, calls, ok, ...)
  return failed, calls, ok, pack(...)
end

-- What begins a coroutine in Lua 5.1 is a function of Lua.
local function in_coroutine(...)
  return oom.call(...)
end

-- LuaJIT writes behind its stack when that cannot grow (2.1-20230119, and with
-- a function that is only Lua): there it is large beforehand.
local function in_large_stack(...)
  select("#", unpack({}, 1, 4000))
  return oom.call(...)
end

-- The call has a coroutine of its own, whose stack has to grow.
local function attempt(scenario, first, last, opened)
  local thread = coroutine.create(rawget(_G, "jit") and in_large_stack or in_coroutine)
  collectgarbage "stop"
  local results = pack(coroutine.resume(thread, first, last, scenario.run,
    unpack(opened, 1, opened.n)))
  collectgarbage "restart"
  assert(results[1], results[2])
  return take_apart(unpack(results, 2, results.n))
end

-- How many requests failed and were made, and what is wrong.
local function run_once(scenario, first, last)
  local opened = pack(scenario.open())
  local failed, calls, ok, results = attempt(scenario, first, last, opened)
  local problem = judge(scenario, failed, ok, results)
  if not ok or problem or failed > 0 and is_no_memory(ok, results) then results = nil end
  if problem then return failed, calls, problem end
  local fine, wrong = pcall(scenario.after, results ~= nil, unpack(opened, 1, opened.n))
  if not fine then wrong = "afterwards: raised " .. tostring(wrong) end
  return failed, calls, wrong
end

-- ---- what is held ----

-- Blocks and descriptors; only what stays after everything was collected.
local function held()
  local before
  local blocks = oom.live()
  for _ = 1, 20 do
    before = blocks
    collectgarbage()
    blocks = oom.live()
    if blocks == before then break end
  end
  return blocks, oom.descriptors()
end

-- ---- one scenario ----

local MODES = {
  { name = "one request", first = 1, last = function(n) return n end },
  -- Lua 5.4 collects everything and asks again
  { name = "two requests", first = 2, last = function(n) return n + 1 end },
  { name = "all from one on", first = 3, last = function() return 1e9 end },
}

-- OOM_STRIDE=3 has every third request fail, in each mode other ones.
local STRIDE = tonumber(os.getenv "OOM_STRIDE" or 1)

-- How many requests were made to fail.
local function run_mode(scenario, mode, report)
  local n = (mode.first - 1) % STRIDE + 1 - STRIDE
  repeat
    n = n + STRIDE
    local failed, _, problem = run_once(scenario, n, mode.last(n))
    report(problem, ("%s, %s: request %d: %s"):format(scenario.name, mode.name, n,
      tostring(problem)))
  until failed == 0 or n >= MOST
  report(n >= MOST, scenario.name .. ": it never succeeds")
  return math.ceil(n / STRIDE) - 1
end

-- What is kept for later the first time is no leak: texts in a cache.
local function run_balanced(scenario, mode, report)
  local requests, blocks, files, now, open
  for _ = 1, 2 do
    blocks, files = held()
    requests = run_mode(scenario, mode, report)
    now, open = held()
    if now <= blocks then break end
  end
  report(now > blocks, ("%s, %s: %d blocks are left"):format(scenario.name, mode.name,
    now - blocks))
  report(open ~= files, ("%s, %s: %d descriptors instead of %d"):format(scenario.name,
    mode.name, open, files))
  return requests
end

local function warm_up(scenario, report)
  for _ = 1, 2 do
    local _, calls, problem = run_once(scenario, 0, 0)
    if calls == 0 and not scenario.free then problem = "it needs no memory" end
    report(problem, ("%s: %s"):format(scenario.name, tostring(problem)))
    if problem then return false end
  end
  return true
end

--- Runs one.
-- @tparam table scenario
-- @tparam function report called with what is wrong, if something is, and a text
-- @treturn number how many requests were made to fail
function harness.run(scenario, report)
  if not warm_up(scenario, report) then return 0 end
  local total = 0
  for _, mode in ipairs(MODES) do
    total = total + run_balanced(scenario, mode, report)
  end
  return total
end

return harness
