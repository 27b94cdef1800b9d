-- How soon a program that writes without a pause can write again once another node
-- leads: when the old leader was killed, frozen, or cut off. FAILOVERS=n for another
-- number of each than in `make test`, where the limits are wide: other suites run
-- beside it. Needs no DQLITE_SERVERS.

local cluster = require "spec.support.cluster"
local core = require "dqlite.core"
local dqlite = require "dqlite"
local eventually = require "spec.support.eventually"
local live = require "spec.support.live"
local observers = require "spec.support.observer"
local proxy = require "spec.support.proxy"
local scratch = require "spec.support.scratch"

local ROUNDS = tonumber(os.getenv "FAILOVERS") or 1
local ENOUGH = 5 -- rounds that a median is taken of
local MEDIAN = 0.05 -- seconds from the observer's word to a write
local WORST = ROUNDS >= ENOUGH and 0.3 or 3
local WRITERS = live.is_concurrent and 16 or 1 -- where nothing runs at once
local WARM = 100 -- writes before the leader is struck

local Load = {}
Load.__index = Load

-- Writers on a pool, until `over`.
local function new_load(addresses)
  local self = setmetatable({
    pool = nil,
    struck = nil, -- the address of the leader that was
    first = nil, -- when the first write after that was answered by another node
    over = false,
    tried = 0, -- values that were sent, from 1
    kept = {}, -- those that were acknowledged, as keys
    doubtful = {}, -- those that may have been applied, likewise
    failures = {}, -- other errors, in words
    tasks = {},
  }, Load)
  self.pool = assert(dqlite.create_pool(addresses, {
    max_size = 8,
    on_event = function(event) self:note(event) end,
  }))
  assert(self.pool:execute "CREATE TABLE IF NOT EXISTS t (a INTEGER)")
  assert(self.pool:execute "DELETE FROM t")
  return self
end

function Load:note(event)
  if event.name ~= "query_end" or event.error or self.first then return end
  if self.struck and event.address ~= self.struck then self.first = core.now() end
end

function Load:write()
  self.tried = self.tried + 1
  local value = self.tried
  local done, err = self.pool:execute("INSERT INTO t VALUES (?)", value)
  if done then
    self.kept[value] = true
  elseif err.ambiguous then
    self.doubtful[value] = true
  else
    self.failures[#self.failures + 1] = tostring(err)
  end
end

-- Where nothing runs at once it is this that writes.
local function write_until(self, what, is_so)
  eventually(what, function()
    if WRITERS == 1 then self:write() end
    return is_so()
  end)
end

function Load:start()
  if WRITERS == 1 then return end
  for i = 1, WRITERS do
    self.tasks[i] = dqlite.spawn(function()
      while not self.over do self:write() end
    end)
  end
end

function Load:warm_up()
  write_until(self, "much is written", function() return self.tried >= WARM end)
end

-- Goes on until writes succeed again, and ends.
function Load:finish()
  write_until(self, "a write succeeds on another node", function() return self.first end)
  self.over = true
  for _, task in ipairs(self.tasks) do task:wait() end
end

-- Asserts that no write is lost, none was applied twice, and none failed but those
-- that are in doubt.
function Load:check()
  assert.same({}, self.failures)
  local seen = {}
  for _, value in ipairs(assert(self.pool:fetchcol "SELECT a FROM t")) do
    assert.is_nil(seen[value], ("%d was applied twice"):format(value))
    assert.is_true(self.kept[value] or self.doubtful[value] or false)
    seen[value] = true
  end
  for value in pairs(self.kept) do
    assert.is_true(seen[value], ("%d was acknowledged, and is lost"):format(value))
  end
end

local function median(list)
  table.sort(list)
  return list[math.floor(#list / 2) + 1]
end

local function shown(seconds)
  return ("%.0f ms"):format(seconds * 1000)
end

describe("writes on a pool go on", function()
  local place, three, load, observer

  setup(function() place = scratch.new() end)
  after_each(function()
    if observer then observer:stop() end
    if load then
      load.over = true
      load.pool:close(0)
    end
    load, observer = nil, nil
    cluster.stop_all()
    proxy.stop_all()
  end)
  teardown(function() place:close() end)

  -- Seconds from the observer's word to a write; 0 for one that came before.
  local function fail_over(strike)
    local leader, followers = three:settle(), three:followers()
    load = new_load(three:addresses())
    load:start()
    load:warm_up()
    observer = observers.start(place, followers, "all")
    load.struck = leader.address
    strike(leader)
    load:finish()
    local seen = observer:seen()
    observer:stop()
    load:check()
    load.pool:close(0)
    return math.max(0, load.first - seen.at)
  end

  -- A node that was struck comes back as a new process: 1.11.1 may never vote again
  -- after it was frozen.
  local function recover(leader)
    if leader.proxy then leader.proxy:pass() end
    leader:kill()
    leader:restart()
  end

  local function measure(name, opts, strike)
    it("soon after " .. name, function()
      three = cluster.start(opts)
      local list, old = {}, nil
      for i = 1, ROUNDS do
        list[i] = fail_over(function(leader)
          old = leader
          strike(leader)
        end)
        if i < ROUNDS then recover(old) end
      end
      local middle, worst = median(list), list[#list]
      print(("failover after %s: median %s, worst %s of %d"):format(name, shown(middle),
        shown(worst), ROUNDS))
      assert.is_true(worst <= WORST, shown(worst))
      if ROUNDS >= ENOUGH then assert.is_true(middle <= MEDIAN, shown(middle)) end
    end)
  end

  measure("kill -9", {}, function(leader) leader:kill() end)
  measure("SIGSTOP", {}, function(leader) leader:freeze() end)
  measure("a cut", { cuttable = true }, function(leader) leader.proxy:black_hole() end)
end)
