-- Pools: no slot is lost and none is taken twice, whatever fails.
local calls = require "spec.oom.calls"
local dqlite = require "dqlite"
local metrics = require "dqlite.metrics"
local once = require "dqlite.once"
local simulated = require "spec.support.simulated"

local scenario = calls.scenario

local INSERT = "INSERT INTO t VALUES (?)"

-- A pool with one connection that is idle.
local function opener(opts)
  return function()
    local server = calls.server {}
    local settings = { loop = server.loop, timeout = 0.05, max_size = 1 }
    for name, value in pairs(opts or {}) do settings[name] = value end
    return assert(dqlite.create_pool(server.address, settings)), server
  end
end

-- Without memory a stream may be left to the collector.
local function after(ok, pool, server)
  collectgarbage()
  local value, err = pool:fetchval "SELECT alive"
  if value ~= 7 and pool:is_open() then return "the next call answers " .. tostring(err) end
  local stats = pool:stats()
  if stats.in_use + stats.connecting + stats.waiting > 0 then
    return ("%d in use, %d on the way"):format(stats.in_use, stats.connecting)
  end
  if server.in_transaction and stats.connects == 1 then return "a transaction was left open" end
  pool:close(0)
  if pool:stats().size > 0 then return "a slot is left" end
  if ok and server.closed ~= server.connects then return "a stream is open" end
  local suffered = simulated.violations()
  if suffered[1] then return "a real server would have suffered: " .. suffered[1] end
end

local function pools(name, run, want, opts)
  return scenario(name, opener(opts), run, want, after)
end

local function acquire(pool)
  local conn, err = pool:acquire()
  if not conn then return nil, err end
  conn:release()
  return true
end

local function insert(conn)
  local done, err = conn:execute(INSERT, 1)
  if not done then return nil, err end
  return done.rows_affected
end

local quiet_report = function() end

return {
  scenario("create_pool", function() return calls.server {} end, function(server)
    local pool, err = dqlite.create_pool(server.address, { loop = server.loop, timeout = 0.05 })
    if not pool then return nil, err end
    pool:close(0)
    return pool:stats().size
  end, { 0 }, function(ok, server)
    if ok and server.closed ~= server.connects then return "a stream is open" end
  end),
  pools("acquire, release", acquire, { true }),
  pools("acquire, with init, setup and debug", acquire, { true }, {
    min_size = 0, debug = true, init = insert, setup = insert,
  }),
  pools("release with an open transaction", function(pool)
    return pool:with(function(conn)
      local tx, err = conn:begin()
      if not tx then return nil, err end
      return insert(conn)
    end)
  end, { 1 }),
  pools("with", function(pool) return pool:with(insert) end, { 1 }),
  calls.with("raises", pools("with: an error raised", function(pool)
    pool:with(function() error("no", 0) end)
  end, { "no" })),
  pools("pool:execute", function(pool) return insert(pool) end, { 1 }),
  pools("pool:fetch", function(pool) return pool:fetch "SELECT alive" end,
    { { { alive = 7 } } }),
  pools("pool:transaction", function(pool) return pool:transaction(insert) end, { 1 }),
  pools("pool:transaction: an error answered", function(pool)
    return pool:transaction(function() return nil, "no" end)
  end, calls.gives(nil, "no")),
  pools("stats", function(pool) return pool:stats().size end, { 1 }),
  pools("metrics", function(pool) return #metrics.text(pool:stats()) > 100 end, { true }),
  pools("on_event", function(pool) return pool:fetchval "SELECT alive" end, { 7 },
    { on_event = quiet_report, slow_query = 1e-9 }),
  calls.with("free", scenario("close", opener(), function(pool)
    return pool:close(0)
  end, { true }, function(_, pool)
    pool:close(0)
    if pool:stats().size > 0 then return "a slot is left" end
  end)),
  pools("forget_requests", function(pool) return once.forget(pool, 5) end, { 1 }),
}
