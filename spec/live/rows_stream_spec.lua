-- rows: results read frame by frame, in the memory of a few. ROWS=n for another
-- number of rows than in `make test`.

local dqlite = require "dqlite"
local counting = require "spec.support.counting"
local hooked_loop = require "spec.support.hooked_loop"
local live = require "spec.support.live"
local nodes = require "spec.support.nodes"

local NUMBERS, COUNT = counting.NUMBERS, counting.ROWS
local loop, fails = counting.loop, live.raises_error
local ROWS = tonumber(os.getenv "ROWS") or 200000

live.each("rows", function(server)
  local conn

  before_each(function() conn = server:connect() end)

  describe("are those of fetch", function()
    it("by name, by position, in one table for all", function()
      local expected, arrays = assert(conn:fetch(COUNT, 1000)), assert(conn:fetchall(COUNT, 1000))
      assert.equal(1000, #expected)
      local function check(list, opts)
        local first
        assert.equal(1000, loop(conn:rows(COUNT, { 1000 }, opts), function(row, i)
          assert.same(list[i], row)
          if i > 1 then assert.equal(opts.reuse or false, row == first) end
          first = row
        end))
      end
      check(expected, {})
      check(arrays, { arrays = true })
      check(expected, { reuse = true })
      check(arrays, { reuse = true, arrays = true })
    end)

    it("with nothing left over in a table that is used again", function()
      local sql = "SELECT 1 AS a, NULL AS b, 3 AS c UNION ALL SELECT NULL, 2, NULL"
      for i = 1, 2 do
        local rows = i == 1 and { { a = 1, c = 3 }, { b = 2 } }
          or { { 1, dqlite.null, 3 }, { dqlite.null, 2, dqlite.null } }
        assert.equal(2, loop(conn:rows(sql, {}, { reuse = true, arrays = i == 2 }),
          function(row, n) assert.same(rows[n], row) end))
      end
      loop(conn:rows(sql, {}, { reuse = true, null = false }), function(row, n)
        assert.same(n == 1 and { a = 1, b = false, c = 3 } or { a = false, b = 2, c = false }, row)
      end)
    end)

    it("where there are none, one frame's worth, or one more or less", function()
      for _, n in ipairs { 1, 254, 255, 256, 510 } do
        assert.equal(n, loop(conn:rows(NUMBERS .. "SELECT n FROM c", n)))
      end
      assert.equal(0, loop(conn:rows "SELECT 1 WHERE 0"))
      live.usable(conn)
    end)

    it("of a prepared statement, of named parameters, of a PRAGMA", function()
      local statement = assert(conn:prepare(COUNT))
      for _ = 1, 3 do assert.equal(1000, loop(statement:rows(1000))) end
      assert.equal(7, loop(statement:rows({ 7 }, { arrays = true }), function(row, n)
        assert.same({ n, "row " .. n }, row)
      end))
      statement:close()
      assert.same({ a = "x" }, conn:rows("SELECT :a AS a", { a = "x" })())
      assert.equal(1, loop(conn:rows "PRAGMA user_version"))
    end)

    it("with the cache warm", function()
      for i = 1, 5 do
        assert.equal(300 + i, loop(conn:rows(COUNT, 300 + i)))
        assert.equal(300 + i, #conn:fetch(COUNT, 300 + i))
      end
    end)

    it("and then no more", function()
      local iterator = conn:rows "SELECT 1 AS a"
      assert.same({ a = 1 }, iterator())
      assert.is_nil(iterator())
      assert.is_nil(iterator())
      live.usable(conn)
      assert.is_nil(iterator())
    end)
  end)

  -- In a process of its own, whose memory nobody has used before.
  local READER = [[
    local address, database, sql, by, n = arg[1], arg[2], arg[3], arg[4], tonumber(arg[5])
    local function memory(field)
      for line in io.lines "/proc/self/status" do
        local kib = line:match("^" .. field .. ":%s*(%d+)")
        if kib then return kib / 1024 end
      end
    end
    require "spec.support.in_loop".run(function()
      local conn = assert(require "dqlite".connect(address, { database = database }))
      local key = by == "name" and "n" or 1
      local opts = { arrays = by ~= "name", reuse = by ~= "name" }
      for _ in conn:rows(sql, { 1000 }, opts) do end
      collectgarbage()
      local before, seen, sum = memory "VmRSS", 0, 0
      for row in conn:rows(sql, { n }, opts) do
        seen = seen + 1
        sum = sum + row[key]
      end
      print(("%d %d %.1f"):format(seen, sum, memory "VmHWM" - before))
    end)]]

  describe("in great numbers", function()
    setup(nodes.open)
    teardown(nodes.close)

    for _, by in ipairs { "name", "position, reused" } do
      it("take the memory of a few: by " .. by, function()
        local seconds, output = live.timed(function()
          return nodes.run_lua(READER, server.address, server.database, COUNT, by,
            tostring(ROWS))
        end)
        local seen, sum, more = output:match "^(%d+) (%d+) (%S+)\n0\n$"
        assert.equal(ROWS, tonumber(seen), output)
        assert.equal(ROWS * (ROWS + 1) / 2, tonumber(sum))
        print(("\n%d rows, %s, from %s: %.1f s, %s MiB more"):format(ROWS, by,
          server.address, seconds, more))
        assert.is_true(tonumber(more) < 4, more .. " MiB more")
      end)
    end
  end)

  describe("that fail", function()
    it("raise the first failure", function()
      local err = fails("sql", function() return conn:rows "SELECT nobody" end)
      assert.equal("no such column: nobody", err.message)
      fails("value", function() return conn:rows "CREATE TABLE t (a)" end)
      fails("value", function() return conn:rows "" end)
      fails("value", function() return conn:rows("SELECT ?") end)
      fails("value", function() return conn:rows("SELECT ?", "a\0b") end)
      fails("unsupported", function() return conn:rows "PRAGMA journal_mode = DELETE" end)
      live.raises(function() conn:rows() end)
      live.raises(function() conn:rows("SELECT 1", {}, { tymeout = 1 }) end)
      live.raises(function() conn:rows("SELECT ?", print) end)
      live.usable(conn)
    end)

    it("raise what fails on the way, in the first frame or later", function()
      local sql = NUMBERS
        .. "SELECT abs(CASE WHEN n = %d THEN -9223372036854775808 ELSE n END) FROM c"
      for _, at in ipairs { 1, 2, 200, 256, 5000 } do
        local seen = 0
        local err = fails("sql", function()
          loop(conn:rows(sql:format(at), 9999), function() seen = seen + 1 end)
        end)
        assert.equal("integer overflow", err.message)
        assert.is_false(err.fatal)
        assert.is_true(seen < at and seen >= at - 512, seen .. " rows before " .. at)
        live.usable(conn)
      end
    end)

    it("fail their transaction", function()
      local err = live.fails("sql", conn:transaction(function()
        pcall(conn.rows, conn, "SELECT nobody")
        return true
      end))
      assert.equal("no such column: nobody", err.message)
      live.usable(conn)
    end)

    it("are over for good", function()
      local iterator = conn:rows(NUMBERS
        .. "SELECT abs(CASE WHEN n = 2000 THEN -9223372036854775808 ELSE n END) FROM c", 3000)
      fails("sql", loop, iterator)
      assert.is_nil((select(2, pcall(iterator))))
      live.usable(conn)
    end)
  end)

  it("may be read slowly: each frame has the whole timeout", function()
    conn = server:connect { timeout = 0.4 }
    local seconds = live.timed(function()
      assert.equal(1000, loop(conn:rows(COUNT, 1000), function(_, n)
        if n % 100 == 0 then dqlite.sleep(0.05) end
      end))
    end)
    assert.is_true(seconds > 0.45)
    live.usable(conn)
  end)

  it("wait for each frame no longer than timeout", function()
    -- Each row but the first hundreds takes the server a second and more.
    local slow = NUMBERS .. [[SELECT n, CASE WHEN n < 700 THEN 1 ELSE
      (WITH RECURSIVE d (m) AS (SELECT 1 UNION ALL SELECT m + 1 FROM d WHERE m < 2000000)
      SELECT max(m) FROM d) END FROM c]]
    conn = server:connect { timeout = 0.2 }
    local seen = 0
    local err = fails("timeout", function()
      loop(conn:rows(slow, 701), function() seen = seen + 1 end)
    end)
    assert.is_true(seen > 0 and seen < 700)
    assert.is_false(err.ambiguous)
    assert.is_true(err.fatal)
    assert.is_false(conn:is_open())
  end)

  it("take the frames as they are read: no sooner", function()
    local received = 0
    conn = server:connect { loop = hooked_loop { recv = function(n) received = n end } }
    local iterator = conn:rows(COUNT, 50000)
    for _ = 1, 3 do iterator() end
    local early = received
    assert.equal(49997, loop(iterator))
    assert.is_true(received > early + 20, received .. " receives, " .. early .. " at first")
  end)
end)
