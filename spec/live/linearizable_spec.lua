-- Linearizable reads (the option `consistency`) while leaders change: none is older than
-- a write that was acknowledged before it began. Without the option one is.
-- FAILOVERS=n for another number of changes than in `make test`. Needs no
-- DQLITE_SERVERS.

local ask = require "spec.support.ask"
local cluster = require "spec.support.cluster"
local core = require "dqlite.core"
local dqlite = require "dqlite"
local eventually = require "spec.support.eventually"
local live = require "spec.support.live"
local proxy = require "spec.support.proxy"

local ROUNDS = tonumber(os.getenv "FAILOVERS") or 1 -- of all ways to lose a leader
local READ = "SELECT n FROM c"
local LINEARIZABLE = { consistency = "linearizable" }

local is_concurrent = live.is_concurrent
local READS = is_concurrent and 1000 or 250

-- A counter, who writes it, and who reads it.
local Trial = {}
Trial.__index = Trial

local function new_trial(three)
  local self = setmetatable({
    three = three,
    pool = assert(dqlite.create_pool(three:addresses(), { max_size = 4 })),
    admin = assert(dqlite.cluster(three:addresses())),
    directs = {}, -- connections to the node that led, past its proxy
    sent = 0, -- the value that was written last
    acknowledged = 0,
    reads = 0, -- that were answered
    refused = 0,
    wrong = {}, -- what must not be, in words
    over = false,
    tasks = {},
  }, Trial)
  assert(self.pool:execute "CREATE TABLE IF NOT EXISTS c (n INTEGER)")
  assert(self.pool:execute "DELETE FROM c")
  assert(self.pool:execute "INSERT INTO c VALUES (0)")
  return self
end

function Trial:write()
  self.sent = self.sent + 1
  local value = self.sent
  if self.pool:execute("UPDATE c SET n = ?", value) then self.acknowledged = value end
end

