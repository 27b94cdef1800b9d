-- Servers that take their time, or never take anything.
local core = require "dqlite.core"
local hostile = require "spec.support.hostile"
local scripted = require "spec.support.scripted"

local SHORT = hostile.SHORT

local LARGE = ("x"):rep(4 * 1024 * 1024) -- more than two sockets hold
local LONGER = SHORT * 6 -- with time to copy that, on a busy machine
local HALF_MIB = LARGE:sub(1, 512 * 1024)

local RESULT = scripted.result(1, 1)
local PART = scripted.rows { columns = { "a" }, { 1 }, more = true }

local function part_of_rows(n)
  local rows = { columns = { "a" }, more = true }
  for i = 1, n do rows[i] = { i } end
  return scripted.rows(rows)
end

local function insert(conn) return conn:execute "INSERT INTO t VALUES (1)" end
local function fetch(conn) return conn:fetch "SELECT a FROM t" end

-- The iterator's error, from whichever step.
local function iterate(conn)
  local ok, err = pcall(function()
    for _ in conn:rows "SELECT a FROM t" do end -- luacheck: ignore 542
  end)
  return ok or nil, err
end

local function timed_out(in_doubt, conn, call, limit)
  hostile.in_time(limit or SHORT, function() hostile.ended("timeout", in_doubt, call(conn)) end)
  hostile.settle() -- resets it, so that `lost` has nothing to wait for
  hostile.lost(conn)
end

local function connect(...)
  hostile.script(hostile.opened(...))
  return hostile.connect { timeout = SHORT, busy_timeout = SHORT }
end

