-- Rows that nobody reads to the end. hazards.md, "Waiting": they are drained;
-- "Requests that kill": closing in mid-ROWS while the write lock is held.

local counting = require "spec.support.counting"
local live = require "spec.support.live"

local COUNT = counting.ROWS
local loop, fails = counting.loop, live.raises_error

live.each("rows", function(server)
  local conn

  before_each(function() conn = server:connect() end)

  describe("that nobody reads to the end", function()
    it("leave the connection as it was", function()
      assert(conn:execute "CREATE TABLE t (a)")
      for _, use in ipairs {
        function() live.usable(conn) end,
        function() assert(conn:execute "INSERT INTO t VALUES (1)") end,
        function() assert.equal(10, loop(conn:rows(COUNT, 10))) end,
        function() assert(conn:transaction(function() return true end)) end,
        function() assert(conn:executemany("INSERT INTO t VALUES (?)", { { 1 } })) end,
        function() assert.equal(1, #conn:pipeline { { "SELECT 1" } }) end,
        function() assert.equal(2, conn:script "SELECT 1; SELECT 2") end,
        function() assert(conn:prepare "SELECT 1"):close() end,
        function() assert.equal(1, assert(conn:prepare "SELECT 1"):fetchval()) end,
        function() assert(conn:ping()) end,
        function() assert(conn:features()) end,
        function() assert(assert(conn:begin()):rollback()) end,
      } do
        assert.equal(3, loop(conn:rows(COUNT, 20000), function(_, n) return n < 3 end))
        use()
        live.usable(conn)
      end
    end)

    it("can be left behind by close, and no lock stays", function()
      local other = server:connect()
      assert(other:execute "CREATE TABLE t (a)")
      assert.equal(3, loop(conn:rows(COUNT, 100000), function(_, n) return n < 3 end))
      conn:close()
      assert(other:execute("INSERT INTO t VALUES (1)", {}, { busy_timeout = 0 }))
    end)

    it("may not be read: the iterator is dropped", function()
      conn:rows(COUNT, 20000)
      live.usable(conn)
      conn:rows(COUNT, 20000)
      collectgarbage()
      collectgarbage()
      live.usable(conn)
    end)

    it("may be left by an error in the loop, which goes on", function()
      local reason = {}
      local ok, raised = pcall(function()
        for _ in conn:rows(COUNT, 20000) do error(reason) end
      end)
      assert.is_false(ok)
      assert.equal(reason, raised)
      live.usable(conn)
    end)

    -- hazards.md: on 1.18 closing in mid-ROWS keeps the write lock for ever.
    it("in a transaction that wrote, then closed, hold no lock", function()
      local other = server:connect { busy_timeout = 2 }
      assert(other:execute "CREATE TABLE t (a)")
      for _, begin in ipairs { "begin", "BEGIN", "SAVEPOINT s" } do
        local writer = server:connect()
        assert(begin == "begin" and writer:begin() or writer:execute(begin))
        assert(writer:execute "INSERT INTO t VALUES (1)")
        assert.equal(3, loop(writer:rows(COUNT, 100000), function(_, n) return n < 3 end))
        live.fails("busy", other:execute("INSERT INTO t VALUES (2)", {}, { busy_timeout = 0 }))
        writer:close()
        assert(other:execute "INSERT INTO t VALUES (3)")
        assert.equal(0, other:fetchval "SELECT count(*) FROM t WHERE a < 3")
      end
    end)

    it("in a transaction are no obstacle to its end", function()
      local other = server:connect()
      assert(conn:execute "CREATE TABLE t (a)")
      assert(conn:transaction(function()
        assert(conn:execute "INSERT INTO t VALUES (1)")
        loop(conn:rows(COUNT, 20000), function(_, n) return n < 3 end)
        return true
      end))
      assert.is_nil((conn:transaction(function()
        assert(conn:execute "INSERT INTO t VALUES (2)")
        loop(conn:rows(COUNT, 20000), function(_, n) return n < 3 end)
        return nil, "no"
      end)))
      assert.same({ 1 }, other:fetchcol "SELECT a FROM t")
      assert(other:execute("INSERT INTO t VALUES (3)", {}, { busy_timeout = 0 }))
    end)
  end)

  describe("while another call is made", function()
    it("are ended by it, which the next step says", function()
      for _, n in ipairs { 3, 300, 20000 } do
        for _, use in ipairs {
          function() live.usable(conn) end,
          function() assert(conn:prepare "SELECT 1"):close() end,
          function() conn:rows(COUNT, 2)() end,
          function() assert(conn:pipeline { { "SELECT 1" } }) end,
        } do
          local seen = 0
          local err = fails("closed", function()
            loop(conn:rows(COUNT, n), function() seen = seen + 1 use() end)
          end)
          assert.equal(1, seen)
          assert.matches("ended by a later call", err.message)
          live.usable(conn)
        end
      end
    end)

    it("say so again and again, and end nothing else", function()
      local first = conn:rows(COUNT, 1000)
      first()
      local second = conn:rows(COUNT, 1000)
      for _ = 1, 3 do fails("closed", first) end
      assert.equal(1000, loop(second))
      fails("closed", first)
      live.usable(conn)
    end)

    it("are gone with a connection that was closed", function()
      local iterator = conn:rows(COUNT, 1000)
      iterator()
      conn:close()
      fails("closed", iterator)
    end)
  end)
end)
