-- Frames that nobody asked for: before the first request, behind an answer in
-- the same write, and later.
local cases = require "spec.support.hostile_case"
local hostile = require "spec.support.hostile"
local scripted = require "spec.support.scripted"
local talks = require "spec.support.hostile_talks"

local RESULT = scripted.result(1, 1)
local STALE = scripted.result(666, 666)
local ROW = scripted.rows { columns = { "a" }, { 42 } }
local STALE_ROW = scripted.rows { columns = { "a" }, { 666 } }
local FAILURE = scripted.failure(1, "nobody asked")

local LATER = 0.004 -- seconds

local CALLS = {
  {
    name = "a write", answer = RESULT,
    call = function(conn) return conn:execute "INSERT INTO t VALUES (1)" end,
  },
  {
    name = "a read", answer = ROW,
    call = function(conn) return conn:fetchval "SELECT a FROM t" end,
  },
  {
    name = "fetchone", answer = ROW,
    call = function(conn) return conn:fetchone "SELECT a FROM t" end,
  },
  {
    name = "rows", answer = ROW,
    call = function(conn)
      for row in conn:rows "SELECT a FROM t" do
        if row.a ~= 42 then error("a wrong row", 0) end
      end
      return true
    end,
  },
  { name = "ping", answer = ROW, call = function(conn) return conn:ping() end },
}

local UNASKED = {
  { name = "a RESULT", bytes = STALE },
  { name = "a row", bytes = STALE_ROW },
  { name = "a FAILURE", bytes = FAILURE },
  { name = "a frame of no kind", bytes = "\1\0\0\0\77\0\0\0" .. ("\0"):rep(8) },
  { name = "half a header", bytes = "\1\0\0" },
  { name = "half a frame", bytes = STALE:sub(1, 12) },
  -- with what comes behind it the beginning of a long frame
  { name = "a byte", bytes = "\0", ahead = "closed" },
}

local function each_pair()
  return hostile.list(function(add)
    for _, first in ipairs(CALLS) do
      for _, unasked in ipairs(UNASKED) do
        add { name = first.name .. ", " .. unasked.name, first = first, unasked = unasked.bytes }
      end
    end
  end)
end

-- The call after it finds out before it sends anything: certainly not applied.
local function check_next(kind, conn)
  hostile.ended(kind, false, conn:execute "INSERT INTO t VALUES (2)")
  hostile.lost(conn)
end

local function well(conn, call)
  local answer, err = call(conn)
  if not answer then error("it failed: " .. tostring(err), 0) end
end

hostile.describe("unasked frames", function()
  it("may come with an answer", function()
    hostile.each(each_pair(), function(case)
      hostile.script(hostile.opened({ "await", 1 }, { "send", case.first.answer .. case.unasked },
        { "await", 1 }, { "send", RESULT }))
      local conn = hostile.connect()
      well(conn, case.first.call)
      check_next("protocol", conn)
    end)
  end)

  it("may come later", function()
    hostile.each(each_pair(), function(case)
      hostile.script(hostile.opened({ "await", 1 }, { "send", case.first.answer },
        { "pause", LATER }, { "send", case.unasked }, { "await", 1 }, { "send", RESULT }))
      local conn = hostile.connect()
      well(conn, case.first.call)
      hostile.let_go_on()
      check_next("protocol", conn)
    end)
  end)

  it("may come behind the opening", function()
    hostile.each(UNASKED, function(case)
      for _, pause in ipairs { 0, LATER } do
        hostile.script { { "await", 3 }, { "send", hostile.opening() }, { "pause", pause },
          { "send", case.bytes } }
        local conn = hostile.connect()
        hostile.let_go_on()
        check_next("protocol", conn)
      end
    end)
  end)

  it("may come before the first request", function()
    hostile.each(UNASKED, function(case)
      hostile.script { { "send", case.bytes }, { "await", 3 }, { "send", hostile.opening() },
        { "fin" } }
      -- a FAILURE is an answer
      local kind = case.bytes == FAILURE and "sql" or case.ahead or "protocol"
      hostile.fails({ kind = kind }, hostile.try())
    end)
  end)

  it("may be the answers to an opening, too early and twice", function()
    hostile.script { { "send", hostile.opening() }, { "await", 3 }, { "send", hostile.opening() } }
    hostile.run(function()
      local conn = hostile.connect()
      hostile.let_go_on()
      check_next("protocol", conn)
    end)
  end)

  it("behaviour 20: may follow every whole answer", function()
    hostile.each(talks, function(talk)
      local steps = cases.all_steps(talk)
      local last = steps[#steps]
      last[2] = last[2] .. RESULT
      hostile.script(steps)
      local conn = cases.connect(talk)
      well(conn, talk.call)
      if talk.raw then
        hostile.ended("protocol", false, conn:request "LEADER")
        conn:close()
      else
        check_next("protocol", conn)
      end
    end)
  end)

  it("may stand between the frames of a result", function()
    local part = scripted.rows { columns = { "a" }, { 42 }, more = true }
    hostile.each(UNASKED, function(case)
      if case.bytes == FAILURE or case.bytes == STALE_ROW then return end
      hostile.script(hostile.opened({ "await", 1 }, { "send", part .. case.bytes .. ROW },
        { "fin" }))
      local conn = hostile.connect()
      hostile.ended(case.ahead or "protocol", false, conn:fetch "SELECT a FROM t")
      hostile.lost(conn)
    end)
  end)
end)

hostile.describe("the end of a connection between two calls", function()
  for _, ending in ipairs { "fin", "close", "reset" } do
    it("is seen by the next: " .. ending, function()
      hostile.each(CALLS, function(case)
        hostile.script(hostile.opened({ "await", 1 }, { "send", case.answer },
          { "pause", LATER }, { ending }))
        local conn = hostile.connect()
        well(conn, case.call)
        hostile.let_go_on()
        check_next("closed", conn)
      end)
    end)
  end
end)
