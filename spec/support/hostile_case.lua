--- A talk (hostile_talks.lua) that goes wrong at one of its frames. A case has
-- `talk`, `step` and `frame` (the place of a frame in it), `outcome` and `later`
-- (what that frame means for the call).
local hostile = require "spec.support.hostile"
local talks = require "spec.support.hostile_talks"

local cases = {}

--- The steps of a talk up to a frame; `bytes`, if given, come in its place.
function cases.steps(talk, step, frame, bytes)
  local steps = talk.raw and {} or hostile.opened()
  for s = 1, step do
    local answers, sent = talk.steps[s], {}
    for k = 1, s < step and #answers - 1 or frame - 1 do sent[k] = answers[k + 1][1] end
    if s == step then sent[#sent + 1] = bytes end
    steps[#steps + 1] = { "await", answers[1] }
    steps[#steps + 1] = { "send", table.concat(sent) }
  end
  return steps
end

--- All steps of a talk.
function cases.all_steps(talk)
  local last = #talk.steps
  return cases.steps(talk, last, #talk.steps[last])
end

--- Calls fn(case, bytes) with a case for each frame of each talk.
function cases.each_frame(fn)
  for _, talk in ipairs(talks) do
    for step, answers in ipairs(talk.steps) do
      for frame = 1, #answers - 1 do
        local found = answers[frame + 1]
        fn({
          name = ("%s, step %d, frame %d"):format(talk.name, step, frame),
          talk = talk, step = step, frame = frame, outcome = found[2], later = found[3],
        }, found[1])
      end
    end
  end
end

--- The first case of each response and schema: a list of cases with `bytes`.
function cases.one_of_each()
  local list, known = {}, {}
  cases.each_frame(function(case, bytes)
    local header = bytes:sub(5, 6)
    if known[header] then return end
    known[header], list[#list + 1] = true, case
    case.bytes = bytes
  end)
  return list
end

--- A case like another one, with other fields; ` what` goes to its name.
function cases.like(case, what, fields)
  case.likeness = case.likeness or { __index = case }
  fields.name = case.name .. ", " .. what
  return setmetatable(fields, case.likeness)
end

function cases.connect(talk, opts)
  return talk.raw and hostile.session(opts) or hostile.connect(opts)
end

--- Raises unless a call that got an error of this kind has the case's outcome.
function cases.check_outcome(case, kind, ...)
  local outcome = case.outcome
  if outcome ~= "done" then
    return hostile.ended(case.later or kind, outcome == "doubt", ...)
  end
  local answer, err = ...
  if not answer then error("it failed: " .. tostring(err), 0) end
end

--- Raises unless the connection knows that it is lost; closes it.
function cases.check_lost(talk, conn)
  if not talk.raw then return hostile.lost(conn) end
  hostile.ended("closed", false, conn:request "LEADER")
  conn:close()
end

--- The steps of a case: the frames before its own, `bytes` in the place of that,
-- and the end of the connection.
function cases.spoil(case, bytes, ending)
  local steps = cases.steps(case.talk, case.step, case.frame, bytes)
  steps[#steps + 1] = { ending }
  return steps
end

--- Calls; raises unless that has the case's outcome.
function cases.check(case, kind)
  local conn = cases.connect(case.talk)
  cases.check_outcome(case, kind, case.talk.call(conn))
  cases.check_lost(case.talk, conn)
end

return cases
