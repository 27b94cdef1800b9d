--- What happens, told to a function of the program (the option `on_event`) and to
-- the counters of a pool.
--
-- An event is a table with `name` and what belongs to it:
-- "connect" (`address`, `seconds`), "close" (`address`, `error` where one ended it),
-- "leader_change" (`leader`, `before`; names of nodes, nil where none is known),
-- "retry" (`error`, `tries` so far), "pool_wait" (`seconds`, `served`),
-- "query_start" (`sql`, `address`), "query_end" and "slow_query" (`sql`, `address`,
-- `seconds`, `error`), "leak" (`message`). Texts of statements are capped, and never
-- hold parameters. The function must not wait; what it raises is written to standard
-- error and harms nobody.
-- @module dqlite.events

local errors = require "dqlite.error"

local events = {}

local Observer = {}
Observer.__index = Observer

local function report(text)
  pcall(function() io.stderr:write("dqlite: ", text, "\n") end)
end
events.report = report

-- In a coroutine of its own, so that one that waits is noticed, and stays behind.
local function tell(hook, name, event)
  event.name = name
  local thread = coroutine.create(hook)
  local ok, err = coroutine.resume(thread, event)
  if not ok then
    report("the function on_event failed: " .. errors.describe(err))
  elseif coroutine.status(thread) ~= "dead" then
    report("the function on_event cannot wait")
  end
end

--- Makes an observer.
-- @tparam[opt] function hook the program's
-- @tparam number slow seconds from which on a query is told as slow
-- @tparam[opt] table meter of dqlite.metrics
-- @treturn table
function events.new(hook, slow, meter)
  return setmetatable({ hook = hook, slow = slow, meter = meter }, Observer)
end

--- The observer of connections that are made with these settings; nil where nobody
-- wants to know.
function events.of(settings)
  if settings.on_event then return events.new(settings.on_event, settings.slow_query) end
end

local function count(self, counter)
  local meter = self.meter
  if meter then meter[counter] = meter[counter] + 1 end
end

--- A connection was made.
-- @tparam table link
-- @tparam number seconds
function Observer:connected(link, seconds)
  count(self, "connects")
  if not self.hook then return end
  tell(self.hook, "connect", { address = link.address, seconds = seconds })
end

--- One could not be made.
function Observer:unconnected()
  count(self, "connect_failures")
end

--- One has ended.
function Observer:closed(link)
  count(self, "closes")
  if not self.hook then return end
  tell(self.hook, "close", { address = link.address, error = link.cause })
end

--- Another node leads, or none that is known.
-- @tparam[opt] string before its name
-- @tparam[opt] string leader
function Observer:leader_changed(before, leader)
  count(self, "leader_changes")
  if not self.hook then return end
  tell(self.hook, "leader_change", { before = before, leader = leader })
end

--- Something is run again.
-- @param err of the last try
-- @tparam number tries
function Observer:retried(err, tries)
  count(self, "retries")
  if not self.hook then return end
  tell(self.hook, "retry", { error = err, tries = tries })
end

--- Somebody has waited for a connection of a pool.
-- @tparam number seconds
-- @tparam boolean served
function Observer:waited(seconds, served)
  count(self, served and "waits" or "timeouts")
  if not self.hook then return end
  tell(self.hook, "pool_wait", { seconds = seconds, served = served })
end

--- A connection of a pool was collected in use.
-- @tparam string message
function Observer:leaked(message)
  count(self, "leaks")
  report(message)
  if not self.hook then return end
  tell(self.hook, "leak", { message = message })
end

--- A call begins.
-- @tparam table conn
function Observer:started(conn)
  if not self.hook then return end
  tell(self.hook, "query_start", { address = conn.address, sql = errors.shown_sql(conn.sql) })
end

local function tell_end(self, conn, err, seconds)
  local function about()
    return {
      address = conn.address,
      sql = errors.shown_sql(conn.sql),
      seconds = seconds,
      error = err,
    }
  end
  tell(self.hook, "query_end", about())
  if seconds >= self.slow then tell(self.hook, "slow_query", about()) end
end

--- It has ended.
-- @tparam table conn
-- @tparam[opt] table err
-- @tparam[opt] number now of the loop
function Observer:ended(conn, err, now)
  local seconds = (now or conn.link.loop.now()) - conn.begun
  if self.meter then self.meter:observe(seconds, err) end
  if self.hook then tell_end(self, conn, err, seconds) end
end

--- An observer that tells nobody.
events.none = events.new(nil, math.huge, nil)

return events
