-- Many connections of one process: what they cost to open and to keep, and what a
-- SELECT costs beside them.
local dqlite = require "dqlite"
local measuring = require "bench.clients.measuring"

local many = {}

local SELECTS = 10 -- of each coroutine

local function open_all(open, count)
  local conns = {}
  for i = 1, count do conns[i] = open() end
  return conns
end

local function close_all(conns)
  for _, conn in ipairs(conns) do conn:close() end
end

local function resident()
  collectgarbage()
  collectgarbage()
  return measuring.memory "VmRSS"
end

--- Opens them one after the other and closes them. The memory printed is by how many
-- KiB they enlarge the process as long as they are open.
-- @tparam table task of bench.clients.measuring
-- @tparam function open makes a connection
-- @tparam number count of connections
function many.idle(task, open, count)
  open():close() -- what the first one takes, all share
  local before = resident()
  local conns = open_all(open, count)
  local grown = resident() - before
  close_all(conns)
  task.batch, task.memory = 1, function() return grown end
  task:measure(function() close_all(open_all(open, count)) end, count)
end

local function ask(conn)
  for _ = 1, SELECTS do assert(conn:fetchval "SELECT 1") end
end

--- SELECTs, by a coroutine for each connection; all of these wait at the same time.
-- Arguments as above.
function many.selects(task, open, count)
  local conns, tasks = open_all(open, count), {}
  task.batch = 1
  task:measure(function()
    for i, conn in ipairs(conns) do tasks[i] = dqlite.spawn(ask, conn) end
    for i = 1, count do tasks[i]:wait() end
  end, count * SELECTS)
end

return many
