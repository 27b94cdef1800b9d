-- Texts of several statements. hazards.md: one statement per request, always;
-- nothing behind a `;` is dropped.

local live = require "spec.support.live"
local nodes = require "spec.support.nodes"
local own_node = require "spec.support.own_node"

live.each("script", function(server)
  local conn, other

  before_each(function()
    conn, other = server:connect(), server:connect { busy_timeout = 0 }
    assert(conn:execute "CREATE TABLE t (a UNIQUE)")
  end)

  local function assert_left(expected)
    assert.is_false(conn:in_transaction())
    assert.same(expected, other:fetchcol "SELECT a FROM t ORDER BY rowid")
    assert(other:execute "UPDATE t SET a = a")
    live.usable(conn)
  end

  it("runs every statement and tells how many there were", function()
    assert.equal(4, conn:script [[
      CREATE TABLE u (b);
      INSERT INTO t VALUES (1), (2); -- and
      /* then; */ SELECT a FROM t;;
      DELETE FROM t WHERE a = 1]])
    assert_left { 2 }
    assert.equal(1, conn:script "INSERT INTO t VALUES (3)")
    assert.equal(1, conn:script ";; INSERT INTO t VALUES (4) ; -- done\n ;")
    assert_left { 2, 3, 4 }
  end)

  it("behaviour 34: finds the ends of statements as SQLite does", function()
    assert.equal(7, conn:script [==[
      INSERT INTO t VALUES ('a;b');
      INSERT INTO t VALUES ("c;d' ;");
      CREATE TABLE [x;y] (a);
      CREATE TABLE `z;` (a);
      CREATE TRIGGER g AFTER INSERT ON [x;y] BEGIN
        INSERT INTO t VALUES (CASE NEW.a WHEN 1 THEN 'one;' ELSE 'more' END); -- ;
        INSERT INTO `z;` VALUES (1);
      END;
      /* ; */ INSERT INTO [x;y] VALUES (1) /* ; */;
      INSERT INTO t SELECT 'it''s;' -- ;]==])
    assert_left { "a;b", "c;d' ;", "one;", "it's;" }
  end)

  it("may be long", function()
    local list = {}
    for i = 1, 2000 do list[i] = ("INSERT INTO t VALUES (%d); -- %s"):format(i, ("x"):rep(100)) end
    assert.equal(2002, conn:script("BEGIN;" .. table.concat(list, "\n") .. "\nCOMMIT"))
    assert.equal(2000 * 2001 / 2, other:fetchval "SELECT sum(a) FROM t")
  end)

  it("stops at the first failure and tells which it was", function()
    local err = live.fails("constraint", conn:script [[
      INSERT INTO t VALUES (1);
      INSERT INTO t VALUES (2);
      INSERT INTO t VALUES (1);
      INSERT INTO t VALUES (3)]])
    assert.equal(3, err.index)
    assert.equal("INSERT INTO t VALUES (1)", err.sql)
    assert_left { 1, 2 }
    err = live.fails("sql", conn:script "SELECT 1; nonsense; DELETE FROM t")
    assert.equal(2, err.index)
    assert.equal("nonsense", err.sql)
    assert_left { 1, 2 }
  end)

  describe("rolls back a transaction", function()
    it("that it has begun", function()
      for _, sql in ipairs {
        "BEGIN; INSERT INTO t VALUES (1); SELECT nobody; COMMIT",
        "BEGIN IMMEDIATE; INSERT INTO t VALUES (1); INSERT INTO t VALUES (1)",
        "SAVEPOINT a; INSERT INTO t VALUES (1); SAVEPOINT b; SELECT nobody",
        "BEGIN; SAVEPOINT a; RELEASE a; INSERT INTO t VALUES (1); SELECT nobody",
        "BEGIN; INSERT INTO t VALUES (1); COMMIT; BEGIN; DELETE FROM t; SELECT nobody",
      } do
        assert(conn:execute "DELETE FROM t")
        assert.is_nil((conn:script(sql)))
        assert_left(sql:match "COMMIT; BEGIN" and { 1 } or {})
      end
    end)

    it("that a failure has ended already", function()
      local err = live.fails("constraint", conn:script [[
        BEGIN; INSERT INTO t VALUES (1); INSERT OR ROLLBACK INTO t VALUES (1);
        INSERT INTO t VALUES (2); COMMIT]])
      assert.equal(3, err.index)
      assert_left {}
    end)

    it("whose COMMIT failed", function()
      assert(conn:script [[CREATE TABLE p (id INTEGER PRIMARY KEY);
        CREATE TABLE c (p REFERENCES p DEFERRABLE INITIALLY DEFERRED)]])
      local err = live.fails("constraint", conn:script [[
        BEGIN; INSERT INTO t VALUES (1); INSERT INTO c VALUES (1); COMMIT]])
      assert.equal(787, err.code)
      assert_left {}
    end)

    it("but none that was there before", function()
      assert(conn:execute "BEGIN")
      assert(conn:execute "INSERT INTO t VALUES (1)")
      live.fails("sql", conn:script "INSERT INTO t VALUES (2); SELECT nobody")
      assert.is_true(conn:in_transaction())
      assert(conn:execute "COMMIT")
      assert_left { 1, 2 }
    end)

    it("nor one that it left open on purpose", function()
      assert(conn:script "BEGIN; INSERT INTO t VALUES (1)")
      assert.is_true(conn:in_transaction())
      assert.equal(0, other:fetchval "SELECT count(*) FROM t")
      assert(conn:script "INSERT INTO t VALUES (2); COMMIT")
      assert_left { 1, 2 }
    end)
  end)

  describe("in transaction()", function()
    it("is part of it, and fails it", function()
      assert(conn:transaction(function()
        return conn:script "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)"
      end))
      live.fails("sql", conn:transaction(function()
        conn:script "INSERT INTO t VALUES (3); SELECT nobody"
        return true
      end))
      assert_left { 1, 2 }
    end)

    it("may have savepoints of its own", function()
      assert(conn:transaction(function()
        return conn:script [[SAVEPOINT a; INSERT INTO t VALUES (1); ROLLBACK TO a;
          INSERT INTO t VALUES (2); RELEASE a]]
      end))
      assert_left { 2 }
    end)

    it("raises for control before anything is run", function()
      assert(conn:transaction(function()
        for _, word in ipairs { "COMMIT", "ROLLBACK", "BEGIN", "END" } do
          local sql = "INSERT INTO t VALUES (1); " .. word
          assert.matches("transaction%(%)", live.raises(function() conn:script(sql) end))
        end
        assert.equal(0, conn:fetchval "SELECT count(*) FROM t")
        return true
      end))
      assert_left {}
    end)
  end)

  describe("runs nothing", function()
    local function refused(kind, index, sql)
      local err = live.fails(kind, conn:script(sql))
      assert.equal(index, err.index)
      assert_left {}
    end

    it("with what no server may get", function()
      refused("unsupported", 2, "INSERT INTO t VALUES (1); PRAGMA journal_mode = DELETE")
      refused("unsupported", 3, "INSERT INTO t VALUES (1); SELECT 1; ATTACH 'x' AS y;")
    end)

    it("with parameters", function()
      refused("value", 2, "INSERT INTO t VALUES (1); INSERT INTO t VALUES (?)")
      refused("value", 1, "INSERT INTO t VALUES (:a)")
    end)

    it("with a NUL", function()
      assert.is_nil((conn:script "INSERT INTO t VALUES (1); SELECT '\0'"))
      assert_left {}
    end)

    it("where there is nothing", function()
      for _, sql in ipairs { "", "  ", ";;", "-- nothing", "/* nothing" } do
        live.fails("value", conn:script(sql))
      end
      assert_left {}
    end)

    it("where there is no text, which raises", function()
      live.raises(function() conn:script() end)
      live.raises(function() conn:script { "SELECT 1" } end)
      live.raises(function() conn:script("SELECT 1", { tymeout = 1 }) end)
      assert_left {}
    end)
  end)

  it("waits busy_timeout for the lock, and not beyond", function()
    assert(other:execute "BEGIN IMMEDIATE")
    local hasty = server:connect { busy_timeout = 0.2 }
    local seconds, answer, err = live.timed(function()
      return hasty:script "SELECT 1; INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)"
    end)
    assert.equal(2, live.fails("busy", answer, err).index)
    assert.is_true(seconds > 0.15 and seconds < 3, seconds .. " seconds")
    assert(other:execute "ROLLBACK")
    assert_left {}
  end)

  it("is the way for what every other call refuses: several statements", function()
    local two = "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)"
    for _, name in ipairs { "execute", "fetch", "fetchall", "fetchone", "fetchval", "fetchcol",
      "query", "prepare" } do
      assert.matches("script", live.fails("value", conn[name](conn, two)).message)
    end
    assert.matches("script", live.fails("value", conn:executemany(two, { {} })).message)
    assert.matches("script", live.fails("value", conn:pipeline { { two } }).message)
    local ok, err = pcall(conn.rows, conn, "SELECT 1; SELECT 2")
    assert.is_false(ok)
    assert.matches("script", err.message)
    assert_left {}
  end)
end)

describe("a text of 50,000 statements, which would end a server", function()
  setup(nodes.open)
  teardown(nodes.close)
  after_each(own_node.stop_all)

  it("is refused but for script, which sends them one by one", function()
    local node = own_node.start()
    local conn = node:connect()
    local many = ("SELECT 1;"):rep(50000)
    live.fails("value", conn:execute(many))
    live.fails("value", conn:fetch(many))
    live.fails("value", conn:pipeline { { many } })
    assert.equal(10000, conn:script(many:sub(1, #many / 5), { timeout = 100 }))
    conn:close()
    node:assert_lives()
  end)
end)
