-- Results of several frames, what may be wrong with them, and who leaves them:
-- behaviours 17 to 20, 22 and 23.
local scripted = require "spec.support.scripted"

local ALL = "SELECT a, b FROM t"
local COLUMNS = { "a", "b" }

local function rows(first, last, more, columns)
  local list = { columns = columns or COLUMNS, more = more }
  for i = first, last do list[#list + 1] = { i, "x" } end
  return scripted.rows(list)
end

local TWO, ONE = rows(1, 2, true), rows(3, 3)
local FINE = { scripted.rows { columns = { "one" }, { 1 } } }

-- As text each time, whatever came before.
local function open(answers, opts)
  opts = opts or {}
  opts.statement_cache = 0
  return scripted.open(answers, opts)
end

local function iterate(conn, sql, params, opts)
  local list = {}
  local ok, err = pcall(function()
    for row in conn:rows(sql, params or {}, opts) do list[#list + 1] = row end
  end)
  if ok then return list end
  assert.equal("table", type(err), tostring(err))
  return nil, err
end

local function method(name)
  return function(conn, sql, params, opts) return conn[name](conn, sql, params or {}, opts) end
end

local WHOLE = { "fetch", "fetchall", "fetchcol", "query" } -- that give all rows
local WAYS = { rows = iterate }
for _, name in ipairs { "fetch", "fetchall", "fetchcol", "query", "fetchone", "fetchval",
  "execute" } do
  WAYS[name] = method(name)
end

local function works(conn, server)
  server.answers.QUERY_SQL = FINE
  assert.is_true(conn:is_open())
  assert.equal(1, conn:fetchval "SELECT 1")
end

-- A call on each way, with answers to it; `check` of its error.
local function each_way(title, frames, check)
  for name, way in pairs(WAYS) do
    it(title .. ", by " .. name, function()
      local conn, server = open { QUERY_SQL = frames }
      local answer, err = way(conn, ALL)
      assert.is_nil(answer)
      check(err, conn, server)
    end)
  end
end

local function is_lost(err, conn, server)
  assert.equal("protocol", err.kind, tostring(err))
  assert.same({ true, true, false }, { err.fatal, err.retryable, err.ambiguous })
  assert.is_false(conn:is_open())
  assert.equal(1, server.closed)
  local before = server.bytes()
  assert.equal("closed", select(2, conn:fetch(ALL)).kind)
  assert.equal(before, server.bytes())
end

describe("a limit", function()
  local function exceeds(limit, conn, server, ...)
    local answer, err = ...
    assert.is_nil(answer)
    assert.same({ "policy", false, false }, { err.kind, err.fatal, err.ambiguous })
    assert.matches("exceeds " .. limit, err.message)
    works(conn, server)
  end

  -- Frames of rows, the numbers of which are given; the last may have none.
  local SHAPES = {
    ["one frame"] = { 3 },
    ["several"] = { 2, 1 },
    ["a frame each"] = { 1, 1, 1 },
    ["an empty one at the end"] = { 3, 0 },
  }

  local function frames_of(counts)
    local frames, n = {}, 0
    for i, count in ipairs(counts) do
      frames[i] = rows(n + 1, n + count, i < #counts)
      n = n + count
    end
    return frames
  end

  for shape, counts in pairs(SHAPES) do
    it("behaviour 17: on rows is exact, the first frame included: " .. shape, function()
      for _, name in ipairs(WHOLE) do
        for most = 1, 4 do
          local conn, server = open { QUERY_SQL = frames_of(counts) }
          if most >= 3 then
            assert.equal(3, #assert(WAYS[name](conn, ALL, {}, { max_rows = most })), name)
          else
            exceeds("max_rows", conn, server, WAYS[name](conn, ALL, {}, { max_rows = most }))
          end
        end
      end
    end)

    it("behaviour 17: on bytes is exact, the first frame included: " .. shape, function()
      local frames = frames_of(counts)
      local size = #table.concat(frames)
      for _, name in ipairs(WHOLE) do
        local conn, server = open { QUERY_SQL = frames }
        local opts = { max_result_bytes = size }
        assert.equal(3, #assert(WAYS[name](conn, ALL, {}, opts)), name)
        opts.max_result_bytes = size - 1
        exceeds("max_result_bytes", conn, server, WAYS[name](conn, ALL, {}, opts))
      end
    end)
  end

  it("behaviour 17: is none on rows that are streamed or dropped", function()
    for name, expected in pairs { rows = 3, execute = 0, fetchone = 0 } do
      local conn = open({ QUERY_SQL = { TWO, ONE } }, { max_rows = 1 })
      assert.equal(expected, #assert(WAYS[name](conn, ALL)), name)
    end
  end)
end)

describe("a frame without rows that promises more", function()
  local function empty(columns) return rows(1, 0, true, columns) end

  each_way("behaviour 18: ends the connection at once", { empty(), TWO, ONE }, is_lost)
  each_way("behaviour 18: ends it behind others", { TWO, empty(), ONE }, is_lost)
  each_way("behaviour 18: ends it without columns", { empty {}, empty {} }, is_lost)
  each_way("behaviour 18: ends it though nothing follows", { TWO, empty() }, is_lost)
end)

describe("a FAILURE in the middle of a result", function()
  local function keeps(code, kind, message)
    return function(err, conn, server)
      assert.same({ code, kind, message, ALL }, { err.code, err.kind, err.message, err.sql })
      assert.same({ false, false }, { err.fatal, err.ambiguous })
      works(conn, server)
    end
  end

  for code, kind in pairs { [1] = "sql", [5] = "busy", [517] = "busy", [787] = "constraint",
    [4711] = "sql" } do
    each_way(("behaviour 19: keeps its code, %d"):format(code),
      { TWO, scripted.failure(code, "it failed") }, keeps(code, kind, "it failed"))
  end

  -- hazards.md: it may come in the frame of the rows that were built already
  each_way("behaviour 19: keeps its code behind a half of rows",
    { TWO, rows(3, 3, true), scripted.failure(18, "too big") }, keeps(18, "sql", "too big"))

  for code, kind in pairs { [10506] = "not_leader", [10250] = "not_leader", [10] = "sql",
    [9] = "sql" } do
    each_way(("behaviour 19: keeps its code and ends the connection, %d"):format(code),
      { TWO, scripted.failure(code, "it is over") }, function(err, conn, server)
        assert.same({ code, kind }, { err.code, err.kind })
        assert.same({ true, true, false }, { err.fatal, err.retryable, err.ambiguous })
        assert.is_false(conn:is_open())
        assert.equal(1, server.closed)
      end)
  end
end)

describe("a frame behind the end of an answer", function()
  local EXTRA = {
    ["a RESULT"] = scripted.result(2, 2),
    ["rows"] = ONE,
    ["a FAILURE"] = scripted.failure(1, "too late"),
    ["EMPTY"] = scripted.frame("EMPTY", {}),
  }
  local ANSWERS = {
    ["a RESULT"] = { scripted.result(1, 1), "execute", "DELETE FROM t", true },
    ["rows"] = { ONE, "fetch", ALL, true },
    ["a FAILURE"] = { scripted.failure(1, "no"), "execute", "DELETE FROM t", false },
  }

  for answer, case in pairs(ANSWERS) do
    for extra, bytes in pairs(EXTRA) do
      it(("behaviour 20: ends the connection: %s behind %s"):format(extra, answer), function()
        local frames = { case[1] .. bytes }
        local conn, server = open { EXEC_SQL = frames, QUERY_SQL = frames }
        assert.equal(case[4], (WAYS[case[2]](conn, case[3])) ~= nil)
        local before = server.bytes()
        local again, err = conn:execute "DELETE FROM t"
        assert.is_nil(again)
        assert.same({ "protocol", true, true, false },
          { err.kind, err.fatal, err.retryable, err.ambiguous })
        assert.equal(before, server.bytes())
        assert.is_false(conn:is_open())
        assert.equal(1, server.closed)
      end)
    end
  end
end)

describe("columns that change from frame to frame", function()
  local function drifting(columns, values)
    return { TWO, scripted.rows { columns = columns, values }, ONE }
  end

  each_way("behaviour 22: are refused: one less", drifting({ "a" }, { 3 }), is_lost)
  each_way("behaviour 22: are refused: one more", drifting({ "a", "b", "c" }, { 3, 4, 5 }), is_lost)
  each_way("behaviour 22: are refused: another name", drifting({ "a", "c" }, { 3, "x" }), is_lost)
  each_way("behaviour 22: are refused: another case", drifting({ "a", "B" }, { 3, "x" }), is_lost)
  each_way("behaviour 22: are refused: another order", drifting({ "b", "a" }, { "x", 3 }), is_lost)
  each_way("behaviour 22: are refused: none", { TWO, scripted.rows { columns = {} } }, is_lost)
  each_way("behaviour 22: are refused without rows", { TWO, rows(1, 0, false, { "a", "c" }) },
    is_lost)

  it("behaviour 22: may be others in the next answer", function()
    local conn, server = open { QUERY_SQL = { TWO, ONE } }
    assert.equal(3, #conn:fetch(ALL))
    server.answers.QUERY_SQL = { scripted.rows { columns = { "b", "c" }, { 1, 2 } } }
    assert.same({ { b = 1, c = 2 } }, conn:fetch(ALL))
  end)
end)

describe("a coroutine that is dropped", function()
  -- Uses a connection in a coroutine that nobody resumes from then on.
  local function left_by(use)
    local conn, server = open { QUERY_SQL = { TWO, ONE }, EXEC_SQL = { scripted.result(1, 1) } }
    local thread = coroutine.create(function()
      use(conn)
      coroutine.yield()
      error "it went on"
    end)
    assert(coroutine.resume(thread))
    thread = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    works(conn, server)
    assert.equal(0, server.closed)
    return conn
  end

  it("behaviour 23: between two calls keeps the connection", function()
    left_by(function(conn) assert(conn:fetch(ALL)) end)
    left_by(function(conn) assert(conn:execute "DELETE FROM t") end)
    left_by(function(conn) assert.is_true(conn:ping()) end)
  end)

  it("behaviour 23: between two rows has the rest drained, and keeps it", function()
    local conn = left_by(function(used) assert(used:rows(ALL)()) end)
    assert.equal(0, #conn.link.stream.incoming)
  end)
end)