-- What a read answers is not to be older than what is known now.
function Trial:read(where)
  local known = self.acknowledged
  local value, err = where:fetchval(READ, {}, LINEARIZABLE)
  if value then
    self.reads = self.reads + 1
    if value < known then
      self.wrong[#self.wrong + 1] = ("%d was read after %d was acknowledged"):format(value, known)
    end
  else
    self.refused = self.refused + 1
    if err.ambiguous or not err.retryable then self.wrong[#self.wrong + 1] = tostring(err) end
  end
end

local DIRECT = { direct = true, timeout = 5 }

-- Connects to the leader itself, where one of these connections is lost.
function Trial:connect_direct(i)
  local conn = self.directs[i]
  if conn and conn:is_open() then return conn end
  local ok, leader = pcall(self.three.wait_for_leader, self.three)
  conn = ok and dqlite.connect(leader.inner, DIRECT)
  self.directs[i] = conn
  return conn
end

function Trial:read_direct(i)
  local conn = self:connect_direct(i)
  if conn then self:read(conn) end
end

-- ---- side by side, or in turns ----

-- Where nobody reads by itself.
function Trial:read_once(i)
  if not is_concurrent then self:read_direct(i) end
end

function Trial:spawn(method, arg)
  self.tasks[#self.tasks + 1] = dqlite.spawn(function()
    while not self.over do
      method(self, arg)
      dqlite.sleep(0.001)
    end
  end)
end

function Trial:start()
  self:connect_direct(1)
  self:connect_direct(2)
  if not is_concurrent then return end
  self:spawn(self.write)
  for _ = 1, 4 do self:spawn(self.read, self.pool) end
  for i = 1, 2 do self:spawn(self.read_direct, i) end
end

-- Goes on for a while: until so many writes more were acknowledged.
function Trial:proceed(writes)
  local target = self.acknowledged + writes
  eventually("writes go on", function()
    if not is_concurrent then self:write() end
    return self.acknowledged >= target
  end)
end

function Trial:read_until(count)
  eventually("enough is read", function()
    if not is_concurrent then
      self:write()
      self:read(self.pool)
      self:read_direct(1)
      self:read_direct(2)
    end
    return self.reads >= count
  end)
end

function Trial:finish()
  self.over = true
  for _, task in ipairs(self.tasks) do task:wait() end
  for _, conn in pairs(self.directs) do if conn then conn:close() end end
  self.pool:close(0)
end

-- ---- ways to lose a leader ----

-- A node that was frozen comes back as a new process: 1.11.1 may never vote again.
local function revive(node)
  node:kill()
  node:restart()
end

local WAYS = {}

function WAYS.transfer(trial, _, followers)
  eventually("the leadership is given away", function() -- to one that is up to date
    return trial.admin:transfer(followers[1].id)
  end)
  trial:proceed(10)
end

function WAYS.kill(trial, leader)
  leader:kill()
  trial:proceed(10)
  leader:restart()
end

function WAYS.freeze(trial, leader)
  leader:freeze()
  trial:proceed(10)
  leader:thaw()
  trial:read_once(1)
  trial:proceed(10)
  revive(leader)
end

-- Does it believe that it leads?
local function claims(node)
  local answer = ask(node.inner, "LEADER")
  return answer and answer.address == node.address
end

-- Takes a leader away from the others, while they elect another one, and lets it go on
-- without a word of them.
local function isolate(leader, meanwhile)
  leader.proxy:black_hole()
  leader:freeze()
  meanwhile()
  leader:thaw()
end

function WAYS.isolate(trial, leader)
  isolate(leader, function() trial:proceed(10) end)
  eventually("it knows that it leads no more", function()
    trial:read_once(1)
    return not claims(leader)
  end)
  leader:kill()
  leader.proxy:pass()
  leader:restart()
end

local ORDER = { "transfer", "kill", "isolate", "freeze" }

describe("a read while leaders change", function()
  local three, trial

  before_each(function() three = cluster.start { cuttable = true } end)
  after_each(function()
    if trial then trial:finish() end
    trial = nil
    cluster.stop_all()
    proxy.stop_all()
  end)

  it("is never older than what was acknowledged, when it is linearizable", function()
    trial = new_trial(three)
    local began = core.now()
    trial:start()
    for round = 1, ROUNDS do
      for i, name in ipairs(ORDER) do
        local leader = three:settle()
        WAYS[name](trial, leader, three:followers())
        trial:read_until(((round - 1) * #ORDER + i) * READS / ROUNDS / #ORDER)
      end
    end
    trial:finish()
    print(("%d linearizable reads and %d that were refused in %.1f s, %d writes"):format(
      trial.reads, trial.refused, core.now() - began, trial.acknowledged))
    assert.is_nil(trial.wrong[1])
    assert.is_true(trial.reads >= READS)
  end)

  it("may be older, unless it is linearizable", function()
    local pool = assert(dqlite.create_pool(three:addresses()))
    assert(pool:script "CREATE TABLE c (n INTEGER); INSERT INTO c VALUES (1)")
    local leader = three:settle()
    local plain = assert(dqlite.connect(leader.inner, DIRECT))
    local strict = assert(dqlite.connect(leader.inner, DIRECT))
    assert.equal(1, plain:fetchval(READ))
    assert.equal(1, strict:fetchval(READ, {}, LINEARIZABLE))
    isolate(leader, function()
      eventually("another one leads, and is written to", function()
        return pool:execute "UPDATE c SET n = 2"
      end)
    end)
    local stale = plain:fetchval(READ) -- it has not heard of the other one
    local value, err = strict:fetchval(READ, {}, LINEARIZABLE)
    local fresh = pool:fetchval(READ, {}, LINEARIZABLE)
    plain:close()
    strict:close()
    pool:close()
    assert.equal(1, stale)
    assert.is_nil(value)
    assert.is_true(err.retryable, tostring(err))
    assert.is_false(err.ambiguous)
    assert.equal(2, fresh)
  end)
end)