hostile.describe("slow servers", function()
  it("behaviour 15: are not waited for longer because they send something", function()
    hostile.each({
      { name = "a write, 10 bytes a deadline", call = insert, doubt = true, every = SHORT / 10,
        bytes = RESULT },
      { name = "a write, 50 bytes a deadline", call = insert, doubt = true, every = SHORT / 50,
        bytes = scripted.failure(1, ("x"):rep(200)) },
      { name = "a read", call = fetch, bytes = part_of_rows(20), every = SHORT / 10 },
      { name = "a read, just in time", call = fetch, bytes = PART, every = SHORT * 0.9 },
    }, function(case)
      timed_out(case.doubt or false,
        connect({ "await", 1 }, { "drip", case.bytes, case.every }), case.call)
    end)
  end)

  it("behaviour 15: are not waited for longer because they send whole frames", function()
    hostile.each({ { name = "fetch", call = fetch } }, function(case)
      local steps = { { "await", 1 } }
      for _ = 1, 50 do
        steps[#steps + 1] = { "send", PART }
        steps[#steps + 1] = { "pause", SHORT / 10 }
      end
      timed_out(false, connect((table.unpack or unpack)(steps)), case.call)
    end)
  end)

  it("are waited for a timeout by each step of rows, no longer", function()
    hostile.each({ { name = "rows", frames = 3 } }, function(case)
      local steps = { { "await", 1 } }
      for _ = 1, case.frames do
        steps[#steps + 1] = { "send", PART }
        steps[#steps + 1] = { "pause", SHORT / 2 }
      end
      local conn = connect((table.unpack or unpack)(steps))
      hostile.in_time(SHORT * 2, function() hostile.ended("timeout", false, iterate(conn)) end)
      hostile.settle()
      hostile.lost(conn)
    end)
  end)

  it("are not waited for longer because rows were abandoned", function()
    hostile.each({ { name = "a break" } }, function()
      local conn = connect({ "await", 1 }, { "send", PART })
      assert(conn:rows("SELECT a FROM t")())
      timed_out(false, conn, insert)
    end)
  end)

  it("are not waited for by calls on a connection that is lost", function()
    hostile.each({ { name = "a deadline" } }, function()
      local conn = connect({ "await", 1 }, { "send", PART })
      hostile.in_time(SHORT, function() hostile.ended("timeout", false, fetch(conn)) end)
      for _ = 1, 3 do
        hostile.in_time(0, function() hostile.ended("closed", false, insert(conn)) end)
      end
      hostile.settle()
      hostile.lost(conn)
    end)
  end)

  it("behaviour 15: do not open a connection by and by", function()
    hostile.each({ { name = "10 bytes a deadline", every = SHORT / 10 },
      { name = "just in time", every = SHORT * 0.9 } }, function(case)
      hostile.script { { "await", 3 }, { "drip", hostile.opening(), case.every } }
      hostile.in_time(SHORT, function()
        hostile.ended("timeout", false, hostile.try { timeout = SHORT })
      end)
    end)
  end)

  it("may know no leader until the deadline", function()
    hostile.run(function()
      local NONE = scripted.frame("SERVER", { id = "0", address = "" })
      local err
      for _ = 1, 5 do -- a busy machine may take all of the time for one answer
        -- the next attempt meets the server that is well: it is over before that
        hostile.script { { "await", 3 }, { "send", NONE } }
        err = select(2, hostile.try { timeout = SHORT / 3 })
        if err.kind ~= "timeout" then break end
      end
      hostile.fails({ kind = "no_leader", retryable = true, ambiguous = false }, nil, err)
    end)
  end)

  it("may answer a byte at a time, in time", function()
    hostile.each({ { name = "a write", call = insert, bytes = RESULT } }, function(case)
      hostile.script(hostile.opened({ "await", 1 }, { "drip", case.bytes, 0.001 }))
      local conn = hostile.connect()
      assert(case.call(conn))
      conn:close()
    end)
  end)
end)

hostile.describe("servers that read nothing", function()
  local function deaf(limit)
    hostile.script(hostile.opened { "deaf" })
    return hostile.connect { timeout = limit or SHORT, busy_timeout = SHORT }
  end

  it("behaviour 16: hold a large request up to its deadline", function()
    hostile.each({
      { name = "one parameter", doubt = true,
        call = function(conn) return conn:execute("INSERT INTO t VALUES (?)", LARGE) end },
      { name = "a list of them", doubt = true, call = function(conn)
        return conn:execute("INSERT INTO t VALUES (?, ?)", { LARGE, 1 })
      end },
      { name = "a read", doubt = false,
        call = function(conn) return conn:fetch("SELECT a FROM t WHERE a = ?", LARGE) end },
    }, function(case) timed_out(case.doubt, deaf(LONGER), case.call, LONGER) end)
  end)

  it("hold a small request, which leaves", function()
    hostile.each({ { name = "a write", call = insert, doubt = true },
      { name = "a read", call = fetch, doubt = false } }, function(case)
      timed_out(case.doubt, deaf(), case.call)
    end)
  end)

  it("hold a pipeline, all of whose places are filled", function()
    hostile.run(function()
      local entries, conn = {}, deaf()
      for i = 1, 40 do
        entries[i] = { i % 2 == 0 and "SELECT ?" or "INSERT INTO t VALUES (?)", HALF_MIB }
      end
      local results = hostile.in_time(SHORT, function() return assert(conn:pipeline(entries)) end)
      assert.equal(#entries, #results)
      for i, result in ipairs(results) do
        local err = result.error
        hostile.fails({ fatal = true }, nil, err)
        if i % 2 == 0 then assert.is_true(err.retryable) end
        assert.equal(err.retryable, not err.ambiguous)
      end
      assert.is_true(results[1].error.ambiguous)
      assert.equal("timeout", results[1].error.kind)
      hostile.settle()
      hostile.lost(conn)
    end)
  end)

  it("are no server at all", function()
    hostile.run(function()
      hostile.script {}
      hostile.in_time(SHORT, function()
        hostile.ended("timeout", false, hostile.try { timeout = SHORT })
      end)
    end)
  end)
end)

hostile.describe("servers that end", function()
  local ENDINGS = { { name = "fin" }, { name = "close" }, { name = "reset" } }

  -- A reset may come before the connection is taken note of.
  local function check_refused(conn, err)
    local early = err and err.kind == "connect"
    hostile.ended(early and "connect" or "closed", false, conn, err)
  end

  it("end when they have accepted", function()
    hostile.each(ENDINGS, function(case)
      for _ = 1, 20 do
        hostile.script { { case.name } }
        check_refused(hostile.try())
      end
    end)
  end)

  it("end before they are asked to open anything", function()
    hostile.each(ENDINGS, function(case)
      hostile.script { { "pause", 0.002 }, { case.name } }
      check_refused(hostile.try())
    end)
  end)

  it("end while a large request is on its way", function()
    hostile.each(ENDINGS, function(case)
      for _ = 1, 3 do
        hostile.script(hostile.opened({ "deaf" }, { "pause", 0.2 }, { case.name }))
        local conn = hostile.connect()
        hostile.ended("closed", true, conn:execute("INSERT INTO t VALUES (?)", LARGE))
        hostile.lost(conn)
        assert.equal(3, hostile.settle())
      end
    end)
  end)

  it("answer a large request before they have read it", function()
    hostile.each({ { name = "a FAILURE", bytes = scripted.failure(18, "too big"), kind = "sql" } },
      function(case)
        hostile.script(hostile.opened({ "deaf" }, { "pause", 0.005 }, { "send", case.bytes }))
        local conn = hostile.connect { timeout = LONGER }
        local _, err = hostile.in_time(0, function()
          return conn:execute("INSERT INTO t VALUES (?)", LARGE)
        end)
        hostile.fails({ code = 18, kind = case.kind }, nil, err)
        conn:close()
      end)
  end)

  it("behaviour 27: never get a write twice", function()
    hostile.each(ENDINGS, function(case)
      hostile.script(hostile.opened({ "await", 1 }, { case.name }))
      local conn = hostile.connect()
      hostile.ended("closed", true, insert(conn))
      hostile.lost(conn)
      assert.equal(4, hostile.settle()) -- three of the opening
    end)
  end)

  it("do not exist", function()
    hostile.run(function()
      local nobody = "127.0.0.1:" .. core.unused_port "127.0.0.1"
      hostile.ended("connect", false, hostile.in_time(0, hostile.try, nil, nobody))
    end)
  end)
end)
