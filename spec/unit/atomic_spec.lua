-- Transactions of random shape against a server that rolls back when it likes:
-- what a transaction answered with success is durable, all of it and in order,
-- and of what it answered with an error nothing is.
local scripted = require "spec.support.scripted"
local simulated = require "spec.support.simulated"

local STOP = { scripted.failure(1811, "stop") }
local BUSY = { scripted.failure(5, "database is locked") }

-- Numbers that are the same on every Lua.
local function numbers(seed)
  return function(n)
    seed = (seed * 16807) % 2147483647
    return seed % n + 1
  end
end

local Run = {}
Run.__index = Run

-- A text of its own for each write, so that what is durable can be told.
function Run:text()
  self.count = self.count + 1
  return ("INSERT INTO t VALUES (%d)"):format(self.count)
end

local function write(self, conn, unit)
  local text = self:text()
  if conn:execute(text) then unit[#unit + 1] = text end
end

local STEPS = {
  write,
  write,
  function(self, conn, unit)
    local text = self:text() .. " RETURNING a"
    if conn:fetch(text) then unit[#unit + 1] = text end
  end,
  function(self, conn, unit)
    local text = self:text():gsub("%)$", " + ?)")
    if not conn:executemany(text, { { 1 }, { 2 }, { 3 } }) then return end
    for _ = 1, 3 do unit[#unit + 1] = text end
  end,
  function(self, conn, unit)
    local list = { { self:text() }, { "SELECT 1" }, { self:text() } }
    local results = conn:pipeline(list) or {}
    for i = 1, 3, 2 do
      if results[i] and not results[i].error then unit[#unit + 1] = list[i][1] end
    end
  end,
  function(self, conn, unit)
    local one, two = self:text(), self:text()
    if not conn:script(one .. ";" .. two) then return end
    unit[#unit + 1], unit[#unit + 2] = one, two
  end,
  function(self, conn, unit)
    local statement = conn:prepare "INSERT INTO p VALUES (?)"
    if not statement then return end
    if statement:execute(self.count) then unit[#unit + 1] = "INSERT INTO p VALUES (?)" end
    statement:close()
  end,
  function(_, conn) conn:execute "DELETE FROM stops" end,
  function(_, conn) conn:execute "DELETE FROM locked" end,
  function(_, conn) conn:execute "INSERT OR ROLLBACK INTO ends VALUES (1)" end,
  function(_, conn) conn:executemany("INSERT OR ROLLBACK INTO ends VALUES (?)", { { 1 } }) end,
  function(_, conn) conn:pipeline { { "SELECT 1" }, { "DELETE FROM stops" } } end,
  function(_, conn) conn:rows "SELECT a FROM many"() end,
  function(_, conn) conn:fetch "SELECT 1" end,
}

local OUTCOMES = {
  function() return true end,
  function() return true end,
  function() return true end,
  function() return nil, "no" end,
  function() error("raised", 0) end,
}

-- Runs a transaction; answers whether it kept what it did. A success adds its
-- writes to the unit around it.
function Run:transaction(conn, around, depth)
  local unit, pick = {}, self.pick
  local ok, result = pcall(conn.transaction, conn, function()
    for _ = 1, pick(4) do
      if depth < 3 and pick(4) == 1 then
        self:transaction(conn, unit, depth + 1)
      else
        STEPS[pick(#STEPS)](self, conn, unit)
      end
    end
    return OUTCOMES[pick(#OUTCOMES)]()
  end, { on_error = pick(2) == 1 and "commit" or nil })
  if not ok or not result then return false end
  for _, text in ipairs(unit) do around[#around + 1] = text end
  return true
end

local function plan(server)
  local function ends()
    server:roll_back()
    return STOP
  end
  server:on("DELETE FROM stops", STOP)
  server:on("DELETE FROM locked", BUSY)
  server:on("INSERT OR ROLLBACK INTO ends VALUES (1)", ends)
  server:on("INSERT OR ROLLBACK INTO ends VALUES (?)", ends)
  server:on("SELECT a FROM many", {
    scripted.rows { columns = { "a" }, { 1 }, more = true },
    scripted.rows { columns = { "a" }, { 2 } },
  })
end

local function run(seed, version)
  local conn, server = simulated.open(version, { busy_timeout = 0, statement_cache = 3 })
  plan(server)
  local self = setmetatable({ pick = numbers(seed), count = 0 }, Run)
  local expected, kept = {}, 0
  for _ = 1, 6 do
    if self:transaction(conn, expected, 1) then kept = kept + 1 end
    assert.is_true(conn:is_open())
    assert.is_false(server.in_transaction, seed)
    assert.is_false(conn:in_transaction(), seed)
    assert.same(expected, server.applied, seed)
  end
  return kept
end

describe("any transaction", function()
  after_each(simulated.verify)

  for _, version in ipairs { "1.11.1", "1.14", "1.18.6" } do
    it("is durable as a whole or not at all, on " .. version, function()
      local kept, seeds = 0, 60
      for seed = 1, seeds do kept = kept + run(seed * 7919, version) end
      -- the specs would prove little if nothing, or everything, succeeded
      assert.is_true(kept > seeds and kept < 5 * seeds, kept)
    end)
  end
end)
