-- Parameters by position and by name (api.md, Values).
-- hazards.md, "Silent wrong answers": too few or too many of them, and more
-- than 255.

local dqlite = require "dqlite"
local live = require "spec.support.live"
local paths = require "spec.support.live_paths"

local null = dqlite.null

live.each("parameters", function(server)
  local conn

  before_each(function() conn = server:connect() end)

  local function row(sql, ...)
    local rows = assert(conn:fetchall(sql, ...))
    return rows[1]
  end

  -- Refused with nothing sent: the next answer is that of the next statement.
  local function refused(pattern, sql, ...)
    for _, name in ipairs { "fetchall", "execute", "query", "fetchval" } do
      local err = live.fails("value", conn[name](conn, sql, ...))
      assert.matches(pattern, err.message)
      assert.is_false(err.fatal)
      assert.equal(0, conn.link.core:pending())
    end
    live.usable(conn)
  end

  describe("are numbered as SQLite does:", function()
    it("? is one more than the highest so far, ?5 is 5", function()
      assert.same({ 1, 2, 3 }, row("SELECT ?, ?, ?", 1, 2, 3))
      assert.same({ 2, 3, 1 }, row("SELECT ?2, ?, ?1", 1, 2, 3))
      assert.same({ 5, 6, 1 }, row("SELECT ?5, ?, ?1 WHERE ?2 + ?3 + ?4 > 0", 1, 2, 3, 4, 5, 6))
      assert.same({ 1, 1 }, row("SELECT ?1, ?1", 1))
      assert.same({ 7 }, row("SELECT ?0001", 7))
      assert.same({ 2 }, row("SELECT ?2", 1, 2))
      assert.same({ 1, 2, 2 }, row("SELECT ?, :a, ?2", 1, 2))
    end)

    it("a name has the number of its first place", function()
      assert.same({ 1, 2, 1, 3 }, row("SELECT :a, :b, :a, ?", 1, 2, 3))
      assert.same({ 1, 2, 3 }, row("SELECT :a, @a, $a", 1, 2, 3))
      assert.same({ 9, 10 }, row("SELECT ?9, $x", { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }))
    end)

    it("none is in strings, names and comments", function()
      assert.same({ 1, "?", 2 }, row("SELECT ?, '?' AS \"?\", /* ? */ ? -- ?", 1, 2))
      assert.same({ ":a", 1 }, row("SELECT ':a', [:b].c FROM (SELECT ? AS c) AS [:b]", 1))
    end)
  end)

  describe("by position", function()
    it("are given one by one, and nils count", function()
      assert.same({ 1, null, "x", null }, row("SELECT ?, ?, ?, ?", 1, nil, "x", nil))
      assert.same({ null, null }, row("SELECT ?, ?", nil, nil))
      assert.same({ null }, row("SELECT ?", nil))
      assert.same({ 1 }, row "SELECT 1")
    end)

    it("are given in a list, where n counts nils, and options follow", function()
      assert.same({ 1, null, null }, row("SELECT ?, ?, ?", { 1, nil, nil, n = 3 }))
      assert.same({ 1, "x" }, row("SELECT ?, ?", { 1, "x" }))
      assert.same({ 1, "none" }, row("SELECT ?, ?", { 1, n = 2 }, { null = "none" }))
      assert.same({ 1 }, row("SELECT 1", {}, { timeout = 5 }))
    end)

    it("fit where names are as well", function()
      assert.same({ 1, 2 }, row("SELECT :a, :b", 1, 2))
      assert.same({ 1, 2 }, row("SELECT :a, :b", { 1, 2 }))
    end)

    it("must be as many as the statement takes", function()
      refused("2 parameters", "SELECT ?, ?", 1)
      refused("2 parameters", "SELECT ?, ?")
      refused("2 parameters", "SELECT ?, ?", 1, 2, 3)
      refused("2 parameters", "SELECT ?, ?", { 1 })
      refused("2 parameters", "SELECT ?, ?", { 1, 2, 3 })
      refused("0 parameters", "SELECT 1", 1)
      refused("0 parameters", "SELECT 1", nil)
      refused("parameter", "SELECT ?", {})
      refused("7 parameters", "SELECT ?7", 7)
    end)

    it("are never those of an earlier run", function()
      assert(conn:execute "CREATE TABLE t (a, b)")
      for i = 1, 5 do
        assert(conn:execute("INSERT INTO t VALUES (?, ?)", i, "b" .. i))
        live.fails("value", conn:execute("INSERT INTO t VALUES (?, ?)", i))
        assert(conn:execute("INSERT INTO t VALUES (?, ?)", i, nil))
      end
      assert.equal(5, conn:fetchval "SELECT count(*) FROM t WHERE b IS NULL")
      assert.equal(5, conn:fetchval "SELECT count(*) FROM t WHERE b = 'b' || a")
    end)
  end)

  describe("by name", function()
    it("bind a bare key to all of its kinds", function()
      assert.same({ 1, 1, 1 }, row("SELECT :a, @a, $a", { a = 1 }))
      assert.same({ 1, 2, 3 }, row("SELECT :a, @a, $a", { a = 1, ["@a"] = 2, ["$a"] = 3 }))
      assert.same({ 1, 2, 1 }, row("SELECT :a, :b, :a", { b = 2, a = 1 }))
    end)

    it("are any name that SQLite takes", function()
      assert.same({ 1, 2, 3, 4, 5, 6 }, row("SELECT :1, $a::b, $c(x-y), @größe, :_a$1, $日本", {
        ["1"] = 1, ["a::b"] = 2, ["c(x-y)"] = 3, ["größe"] = 4, ["_a$1"] = 5, ["日本"] = 6,
      }))
      assert.same({ 1, 2 }, row("SELECT :A, :a", { A = 1, a = 2 }))
      assert.same({ "n" }, row("SELECT :n", { n = "n" }))
      assert.same({ 3, 4 }, row("SELECT :n, :m", { n = 3, m = 4 }))
    end)

    it("may be NULL, false, or any other value", function()
      assert.same({ null, 0, 1.5 },
        row("SELECT :a, :b, :c", { a = null, b = false, c = dqlite.real(1.5) }))
    end)

    it("stand beside numbered ones", function()
      assert.same({ 1, "x", 3 }, row("SELECT ?, :a, ?", { 1, a = "x", [3] = 3 }))
      assert.same({ 1, "x", 1 }, row("SELECT ?1, :a, ?1", { 1, a = "x" }))
    end)

    it("are all needed", function()
      refused("dqlite.null", "SELECT :a, :b", { a = 1 })
      refused("':b'", "SELECT :a, :b", { a = 1 })
      refused("'@a'", "SELECT :a, @a", { [":a"] = 1 })
      refused("no value", "SELECT :a", {})
      refused("parameter", "SELECT ?, :a", { a = 1 })
      refused("parameter", "SELECT ?3, :a", { a = 1, [3] = 3 })
    end)

    it("are none too many", function()
      refused("'x'", "SELECT :a", { a = 1, x = 2 })
      refused("':b'", "SELECT :a", { a = 1, [":b"] = 2 })
      refused("", "SELECT :a", { a = 1, 2 })
      refused("", "SELECT ?, :a", { 1, a = 1, [3] = 1 })
      refused("", "SELECT :a", { a = 1, [2] = 2 })
    end)

    it("are told from options, which come third", function()
      refused("options come", "SELECT 1", { timeout = 1 })
      refused("options come", "SELECT ?", { timeout = 1 })
      refused("options come", "SELECT :a", { a = 1, timeout = 1 })
      assert.same({ 1 }, row("SELECT :timeout", { timeout = 1 }))
    end)

    it("go every way", function()
      assert(conn:execute "CREATE TABLE t (a, b)")
      local insert = "INSERT INTO t (a, b) VALUES (:a, $b)"
      for _ = 1, 4 do
        assert(conn:execute(insert, { b = 2, a = 1 }))
        assert(conn:executemany(insert, { { a = 1, b = 2 }, { b = 2, a = 1 } }))
        assert(not conn:pipeline({ { insert, { a = 1, b = 2 } } })[1].error)
        local statement = assert(conn:prepare(insert))
        assert(statement:execute { a = 1, b = 2 })
        statement:close()
        for each in conn:rows("SELECT @x AS x", { x = 5 }) do assert.same({ x = 5 }, each) end
      end
      assert.same({ { 20, 20, 40 } }, conn:fetchall "SELECT count(*), sum(a), sum(b) FROM t")
    end)
  end)

  it("are numbered up to 32766", function()
    for _, sql in ipairs { "SELECT ?0", "SELECT ?32767", "SELECT ?99999999999999999999" } do
      for _, path in ipairs(paths) do
        local answer, err = path.run(conn, sql)
        assert.is_nil(answer)
        assert.equal("value", err.kind)
      end
    end
    live.usable(conn)
  end)
end)

