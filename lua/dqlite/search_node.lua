--- A node that a search asks: when it is due, and what came of asking it.
-- @module dqlite.search_node

local errors = require "dqlite.error"
local loops = require "dqlite.loops"
local routes = require "dqlite.routes"

local nodes = {
  -- Kinds of errors that a node by itself gets over: it has no leader yet.
  RETRIED = { no_leader = true, not_leader = true },
}

local Node = {}
Node.__index = Node

-- Seconds between two questions to a node that answers: first, as long as a quick election
-- may take, when one is most likely to end, later; and to a node that does not answer.
local FIRST_PAUSE, BRISK, HASTY, ANSWERED, SILENT = 0.02, 0.03, 0.01, 0.1, 0.5
local ELECTION = 5
-- Who follows stands for election one to two seconds after the leader's last word (raft's
-- election timeout, as dqlite sets it).
local LIKELY_FROM, LIKELY_TO = 0.9, 2
local HASTE = 0.003 -- after the last question, to a node that others call the leader
local FOLLOWED = 0.1 -- after an answer that names a leader: that is asked first

local NO_LEADER = "the node knows no leader"

local RANKS = { voter = 1, standby = 3, spare = 4 }
local NO_ROLE = 2 -- its rank

local function new(name, role)
  return setmetatable({
    name = name,
    role = role,
    address = nil, -- to dial
    refused = nil, -- the error, when it is not to be dialled
    favoured = false, -- the leader, as far as anybody knows
    asks = false, -- its next question is LEADER alone
    told = false, -- has it named the nodes of the cluster?
    asker = nil, -- the connection for that
    link = nil, -- a session that is being opened
    busy = false, -- a question is under way
    asked = nil, -- when the last one began
    first_asked = nil, -- when the first one did
    due = 0, -- when the next one may
    pause = FIRST_PAUSE,
    tries = 0,
    answers = false, -- did it, the last time?
    has_answered = false, -- did it ever?
    says = nil, -- what came of it, in words
  }, Node)
end

--- Makes one. What is not to be dialled is never due.
-- @tparam table settings from dqlite.options
-- @tparam string name that the cluster knows it by
-- @tparam[opt] string role
-- @treturn table
function nodes.new(settings, name, role)
  local node = new(name, role)
  local address, err = routes.find(settings, name)
  node.address = address
  if not address then
    node.refused, node.due, node.says = err, math.huge, err.message
  end
  return node
end

--- Is none of them to be dialled?
-- @tparam table list
-- @treturn table|nil the error of the first of them
function nodes.all_refused(list)
  for _, node in ipairs(list) do
    if not node.refused then return nil end
  end
  return list[1].refused
end

--- A question begins.
-- @tparam number now
function Node:begin(now)
  self.busy, self.asked, self.tries = true, now, self.tries + 1
  self.first_asked = self.first_asked or now
end

local function longest_pause(self, now)
  if not self.answers then return SILENT end
  local since = now - self.first_asked
  if since >= ELECTION then return ANSWERED end
  return since >= LIKELY_FROM and since < LIKELY_TO and HASTY or BRISK
end

--- It has come to nothing.
-- @tparam number now
-- @tparam[opt] table err the error; nil for an answer that did not help
-- @tparam[opt] string hint the leader as the node names it
function Node:note(now, err, hint)
  self.answers = not err or nodes.RETRIED[err.kind] or false
  self.has_answered = self.has_answered or self.answers
  self.says = err and err.message or hint == "" and NO_LEADER
    or "the leader is " .. errors.visible(hint)
  self.asks, self.favoured = true, false
  self.due = now
  if hint == "" and self.tries == 1 then return end -- at once, for whom it knows
  self.due = now + loops.jitter(math.max(self.pause, hint and hint ~= "" and FOLLOWED or 0))
  self.pause = math.min(self.pause * 1.5, longest_pause(self, now))
end

--- Another node, or its own last answer, names it as the leader.
-- @tparam boolean by_itself is it its own, with nothing wrong?
function Node:hint(by_itself)
  if self.refused or self.busy or self.favoured then return end
  self.favoured, self.asks = true, false
  local haste = by_itself and 0 or self.answers and HASTE or FOLLOWED
  self.due = math.min(self.due, (self.asked or 0) + haste)
end

--- Gives up what is under way, and closes.
function Node:close()
  if self.asker then self.asker:close() end
  if self.link then self.link:close() end
  self.asker, self.link = nil, nil
end

local function rank(node)
  return node.favoured and 0 or RANKS[node.role] or NO_ROLE
end

--- The node to ask next, of those whose time has come: who may lead, then voters.
-- @tparam table list
-- @tparam number now
-- @treturn table|nil
function nodes.first_due(list, now)
  local best
  for _, node in ipairs(list) do
    if not node.busy and node.due <= now and (not best or rank(node) < rank(best)) then
      best = node
    end
  end
  return best
end

--- When a node is due that is not being asked.
-- @tparam table list
-- @treturn number
function nodes.next_due(list)
  local first = math.huge
  for _, node in ipairs(list) do
    if not node.busy and node.due < first then first = node.due end
  end
  return first
end

return nodes
