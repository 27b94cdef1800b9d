--- What a search comes to: who gets the session, and, when there is no leader, why
-- not, in words.
-- @module dqlite.search_outcome

local errors = require "dqlite.error"

local outcome = {}

local NODES_SHOWN, REASON_SHOWN = 20, 200 -- nodes, bytes of what each said
local SILENT = 0.25 -- seconds after which a node that is asked counts as one

local SHARED = { "database", "max_message_size", "redirect", "translate", "dial" }

--- Can the session that a search opens be one waiter's?
-- @tparam table search
-- @tparam table waiter
-- @treturn boolean
function outcome.suits(search, waiter)
  if search.opens ~= waiter.opens then return false end
  for _, name in ipairs(SHARED) do
    if search.settings[name] ~= waiter.settings[name] then return false end
  end
  return true
end

--- The error of a search that has nobody to ask.
-- @treturn table
function outcome.no_nodes()
  return errors.new { kind = "no_leader", message = "there is no node to ask: the store is empty" }
end

local function shorten(text)
  return #text > REASON_SHOWN and text:sub(1, REASON_SHOWN) .. "..." or text
end

local function reasons(search, now)
  local list = {}
  for i, node in ipairs(search.nodes) do
    if i > NODES_SHOWN then
      list[i] = ("and %d more nodes"):format(#search.nodes - NODES_SHOWN)
      break
    end
    local says = node.says
    if node.busy and not (says and now - node.asked < SILENT) then
      says = ("no answer for %.1f s"):format(now - node.asked)
    end
    list[i] = shorten(errors.visible(node.name)) .. ": " .. shorten(says or "was not asked yet")
  end
  return table.concat(list, "; ")
end

-- Those whose votes count: where roles are known, the voters.
local function count_voters(search, now)
  local voters, answering, known = 0, 0, false
  for _, node in ipairs(search.nodes) do known = known or node.role ~= nil end
  for _, node in ipairs(search.nodes) do
    if not known or node.role == "voter" then
      voters = voters + 1
      local silent = node.busy and now - node.asked > SILENT
      if node.answers and not silent then answering = answering + 1 end
    end
  end
  return voters, answering, known
end

local function quorum(search, now)
  local voters, answering, known = count_voters(search, now)
  local needed = math.floor(voters / 2) + 1
  if not known and answering > 0 then
    return ("%d of %d nodes %s, and know%s no others: not joined yet?"):format(answering, voters,
      answering == 1 and "answers" or "answer", answering == 1 and "s" or "")
  end
  if answering >= needed then
    return ("%d of %d voters answer, which is a quorum: an election may be going on"):format(
      answering, voters)
  end
  return ("the quorum is missing: %d of %d voters %s, %d are needed"):format(
    answering, voters, answering == 1 and "answers" or "answer", needed)
end

-- One node alone, which was asked in vain, or none, since none is known yet.
local function unanswered(node)
  return errors.new {
    kind = "timeout",
    message = node and "no answer in time" or "no answer in time, of the store either",
    address = node and node.address,
    fatal = true,
    retryable = true,
  }
end

--- The error of a search that has found no leader so far.
-- @tparam table search
-- @treturn table
function outcome.of(search)
  local first = search.nodes[1]
  if not first or search.lone and not first.has_answered then return unanswered(first) end
  local now = search.loop.now()
  return errors.new {
    kind = "no_leader",
    message = ("no leader was found in %.1f s (%s; %s)"):format(now - search.began,
      quorum(search, now), reasons(search, now)),
    fatal = true,
    retryable = true,
  }
end

return outcome
