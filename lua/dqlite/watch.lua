--- Minds the leader while an answer is overdue. A leader that is frozen or cut off
-- does not answer at all, and nothing on its socket tells; so the other nodes are
-- asked, and a different leader that confirms itself ends the calls that wait
-- (hazards.md, Leaders). One for each cluster; it costs nothing as long as answers
-- come in time.
-- @module dqlite.watch

local askers = require "dqlite.asker"
local coroutines = require "dqlite.loop.coroutines"
local later = require "dqlite.later"
local loops = require "dqlite.loops"
local routes = require "dqlite.routes"

local keepalive = later.require "dqlite.keepalive" -- nginx' alone

local watches = {}

local Watch = {}
Watch.__index = Watch

Watch.OVERDUE = 0.25 -- seconds without an answer until the watch begins

-- Seconds between two questions to a node: at first, and after a call that takes
-- LONG. Whom a node does not answer in time it is asked again.
local PAUSE, LONG_PAUSE, LONG, PATIENCE = 0.025, 0.25, 15, 1

local NODES = 10 -- that are asked

--- Makes one.
-- @tparam table cluster `names()` are to be asked; `forget(name, surely)`, `found(name)`
-- are told
-- @tparam table loop
-- @tparam table settings
-- @treturn table
function watches.new(cluster, loop, settings)
  return setmetatable({
    cluster = cluster,
    loop = loop,
    settings = settings,
    calls = setmetatable({}, { __mode = "k" }), -- deadlines by link, of overdue answers
    round = nil, -- the nodes that are asked because of them
  }, Watch)
end

-- ---- the verdict ----

-- Does another node that answers name somebody else? A leader that was cut off
-- believes for a while that it still is one.
local function is_contradicted(round, leader)
  for _, named in pairs(round.named) do
    if named ~= "" and named ~= leader then return true end
  end
  return false
end

-- Is a call waiting there? Its coroutine may have been closed, or never run again.
local function is_waiting(self, link, deadline)
  return link:is_open() and link.owner and not loops.is_dead(link.owner)
    and self.loop.now() < deadline
end

local function judge(self, round, leader)
  if is_contradicted(round, leader) then return end
  for link, deadline in pairs(self.calls) do
    if link.leader_name ~= leader and is_waiting(self, link, deadline) then
      self.cluster:found(leader)
      link:overtake(leader)
    end
  end
end

-- ---- asking ----

local function close(round)
  round.over = true
  for asker in pairs(round.askers) do asker:close() end
end

local function stop(self)
  if self.round then close(self.round) end
  self.round = nil
end

local function is_needed(self)
  for link, deadline in pairs(self.calls) do
    if is_waiting(self, link, deadline) then return true end
    self.calls[link] = nil
  end
  return false
end

local function pause(self, round)
  local now = self.loop.now()
  local seconds = now - round.began > LONG and LONG_PAUSE or PAUSE
  loops.pause(self.loop, loops.jitter(seconds))
end

local mind

local function ask_once(self, round, asker)
  local leader, is_self = asker:ask(self.loop.now() + PATIENCE)
  if round.over then return end
  round.named[asker.name] = leader
  if not leader or leader == "" then return end
  if is_self then judge(self, round, leader) else mind(self, round, leader) end
end

local function ask_on(self, round, asker)
  while not round.over and is_needed(self) do
    ask_once(self, round, asker)
    if not round.over then pause(self, round) end
  end
  asker:close()
  round.askers[asker] = nil
  if self.round == round and not round.over and not is_needed(self) then stop(self) end
end

-- Asks one more node.
function mind(self, round, name)
  if round.known[name] or round.count >= NODES then return end
  round.known[name] = true
  local address = routes.find(self.settings, name)
  if not address then return end
  round.count = round.count + 1
  local asker = askers.new(self.settings, name, address)
  round.askers[asker] = true
  self.loop.start(function()
    local ok, err = coroutines.pcall(ask_on, self, round, asker)
    if ok then return end
    asker:close()
    error(err, 0) -- the loop reports it
  end)
end

local function begin(self)
  local round = {
    began = self.loop.now(),
    over = false,
    askers = {},
    known = {}, -- names of nodes
    named = {}, -- whom each of them names as the leader, "" for none
    count = 0,
  }
  self.round = round
  local function mind_all()
    for _, name in ipairs(self.cluster:names()) do
      if not round.over then mind(self, round, name) end
    end
  end
  if self.loop.detach then self.loop.detach(mind_all) else mind_all() end
end

-- ---- for links ----

--- An answer is overdue.
-- @tparam table link
-- @tparam number deadline of the loop's now(), of the call that waits
function Watch:begin(link, deadline)
  self.calls[link] = deadline
  if not self.round then begin(self) end
end

--- It is not any more.
-- @tparam table link
function Watch:finish(link)
  self.calls[link] = nil
  if self.round and not is_needed(self) then stop(self) end
end

--- The link has ended by an error: its node may not lead any more.
-- @tparam table link
-- @tparam table err
function Watch:lost(link, err)
  if err.kind == "pool" then return end -- it was not dialled at all
  if link.keeping and err.kind == "not_leader" then keepalive.distrust(link.keeping) end
  self.cluster:forget(link.name, err.kind == "not_leader")
end

return watches
