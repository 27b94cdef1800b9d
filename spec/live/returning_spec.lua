-- hazards.md, "Requests that kill": RETURNING through EXEC, and outside of a
-- transaction on servers before 1.15. On nodes that a failure may take down.

local live = require "spec.support.live"
local nodes = require "spec.support.nodes"
local own_node = require "spec.support.own_node"
local paths = require "spec.support.live_paths"

local MANY = [[WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 5000)
  INSERT INTO t (v) SELECT printf('value %d', n) FROM c RETURNING id, v]]

-- What a helper answers for the row (1, 'a') of `RETURNING id, v`.
local ONE_ROW = {
  execute = { rows_affected = 1 },
  fetch = { { id = 1, v = "a" } },
  fetchall = { { 1, "a" } },
  fetchone = { id = 1, v = "a" },
  fetchval = 1,
  fetchcol = { 1 },
  query = { { 1, "a" }, columns = { "id", "v" }, types = { "INTEGER", "TEXT" } },
  rows = { { id = 1, v = "a" } },
  executemany = { rows_affected = 1 },
  pipeline = { { id = 1, v = "a" } },
  script = 1,
}

describe("RETURNING", function()
  local node, conn, database

  setup(function()
    nodes.open()
    node = own_node.start()
  end)

  teardown(function()
    own_node.stop_all()
    nodes.close()
  end)

  before_each(function()
    if not pcall(node.assert_lives, node) then node:restart() end
    database = live.database()
    conn = node:connect { database = database }
    assert(conn:execute "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT UNIQUE)")
  end)

  after_each(function() conn:close() end)

  local function connect(opts)
    opts = opts or {}
    opts.database = database
    return node:connect(opts)
  end

  local function values()
    local other = connect()
    local list = assert(other:fetchcol "SELECT v FROM t ORDER BY id")
    other:close()
    return list
  end

  -- The node lives, and others see the rows.
  local function assert_kept(expected)
    node:assert_lives(database)
    assert.same(expected, values())
  end

  -- And so does the node that comes after it: they are in the log.
  local function assert_replicated(expected)
    assert_kept(expected)
    conn:close()
    node:restart()
    assert_kept(expected)
  end

  local function expected_of(path)
    return ONE_ROW[path.name:match "%S+$"]
  end

  -- One row through each path, from the empty table, where `inside` runs it.
  local function each_path(inside)
    for _, path in ipairs(paths) do
      assert(conn:execute "DELETE FROM t")
      inside(path, function()
        local answer, err = path.run(conn, "INSERT INTO t (v) VALUES ('a') RETURNING id, v")
        assert.same(expected_of(path), answer, path.name .. ": " .. tostring(err))
        return true
      end)
      assert.is_false(conn:in_transaction())
      assert.same({ "a" }, values(), path.name)
    end
    assert_replicated { "a" }
  end

  it("works in autocommit, or a pipeline refuses it", function()
    local returning = assert(conn:features()).returning
    each_path(function(path, run)
      if path.name ~= "pipeline" or returning then return run() end
      local err = live.fails("unsupported", path.run(conn,
        "INSERT INTO t (v) VALUES ('a') RETURNING id, v"))
      assert.matches("1%.15", err.message)
      assert.same({}, values())
      assert(conn:execute "INSERT INTO t (v) VALUES ('a')")
    end)
  end)

  it("works in transaction()", function()
    each_path(function(_, run) assert(conn:transaction(run)) end)
  end)

  it("works in a deferred one", function()
    each_path(function(_, run) assert(conn:transaction(run, { mode = "deferred" })) end)
  end)

  it("works in a nested one", function()
    each_path(function(_, run)
      assert(conn:transaction(function() return conn:transaction(run) end))
    end)
  end)

  it("works between begin and commit, with a handle", function()
    each_path(function(_, run)
      local tx = assert(conn:begin())
      run()
      assert(tx:commit())
    end)
  end)

  it("works between BEGIN and COMMIT as text", function()
    each_path(function(_, run)
      assert(conn:execute "BEGIN")
      run()
      assert(conn:execute "COMMIT")
    end)
  end)

  it("works in a savepoint by hand, that opens the transaction", function()
    each_path(function(_, run)
      assert(conn:execute "SAVEPOINT mine")
      run()
      assert(conn:execute "RELEASE mine")
      assert(conn:in_transaction())
      conn:rollback() -- RELEASE has ended it: nothing to undo
    end)
  end)

  it("works behind a failed statement of the same transaction", function()
    assert(conn:execute "CREATE TABLE other (x UNIQUE)")
    assert(conn:execute "INSERT INTO other VALUES (1)")
    each_path(function(_, run)
      assert(conn:transaction(function()
        live.fails("constraint", conn:execute "INSERT INTO other VALUES (1)")
        return run()
      end, { on_error = "commit" }))
    end)
  end)

  it("works behind a nested transaction that failed", function()
    each_path(function(_, run)
      assert(conn:transaction(function()
        live.fails("sql", conn:transaction(function() conn:execute "SELECT nothing" end))
        return run()
      end))
    end)
  end)

  it("works behind a RELEASE, which may have ended the transaction", function()
    each_path(function(_, run)
      assert(conn:execute "BEGIN")
      assert(conn:execute "SAVEPOINT mine")
      assert(conn:execute "RELEASE mine")
      run()
      assert(conn:execute "COMMIT")
    end)
  end)

  it("works with the statement cache warm", function()
    local sql = "INSERT INTO t (v) VALUES (?) RETURNING v"
    for _, name in ipairs { "fetch", "fetchall", "fetchone", "fetchval", "fetchcol", "query" } do
      for i = 1, 4 do assert(conn[name](conn, sql, name .. i)) end
    end
    for i = 1, 4 do
      assert.same({ rows_affected = 1 }, conn:execute(sql, "execute" .. i))
      for row in conn:rows(sql, "rows" .. i) do assert.same({ v = "rows" .. i }, row) end
      assert.same({ rows_affected = 2 },
        conn:executemany(sql, { { "many" .. i }, { "more" .. i } }))
      assert(conn:script("INSERT INTO t (v) VALUES ('script" .. i .. "') RETURNING v"))
      assert(conn:transaction(function()
        for _, result in ipairs(conn:pipeline { { sql, "pipe" .. i }, { sql, "line" .. i } }) do
          assert.is_nil(result.error)
        end
        return true
      end))
    end
    assert.equal(4 * 13, #values())
    assert_replicated(values())
  end)

  it("works for UPDATE, DELETE, REPLACE and upserts", function()
    assert.same({ { id = 1, v = "a" } },
      conn:fetch "REPLACE INTO t VALUES (1, 'a') RETURNING *")
    assert.same({ { id = 1, v = "b" } }, conn:fetch [[
      INSERT INTO t VALUES (1, 'b') ON CONFLICT DO UPDATE SET v = excluded.v RETURNING *]])
    assert.equal("bc", conn:fetchval "UPDATE t SET v = v || 'c' RETURNING v")
    assert.same({}, conn:fetch "UPDATE t SET v = 'x' WHERE id = 7 RETURNING v")
    assert.same({ rows_affected = 0 }, conn:execute "DELETE FROM t WHERE id = 7 RETURNING v")
    assert_kept { "bc" }
  end)

  it("works for many frames of rows, read as a whole or not", function()
    for _, path in ipairs(paths) do
      if not path.name:match "pipeline" then
        assert(conn:execute "DELETE FROM t")
        local answer, err = path.run(conn, MANY)
        assert(answer, err)
        assert.same({ 5000, "value 5000" },
          conn:fetchall("SELECT id, v FROM t ORDER BY id DESC LIMIT 1")[1], path.name)
      end
    end
    local again = MANY:gsub("value", "again")
    assert.equal("again 1", conn:rows(again)().v)
    assert.equal(10000, #values())
    assert_replicated(values())
  end)

  it("leaves nothing and holds nothing when it fails", function()
    assert(conn:execute "INSERT INTO t (v) VALUES ('a')")
    local other = connect { busy_timeout = 0 }
    for _, path in ipairs(paths) do
      local _, err = path.run(conn,
        "INSERT INTO t (v) VALUES ('b'), ('a') RETURNING id")
      if not (path.name == "pipeline" and err.kind == "unsupported") then
        assert.equal("constraint", err.kind, path.name)
        assert.equal(2067, err.code)
      end
      assert.is_false(err.ambiguous)
      assert.is_false(conn:in_transaction())
      assert(other:execute("INSERT INTO t (v) VALUES (?)", path.name))
      assert(other:execute("DELETE FROM t WHERE v = ?", path.name))
    end
    other:close()
    assert_kept { "a" }
  end)

  it("leaves nothing when its rows are too many", function()
    for _, opts in ipairs { { max_rows = 2 }, { max_result_bytes = 64 } } do
      for _, name in ipairs { "fetch", "fetchall", "fetchcol", "query" } do
        live.fails("policy", conn[name](conn,
          "INSERT INTO t (v) VALUES (1), (2), (3) RETURNING id, hex(zeroblob(100))", {}, opts))
        assert.same({}, values())
      end
    end
    assert_kept {}
  end)

  it("finds its mistakes before anything is begun", function()
    local other = connect()
    assert(other:execute "BEGIN IMMEDIATE")
    local wrong = "INSERT INTO t (v) VALUES (?) RETURNING id"
    local seconds = live.timed(function()
      live.fails("value", conn:fetch(wrong))
      live.fails("value", conn:fetch(wrong, "a\0b"))
      live.fails("value", conn:fetch("INSERT INTO t (v) VALUES ('a') RETURNING id; SELECT 1"))
    end)
    assert.is_true(seconds < 3, seconds .. " seconds")
    other:close()
    assert_kept {}
  end)

  it("waits for the lock as long as busy_timeout says", function()
    local other = connect()
    assert(other:execute "BEGIN IMMEDIATE")
    local hasty = connect { busy_timeout = 0.06 }
    for _, path in ipairs(paths) do
      local seconds, answer, err = live.timed(function()
        return path.run(hasty, "INSERT INTO t (v) VALUES ('b') RETURNING id")
      end)
      assert.is_nil(answer, path.name)
      if path.name ~= "pipeline" then
        assert.equal("busy", err.kind, path.name .. ": " .. err)
        assert.is_true(seconds > 0.03 and seconds < 2, seconds .. " seconds: " .. path.name)
      end
    end
    hasty:close()
    other:close()
    assert_kept {}
  end)

  it("is undone with its transaction", function()
    local returning = "INSERT INTO t (v) VALUES ('a') RETURNING id"
    for _, path in ipairs(paths) do
      assert.is_nil((conn:transaction(function()
        assert(path.run(conn, returning))
        return nil, "no"
      end)))
      local tx = assert(conn:begin())
      assert(path.run(conn, returning))
      assert(tx:rollback())
    end
    assert_kept {}
  end)

  it("is neither a string, a comment, a name nor what EXPLAIN explains", function()
    assert(conn:execute [[INSERT INTO t (v) VALUES ('a RETURNING v') -- RETURNING v]])
    assert(conn:execute [[UPDATE t SET v = v || ' /* RETURNING */' /* RETURNING v */]])
    assert(conn:fetch "EXPLAIN INSERT INTO t (v) VALUES ('no') RETURNING v")
    assert(conn:execute "EXPLAIN QUERY PLAN INSERT INTO t (v) VALUES ('no') RETURNING v")
    assert(conn:execute [[CREATE TABLE "returning" ("RETURNING")]])
    assert(conn:execute [[INSERT INTO "returning" VALUES (1)]])
    assert_kept { "a RETURNING v /* RETURNING */" }
  end)
end)

-- The same servers as everybody's, with the plain cases.
live.each("RETURNING", function(server)
  it("works by itself and in a transaction", function()
    local conn, other = server:connect(), server:connect()
    assert(conn:execute "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)")
    for i = 1, 4 do
      assert.equal(i, conn:fetchval("INSERT INTO t (v) VALUES (?) RETURNING id", "a" .. i))
      assert(other:execute "UPDATE t SET v = v")
    end
    assert(conn:transaction(function()
      assert.same({ { 5 }, { 6 } },
        conn:fetchall("INSERT INTO t (v) VALUES ('b'), ('c') RETURNING id"))
      return true
    end))
    assert.equal(6, other:fetchval "SELECT count(*) FROM t")
    assert(other:execute "DELETE FROM t")
  end)
end)
