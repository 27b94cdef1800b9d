-- A connection that a second coroutine uses, and a coroutine that something else
-- resumes than the loop.
local dqlite = require "dqlite"
local misused = require "spec.support.misused"
local raises = require "spec.support.raises"
local scripted = require "spec.support.scripted"
local stderr = require "spec.support.stderr"
local till = require "spec.support.till"

local ALL = misused.ALL
local is_over = misused.is_over
local start, stop, connect = misused.start, misused.stop, misused.connect
local uses_of, refused, works = misused.uses_of, misused.refused, misused.works

-- ---- one coroutine at a time ----

describe("a second coroutine on a busy connection raises, and harms nobody:", function()
  before_each(start)
  after_each(stop)

  it("behaviour 24: in every call", function()
    dqlite.run(function()
      local conn = connect()
      local uses = uses_of(conn)
      local peer
      misused.source.answers.QUERY_SQL = (function(real)
        return function(request, from)
          if request.sql ~= "SELECT slow" then return real(request, from) end
          peer = from
          return {}
        end
      end)(misused.source.answers.QUERY_SQL)
      local first = dqlite.spawn(function() return conn:fetchval "SELECT slow" end)
      till(function() return peer end)
      refused(uses, "the connection is in use by another coroutine")
      peer.silent = false
      peer:write(scripted.rows { columns = { "a" }, { 42 } })
      assert.equal(42, first:wait())
      works(conn)
      conn:close()
    end)
  end)

  -- Answers what the call answers in the end, while whose text meets a lock another
  -- coroutine tries in vain.
  local function tried_while_locked(conn, text, call)
    local locked, busy, asked = { scripted.failure(5, "database is locked") }, true, false
    misused.source:on(text, function()
      asked = true
      return busy and locked or nil
    end)
    local first = dqlite.spawn(call, text)
    till(function() return asked end)
    for _ = 1, 20 do
      dqlite.sleep(0.0005)
      raises("in use by another coroutine", function() conn:execute "DELETE FROM t" end)
    end
    busy = false
    return first:wait()
  end

  it("while rows wait for a lock", function()
    dqlite.run(function()
      local conn = connect()
      assert.equal(1, tried_while_locked(conn, "SELECT b FROM t",
        function(text) return conn:rows(text)().a end))
      works(conn)
      conn:close()
    end)
    assert.same({ "INSERT INTO t VALUES (1)" }, misused.source.applied)
  end)

  it("while a statement waits for a lock", function()
    dqlite.run(function()
      local conn = connect()
      assert.equal(1, tried_while_locked(conn, "DELETE FROM u",
        function(text) return conn:execute(text) end).rows_affected)
      conn:close()
    end)
    assert.same({ "DELETE FROM u" }, misused.source.applied)
  end)

  it("while a transaction of another coroutine is between two calls", function()
    dqlite.run(function()
      local conn = connect()
      local uses, between = uses_of(conn), false
      local first = dqlite.spawn(function()
        return conn:transaction(function()
          assert(conn:execute "DELETE FROM u")
          between = true
          till(function() return not between end)
          assert(conn:execute "DELETE FROM v")
          return "done"
        end)
      end)
      till(function() return between end)
      refused(uses, "in a transaction of another coroutine")
      between = false
      assert.equal("done", first:wait())
      works(conn)
      conn:close()
    end)
    assert.same({ "DELETE FROM u", "DELETE FROM v", "INSERT INTO t VALUES (1)" },
      misused.source.applied)
  end)

  it("from within an iterator of executemany", function()
    dqlite.run(function()
      local conn = connect()
      local i = 0
      local answer = assert(conn:executemany("DELETE FROM t WHERE a = ?", function()
        i = i + 1
        if i == 2 then
          raises("in use by executemany", function() conn:execute "DELETE FROM u" end)
          local other = dqlite.spawn(function()
            raises("in use by executemany", function() conn:execute "DELETE FROM u" end)
          end)
          other:wait()
        end
        return i <= 3 and { i } or nil
      end))
      assert.equal(3, answer.rows_affected)
      works(conn)
      conn:close()
    end)
  end)
end)

-- ---- generators and other schedulers ----

describe("a coroutine that something else resumes while it waits", function()
  before_each(start)
  after_each(stop)

  it("raises; the connection is gone, and what it held", function()
    dqlite.run(function()
      local conn = connect()
      misused.source.answers.EXEC_SQL = {}
      local raised
      local thread = coroutine.create(function()
        raised = select(2, pcall(conn.execute, conn, "DELETE FROM t"))
      end)
      assert(coroutine.resume(thread))
      dqlite.sleep(0.001)
      assert(coroutine.resume(thread, "surprise"))
      assert.matches("resumed by something else than the loop.*dqlite.spawn", raised)
      assert.is_false(conn:is_open())
      local result, err = conn:execute "DELETE FROM t"
      assert.is_nil(result)
      assert.equal("closed", err.kind)
      assert.matches("foreign resume", err.message)
      till(is_over)
    end)
  end)

  it("because it is a generator's, explains itself", function()
    stderr.of(dqlite.run, function()
      local conn, seen = connect(), {}
      local ok, message = pcall(function()
        for value in coroutine.wrap(function()
          for row in conn:rows(ALL) do coroutine.yield(row.a) end
        end) do
          seen[#seen + 1] = value + 0
        end
      end)
      assert.is_false(ok)
      assert.same({}, seen)
      assert.matches("generator", message)
      conn:close() -- what the generator then raises is written to standard error
    end)
  end)

  it("because it is a generator's whose values nobody looks at, explains itself", function()
    dqlite.run(function()
      local conn = connect()
      local ok, message = pcall(function()
        local steps = 0
        for _ in coroutine.wrap(function()
          for _ in conn:rows(ALL) do coroutine.yield(1) end
        end) do
          steps = steps + 1
        end
      end)
      assert.is_false(ok)
      assert.matches("generator", message)
      conn:close()
    end)
  end)
end)
