-- The loop of a host: a step that lacks memory may come again.
local core = require "dqlite.core"
local dqlite = require "dqlite"
local new_server = require "spec.oom.peered"
local oom = require "oom"
local parking = require "dqlite.loop.parking"
local simulated = require "spec.support.simulated"

parking.report = function() end -- a task that lacks memory says so, hundreds of times

local NO_MEMORY = "not enough memory"
local PATIENCE = 5 -- seconds

local INSERT = "INSERT INTO t VALUES (?)"

-- Takes steps until something is over; whether it is.
local function drive(server, host, is_over)
  local deadline = core.now() + PATIENCE
  local more = true
  while more and not is_over() do
    assert(core.now() < deadline, "it never ends")
    oom.aside(server.answer, server)
    more = host:step()
  end
  return is_over()
end

-- LuaJIT writes behind its stack when that cannot grow: it is large beforehand.
local function in_large_stack(fn)
  select("#", (table.unpack or rawget(_G, "unpack"))({}, 1, 4000))
  fn()
end

-- A connection, and a task that begins its call once it is told.
local function opener(call)
  return function()
    local server, host = new_server(), dqlite.host.new()
    server.begin, server.conn = host.cond(), false
    server.value, server.err, server.over = false, false, false -- the fields need no memory then
    host:spawn(in_large_stack, function()
      server.conn = assert(dqlite.connect(server.address, { timeout = PATIENCE }))
      server.begin:wait()
      local value, err = call(server.conn)
      server.value, server.err, server.over = value, err, true
    end)
    assert(drive(server, host, function() return server.conn end))
    host:step()
    return server, host
  end
end

local function run(server, host)
  server.begin:signal()
  if not drive(server, host, function() return server.over end) then return nil, NO_MEMORY end
  return server.value or nil, server.err or nil
end

-- What was begun has ended, and the loop is as good as before.
local function after(_, server, host)
  collectgarbage()
  drive(server, host, function() return server.over end) -- where a step lacked memory
  local ok, value, err
  host:spawn(function()
    ok, value, err = pcall(server.conn.fetchval, server.conn, "SELECT a FROM t")
    server.conn:close()
  end)
  local done = drive(server, host, function() return ok ~= nil end)
  server.peer:close()
  if not done then return "the loop does not go on" end
  if not ok then return "the next call raises " .. tostring(value) end
  if value ~= 1 and not (err and err.kind == "closed" and err.fatal) then
    return "the next call answers " .. tostring(err)
  end
  host:step()
  if not host:is_idle() or host:pollfds()[1] then return "somebody is said to wait" end
  return simulated.violations()[1]
end

local function scenario(name, call, want)
  return { name = name, open = opener(call), run = run, want = want, after = after }
end

local function nothing() end

return {
  {
    name = "a loop",
    open = nothing,
    run = function()
      local host = dqlite.host.new()
      return host:is_idle(), host:timeout(), #host:pollfds(), host:step()
    end,
    want = { true, nil, 0, false, n = 4 },
    after = nothing,
  },
  {
    name = "spawn",
    open = dqlite.host.new,
    run = function(host)
      local ran = false
      host:spawn(function() ran = true end)
      host:step()
      return ran or nil, not ran and NO_MEMORY or nil
    end,
    want = { true },
    after = function(_, host)
      if host:step() or not host:is_idle() then return "somebody is said to wait" end
    end,
  },
  scenario("fetch", function(conn) return conn:fetchval "SELECT a FROM t" end, { 1 }),
  scenario("execute", function(conn)
    local done, err = conn:execute(INSERT, ("x"):rep(2000))
    return done and done.rows_affected, err
  end, { 1 }),
  scenario("sleep", function() return dqlite.sleep(0.001) == nil end, { true }),
  {
    name = "the lists for poll",
    open = opener(function(conn) return conn:fetchval "SELECT a FROM t" end),
    run = function(server, host)
      server.begin:signal()
      host:step()
      local entry = host:pollfds()[1]
      local conn = server.conn
      if not entry then return nil, NO_MEMORY end
      return entry.fd == conn:pollfd(), entry.events, conn:events(), conn:timeout() > 0
    end,
    want = { true, "r", "r", true },
    after = after,
  },
}
