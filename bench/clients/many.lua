-- Many connections of one process: what they cost to open and to keep, and what a
-- SELECT costs beside them.
local dqlite = require "dqlite"
local measuring = require "bench.clients.measuring"

local many = {}

local SELECTS = 20000 -- in all, however many connections share them

local function open_all(open, count)
  local conns = {}
  for i = 1, count do conns[i] = open() end
  return conns
end

local function resident()
  collectgarbage()
  collectgarbage()
  return measuring.memory "VmRSS"
end

--- Opens them one after the other. The memory printed is by how many KiB they have
-- enlarged the process.
-- @tparam function open makes a connection
-- @tparam number count of connections
function many.idle(open, count)
  open():close() -- what the first one takes, all share
  local before, conns = resident(), nil
  measuring.once(function() conns = open_all(open, count) end, count, nil, function()
    return resident() - before, conns
  end)
end

local function ask(conn, times)
  for _ = 1, times do assert(conn:fetchval "SELECT 1") end
end

--- As many SELECTs, by a coroutine for each connection; every one of these waits at
-- the same time.
function many.selects(open, count)
  local conns, tasks, times = open_all(open, count), {}, SELECTS / count
  for _, conn in ipairs(conns) do ask(conn, 3) end -- the text is prepared by then
  measuring.once(function()
    for i, conn in ipairs(conns) do tasks[i] = dqlite.spawn(ask, conn, times) end
    for i = 1, count do tasks[i]:wait() end
  end, times * count)
end

return many
