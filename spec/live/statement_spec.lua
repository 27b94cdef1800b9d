-- Texts of statements that servers read in their own way.
local live = require "spec.support.live"

live.each("a statement", function(server)
  local conn

  before_each(function()
    conn = server:connect()
    assert(conn:execute "CREATE TABLE t (id INTEGER PRIMARY KEY, x)")
  end)

  it("keeps its counts whatever blanks and comments follow it", function()
    for id, tail in ipairs { "", " ; ", "; -- note", " ; /* x */ ;", "\n-- note\n" } do
      local result = assert(conn:execute("INSERT INTO t (x) VALUES (1)" .. tail))
      assert.same({ rows_affected = 1, last_insert_id = id }, result)
    end
  end)

  it("may be a WITH, to be run, fetched or written by", function()
    local with = "WITH n AS (SELECT 5 AS x) "
    assert.same({}, conn:execute(with .. "SELECT x FROM n"))
    assert.equal(5, conn:fetchval(with .. "SELECT x FROM n"))
    assert.equal(1, conn:execute(with .. "INSERT INTO t (x) SELECT x FROM n").rows_affected)
    assert.equal(5, conn:fetchval "SELECT x FROM t")
  end)

  it("may be a trigger of several statements", function()
    assert(conn:execute [[CREATE TRIGGER g AFTER INSERT ON t BEGIN
      UPDATE t SET x = 5; UPDATE t SET x = x + 1; END]])
    assert(conn:execute "INSERT INTO t (x) VALUES (9)")
    assert.equal(6, conn:fetchval "SELECT x FROM t")
  end)

  it("is known by RETURNING right behind a number, and the server lives", function()
    assert.same({ rows_affected = 0 }, conn:execute("UPDATE t SET x = ?1RETURNING x", "1"))
    assert(conn:execute "INSERT INTO t (x) VALUES (1)")
    assert.is_true(conn:ping())
  end)
end)
