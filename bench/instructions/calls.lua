-- lua calls.lua WHAT N: makes one call of a connection N times, for callgrind to
-- count. LuaJIT interprets: what its compiler does differs from run to run.
local canned = require "bench.instructions.canned"

if jit then jit.off() end

local POINT = "SELECT id, name, score FROM point WHERE id = ?"
local WIDE = "SELECT id, name, score, size, data, note FROM wide"
local ROWS = 46 -- what a server puts into a frame

-- Names of columns meet in Lua's hash tables in another way in each process, which
-- is worth some percent: so they are not always the same.
local SETS, TIMES = 20, 5 -- names, and how often each set comes in a row

local function named(set, names)
  local list = {}
  for name in names:gmatch "%S+" do list[#list + 1] = name .. "_" .. set end
  return list
end

local function wide(set)
  local rows = { columns = named(set, "id name score size data note") }
  for i = 1, ROWS do
    rows[i] = { i, ("row %07d"):format(i), i / 8 + 0.1, i * 1000, ("%016d"):format(i),
      "note no. " .. i % 10 }
  end
  return canned.rows(rows)
end

local function point(set)
  return canned.rows { columns = named(set, "id name score"), { 1, "user 000001", 0.5 } }
end

local function in_turn(answer_of)
  local list = {}
  for set = 1, SETS do
    local answer = answer_of(set)
    for _ = 1, TIMES do list[#list + 1] = answer end
  end
  return list
end

local calls = {}

function calls.query(n)
  local conn = canned.open(POINT, in_turn(point), 1)
  for i = 1, n do conn:fetchone(POINT, i) end
end

-- n rows, a frame each time
local function read(helper)
  return function(n)
    local conn = canned.open(WIDE, in_turn(wide))
    for _ = 1, n, ROWS do conn[helper](conn, WIDE) end
  end
end

calls.rows_by_name, calls.rows_by_position = read "fetch", read "fetchall"

function calls.rows_streamed(n)
  local conn = canned.open(WIDE, in_turn(wide))
  for _ = 1, n, ROWS do
    local rows = 0
    for _ in conn:rows(WIDE, {}, { arrays = true, reuse = true }) do rows = rows + 1 end
    assert(rows == ROWS)
  end
end

function calls.execute(n)
  local text = "INSERT INTO point (id, name, score) VALUES (?, ?, ?)"
  local conn = canned.open_write(text, 1, "user 000001", 0.5)
  for i = 1, n do conn:execute(text, i, "user 000001", 0.5) end
end

-- One round of the collector more or less is worth some percent, and a source line
-- that moves can be the reason: what is allocated is counted, not its collection.
collectgarbage "stop"
calls[arg[1]](tonumber(arg[2]))
