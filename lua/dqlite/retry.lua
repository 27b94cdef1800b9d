--- Running again what has certainly not been applied. Never what is ambiguous.
-- @module dqlite.retry

local errors = require "dqlite.error"
local events = require "dqlite.events"
local loops = require "dqlite.loops"
local options = require "dqlite.options"

local retry = {}

local SHORTEST, LONGEST = 0.005, 0.1 -- seconds between two tries

local BUSY_SNAPSHOT = 517 -- the transaction must begin anew

local function is_safe(err)
  return errors.is_error(err) and err.retryable and not err.ambiguous
end

--- Has a call failed only because its connection was lost?
-- @param err
-- @treturn boolean
function retry.is_lost(err)
  return is_safe(err) and err.fatal
end

--- Is a transaction to be run anew from its beginning?
-- @param err that it answered or raised
-- @treturn boolean
function retry.is_undone(err)
  return is_safe(err) and (err.fatal or err.code == BUSY_SNAPSHOT)
end

--- Waits before the next try: not at all before the second one, then longer and
-- longer.
-- @tparam table loop
-- @tparam number tries that there were
-- @tparam number deadline of the loop's now()
-- @treturn boolean is there time for another one?
function retry.pause(loop, tries, deadline)
  if tries == 1 then return loop.now() < deadline end
  local seconds = loops.jitter(math.min(SHORTEST * 2 ^ math.min(tries, 10), LONGEST))
  if loop.now() + seconds >= deadline then return false end
  local broken = loops.pause(loop, seconds)
  if broken then errors.misuse(broken) end
  return true
end

local function pack(...)
  return { n = select("#", ...), ... }
end

local unpack = table.unpack or rawget(_G, "unpack")

--- The same by another rule.
-- @tparam table loop
-- @tparam function fn called with the number of the try
-- @tparam table settings `timeout` (seconds; nil: none), `retries`
-- @tparam function is_due called with what went wrong: is another try right?
-- @tparam table observer of dqlite.events
-- @return as retry.run
function retry.loop(loop, fn, settings, is_due, observer)
  local deadline = settings.timeout and loop.now() + settings.timeout or math.huge
  local tries = 0
  while true do
    tries = tries + 1
    local results = pack(pcall(fn, tries))
    local ok, first, second = results[1], results[2], results[3]
    local problem = first
    if ok then problem = first == nil and second or nil end
    local due = problem ~= nil and tries <= settings.retries and is_due(problem)
    if not due or not retry.pause(loop, tries, deadline) then
      if not ok then error(first, 0) end
      return unpack(results, 2, results.n)
    end
    observer:retried(problem, tries)
  end
end

--- See dqlite.retry.
function retry.run(fn, opts)
  if type(fn) ~= "function" then
    errors.misuse("retry runs a function, not a " .. type(fn))
  end
  local settings = options.retry(opts)
  local loop = loops.select(settings.loop)
  loops.check_wait(loop)
  return retry.loop(loop, fn, settings, is_safe, events.none)
end

return retry
