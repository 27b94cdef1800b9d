-- Ids of prepared statements. hazards.md, "Requests that kill": one used after
-- FINALIZE, or guessed, takes a server down: on a node that may be.

local live = require "spec.support.live"
local nodes = require "spec.support.nodes"
local own_node = require "spec.support.own_node"

describe("the id of a statement", function()
  local node, conn, database, opened

  setup(function()
    nodes.open()
    node = own_node.start()
  end)

  teardown(function()
    own_node.stop_all()
    nodes.close()
  end)

  local function connect(opts)
    opts = opts or {}
    opts.database = database
    opened[#opened + 1] = node:connect(opts)
    return opened[#opened]
  end

  before_each(function()
    if not pcall(node.assert_lives, node) then node:restart() end
    database, opened = live.database(), {}
    conn = connect()
    assert(conn:execute "CREATE TABLE t (a INTEGER, b)")
  end)

  after_each(function()
    for _, each in ipairs(opened) do each:close() end
    node:assert_lives(database)
  end)

  local function prepare(sql)
    return assert(conn:prepare(sql))
  end

  it("is closed once, and raises when it is used after that", function()
    local statement = prepare "SELECT a FROM t"
    assert.matches("open", tostring(statement))
    assert.is_true(statement:close())
    assert.is_true(statement:close())
    assert.matches("closed", tostring(statement))
    for _, name in ipairs { "execute", "fetch", "fetchall", "fetchone", "fetchval", "fetchcol",
      "query", "rows" } do
      assert.matches("the statement is closed",
        live.raises(function() statement[name](statement) end))
    end
    live.raises(function() statement:executemany { {} } end)
    live.usable(conn)
  end)

  it("leaves the others alone when it is closed, and its id is used again", function()
    local a, b = prepare "SELECT 'a'", prepare "SELECT 'b'"
    a:close()
    local c = prepare "SELECT 'c'"
    local d = prepare "SELECT 'd'"
    b:close()
    local e = prepare "SELECT 'e'"
    assert.same({ "c", "d", "e" }, { c:fetchval(), d:fetchval(), e:fetchval() })
    live.raises(function() a:fetchval() end)
    live.raises(function() b:fetchval() end)
  end)

  it("is one of hundreds, closed in any order", function()
    local open = {}
    for i = 1, 300 do open[i] = { i, prepare(("SELECT %d + ?"):format(i)) } end
    for round = 1, 600 do
      local at = (round * 7919) % #open + 1
      local i, statement = open[at][1], open[at][2]
      assert.equal(i + round, statement:fetchval(round))
      statement:close()
      i = 1000 + round
      open[at] = { i, prepare(("SELECT %d + ?"):format(i)) }
    end
    for _, entry in ipairs(open) do assert.equal(entry[1], entry[2]:fetchval(0)) end
  end)

  -- hazards.md: PREPARE of a bad text leaves a hole.
  it("fails for a bad text, which harms no later one", function()
    local statements = {}
    for i = 1, 20 do
      assert.matches("nobody", live.fails("sql", conn:prepare "SELECT nobody FROM t").message)
      live.fails("sql", conn:prepare "SELECT FROM WHERE")
      statements[i] = prepare("SELECT " .. i)
      if i % 3 == 0 then statements[i - 1]:close() end
    end
    for i, statement in ipairs(statements) do
      if (i + 1) % 3 ~= 0 or i > 18 then assert.equal(i, statement:fetchval()) end
    end
    live.usable(conn)
  end)

  it("is the same to every cache size", function()
    for _, size in ipairs { 0, 1, 2, 3, 64 } do
      local small = connect { statement_cache = size }
      for round = 1, 4 do
        for text = 1, 8 do
          for _ = 1, 1 + text % 4 do
            assert.equal(text * 100 + round,
              small:fetchval(("SELECT %d + ?"):format(text * 100), round))
          end
        end
      end
    end
  end)

  it("is not mixed up with statements prepared by hand", function()
    local small = connect { statement_cache = 2 }
    local mine = {}
    for i = 1, 40 do
      mine[i] = assert(small:prepare(("SELECT 'mine %d'"):format(i)))
      for _ = 1, 3 do assert.equal(-i, small:fetchval(("SELECT -%d"):format(i))) end
      if i > 3 then mine[i - 3]:close() end
    end
    for i = 38, 40 do assert.equal("mine " .. i, mine[i]:fetchval()) end
  end)

  -- The server takes the lowest one that is free.
  it("is given back, by those closed by hand and those that the cache drops", function()
    conn = connect { statement_cache = 2 }
    for i = 1, 100 do
      prepare("SELECT " .. i):close()
      for _ = 1, 3 do assert.equal(i, conn:fetchval(("SELECT %d + 0"):format(i))) end
    end
    assert.is_true(prepare "SELECT 1".id < 6)
  end)

  -- The same steps on both Luas and in every run.
  local function random_numbers()
    local state = 20240229
    return function(last)
      state = (state * 16807) % 2147483647
      return state % last + 1
    end
  end

  it("never sends a freed id, whatever is done", function()
    local random = random_numbers()
    local other = conn
    conn = connect { statement_cache = 2 }
    local rows, open = 0, {}

    local function text()
      return ("SELECT count(*) * 0 + ? + %d FROM t"):format(random(6))
    end

    local actions = {
      function()
        local sql = text()
        assert.equal(7 + tonumber(sql:match "(%d+) FROM"), conn:fetchval(sql, 7))
      end,
      function()
        local sql = text()
        open[#open + 1] = { assert(conn:prepare(sql)), tonumber(sql:match "(%d+) FROM") }
      end,
      function()
        if #open > 0 then table.remove(open, random(#open))[1]:close() end
      end,
      function()
        if #open == 0 then return end
        local each = open[random(#open)]
        assert.equal(each[2] + 9, each[1]:fetchval(9))
      end,
      function()
        live.fails("sql", conn:fetch(("SELECT nobody%d"):format(random(3))))
      end,
      function()
        live.fails("sql", conn:prepare "SELECT nobody")
      end,
      function()
        assert(conn:execute("INSERT INTO t (a) VALUES (?)", random(9)))
        rows = rows + 1
      end,
      function()
        assert(conn:executemany("INSERT INTO t (a) VALUES (?)", { { 1 }, { 2 }, { 3 } }))
        rows = rows + 3
      end,
      function()
        local list = {}
        for i = 1, random(6) do list[i] = { text(), i } end
        for i, result in ipairs(assert(conn:pipeline(list, { arrays = true }))) do
          assert.equal(i + tonumber(list[i][1]:match "(%d+) FROM"), result[1][1])
        end
      end,
      function()
        assert(other:execute "ALTER TABLE t DROP COLUMN b")
        assert(other:execute "ALTER TABLE t ADD COLUMN b")
      end,
      function()
        conn:transaction(function() conn:fetch(text(), 1) return nil, "no" end)
      end,
      function()
        conn:rows(text(), 1)()
      end,
    }

    for _ = 1, 3000 do actions[random(#actions)]() end
    assert.equal(rows, conn:fetchval "SELECT count(*) FROM t")
  end)
end)
