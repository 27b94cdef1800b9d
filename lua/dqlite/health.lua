--- How the nodes of a cluster are: all are asked at once.
-- @module dqlite.health

local ask = require "dqlite.ask"
local calls = require "dqlite.node_calls"
local coroutines = require "dqlite.loop.coroutines"
local links = require "dqlite.link"
local loops = require "dqlite.loops"
local routes = require "dqlite.routes"

-- What one node answers, into its report.
local function examine(report, link, deadline)
  local server, err = ask.request(link, "LEADER", {}, deadline)
  if not server then return err end
  report.answers = true
  local leader, wrong = ask.named(link, server)
  if not leader then return wrong end
  if leader ~= "" then report.leader = leader end
  report.leads = leader ~= "" and routes.is_self(link, report.settings, leader)
  local nodes, unknown = calls.nodes(link, deadline)
  if not nodes then return unknown end
  report.nodes = nodes
  local described, failed = calls.describe(link, deadline)
  if not described then return failed end
  report.failure_domain, report.weight = described.failure_domain, described.weight
end

local function visit(report, loop)
  local settings, began = report.settings, loop.now()
  local deadline = began + settings.connect_timeout
  local address, link, err, ok
  address, err = routes.find(settings, report.address)
  if address then link, err = links.new(address, settings, report.address) end
  if link then ok, err = link:dial(deadline) end
  if ok then err = examine(report, link, deadline) end
  if link then link:close() end
  report.seconds = report.answers and loop.now() - began or nil
  report.error = err
end

local function begin(self, node)
  local report = {
    address = node.address,
    id = node.id,
    role = node.role,
    settings = self.settings,
    answers = false,
    leads = false,
    leader = nil, -- whom it names
    seconds = nil,
    failure_domain = nil,
    weight = nil,
    error = nil,
  }
  self.by_name[node.address] = report
  self.reports[#self.reports + 1] = report
  self.open = self.open + 1
  local function run()
    local ok, err = coroutines.pcall(visit, report, self.loop)
    if not ok then self.raised = { err } end
    self.open = self.open - 1
    self.ended:signal()
  end
  if self.loop.start then self.loop.start(run) else run() end
end

-- Who knows the nodes: the leader does; where none answers, each may know of some.
local function witnesses(self)
  local all = {}
  for i, report in ipairs(self.reports) do
    if report.leads then return { report } end
    all[i] = report
  end
  return all
end

-- Those that were named are asked as well. Answers whether there are any.
local function add_named(self)
  local added = false
  for _, witness in ipairs(witnesses(self)) do
    for _, node in ipairs(witness.nodes or {}) do
      local report = self.by_name[node.address]
      if report then
        report.id, report.role = node.id, node.role
      else
        begin(self, node)
        added = true
      end
    end
  end
  return added
end

local function count(self)
  local summary = { nodes = self.reports, voters = 0, answering = 0, leader = nil, quorum = false }
  for _, report in ipairs(self.reports) do
    if report.role == "voter" or report.role == nil then
      summary.voters = summary.voters + 1
      if report.answers then summary.answering = summary.answering + 1 end
    end
    if report.leads then summary.leader = report.leader end
    report.settings, report.nodes, report.leads = nil, nil, nil
  end
  summary.quorum = summary.answering > summary.voters / 2
  return summary
end

--- Asks all nodes.
-- @tparam table settings from dqlite.options
-- @tparam table loop
-- @tparam table list of nodes: address, id, role
-- @treturn table as cluster:health
return function(settings, loop, list)
  local self = {
    settings = settings,
    loop = loop,
    reports = {},
    by_name = {},
    open = 0, -- questions under way
    ended = loops.cond(loop),
    raised = nil,
  }
  for _, node in ipairs(list) do begin(self, node) end
  repeat
    while self.open > 0 do self.ended:wait(math.huge) end
  until not add_named(self)
  if self.raised then error(self.raised[1], 0) end
  return count(self)
end
