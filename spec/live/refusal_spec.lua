-- hazards.md, "Requests that kill or wedge a server": what must never leave,
-- on each path, in autocommit and in a transaction, and the node lives.

local dqlite = require "dqlite"
local live = require "spec.support.live"
local nodes = require "spec.support.nodes"
local own_node = require "spec.support.own_node"
local paths = require "spec.support.live_paths"

local REFUSED = {
  "PRAGMA journal_mode = DELETE", "PRAGMA main.journal_mode = memory", "PRAGMA journal_mode(off)",
  "pragma/**/JOURNAL_MODE=wal", "PRAGMA \"journal_mode\" = delete",
  "PRAGMA [main].[journal_mode] = off",
  "PRAGMA `main` . journal_mode ( DELETE )", "PRAGMA temp.journal_mode = off",
  "PRAGMA page_size = 512", "PRAGMA main.page_size(1024)", "PRAGMA synchronous = FULL",
  "PRAGMA wal_autocheckpoint = 1", "PRAGMA wal_checkpoint", "PRAGMA wal_checkpoint(TRUNCATE)",
  "PRAGMA locking_mode = EXCLUSIVE", "PRAGMA busy_timeout = 1", "PRAGMA read_uncommitted = 1",
  "-- first\nPRAGMA journal_mode = DELETE; -- last", "ATTACH 'other' AS other",
  "attach database 'file:x?mode=memory' as x", "ATTACH/**/'x' AS y", "ATTACH ? AS y",
  "EXPLAIN ATTACH 'x' AS y",
}

describe("what would kill or wedge a node", function()
  local node, conn

  setup(function()
    nodes.open()
    node = own_node.start()
  end)

  teardown(function()
    own_node.stop_all()
    nodes.close()
  end)

  before_each(function() conn = node:connect() end)
  after_each(function() conn:close() end)

  local function refused_everywhere(sql)
    for _, path in ipairs(paths) do
      local answer, err = path.run(conn, sql)
      assert.is_nil(answer, path.name .. ": " .. sql)
      assert.is_true(err.kind == "unsupported" or err.kind == "value",
        ("%s: %s: %s"):format(path.name, sql, tostring(err)))
      assert.is_nil(err.code, "it was sent")
    end
  end

  it("is refused on every path, again and again", function()
    for _ = 1, 3 do
      for _, sql in ipairs(REFUSED) do refused_everywhere(sql) end
      live.usable(conn)
    end
    node:assert_lives()
  end)

  it("is refused in a transaction, and fails it", function()
    for _, sql in ipairs(REFUSED) do
      assert.is_nil((conn:transaction(function()
        refused_everywhere(sql)
        return true
      end)))
    end
    node:assert_lives()
  end)

  it("is refused behind what may be sent", function()
    for _, sql in ipairs(REFUSED) do
      refused_everywhere("SELECT 1; " .. sql)
      refused_everywhere(";" .. sql)
    end
    node:assert_lives()
  end)

  it("is no other PRAGMA, and no other text", function()
    for _, sql in ipairs { "PRAGMA user_version = 3", "PRAGMA foreign_keys = OFF", "SELECT 1",
      "PRAGMA cache_size = 100", "ANALYZE", "REINDEX", "SELECT 'PRAGMA journal_mode = DELETE'",
      "CREATE TABLE journal_mode (attach)", "INSERT INTO journal_mode VALUES ('ATTACH')",
      "SELECT attach FROM journal_mode -- PRAGMA journal_mode = DELETE" } do
      assert(conn:execute(sql))
    end
    assert.equal("wal", conn:fetchval "PRAGMA journal_mode")
    assert.equal(3, conn:fetchval "PRAGMA user_version")
    assert.same({ { name = "main" } }, conn:fetch "SELECT name FROM pragma_database_list LIMIT 1")
    node:assert_lives()
  end)

  it("is a name of a database, refused before it is dialled", function()
    for _, name in ipairs { "", ":memory:", "file:x", "file:x?mode=memory", ("x"):rep(505),
      "a\0b" } do
      live.fails("value", dqlite.connect(node.address, { database = name }))
    end
    node:assert_lives()
  end)

  it("is RETURNING in a statement's place for writing, by any spelling", function()
    assert(conn:execute "CREATE TABLE IF NOT EXISTS r (a)")
    for _, sql in ipairs { "INSERT INTO r VALUES (1) RETURNING a",
      "INSERT INTO r VALUES(1)returning*", "UPDATE r SET a = '1'RETURNING a",
      "delete from r/**/RETURNING/**/a",
      "WITH w AS (SELECT 1) INSERT INTO r SELECT * FROM w RETURNING \"a\"",
      "REPLACE INTO r VALUES (1) RETURNING a, (SELECT max(a) FROM r)",
      "INSERT INTO r VALUES (1) ON CONFLICT DO NOTHING RETURNING a" } do
      for _ = 1, 4 do
        assert(conn:execute(sql))
        assert(conn:script(sql))
        assert(conn:executemany(sql, { {}, {} }))
      end
      node:assert_lives()
    end
  end)

  -- hazards.md, "Waiting": such an answer repeats for ever. On a node of its
  -- own, as newer ones go on sending.
  it("is an answer without end: names of 4 KB end the connection", function()
    local lost = own_node.start()
    local reader = lost:connect()
    local err = live.fails("protocol",
      reader:fetch(('SELECT 1 AS "%s"'):format(("x"):rep(4072))))
    assert.is_true(err.fatal)
    assert.is_false(reader:is_open())
    reader:close()
    lost:kill()
  end)
end)
