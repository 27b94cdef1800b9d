-- Results without an end: memory stays, and so does the deadline.
local hostile = require "spec.support.hostile"
local scripted = require "spec.support.scripted"

local SHORT = hostile.SHORT
local MIB = 1024 * 1024

local SELECT = "SELECT a FROM t"

local function part(rows)
  local list = { columns = { "a" }, more = true }
  for i = 1, rows do list[i] = { i } end
  return scripted.rows(list)
end

-- A quarter of a MiB.
local FRAMES = part(256):rep(64)

local function connect(opts)
  hostile.script(hostile.opened({ "await", 1 }, { "flood", FRAMES }))
  return hostile.connect(opts)
end

local READERS = {}

local function reader(name, call)
  READERS[#READERS + 1] = { name = name, call = call }
end

for _, name in ipairs { "fetch", "fetchall", "fetchcol", "query" } do
  reader(name .. " within max_result_bytes", function(conn)
    return conn[name](conn, SELECT, {}, { timeout = SHORT, max_result_bytes = MIB })
  end)
  reader(name .. " within max_rows", function(conn)
    return conn[name](conn, SELECT, {}, { timeout = SHORT, max_rows = 1000 })
  end)
end
for _, name in ipairs { "fetchone", "fetchval", "execute" } do
  reader(name, function(conn) return conn[name](conn, SELECT, {}, { timeout = SHORT }) end)
end

-- How many rows were read before the loop was left.
local function read_some(conn, most)
  local count = 0
  for _ in conn:rows(SELECT, {}, { reuse = true }) do
    count = count + 1
    if count == most then break end
  end
  return count
end

hostile.describe("endless results", function()
  it("end at the deadline", function()
    hostile.each(READERS, function(case)
      local conn = connect()
      hostile.in_time(SHORT, function() hostile.ended("timeout", false, case.call(conn)) end)
      hostile.settle()
      hostile.lost(conn)
    end)
  end)

  it("end at the deadline of a write that returns", function()
    hostile.run(function()
      local stmt = scripted.frame("STMT", { schema = 1, stmt = 0, params = 0, tail = 8 })
      hostile.script(hostile.opened({ "await", 1 }, { "send", stmt },
        { "await", 2 }, { "flood", FRAMES }))
      local conn = hostile.connect { timeout = SHORT }
      hostile.in_time(SHORT, function()
        hostile.ended("timeout", true, conn:execute "INSERT INTO t VALUES (1) RETURNING a")
      end)
      hostile.settle()
      hostile.lost(conn)
    end)
  end)

  it("are streamed in the memory of a frame, and left", function()
    hostile.each({ { name = "200,000 rows", rows = 200000 } }, function(case)
      local conn = connect()
      assert.equal(case.rows, read_some(conn, case.rows))
      hostile.in_time(0, function()
        hostile.settle()
        return conn:close()
      end)
    end)
  end)

  it("are read for a while by close, then left", function()
    hostile.each({ { name = "a break" } }, function()
      local conn = connect()
      assert.equal(10, read_some(conn, 10))
      local start = hostile.now()
      conn:close()
      assert(hostile.now() - start < 5 + hostile.GRACE)
    end)
  end)

  it("are read for a while by the next call, which has no answer", function()
    hostile.each({ { name = "a break" } }, function()
      local conn = connect()
      assert.equal(10, read_some(conn, 10))
      hostile.ended("closed", false, conn:execute "INSERT INTO t VALUES (1)")
      hostile.lost(conn)
    end)
  end)
end)
