-- More coroutines than a pool has connections, all of them writing: none fails, and
-- each row is there once. INSERTS=n for another number of each than in `make test`.
local cluster = require "spec.support.cluster"
local dqlite = require "dqlite"
local live = require "spec.support.live"

local COROUTINES, CONNECTIONS = 64, 8
local INSERTS = tonumber(os.getenv "INSERTS") or 20

-- Inserts what no other coroutine inserts.
local function insert_all(pool, me)
  for turn = 1, INSERTS do
    local done, err = pool:execute("INSERT INTO t VALUES (?)", (me - 1) * INSERTS + turn)
    if not done then return tostring(err) end
  end
end

-- Asserts that all of it succeeds, with what a pool does by default.
local function check(pool)
  assert(pool:execute "CREATE TABLE t (a INTEGER)")
  local tasks, failures, most = {}, {}, 0
  for i = 1, COROUTINES do tasks[i] = dqlite.spawn(insert_all, pool, i) end
  for _, task in ipairs(tasks) do
    failures[#failures + 1] = task:wait()
    most = math.max(most, pool:stats().size)
  end
  assert.same({}, failures)
  local expected = {}
  for i = 1, COROUTINES * INSERTS do expected[i] = i end
  assert.same(expected, pool:fetchcol "SELECT a FROM t ORDER BY a")
  local stats = pool:stats()
  assert.equal(CONNECTIONS, most)
  assert.equal(CONNECTIONS, stats.connects)
  assert.same({ 0, 0, 0, 0 }, { stats.in_use, stats.waiting, stats.retries, stats.timeouts })
end

describe("64 coroutines that insert through 8 connections", function()
  local pool

  after_each(function()
    if pool then pool:close() end
    pool = nil
    cluster.stop_all()
  end)

  live.each("to one server", function(server)
    it("all succeed, once each", function()
      pool = assert(dqlite.create_pool(server.address, {
        max_size = CONNECTIONS,
        database = server.database,
      }))
      check(pool)
    end)
  end)

  it("to a cluster all succeed, once each", function()
    pool = assert(dqlite.create_pool(cluster.start():addresses(), { max_size = CONNECTIONS }))
    check(pool)
  end)
end)
