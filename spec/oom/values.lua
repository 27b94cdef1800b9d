-- Parameters of every kind, and values of every type that come back.
local calls = require "spec.oom.calls"
local core = require "dqlite.core"
local dqlite = require "dqlite"
local scripted = require "spec.support.scripted"

local scenario = calls.scenario

local jit = rawget(_G, "jit")

-- The parameters come back as a row.
local function echo(request)
  local columns = {}
  for i = 1, request.params.n do columns[i] = "c" .. i end
  return { scripted.rows { columns = columns, request.params } }
end

-- A SELECT of n parameters.
local function select_of(n)
  return "SELECT ?" .. (", ?"):rep(n - 1)
end

local function opener(opts)
  local open = calls.opener({}, opts)
  return function()
    local conn, server = open()
    for _, text in ipairs { select_of(1), select_of(3), select_of(20), select_of(300),
      "SELECT :a, ?, @b" } do
      server:on(text, echo)
    end
    return conn, server
  end
end

local function numbers(n)
  local list = {}
  for i = 1, n do list[i] = i end
  return list
end

local function sends(name, opts, make, want)
  return scenario("parameters: " .. name, opener(opts), function(conn)
    local list, err = conn:fetchall(make())
    if not list then return nil, err end
    return list[1]
  end, { want })
end

-- ---- what comes back ----

local TYPES = { "INTEGER", "INTEGER", "FLOAT", "TEXT", "BLOB", "NULL", "BOOLEAN", "ISO8601",
  "ISO8601", "UNIXTIME" }
local BIG = "9007199254740993"
local EXACT_BIG = core.integers and tonumber(BIG) or BIG -- as it comes back
local ROW = { 7, BIG, 0.5, "text of more than forty bytes, which Lua does not intern",
  "\0\1\2", dqlite.null, true, "2026-11-22", "", 1000, types = TYPES, n = 10 }

local NAMES = { "a", "b", "c", "d", "e", "f", "g", "h", "i", "j" }

local function reads(name, opts, want)
  return scenario("values: " .. name,
    { ["SELECT *, 1 FROM t"] = { scripted.rows { columns = NAMES, ROW, ROW } } },
    function(conn)
      local list, err = conn:fetchall("SELECT *, 1 FROM t", {}, opts)
      if not list then return nil, err end
      return list[2], getmetatable(list)
    end, want)
end

-- The row as it is read, but for some places.
local function row(changes)
  local got = { 7, EXACT_BIG, 0.5, ROW[4], "\0\1\2", dqlite.null, true,
    "2026-11-22", dqlite.null, 1000 }
  for i, value in pairs(changes) do got[i] = value end
  return got
end

local MARK = {}

local LIST = { 1, 0.5, "quoted \" text", true, dqlite.null }
local LIST_TEXT = '[1,0.5,"quoted \\" text",1,null]'

local scenarios = {
  sends("one by one", nil, function() return select_of(3), 1, "two", 0.5 end, { 1, "two", 0.5 }),
  sends("nil, true", nil, function() return select_of(3), nil, true, nil end,
    { dqlite.null, true, dqlite.null }),
  sends("blob, int64, real", nil, function()
    return select_of(3), dqlite.blob "\0x", dqlite.int64(BIG), dqlite.real(3)
  end, { "\0x", EXACT_BIG, 3.0 }),
  sends("a table", nil, function() return select_of(3), { "x", nil, 3, n = 3 } end,
    { "x", dqlite.null, 3 }),
  sends("by name", nil, function() return "SELECT :a, ?, @b", { a = "x", [2] = 5, b = "z" } end,
    { "x", 5, "z" }),
  sends("twenty", nil, function() return select_of(20), numbers(20) end, numbers(20)),
  sends("300", nil, function() return select_of(300), numbers(300) end, numbers(300)),
  sends("a list", nil, function() return select_of(1), dqlite.list(LIST) end,
    { LIST_TEXT }),
  sends("a blob comes back as one", { blobs = "wrap" }, function()
    return select_of(1), dqlite.blob "\0x"
  end, { dqlite.blob "\0x" }),
  scenario("parameters: too few", {}, function(conn)
    return conn:fetch("SELECT ?, ?", 1)
  end, calls.fails "value"),
  scenario("parameters: an unknown name", {}, function(conn)
    return conn:fetch("SELECT :a", { b = 1 })
  end, calls.fails "value"),

  reads("as they are", nil, { row {} }),
  reads("wrapped blobs", { blobs = "wrap" }, { row { [5] = dqlite.blob "\0\1\2" } }),
  reads("dates as they came", { dates = "raw" }, { row { [9] = "" } }),
  reads("another NULL", { null = "none" }, { row { [6] = "none", [9] = "none" } }),
  reads("integers as strings", { int64 = "string-all" }, { row { [2] = BIG } }),
  reads("integers as numbers", { int64 = "number" }, { row { [2] = tonumber(BIG) } }),
  reads("marked as a list", { array_mt = MARK }, { row {}, MARK }),

  { name = "constructors", open = function() end, run = function()
    local blob, real, int64 = dqlite.blob "\0x", dqlite.real(3), dqlite.int64(BIG)
    return tostring(blob), tostring(real), tostring(int64), dqlite.list(LIST),
      dqlite.quote_name 'a "b"'
  end, want = { "\0x", "3", BIG, LIST_TEXT, '"a ""b"""' },
    after = function() end },
}

if jit then
  local cdata = require("ffi").new("int64_t", 5)
  scenarios[#scenarios + 1] = sends("cdata", { int64 = "cdata" },
    function() return select_of(3), { cdata, dqlite.int64(BIG), 1 } end,
    { 5, require("ffi").new("int64_t", 9007199254740992) + 1, 1 })
end

return scenarios
