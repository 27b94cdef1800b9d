--- Says what is wrong with a history of a run of chaos (spec.chaos.history).
--
-- What was acknowledged is there exactly once, what was reported as certainly not
-- applied is not there, and only what is ambiguous may be either. The sum of all balances
-- is always the same.
local checker = {}

local OVERRUN = 2 -- seconds that a call may end after its deadline, on a busy machine
local EARLY = 0.25 -- before it: the last pause between tries has no time left

local WRITES = { insert = "item", once = "item", transfer = "ledger" }
local TIMED = { insert = true, once = true, read = true } -- whose timeout is that of all of it

local function key_of(record)
  return ("%d/%d"):format(record.worker, record.number)
end

-- How often each is in a list of the final state.
local function count(list)
  local counts = {}
  for _, record in ipairs(list) do
    local key = key_of(record)
    counts[key] = (counts[key] or 0) + 1
  end
  return counts
end

local function show(op)
  local text = ("%s %s of %.3f to %.3f s, %s"):format(op.kind, key_of(op), op.begun, op.ended,
    op.outcome)
  return op.error and op.error ~= "" and text .. " (" .. op.error .. ")" or text
end

-- ---- the checks: each adds its problems to a list ----

local checks = {}

local function check(title, fn)
  checks[#checks + 1] = { title = title, fn = fn }
end

check("the history is whole", function(history, problems)
  for _, line in ipairs(history.broken) do problems[#problems + 1] = "no record: " .. line end
  if #history.setup ~= 1 then problems[#problems + 1] = "it has no beginning" end
  if #history["end"] ~= 1 then problems[#problems + 1] = "it has no end" end
end)

check("operations have outcomes that there are, and no operation is there twice",
  function(history, problems)
    local seen = {}
    for _, op in ipairs(history.op) do
      local known = op.outcome == "ok"
        or WRITES[op.kind] and (op.outcome == "unapplied" or op.outcome == "ambiguous")
        or op.kind == "read" and op.outcome == "failed"
      if not known then problems[#problems + 1] = show(op) end
      if seen[key_of(op)] then problems[#problems + 1] = "twice: " .. show(op) end
      seen[key_of(op)] = true
    end
  end)

check("no read sees another sum of balances", function(history, problems)
  local setup = history.setup[1]
  for _, op in ipairs(history.op) do
    if op.kind == "read" and op.outcome == "ok"
      and op.values[1] ~= setup.accounts * setup.balance then
      problems[#problems + 1] = ("%s: %s"):format(show(op), tostring(op.values[1]))
    end
  end
end)

-- Calls fn(op, how often it is there).
local function each_write(history, fn)
  local counts = { item = count(history.item), ledger = count(history.ledger) }
  for _, op in ipairs(history.op) do
    local list = counts[WRITES[op.kind]]
    if list then fn(op, list[key_of(op)] or 0) end
  end
end

check("what was acknowledged is there", function(history, problems)
  each_write(history, function(op, times)
    if op.outcome == "ok" and times == 0 then problems[#problems + 1] = show(op) end
  end)
end)

check("nothing is there twice", function(history, problems)
  each_write(history, function(op, times)
    if times > 1 then problems[#problems + 1] = ("%d times: %s"):format(times, show(op)) end
  end)
end)

check("what was certainly not applied is not there", function(history, problems)
  each_write(history, function(op, times)
    if op.outcome == "unapplied" and times > 0 then problems[#problems + 1] = show(op) end
  end)
end)

check("nothing is there that nobody wrote", function(history, problems)
  local written = { item = {}, ledger = {} }
  for _, op in ipairs(history.op) do
    if WRITES[op.kind] then written[WRITES[op.kind]][key_of(op)] = true end
  end
  for what, keys in pairs(written) do
    for _, record in ipairs(history[what]) do
      local key = key_of(record)
      if not keys[key] then problems[#problems + 1] = what .. " " .. key end
    end
  end
end)

check("transfers are there as they were asked for", function(history, problems)
  local asked = {}
  for _, op in ipairs(history.op) do
    if op.kind == "transfer" then asked[key_of(op)] = op.values end
  end
  for _, record in ipairs(history.ledger) do
    local values = asked[key_of(record)]
    local fine = not values or values[1] == record.source and values[2] == record.target
      and values[3] == record.amount
    if not fine then problems[#problems + 1] = "ledger " .. key_of(record) end
  end
end)

check("balances are the sums of the ledger", function(history, problems)
  local setup, sums, seen = history.setup[1], {}, 0
  for account = 1, setup.accounts do sums[account] = setup.balance end
  for _, record in ipairs(history.ledger) do
    sums[record.source] = (sums[record.source] or 0) - record.amount
    sums[record.target] = (sums[record.target] or 0) + record.amount
  end
  for _, record in ipairs(history.balance) do
    seen = seen + 1
    if record.balance ~= sums[record.account] then
      problems[#problems + 1] = ("account %d has %d, not %s"):format(record.account,
        record.balance, tostring(sums[record.account]))
    end
  end
  if seen ~= setup.accounts then problems[#problems + 1] = seen .. " accounts are there" end
end)

check("once is ambiguous only when its time is over", function(history, problems)
  for _, op in ipairs(history.op) do
    if op.kind == "once" and op.outcome == "ambiguous"
      and op.ended - op.begun < op.timeout - EARLY then
      problems[#problems + 1] = show(op)
    end
  end
end)

check("no call outlasts its time", function(history, problems)
  for _, op in ipairs(history.op) do
    if TIMED[op.kind] and op.ended - op.begun > op.timeout + OVERRUN then
      problems[#problems + 1] = show(op)
    end
  end
end)

check("enough writes were acknowledged", function(history, problems, demanded)
  local writes = checker.acknowledged(history)
  if writes < demanded then
    problems[#problems + 1] = ("%d, not %d"):format(writes, demanded)
  end
end)

-- ---- all of them ----

--- How many writes were acknowledged.
-- @tparam table history
-- @treturn number
function checker.acknowledged(history)
  local writes = 0
  for _, op in ipairs(history.op) do
    if WRITES[op.kind] and op.outcome == "ok" then writes = writes + 1 end
  end
  return writes
end

--- Seconds without an acknowledged write, the longest of all times.
-- @tparam table history
-- @treturn number
function checker.longest_pause(history)
  local ends, longest = {}, 0
  for _, op in ipairs(history.op) do
    if WRITES[op.kind] and op.outcome == "ok" then ends[#ends + 1] = op.ended end
  end
  table.sort(ends)
  for i = 2, #ends do longest = math.max(longest, ends[i] - ends[i - 1]) end
  return longest
end

--- Checks.
-- @tparam table history as read
-- @tparam number demanded acknowledged writes, at least
-- @treturn table a list of checks: `title`, `problems` (a list of strings)
function checker.check(history, demanded)
  local results = {}
  for i, each in ipairs(checks) do
    local problems = {}
    results[i] = { title = each.title, problems = problems }
    if i > 1 and #history.setup ~= 1 then
      problems[1] = "the history has no beginning"
    else
      each.fn(history, problems, demanded)
    end
  end
  return results
end

return checker
