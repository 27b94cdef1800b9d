-- Rows one at a time.
local calls = require "spec.oom.calls"
local scripted = require "spec.support.scripted"

local scenario = calls.scenario

local TEXT = "SELECT a, b FROM t WHERE a > ?"
local ROWS = {
  [TEXT] = {
    scripted.rows { columns = { "a", "b" }, { 1, "one" }, { 2, "two" }, more = true },
    scripted.rows { columns = { "a", "b" }, { 3, "three" }, more = true },
    scripted.rows { columns = { "a", "b" }, { 4, "four" } },
  },
}

-- What a loop collects; `most` rows of them.
local function collect(iterator, column, most)
  local list = {}
  for row in iterator do
    list[#list + 1] = row[column]
    if #list == most then break end
  end
  return list
end

local function loop(name, opts, column, most, want)
  return scenario(name, ROWS, function(conn)
    return collect(conn:rows(TEXT, { 0 }, opts), column, most)
  end, { want })
end

local function raises(...)
  local ok, err = pcall(...)
  if ok then return "nothing was raised" end
  if type(err) == "string" then error(err, 0) end
  return nil, err
end

return {
  loop("rows", nil, "b", nil, { "one", "two", "three", "four" }),
  loop("rows: arrays", { arrays = true }, 2, nil, { "one", "two", "three", "four" }),
  loop("rows: reuse", { reuse = true }, "a", nil, { 1, 2, 3, 4 }),
  loop("rows: arrays, reuse", { reuse = true, arrays = true }, 1, nil, { 1, 2, 3, 4 }),
  loop("rows: left early", nil, "a", 1, { 1 }),
  loop("rows: left in a later frame", nil, "a", 3, { 1, 2, 3 }),
  scenario("rows: ended by a later call", ROWS, function(conn)
    local step = conn:rows(TEXT, 0)
    local first = step().a
    return first, conn:fetchval(TEXT, 0)
  end, { 1, 1 }),
  scenario("rows: a step after their end", ROWS, function(conn)
    local step = conn:rows(TEXT, 0)
    assert(conn:ping())
    return raises(step)
  end, calls.fails "closed"),
  scenario("rows: of a star", {}, function(conn)
    return collect(conn:rows "SELECT * FROM t", "a")
  end, { { 1 } }),
  scenario("rows: RETURNING", {}, function(conn)
    return collect(conn:rows "DELETE FROM t RETURNING a", "a")
  end, { { 1 } }, calls.all_or_nothing { "DELETE FROM t RETURNING a" }),
  scenario("rows: an error", { [TEXT] = { scripted.failure(1, "no such table: t") } },
    function(conn) return raises(conn.rows, conn, TEXT, 0) end, calls.fails "sql"),
  scenario("rows: an error in the middle", { [TEXT] = {
    scripted.rows { columns = { "a", "b" }, { 1, "one" }, more = true },
    scripted.failure(1, "division by zero"),
  } }, function(conn) return raises(collect, conn:rows(TEXT, 0), "a") end, calls.fails "sql"),
}
