--- One search for the leader, for all who wait for it. Nodes are asked one after
-- the other with a short stagger, or at once when an answer is of no use; a node
-- that hangs holds nobody up. Whom a node names is asked as well, and has to name
-- itself. The socket of the probe that finds the leader becomes the session.
-- Nodes that know no leader are asked again, with pauses, until nobody waits.
--
-- A probe opens the database with its first question, since a node that leads
-- answers that at once. Later questions are LEADER alone (dqlite.asker), and the
-- first of these comes with CLUSTER: a standby knows who the others are, not who
-- leads (hazards.md, Leaders); a spare that has never been more knows neither.
-- @module dqlite.search

local askers = require "dqlite.asker"
local coroutines = require "dqlite.loop.coroutines"
local errors = require "dqlite.error"
local links = require "dqlite.link"
local loops = require "dqlite.loops"
local member = require "dqlite.member"
local nodes = require "dqlite.search_node"
local open = require "dqlite.open"
local outcome = require "dqlite.search_outcome"

local searches = {}

local Search = {}
Search.__index = Search

local STAGGER = 0.025 -- seconds until the next node is asked as well
local PROBES = 10 -- at once
local NODES = 10000 -- that are known, at most

--- A search; it begins when somebody joins it.
-- @tparam table cluster `known(search)` gives what to begin with; `learn(members)`,
-- `found(name)`, `wants_members()` are told, and asked
-- @tparam table loop
-- @tparam table settings of who begins it, from dqlite.options
-- @tparam boolean opens shall probes open the database?
-- @treturn table
function searches.new(cluster, loop, settings, opens)
  return setmetatable({
    cluster = cluster,
    loop = loop,
    settings = settings,
    opens = opens,
    began = loop.now(),
    deadline = 0, -- of those who wait, the last one's
    news = loops.cond(loop), -- that a probe has ended
    nodes = {}, -- in the order of coming
    by_name = {},
    by_address = {}, -- that is dialled
    lone = false, -- there is one node to ask, and nobody else is to be looked for
    asked = nil, -- what a node has answered before it began
    refusal = nil, -- the error of the last address that the policy refused
    in_flight = 0, -- probes
    next_start = 0, -- when the next probe may begin
    inline = not loop.start or loop.is_alone and loop.is_alone() or false, -- see `run`
    waiters = {},
    running = false,
    over = false,
    failed = nil, -- the error that it has ended with
    has_raised = false, -- was anything raised in it?
    raised = nil, -- that
  }, Search)
end

-- ---- the end ----

-- Tells all who wait. Again it does what was left when memory ran out.
local function finish(self)
  self.over = true
  local waiters = self.waiters
  for i = 1, #waiters do
    waiters[i].done = true
    waiters[i].cond:signal()
  end
  for i = #waiters, 1, -1 do waiters[i] = nil end
  self.cluster:ended(self)
  for _, node in ipairs(self.nodes) do node:close() end
  self.news:signal()
end

local function fail(self, err)
  if self.over then return end
  self.failed = err
  finish(self)
end

-- The session is for one of those who want the same; the others dial the leader.
local function hand_out(self, link)
  if self.loop.detach then return link:close() end -- it is of use here alone
  for _, waiter in ipairs(self.waiters) do
    if outcome.suits(self, waiter) then
      waiter.link = link
      return
    end
  end
  link:close()
end

local function succeed(self, node, link)
  self.cluster:found(node.name)
  if link.members then self.cluster:learn(link.members) end
  for _, waiter in ipairs(self.waiters) do waiter.leader = node.name end
  hand_out(self, link)
  finish(self)
end

-- ---- nodes ----

