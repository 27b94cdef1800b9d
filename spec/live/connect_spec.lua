-- Connecting, and the deadlines of calls.

local core = require "dqlite.core"
local dqlite = require "dqlite"
local live = require "spec.support.live"
local session = require "dqlite.session"
local ports = require "spec.support.ports"

-- Some 0.3 seconds of work that yields one row: the oldest servers do nothing
-- else meanwhile.
local SLOW = [[
  WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 1000000)
  SELECT count(*) FROM c]]

-- Between `least` and what a busy machine may add to it.
local function took(least, seconds)
  assert.is_true(seconds >= least, seconds .. " seconds")
  assert.is_true(seconds < least + 1.5, seconds .. " seconds")
end

live.each("a connection", function(server)
  it("is open until it is closed", function()
    local conn = server:connect()
    assert.is_true(conn:is_open())
    assert.equal(server.address, conn.address)
    assert.equal(server.database, conn.database)
    assert.equal(("dqlite connection to %s (open)"):format(server.address), tostring(conn))
    assert.is_true(conn:ping())
    assert.is_true(conn:close())
    assert.is_false(conn:is_open())
    assert.is_true(conn:close())
    assert.matches("%(closed%)", tostring(conn))
  end)

  it("sees one database, which others see too", function()
    local one, same = server:connect(), server:connect()
    local other = server:connect { database = live.database() }
    assert(one:execute "CREATE TABLE t (a)")
    assert(one:execute "INSERT INTO t VALUES (1)")
    assert.equal(1, same:fetchval "SELECT a FROM t")
    assert.equal("no such table: t",
      live.fails("sql", other:fetchval "SELECT a FROM t").message)
  end)

  it("keeps what was written when all are closed", function()
    local conn = server:connect()
    assert(conn:execute "CREATE TABLE t (a)")
    assert(conn:execute "INSERT INTO t VALUES ('kept')")
    conn:close()
    assert.equal("kept", server:connect():fetchval "SELECT a FROM t")
  end)

  it("may be one of many", function()
    local many = {}
    for i = 1, 50 do many[i] = server:connect() end
    for i = 1, 50 do assert.equal(i, many[i]:fetchval("SELECT ?", i)) end
  end)

  it("may be made with direct", function()
    live.usable(server:connect { direct = true })
  end)

  -- Servers before 1.13 listen on IPv4 only, and ::1 comes first for localhost.
  it("tries every address of a host name", function()
    local _, host, port = core.parse_address(server.address)
    local ips = assert(core.lookup(host))
    table.insert(ips, 1, "::1")
    live.with_names(ips, function(asked)
      local conn = assert(dqlite.connect("somewhere:" .. port))
      live.usable(conn)
      conn:close()
      assert.same({ "somewhere" }, asked)
    end)
  end)

  if server.address and server.address:find("127.0.0.1:", 1, true) then
    it("may be made by a host name", function()
      local port = server.address:match ":(%d+)$"
      local conn = assert(dqlite.connect("localhost:" .. port))
      live.usable(conn)
      conn:close()
    end)
  end
end)

