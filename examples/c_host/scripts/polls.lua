-- What poll_host works with: connections on its loop, and tasks for them.
local dqlite = require "dqlite"

local host, address, count = ...
local ROWS = 25 -- that each connection writes

local conns = {}
local opened, finished = 0, 0
local highest = 0 -- of the counts that were read meanwhile

local program = {}

local function open(i)
  conns[i] = assert(dqlite.connect(address, { loop = host }))
  opened = opened + 1
end

--- Opens the connections, all at once, and makes the table.
function program.open()
  host:spawn(function()
    local tasks = {}
    for i = 1, count do tasks[i] = host:spawn(open, i) end
    for i = 1, count do tasks[i]:wait() end
    assert(conns[1]:execute "CREATE TABLE log (writer INTEGER, number INTEGER)")
  end)
end

local function write_and_read(writer)
  local conn = conns[writer]
  for number = 1, ROWS do
    assert(conn:execute("INSERT INTO log VALUES (?, ?)", writer, number))
    local seen = assert(conn:fetchval "SELECT count(*) FROM log")
    if seen > highest then highest = seen end
  end
  local sum = conn:fetchval("SELECT sum(number) FROM log WHERE writer = ?", writer)
  assert(sum == ROWS * (ROWS + 1) / 2)
  finished = finished + 1
end

--- Lets all of them write and read.
function program.work()
  for writer = 1, count do host:spawn(write_and_read, writer) end
end

--- The i-th connection.
function program.connection(i)
  return conns[i]
end

--- What has come of it, in a line.
function program.report()
  return ("%d connections opened, %d have finished, %d rows were seen"):format(opened, finished,
    highest)
end

--- Closes them.
function program.close()
  for _, conn in ipairs(conns) do conn:close() end
end

return program
