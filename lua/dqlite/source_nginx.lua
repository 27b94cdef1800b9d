--- Where the connections of a pool come from under nginx: the pool is an object of the
-- worker that holds none, nginx itself keeps them (dqlite.keepalive). That also limits
-- how many there are, and lets calls wait for one.
-- @module dqlite.source_nginx

local checkout = require "dqlite.checkout"
local connection = require "dqlite.connection"
local errors = require "dqlite.error"
local keepalive = require "dqlite.keepalive"
local process = require "dqlite.process"
local queues = require "dqlite.queue"

local source = {}

local begun = 0 -- pools

--- Begins: nothing is dialled before somebody needs it. What `init` has made of a
-- connection no other pool is to get.
function source.begin(pool)
  local own = pool.own
  begun = begun + 1
  pool.is_closed = false
  pool.limits = {
    pool_size = own.max_size,
    backlog = 0, -- nginx is to say that all are in use, and the pool itself lets wait
    mark = own.init and ("init-%d"):format(begun),
    keeping = nil, -- of dqlite.keepalive
    spares = {}, -- links whose sockets nginx keeps
  }
end

--- Binds the pool to a loop, see Pool:bind. It may have been made before the workers.
function source.bind(pool)
  if pool.loop then
    process.check(pool.process, "the pool", "make one in this process, after the fork")
  else
    pool.process = process.current()
  end
  pool.cluster:bind(pool.settings)
  if pool.loop then return end
  pool.loop = pool.cluster.loop
  pool.queue = queues.new(pool.loop, pool.own.backlog)
end

local function closed_error()
  return errors.new { kind = "pool", message = "the pool is closed" }
end

local function reach(pool, deadline)
  local began = pool.loop.now()
  local link, err = pool.cluster:reach(pool.settings, true, deadline, pool.limits)
  if not link then
    pool.observer:unconnected()
    return nil, err
  end
  local is_new = link.stream:times_reused() == 0
  if is_new then pool.observer:connected(link, pool.loop.now() - began) end
  return link, is_new
end

-- A new one that the program's `init` does not want is of no use to anybody.
local function set_up_new(pool, conn, deadline)
  conn.limit = deadline
  local ok, done, err = pcall(checkout.run_user, pool.own.init, conn)
  conn.limit = false
  if ok and done then return true end
  conn:close()
  if not ok then error(done, 0) end
  return nil, err
end

--- Nothing is too old: nginx ends what was idle for too long.
function source.sweep() end

-- One that nginx has kept, or a new one.
local function take(pool, deadline)
  if pool.is_closed then return nil, closed_error() end
  local link, is_new = reach(pool, deadline)
  if not link then return nil, is_new end
  local former = link.former
  link.former = nil
  if former and not is_new then return connection.revive(former) end
  local conn = connection.new(link, pool.settings, pool.observer)
  if is_new and pool.own.init then
    local done, err = set_up_new(pool, conn, deadline)
    if not done then return nil, err end
  end
  return conn
end

local function busy_error(pool, text)
  return errors.new {
    kind = "pool",
    message = ("%s: there are %d at most"):format(text, pool.own.max_size),
    retryable = true,
  }
end

local function is_full(err)
  return errors.is_error(err) and err.kind == "pool"
end

local DOUBT = 0.5 -- seconds without a free connection after which it is asked who leads

-- A socket on which both ways have failed counts as in use until its request ends, since
-- close does nothing then (ngx_lua 0.10.23). So the connections to a dead leader may look
-- as if all were in use; the search has sockets of its own.
local function doubt_leader(pool, checked, deadline)
  local now = pool.loop.now()
  if now - checked < DOUBT then return checked end
  pool.cluster:confirm(pool.settings, math.min(deadline, now + pool.settings.connect_timeout))
  return pool.loop.now()
end

-- Tries when it is his turn.
local function take_in_turn(pool, waiter, deadline)
  local began = pool.loop.now()
  local checked = began
  repeat
    if pool.queue:wait(waiter, deadline) and pool.loop.now() < deadline then
      local conn, err = take(pool, deadline)
      if conn or pool.is_closed then return conn, err end
      if not is_full(err) and pool.loop.now() < deadline then return nil, err end
      checked = doubt_leader(pool, checked, deadline)
    end
  until pool.loop.now() >= deadline
  local text = "no connection came free in %.1f s"
  return nil, busy_error(pool, text:format(pool.loop.now() - began))
end

local function wait_for_one(pool, deadline)
  local queue, began = pool.queue, pool.loop.now()
  local waiter = queue:join()
  if not waiter then
    pool.observer:waited(0, false)
    return nil, busy_error(pool, ("%d wait for a connection already"):format(queue.most))
  end
  local ok, conn, err = pcall(take_in_turn, pool, waiter, deadline)
  queue:leave(waiter)
  pool.observer:waited(pool.loop.now() - began, conn ~= nil)
  if not ok then error(conn, 0) end
  return conn, err
end

--- Takes a connection: one that nginx has kept, a new one, or the next that comes back,
-- first come, first served.
-- @tparam table pool
-- @tparam number now of the loop
-- @tparam number deadline likewise
-- @treturn table|nil the connection
-- @treturn table|nil the error: "pool" where none came back in time
function source.take(pool, now, deadline)
  deadline = math.min(deadline, now + pool.patience)
  if pool.queue:is_empty() then
    local conn, err = take(pool, deadline)
    if conn or pool.is_closed or not is_full(err) then return conn, err end
  end
  return wait_for_one(pool, deadline)
end

--- Begins its use.
-- @treturn table the connection
function source.lease(pool, conn)
  if conn.lease then conn.lease.given = false else conn.lease = { pool = pool, given = false } end
  pool.meter.acquires = pool.meter.acquires + 1
  return conn
end

--- Ends its use: back to nginx, or closed where anything is left on it that a rollback
-- does not end. Again does nothing.
-- @tparam table pool
-- @tparam table conn
-- @tparam boolean is_own has nobody else seen it?
function source.give(pool, conn, is_own)
  if conn.lease.given then return end
  conn.lease.given = true
  connection.retire(conn)
  conn.limit = false
  local ok, kept = pcall(keepalive.give_back, conn, pool.own.idle_timeout, pool.own.max_size)
  if not ok then
    conn.link:close()
  elseif kept then
    conn.link.former = is_own and conn or nil
    keepalive.put_spare(pool.limits, conn.link)
  end
  pool.queue:signal()
  if not ok then error(kept, 0) end
end

--- What there is, see Pool:stats: nginx does not tell how many connections it keeps.
function source.add_stats(pool, stats)
  stats.max_size = pool.own.max_size
end

--- Closes: nobody gets a connection any more. Those that nginx keeps end when they were
-- idle for long enough.
function source.close(pool)
  pool.is_closed = true
end

function source.is_closed(pool)
  return pool.is_closed
end

--- How many there are, in words.
function source.describe(pool)
  return ("%d connections at most, which nginx keeps"):format(pool.own.max_size)
end

return source
