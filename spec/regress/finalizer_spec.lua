-- A finalizer that the collector ran while rows were being read could close or
-- use the same connection: the rows were then read from freed memory.

-- Runs in a process of its own, with a small heap and a quick collector. The
-- finalizer does FINALLY to the connection; what is printed: did it run while
-- the rows were read, how many there are, whether all are right.
local PROGRAM = [[
local scripted = require "spec.support.scripted"

local function text(i)
  return ("text %d "):format(i):rep(3)
end

local rows = { columns = { "a" } }
for i = 1, 20000 do rows[i] = { text(i) } end
local conn = scripted.open { QUERY_SQL = { scripted.rows(rows) } }
rows = nil

local ran = false
local function finally()
  if ran then return end
  ran = true
  FINALLY
end

local function plant()
  for _ = 1, 100 do
    local object = newproxy and newproxy(true)
    if object then getmetatable(object).__gc = finally end
    object = object or setmetatable({}, { __gc = finally })
  end
end

collectgarbage("setpause", 100)
collectgarbage("setstepmul", 800)
collectgarbage()
coroutine.wrap(plant)()
local list = assert(conn:fetchall "SELECT a")
local in_time, right = ran, true
for i, row in ipairs(list) do right = right and row[1] == text(i) end
print(in_time, #list, right)
]]

local function interpreter()
  local i = 0
  while arg[i - 1] do i = i - 1 end
  return arg[i]
end

local function output(finally)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write((PROGRAM:gsub("FINALLY", function() return finally end)))
  file:close()
  local pipe = assert(io.popen(("env LUA_PATH='%s' LUA_CPATH='%s' %s %s 2>&1"):format(
    package.path, package.cpath, interpreter(), path)))
  local text = pipe:read "*a"
  pipe:close()
  os.remove(path)
  return text
end

describe("a finalizer that runs while rows are read", function()
  it("may close the connection", function()
    assert.equal("true\t20000\ttrue\n", output "conn:close()")
  end)

  it("that sends a statement ends the connection, and the rows are right", function()
    assert.equal("true\t20000\ttrue\n", output [[assert(not conn:fetch "SELECT 2")]])
  end)
end)
