-- LuaSQL's manual, behaviour by behaviour: with dqlite.luasql, and with LuaSQL's own driver
-- for SQLite, which must agree but for what each case says. Then what is dqlite's alone.
local case = require "spec.support.luasql.case"
local dqlite = require "dqlite"
local live = require "spec.support.live"
local scratch = require "spec.support.scratch"

local PARTS = { "environment", "connection", "transaction", "cursor" }

-- All cases, with connections of a driver.
local function each_case(driver, new_source, look)
  for _, part in ipairs(PARTS) do
    describe(part, function()
      local opened
      before_each(function() opened = {} end)
      after_each(function()
        for _, close in ipairs(opened) do close() end
      end)
      for _, one in ipairs(require("spec.support.luasql." .. part)) do
        it(one[1], function() look(one, case.open(driver, new_source(), opened)) end)
      end
    end)
  end
end

live.each("dqlite.luasql as LuaSQL's manual has it", function(server)
  each_case(require "dqlite.luasql", function()
    return server.address .. "/" .. server.database
  end, function(one, opened)
    assert.same(one.gives, case.run(one, opened))
  end)
end)

live.each("dqlite.luasql on a server", function(server)
  local luasql = require "dqlite.luasql"
  local env, conn, other

  before_each(function()
    env = luasql.dqlite({ server.address }, { busy_timeout = 0 })
    conn, other = assert(env:connect(server.database)), server:connect()
    assert(conn:execute "CREATE TABLE t (a)")
  end)
  after_each(function() case.close(conn) end)

  it("finds the leader though other nodes of its list are down", function()
    local source = ("127.0.0.1:1,%s/%s"):format(server.address, server.database)
    local one = assert(luasql.dqlite():connect(source))
    assert.equal(1, one:execute "INSERT INTO t VALUES (7)")
    assert.equal(7, conn:execute("SELECT a FROM t"):fetch())
    one:close()
  end)

  it("says where it could not connect to", function()
    local nobody, text, err = luasql.dqlite():connect "127.0.0.1:1"
    assert.is_nil(nobody)
    assert.matches("^LuaSQL: .* at 127%.0%.0%.1:1$", text)
    assert.equal("connect", err.kind)
  end)

  it("keeps nobody from writing while its transaction is empty, or has only read", function()
    assert.is_true(conn:setautocommit(false))
    assert(other:execute "INSERT INTO t VALUES (1)")
    assert.equal(1, conn:execute("SELECT count(*) FROM t"):fetch())
    assert(other:execute "INSERT INTO t VALUES (2)")
    assert.equal(1, conn:execute("SELECT count(*) FROM t"):fetch()) -- as it was
    assert.is_true(conn:commit())
    assert(other:execute "INSERT INTO t VALUES (3)")
    assert.equal(3, conn:execute("SELECT count(*) FROM t"):fetch())
  end)

  it("writes after others have, where its transaction begins with that", function()
    assert.is_true(conn:setautocommit(false))
    assert(other:execute "INSERT INTO t VALUES (1)")
    assert.equal(1, conn:execute "UPDATE t SET a = 2")
    live.fails("busy", other:execute("INSERT INTO t VALUES (?)", { 3 }, { busy_timeout = 0 }))
    assert.is_true(conn:commit())
    assert.same({ 2 }, other:fetchcol "SELECT a FROM t")
  end)

  it("gives the error value of what is busy", function()
    assert(other:begin())
    assert(other:execute "INSERT INTO t VALUES (1)")
    local answer, _, err = conn:execute "INSERT INTO t VALUES (2)"
    assert.is_nil(answer)
    assert.equal("busy", err.kind)
    assert.is_true(err.retryable)
    assert(other:rollback())
  end)

  it("has blobs and large results", function()
    assert(conn:execute("INSERT INTO t VALUES (?)", dqlite.blob "a\0b"))
    local text, kind = conn:execute("SELECT a, typeof(a) FROM t"):fetch()
    assert.same({ "a\0b", "blob" }, { text, kind })
    local cur = assert(conn:execute [[
      WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 5000)
      SELECT n, 'row ' || n AS name FROM c]])
    assert.equal(5000, cur:numrows())
    local row, sum = cur:fetch({}, "a"), 0
    while row do
      sum = sum + row.n + #row.name
      row = cur:fetch(row, "a")
    end
    assert.equal(5000 * 5001 / 2 + 38893, sum)
  end)
end)

describe("LuaSQL's driver for SQLite as the same cases have it", function()
  local directory
  setup(function() directory = scratch.new() end)
  teardown(function() directory:close() end)

  each_case(require "luasql.sqlite3", function()
    return directory:fresh "database"
  end, function(one, opened)
    assert.same(one.luasql or one.gives, case.run(one, opened))
    -- a difference that there is no more would have to go
    if one.luasql then
      assert.not_same(one.gives, one.luasql)
      assert.is_string(one.because)
    end
  end)
end)
