-- Every conversation, broken off at every byte of every answer.
local cases = require "spec.support.hostile_case"
local hostile = require "spec.support.hostile"
local talks = require "spec.support.hostile_talks"

local SHORT = hostile.SHORT

local function each_length(bytes, fn)
  for length = 0, #bytes - 1 do
    fn(("%d bytes of %d"):format(length, #bytes), bytes:sub(1, length))
  end
end

local function check_every_byte(ending)
  local list = hostile.list(function(add)
    cases.each_frame(function(case, bytes)
      each_length(bytes, function(what, part) add(cases.like(case, what, { part = part })) end)
    end)
  end)
  hostile.each_of_many(list,
    function(case) return cases.spoil(case, case.part, ending) end,
    function(case) cases.check(case, "closed") end)
end

-- The end comes when a step is answered, so that it may meet the next request.
local function check_between(ending)
  hostile.each_of_many(hostile.list(function(add)
    cases.each_frame(function(case)
      if case.step > 1 and case.frame == 1 then add(case) end
    end)
  end), function(case)
    local before = case.step - 1
    local steps = cases.steps(case.talk, before, #case.talk.steps[before])
    steps[#steps + 1] = { ending }
    return steps
  end, function(case)
    local conn = cases.connect(case.talk)
    local err = hostile.fails({ kind = "closed", fatal = true }, case.talk.call(conn))
    assert.equal(err.retryable, not err.ambiguous)
    if case.outcome == "again" then assert.is_true(err.retryable) end
    cases.check_lost(case.talk, conn)
  end)
end

-- Every third frame, each at another byte.
local function some_bytes()
  return hostile.list(function(add)
    local count = 0
    cases.each_frame(function(case, bytes)
      count = count + 1
      if count % 3 ~= 0 then return end
      local length = count % #bytes
      add(cases.like(case, length .. " bytes", { part = bytes:sub(1, length) }))
    end)
  end)
end

local function check_silence(case)
  hostile.script(cases.steps(case.talk, case.step, case.frame, case.part))
  local conn = cases.connect(case.talk, { timeout = SHORT })
  hostile.in_time(SHORT, function()
    cases.check_outcome(case, "timeout", case.talk.call(conn))
  end)
  hostile.settle()
  cases.check_lost(case.talk, conn)
end

hostile.describe("answers", function()
  it("are understood when they are whole", function()
    hostile.each(talks, function(talk)
      hostile.script(cases.all_steps(talk))
      local conn = cases.connect(talk)
      cases.check_outcome({ outcome = "done" }, nil, talk.call(conn))
      local requests = talk.raw and 0 or 3
      for _, answers in ipairs(talk.steps) do requests = requests + answers[1] end
      assert.equal(requests, hostile.settle())
      conn:close()
    end)
  end)

  it("may end at every byte", function() check_every_byte "fin" end)
  it("may be reset at every byte", function() check_every_byte "reset" end)
  it("may be the last: fin", function() check_between "fin" end)
  it("may be the last: close", function() check_between "close" end)
  it("may be the last: reset", function() check_between "reset" end)
  it("may fall silent", function() hostile.each(some_bytes(), check_silence) end)
end)

hostile.describe("an opening", function()
  local function every_byte()
    return hostile.list(function(add)
      each_length(hostile.opening(), function(what, part) add { name = what, part = part } end)
    end)
  end

  for _, ending in ipairs { "fin", "reset" } do
    it("may end at every byte: " .. ending, function()
      hostile.each(every_byte(), function(case)
        hostile.script { { "await", 3 }, { "send", case.part }, { ending } }
        hostile.ended("closed", false, hostile.try())
      end)
    end)
  end

  it("may fall silent", function()
    hostile.each(every_byte(), function(case)
      if #case.part % 7 ~= 0 then return end
      hostile.script { { "await", 3 }, { "send", case.part } }
      hostile.in_time(SHORT, function()
        hostile.ended("timeout", false, hostile.try { timeout = SHORT })
      end)
    end)
  end)

  it("is given up after connect_timeout where LEADER is not answered", function()
    hostile.each({ { name = "nothing", bytes = 0 }, { name = "a half", bytes = 20 } },
      function(case)
        hostile.script { { "await", 3 }, { "send", hostile.opening():sub(1, case.bytes) } }
        hostile.in_time(SHORT, function()
          hostile.ended("timeout", false, hostile.try { connect_timeout = SHORT })
        end)
      end)
  end)
end)