-- hazards.md: servers before 1.12 misread more than 255, and bind nothing at
-- all for multiples of 256.
live.each("more than 255 parameters", function(server)
  local conn, can

  before_each(function()
    conn = server:connect()
    assert(conn:execute "CREATE TABLE t (n, v)")
    can = server:connect():features().params_32bit
  end)

  -- INSERT of `count` parameters, each with its number as its value.
  local function insert(count)
    local marks, values = {}, {}
    for i = 1, count do
      marks[i], values[i] = ("(%d, ?)"):format(i), i
    end
    return "INSERT INTO t VALUES " .. table.concat(marks, ", "), values
  end

  local WAYS = {
    { "execute", function(sql, values) return conn:execute(sql, values) end },
    { "executemany", function(sql, values) return conn:executemany(sql, { values, values }) end },
    { "a prepared statement", function(sql, values)
      local statement, err = conn:prepare(sql)
      if not statement then return nil, err end
      return statement:execute(values)
    end },
    { "a pipeline", function(sql, values)
      local results, err = conn:pipeline { { sql, values } }
      if not results then return nil, err end
      return not results[1].error and results[1] or nil, results[1].error
    end },
    { "RETURNING", function(sql, values) return conn:fetch(sql .. " RETURNING v", values) end },
    { "a transaction", function(sql, values)
      return conn:transaction(function() return conn:execute(sql, values) end)
    end },
  }

  for _, way in ipairs(WAYS) do
    it("are bound or refused: " .. way[1], function()
      for _, count in ipairs { 255, 256, 257, 300, 511, 512, 513, 1024, 2000 } do
        assert(conn:execute "DELETE FROM t")
        local sql, values = insert(count)
        local answer, err = way[2](sql, values)
        if can or count == 255 then
          assert(answer, err)
          assert.equal(way[1] == "executemany" and 2 * count or count,
            conn:fetchval "SELECT count(*) FROM t WHERE n = v")
        else
          live.fails("unsupported", answer, err)
          assert.matches("1%.12", err.message)
          assert.is_false(err.fatal)
          assert.equal(0, conn:fetchval "SELECT count(*) FROM t")
        end
      end
    end)
  end

  it("are found by number and by name", function()
    local function check(expected, sql, values)
      local value, err = conn:fetchval(sql, values)
      if can then return assert.equal(expected, value) end
      live.fails("unsupported", value, err)
    end
    local values = {}
    for i = 1, 300 do values[i] = i end
    check(556, "SELECT ?256 + ?300", values)
    values[300] = nil
    values.x = 1000
    check(1299, "SELECT ?299 + :x", values)
    local names, marks = {}, {}
    for i = 1, 300 do
      names["p" .. i], marks[i] = i, (i % 2 == 0 and ":p%d" or "$p%d"):format(i)
    end
    check(300 * 301 / 2, "SELECT " .. table.concat(marks, " + "), names)
    live.usable(conn)
  end)

  it("are bound up to 32766", function()
    local values = {}
    for i = 1, 32766 do values[i] = i end
    local value, err = conn:fetchval("SELECT ?1 + ?256 + ?32766", values)
    if can then
      assert.equal(1 + 256 + 32766, value)
    else
      live.fails("unsupported", value, err)
    end
    values[32767] = 1
    live.fails("value", conn:fetchval("SELECT ?32766", values))
    live.usable(conn)
  end)
end)
