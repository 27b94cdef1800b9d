-- Bodies that lie: the golden hostile frames, through every call that reads
-- them; and columns in numbers that no table has.
local hostile = require "spec.support.hostile"
local scripted = require "spec.support.scripted"
local vectors = require "spec.vectors.read"

local frame = scripted.frame

-- ---- golden frames ----

local FIELDS = {
  OPEN = { database = "d" },
  DUMP = { database = "d" },
  CLUSTER = { format = 1 },
  PREPARE = { sql = "SELECT 1" },
  EXEC_SQL = { sql = "DELETE FROM t" },
  QUERY_SQL = { sql = "SELECT a FROM t" },
}
local WRITES = { EXEC_SQL = true, QUERY_SQL = true }

-- Those that answer a request.
local function answers(request)
  return hostile.list(function(add)
    for _, vector in ipairs(vectors.read "hostile") do
      local after = vector.after
      if vector.direction == "response" and after ~= "nothing"
        and (not request or after == request) then
        add { name = vector.name, bytes = vector.bytes, request = after, by = vector.by }
      end
    end
  end)
end

-- Leaves a script that sends the frame in the place of the answer to the first
-- request.
local function leave(case, raw)
  local steps = raw and {} or hostile.opened()
  steps[#steps + 1] = { "await", 1 }
  steps[#steps + 1] = { "send", case.bytes }
  -- with too many frames, the end might be noticed first
  if case.by == "codec" then steps[#steps + 1] = { "fin" } end
  hostile.script(steps)
end

-- One frame too many shows only in the next request.
local function unless_answered(kind, in_doubt, answer, again)
  local result, err = answer()
  if result then result, err = again() end
  hostile.ended(kind, in_doubt, result, err)
end

-- Every way to read rows.
local function iterate(...)
  local opts = ...
  return function(conn)
    local ok, err = pcall(function()
      for _ in conn:rows("SELECT a FROM t", {}, opts) do end -- luacheck: ignore 542
    end)
    if ok then return {} end
    return nil, err
  end
end

local READERS = {
  ["rows by position"] = iterate { arrays = true },
  ["rows in one table"] = iterate { reuse = true },
  rows = iterate(),
  ["types of each row"] = function(conn)
    return conn:query("SELECT a FROM t", {}, { row_types = true })
  end,
  pipeline = function(conn)
    local results, err = conn:pipeline { { "SELECT a FROM t" } }
    if not results then return nil, err end
    if results[1].error then return nil, results[1].error end
    return results[1]
  end,
}
for _, name in ipairs { "fetch", "fetchall", "fetchcol", "query", "execute" } do
  READERS[name] = function(conn) return conn[name](conn, "SELECT a FROM t") end
end

hostile.describe("golden hostile frames", function()
  it("end a raw session", function()
    hostile.each(answers(), function(case)
      leave(case, true)
      local raw = hostile.session()
      local function ask() return raw:request(case.request, FIELDS[case.request]) end
      local result, err = ask()
      local in_doubt = WRITES[case.request] or false
      if result and case.by == "session" then
        result, err = ask()
        in_doubt = false -- it did not leave
      end
      hostile.ended("protocol", in_doubt, result, err)
      hostile.ended("closed", false, ask())
      raw:close()
    end)
  end)

  for name, read in pairs(READERS) do
    it("end a connection that reads them by " .. name, function()
      hostile.each(answers "QUERY_SQL", function(case)
        leave(case)
        local conn = hostile.connect()
        unless_answered("protocol", false,
          function() return read(conn) end, function() return read(conn) end)
        hostile.lost(conn)
      end)
    end)
  end

  it("end a connection that prepares", function()
    hostile.each(answers "PREPARE", function(case)
      leave(case)
      local conn = hostile.connect()
      hostile.ended("protocol", false, conn:prepare "SELECT a FROM t")
      hostile.lost(conn)
    end)
  end)

  it("end the opening of a connection", function()
    local frames = hostile.list(function(add)
      for _, name in ipairs { "LEADER", "CLIENT", "OPEN" } do
        for _, case in ipairs(answers(name)) do add(case) end
      end
    end)
    hostile.each(frames, function(case)
      local steps = { { "await", 3 } }
      if case.request ~= "LEADER" then
        steps[2] = { "send", frame("SERVER", { id = "1", address = hostile.address() }) }
      end
      if case.request == "OPEN" then
        steps[3] = { "send", frame("WELCOME", { heartbeat = 15000 }) }
      end
      steps[#steps + 1] = { "send", case.bytes }
      hostile.script(steps)
      hostile.ended("protocol", false, hostile.try())
    end)
  end)
end)

-- ---- columns ----

local WELL = scripted.rows { columns = { "a" }, { 42 } }

-- A connection whose first request is answered so, and the next one well.
local function connect(bytes)
  hostile.script(hostile.opened({ "await", 1 }, { "send", bytes },
    { "await", 1 }, { "send", WELL }))
  return hostile.connect()
end

local function check_usable(conn)
  hostile.usable(conn)
  conn:close()
end

hostile.describe("columns", function()
  it("may be none", function()
    local none = scripted.rows { columns = {} }
    hostile.run(function()
      for _, name in ipairs { "fetch", "fetchall", "fetchcol", "query", "execute" } do
        local conn = connect(none)
        assert.equal(0, #assert(conn[name](conn, "SELECT a FROM t")))
        check_usable(conn)
      end
      local conn = connect(none)
      assert.is_nil(conn:fetchval "SELECT a FROM t")
      check_usable(conn)
    end)
  end)

  it("may be more than any table has", function()
    local columns, row = {}, {}
    for i = 1, 8191 do columns[i], row[i] = "c" .. i, i end
    local bytes = scripted.rows { columns = columns, row }
    hostile.each(hostile.list(function(add)
      for name, read in pairs(READERS) do add { name = name, read = read } end
    end), function(case)
      local conn = connect(bytes)
      assert(case.read(conn))
      check_usable(conn)
    end)
  end)
end)
