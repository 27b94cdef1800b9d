-- A way to the server that drips, that takes nothing, or that is cut in the middle
-- of something: behaviours 15, 16, 27 and 35, against servers behind a proxy.
local dqlite = require "dqlite"
local live = require "spec.support.live"
local proxy = require "spec.support.proxy"

local TIMEOUT = 0.4 -- seconds, where they are to pass
local PATIENCE = 10

local MIB = 1024 * 1024
local LARGE = dqlite.blob(("x"):rep(8 * MIB)) -- more than sockets and the proxy hold

local INSERT = "INSERT INTO t VALUES (?)"

live.each("behind a way that is bad", function(server)
  local front, conn, other

  before_each(function()
    front = proxy.start(server.address)
    conn = assert(dqlite.connect(front.address, {
      database = server.database, direct = true, timeout = PATIENCE,
    }))
    other = server:connect()
    assert(other:execute "CREATE TABLE t (a)")
    assert(conn:fetch "SELECT a FROM t")
  end)
  after_each(function()
    proxy.stop_all()
    conn:close()
  end)

  local function count()
    return other:fetchval "SELECT count(*) FROM t"
  end

  -- Of a call that is to run into its deadline.
  local function times_out(call)
    local seconds, answer, err = live.timed(call)
    live.fails("timeout", answer, err)
    assert.is_true(seconds >= TIMEOUT and seconds < TIMEOUT + 1, seconds)
    assert.is_true(err.fatal)
    assert.is_false(conn:is_open())
    front:stop() -- else the loop would read the rest of it for a while
    return err
  end

  -- A deadline that began anew with what comes would never pass.
  for bytes, every in pairs { [20] = TIMEOUT / 40, [400] = TIMEOUT / 80 } do
    it(("behaviour 15: a read has one deadline, %d bytes at a time"):format(bytes), function()
      front:drip(bytes, every)
      local err = times_out(function()
        return conn:fetch([[WITH RECURSIVE c (n) AS
          (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 5000) SELECT n FROM c]],
          {}, { timeout = TIMEOUT })
      end)
      assert.same({ true, false }, { err.retryable, err.ambiguous })
    end)
  end

  it("behaviour 15: so has a write that leaves a byte at a time", function()
    front:drip(1, TIMEOUT / 10)
    local err = times_out(function()
      return conn:execute(INSERT, { 1 }, { timeout = TIMEOUT })
    end)
    assert.same({ false, true }, { err.retryable, err.ambiguous })
  end)

  it("behaviour 16: a write that nobody takes ends at its deadline", function()
    front:black_hole()
    local err = times_out(function()
      return conn:execute(INSERT, { LARGE }, { timeout = TIMEOUT })
    end)
    assert.same({ false, true }, { err.retryable, err.ambiguous })
    assert.equal(0, count())
  end)

  it("behaviour 16: so does a read", function()
    front:black_hole()
    local err = times_out(function()
      return conn:fetch("SELECT a FROM t WHERE a = ?", { LARGE }, { timeout = TIMEOUT })
    end)
    assert.same({ true, false }, { err.retryable, err.ambiguous })
  end)

  -- Cuts the way in the middle of a call.
  -- @return the error
  local function is_cut(call)
    front:reset()
    front:cut_after(MIB)
    local err = live.fails("closed", call())
    assert.is_true(err.fatal)
    assert.is_false(conn:is_open())
    assert.is_true(live.fails("closed", conn:execute(INSERT, 1)).retryable)
    assert.equal(0, front:count())
    live.eventually("the lock is free", function() return (other:execute(INSERT, -1)) end)
    assert.equal(1, count())
    return err
  end

  it("behaviour 27: a reset in an INSERT is reported, and nothing is sent again", function()
    local err = is_cut(function() return conn:execute(INSERT, LARGE) end)
    assert.same({ false, true }, { err.retryable, err.ambiguous })
    assert.equal(INSERT, err.sql)
  end)

  it("behaviour 27: in a transaction it is certainly not applied", function()
    local err = is_cut(function()
      return conn:transaction(function()
        assert(conn:execute(INSERT, 1))
        return conn:execute(INSERT, LARGE)
      end)
    end)
    assert.same({ true, false }, { err.retryable, err.ambiguous })
  end)

  it("behaviour 27: nor is any set of executemany", function()
    local err = is_cut(function() return conn:executemany(INSERT, { { 1 }, { LARGE } }) end)
    assert.same({ true, false }, { err.retryable, err.ambiguous })
  end)

  for _, begin in ipairs { "BEGIN", "BEGIN IMMEDIATE", "SAVEPOINT a" } do
    it("behaviour 35: what was open when the socket ended is rolled back: " .. begin, function()
      assert(conn:execute(begin))
      assert(conn:execute(INSERT, 1))
      assert.equal(1, conn:fetchval "SELECT count(*) FROM t")
      assert.equal(0, count())
      live.fails("busy", other:execute(INSERT, { -1 }, { busy_timeout = 0 }))
      front:cut()
      live.eventually("the lock is free", function() return (other:execute(INSERT, -1)) end)
      assert.same({ -1 }, other:fetchcol "SELECT a FROM t")
      local err = live.fails("closed", conn:execute "COMMIT")
      assert.is_true(err.fatal)
      assert.same({ -1 }, other:fetchcol "SELECT a FROM t")
    end)
  end
end)