live.each("a database name", function(server)
  it("that would take a server down is refused", function()
    for _, name in ipairs {
      "", ":memory:", "file:x", "file:x?mode=memory", ("n"):rep(505), "a\0b",
    } do
      local err = live.fails("value", server:try { database = name })
      assert.matches("database", err.message)
    end
    live.usable(server:connect())
  end)

  it("may have 504 bytes", function()
    local name = live.database() .. "/"
    name = name .. ("n"):rep(504 - #name)
    local conn = server:connect { database = name }
    assert(conn:execute "CREATE TABLE t (a)")
    assert(conn:execute "INSERT INTO t VALUES (504)")
    assert.equal(504, server:connect { database = name }:fetchval "SELECT a FROM t")
    local other = server:connect { database = name:sub(1, 503) .. "m" }
    live.fails("sql", other:fetchval "SELECT a FROM t")
  end)

  it("may have any other characters", function()
    for _, name in ipairs { "a b", "../up", "\195\164", "File:x", ":memory", "%s" } do
      live.usable(server:connect { database = live.database() .. name })
    end
  end)
end)

live.each("a call whose deadline passes", function(server)
  it("ends the connection; a read may be run again", function()
    local conn = server:connect()
    local seconds, value, err = live.timed(function()
      return conn:fetchval(SLOW, {}, { timeout = 0.05 })
    end)
    live.fails("timeout", value, err)
    took(0.05, seconds)
    assert.is_true(err.fatal)
    assert.is_true(err.retryable)
    assert.is_false(err.ambiguous)
    assert.is_false(conn:is_open())
    assert.is_true(live.fails("closed", conn:fetchval "SELECT 1").fatal)
    live.usable(server:connect())
  end)

  it("leaves a write in doubt, but no lock", function()
    local conn = server:connect()
    assert(conn:execute "CREATE TABLE t (a)")
    local err = live.fails("timeout",
      conn:execute("INSERT INTO t " .. SLOW, {}, { timeout = 0.05 }))
    assert.is_true(err.fatal)
    assert.is_false(err.retryable)
    assert.is_true(err.ambiguous)
    assert.matches("^INSERT INTO t ", err.sql)
    local other = server:connect()
    live.eventually("the lock is free", function()
      return (other:execute "INSERT INTO t VALUES (-1)")
    end)
    assert.equal(1, other:fetchval "SELECT count(*) FROM t WHERE a = -1")
  end)

  it("does not end one that was done in time", function()
    local conn = server:connect()
    assert.equal(1, conn:fetchval("SELECT ?", { 1 }, { timeout = 5 }))
    live.usable(conn)
  end)
end)

describe("connect", function()
  it("fails at once where nobody listens", function()
    local address = "127.0.0.1:" .. ports.free()
    local seconds, conn, err = live.timed(function() return dqlite.connect(address) end)
    live.fails("connect", conn, err)
    took(0, seconds)
    assert.is_true(err.fatal)
    assert.is_true(err.retryable)
    assert.equal(address, err.address)
    assert.matches("[Rr]efused", err.message)
    live.fails("connect", dqlite.connect("/nowhere/socket"))
    live.fails("connect", dqlite.connect("@nobody-" .. live.database()))
  end)

  it("tells what each address of a name answered", function()
    local port = assert(core.unused_port "0.0.0.0")
    live.with_names({ "127.0.0.1", "127.0.0.2" }, function()
      local err = live.fails("connect", dqlite.connect("somewhere:" .. port))
      assert.matches("127.0.0.1: .*; 127.0.0.2: ", err.message)
    end)
  end)

  -- One part of a name has 63 characters at most, so no DNS server is asked.
  it("fails for a host that is not there", function()
    local err = live.fails("connect", dqlite.connect(("x"):rep(64) .. ":9001"))
    assert.is_true(#err.message > 0)
  end)

  it("refuses malformed addresses", function()
    for _, address in ipairs {
      "", "host", "host:", ":9001", "host:x", "host:65536", "::1:9001", "[::1]", "@",
    } do
      live.fails("value", dqlite.connect(address))
    end
  end)

  it("gives up on a server that does not answer after connect_timeout", function()
    live.with_silent_server(function(address)
      local opts = { connect_timeout = 0.2, timeout = 15 }
      local seconds, conn, err = live.timed(function() return dqlite.connect(address, opts) end)
      live.fails("timeout", conn, err)
      took(0.2, seconds)
      assert.is_true(err.retryable)
      assert.equal(address, err.address)
    end)
  end)

  it("gives up no later than after timeout", function()
    live.with_silent_server(function(address)
      local opts = { connect_timeout = 15, timeout = 0.2 }
      local seconds, conn, err = live.timed(function() return dqlite.connect(address, opts) end)
      live.fails("timeout", conn, err)
      took(0.2, seconds)
    end)
  end)

  it("behaviour 16: and a request that nobody reads give up alike", function()
    live.with_silent_server(function(address)
      local raw = assert(session.connect(address))
      local bytes = dqlite.blob(("x"):rep(32 * 1024 * 1024))
      local seconds, message, err = live.timed(function()
        return raw:request("EXEC_SQL", { sql = "SELECT ?", params = { bytes } }, 0.2)
      end)
      live.fails("timeout", message, err)
      took(0.2, seconds)
      assert.is_true(err.fatal)
      live.fails("closed", raw:send "LEADER")
    end)
  end)
end)