--- Adds a node to be asked, if it is not known and the policy allows it.
-- @tparam string name that the cluster knows it by
-- @tparam[opt] string role
-- @treturn table|nil nil when there are too many
function Search:add(name, role)
  local node = self.by_name[name]
  if node then
    node.role = role or node.role
    return node
  end
  if #self.nodes >= NODES then return nil end
  node = nodes.new(self.settings, name, role)
  local other = node.address and self.by_address[node.address]
  self.by_name[name] = other or node
  if other then
    other.role = role or other.role
    return other
  end
  self.nodes[#self.nodes + 1] = node
  if node.address then self.by_address[node.address] = node end
  self.lone = self.lone and #self.nodes == 1
  return node
end

--- Adds what a node has said of the cluster.
-- @tparam table members from dqlite.cluster
function Search:learn(members)
  for _, each in ipairs(members) do self:add(each.address, each.role) end
end

-- Has every node been asked, to no avail, and is none of use any more but for what
-- the policy refuses?
local function is_refused(self)
  if not self.refusal or self.in_flight > 0 then return false end
  for _, node in ipairs(self.nodes) do
    if not node.refused and node.tries == 0 then return false end
  end
  return true
end

-- Asks whom a node names, though it may have failed otherwise. What is no address is the
-- node's own fault.
local function follow(self, node, hint, failed)
  local valid, reason = member.address(hint)
  if not valid then
    node.says = "it names no leader that could be dialled: " .. reason
    return
  end
  local named = self:add(hint)
  if not named then return end
  if named.refused and named.refused.kind == "policy" then self.refusal = named.refused end
  named:hint(named == node and not failed)
end

-- ---- probes ----

-- The first question to a node: a session if it leads.
local function open_session(self, node)
  local link, wrong = links.new(node.address, self.settings, node.name)
  if not link then return nil, wrong end
  node.link = link
  local opened, err, hint =
    open.session(link, self.settings, self.deadline, self.cluster:wants_members())
  node.link = nil
  if opened then return link end
  return nil, err, err.kind == "no_leader" and "" or hint
end

-- Later ones. Who leads by now is asked for a session next.
local function ask_again(self, node)
  local wants_members = not node.told
  node.asker = node.asker or askers.new(self.settings, node.name, node.address)
  local asker = node.asker
  local deadline = math.min(self.deadline, self.loop.now() + self.settings.connect_timeout)
  local leader, err = asker:ask(deadline, wants_members)
  if not leader then
    asker:close()
    node.asker = nil
    return nil, err
  end
  if wants_members and asker.members then
    node.told = #asker.members > 0
    self.cluster:learn(asker.members)
    if not self.over then self:learn(asker.members) end
  end
  local is_self = err
  if is_self and not self.opens then
    node.asker = nil
    return asker:take()
  end
  return nil, nil, is_self and node.name or leader
end

-- A node that leads but refuses what was asked will go on refusing. One node alone
-- is not waited for unless it has ever answered.
local function is_final(self, node, err)
  return err.kind == "sql" or err.kind == "value" or self.lone and not node.has_answered
end

-- That is for those who want the same; what the others want may be had.
local function refuse(self, node, err)
  for _, waiter in ipairs(self.waiters) do
    if err.kind == "sql" and not outcome.suits(self, waiter) then waiter.leader = node.name end
  end
  fail(self, err)
end

local function note(self, node, err, hint)
  local now = self.loop.now()
  node:note(now, err, hint)
  self.next_start = now
  self.cluster:forget(node.name)
  if hint and hint ~= "" then follow(self, node, hint, err ~= nil) end
  if err and is_final(self, node, err) then
    refuse(self, node, err)
  elseif is_refused(self) then
    fail(self, self.refusal)
  end
end

local function probe(self, node)
  if self.over then return end -- before its turn came
  local opens = self.opens and not node.asks
  local link, err, hint = (opens and open_session or ask_again)(self, node)
  node.busy, self.in_flight = false, self.in_flight - 1
  if self.over then
    if link then link:close() end
  elseif link then
    succeed(self, node, link)
  else
    note(self, node, err, hint)
  end
end

local function guarded(self, fn, ...)
  local ok, err = coroutines.pcall(fn, ...)
  if ok then return end
  if not self.over then self.has_raised, self.raised = true, err end
  finish(self)
end

-- Without a loop a coroutine costs system calls, which one node alone is not worth.
local function run(self, fn)
  if self.inline and (not self.loop.start or #self.nodes == 1) then return fn() end
  self.loop.start(fn)
end

local function start(self, node)
  local now = self.loop.now()
  node:begin(now)
  self.in_flight, self.next_start = self.in_flight + 1, now + STAGGER
  run(self, function()
    guarded(self, probe, self, node)
    self.news:signal()
  end)
end

-- ---- the whole ----

local function next_node(self, now)
  if self.in_flight >= PROBES or now < self.next_start then return nil end
  return nodes.first_due(self.nodes, now)
end

local function rest(self, now)
  local wake = nodes.next_due(self.nodes)
  if wake < self.next_start then wake = self.next_start end
  if self.in_flight >= PROBES then wake = math.huge end
  wake = math.min(wake, self.deadline)
  if wake <= now then return end
  if self.inline and self.in_flight == 0 then return loops.pause(self.loop, wake - now) end
  self.news:wait(wake)
end

--- Somebody has asked a node already, and found no leader. A search that goes on need not
-- know.
-- @tparam string name of the node
-- @tparam table err what came of it
-- @tparam string|nil hint the leader as the node names it; "": it knows none
function Search:told(name, err, hint)
  if not self.running then self.asked = { name = name, err = err, hint = hint } end
end

local function note_asked(self, asked)
  local node = self:add(asked.name)
  node:begin(self.loop.now())
  node.busy = false
  note(self, node, asked.err, asked.hint)
end

local function search(self)
  local unread = self.cluster:begin(self)
  if self.asked and not self.over then note_asked(self, self.asked) end
  if self.over then return end
  if #self.nodes == 0 then return fail(self, unread or outcome.no_nodes()) end
  local refused = nodes.all_refused(self.nodes)
  if refused then return fail(self, refused) end
  while not self.over do
    local now = self.loop.now()
    if now >= self.deadline then return fail(self, self:failure()) end
    local node = next_node(self, now)
    if node then start(self, node) else rest(self, now) end
  end
end

--- What the search has found out, as an error.
-- @treturn table
function Search:failure()
  return outcome.of(self)
end

-- Somebody will not take what the search finds, or has found for him.
local function leave(self, waiter)
  if waiter.link then waiter.link:close() end
  for i, each in ipairs(self.waiters) do
    if each == waiter then table.remove(self.waiters, i) end
  end
  if #self.waiters == 0 and not self.over then fail(self, self:failure()) end
end

local function wait(self, waiter)
  while not (self.inline or waiter.done) and self.loop.now() < waiter.deadline do
    local _, kind, reason = waiter.cond:wait(waiter.deadline)
    if kind == "misuse" then
      leave(self, waiter)
      errors.misuse(reason)
    end
  end
end

--- Waits for what the search finds; begins it if need be.
-- @tparam number deadline of the loop's now()
-- @tparam table settings of who waits
-- @tparam boolean opens does it want a session?
-- @treturn table|nil a link: a session, or one that only asked who leads
-- @treturn string|nil the leader's name
-- @treturn table|nil the error when there is neither
function Search:join(deadline, settings, opens)
  local waiter
  waiter = {
    cond = loops.cond(self.loop, function() leave(self, waiter) end),
    deadline = deadline,
    settings = settings,
    opens = opens,
    done = false,
    link = nil,
    leader = nil,
  }
  self.waiters[#self.waiters + 1] = waiter
  self.deadline = math.max(self.deadline, deadline)
  if not self.running then
    local function begin()
      self.running = true
      guarded(self, search, self)
    end
    local run_beside = self.loop.detach or self.loop.start
    if self.inline then begin() else run_beside(begin) end
    self.running = true -- also what has not begun yet
  end
  wait(self, waiter)
  if not waiter.done then
    local err = self:failure()
    leave(self, waiter)
    return nil, nil, err
  end
  local link = waiter.link
  waiter.link = nil -- what the loop still has of the wait is not to hold it
  if self.has_raised then error(self.raised, 0) end
  if waiter.leader then return link, waiter.leader end
  return nil, nil, self.failed
end

return searches
