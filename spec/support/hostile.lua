--- A server that misbehaves (hostile_server.lua), and what the cases share. A
-- case leaves a script for the next connection, makes that and looks at what
-- became of a call:
--
--    hostile.script { { "await", 3 }, { "send", hostile.opening() }, { "fin" } }
--    local conn = hostile.connect()
--    hostile.fails({ kind = "closed" }, conn:fetch "SELECT 1")
--    hostile.lost(conn)
--
-- Each hostile.script goes through a connection that is answered well: the next
-- one after the case before.
--
-- DQLITE_LOOP says what waits: "blocking", or "luv", where every spec runs
-- inside of dqlite.run.
local blocking = require "dqlite.loop.blocking"
local busted = require "busted"
local dqlite = require "dqlite"
local in_loop = require "spec.support.in_loop"
local luassert = require "luassert"
local process = require "spec.support.process"
local scripted = require "spec.support.scripted"
local session = require "dqlite.session"
local uv = require "luv"

local hostile = {}

local LOOP = in_loop.name
local PATIENCE = 10 -- seconds, where a deadline is not what is looked at

--- Seconds of a call that is to run into its deadline, and what it may take
-- longer than that.
hostile.SHORT, hostile.GRACE = 0.06, 0.5

-- ---- the server ----

local control, address

local INTERPRETER = jit and "luajit" or "lua" .. _VERSION:match "%d%.%d"

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- Starts the server, for setup: it lives as long as its standard input does.
function hostile.start()
  local fifo = os.tmpname()
  os.remove(fifo)
  os.execute("mkfifo " .. fifo)
  control = assert(io.popen(
    ("exec env LUA_PATH=%s LUA_CPATH=%s %s spec/support/hostile_server.lua >%s"):format(
      quote(package.path), quote(package.cpath), INTERPRETER, fifo), "w"))
  local output = assert(io.open(fifo))
  address = output:read "*l"
  output:close()
  os.remove(fifo)
  assert(address, "the hostile server did not start")
end

--- Stops it, for teardown.
function hostile.stop()
  control:close()
end

function hostile.address()
  return address
end

-- ---- connections ----

local function options_of(opts)
  -- direct: one dial for each connection, and the requests that scripts count
  local all = { timeout = PATIENCE, connect_timeout = PATIENCE, direct = true }
  for name, value in pairs(opts or {}) do all[name] = value end
  if LOOP == "blocking" then all.loop = "blocking" end
  return all
end

--- dqlite.connect to the server, or to another address.
-- @return as dqlite.connect does
function hostile.try(opts, other)
  return dqlite.connect(other or address, options_of(opts))
end

--- The same, where that is not to fail.
function hostile.connect(opts)
  return assert(hostile.try(opts))
end

--- A raw session.
function hostile.session(opts)
  return assert(session.connect(address, options_of(opts)))
end

-- ---- scripts ----

local function literal(value)
  if type(value) == "string" then return ("%q"):format(value) end
  if type(value) ~= "table" then return tostring(value) end
  local parts = {}
  for i, each in ipairs(value) do parts[i] = literal(each) end
  return "{" .. table.concat(parts, ",") .. "}"
end

-- Garbage of ours is not to be taken for the client's.
local LONG = 64 * 1024 -- bytes of scripts

-- Through a connection that is answered well.
local function leave(scripts)
  local conn, err = hostile.try()
  if not conn then error("no connection after that: " .. tostring(err), 0) end
  local text = "return " .. literal(scripts)
  local answer = assert(conn:execute("INSERT INTO scripts VALUES (?)", dqlite.blob(text)))
  conn:close()
  if #text > LONG then collectgarbage() end
  return answer.last_insert_id
end

--- Leaves a script, a list of steps, for the next connection.
function hostile.script(steps)
  leave { steps }
end

--- Ends what the last script holds open, after a connection that works.
-- @treturn number how many requests that script has seen
function hostile.settle()
  return leave {}
end

--- The answers to LEADER, CLIENT and OPEN: a connection takes three requests.
function hostile.opening()
  return scripted.frame("SERVER", { id = "1", address = address })
    .. scripted.frame("WELCOME", { heartbeat = 15000 })
    .. scripted.frame("DB", {})
end

--- The steps of a connection that is opened, and others behind them.
function hostile.opened(...)
  return { { "await", 3 }, { "send", hostile.opening() }, ... }
end

-- ---- what became of it ----

--- Raises unless a call answered nil and an error with these fields.
-- @return the error
function hostile.fails(expected, result, err)
  if result ~= nil then error("it succeeded: " .. tostring(result), 0) end
  if type(err) ~= "table" then error("no error: " .. tostring(err), 0) end
  for name, value in pairs(expected) do
    if err[name] ~= value then
      error(("%s is %s, not %s: %s"):format(name, tostring(err[name]), tostring(value),
        tostring(err)), 0)
    end
  end
  return err
end

--- An error that ended the connection: `fatal`, and in doubt for a write,
-- retryable for what has certainly changed nothing.
function hostile.ended(kind, in_doubt, ...)
  return hostile.fails({
    kind = kind,
    fatal = true,
    ambiguous = in_doubt,
    retryable = not in_doubt,
  }, ...)
end

--- Raises unless a connection knows that it is lost; closes it.
function hostile.lost(conn)
  assert(not conn:is_open(), "it takes the connection for open")
  hostile.ended("closed", false, conn:fetchval "SELECT 1")
  assert(tostring(conn):find("lost", 1, true), tostring(conn))
  assert(conn:close())
end

--- Raises unless a connection still works.
function hostile.usable(conn)
  assert(conn:is_open(), "it takes the connection for lost")
  local answer, err = conn:fetchval "SELECT 42"
  if answer ~= 42 then error("it does not work: " .. tostring(err or answer), 0) end
end

--- Raises unless a call ends between its deadline and the grace behind it.
-- @return what the call returns
function hostile.in_time(seconds, fn, ...)
  local start = blocking.now()
  local first, second = fn(...)
  local took = blocking.now() - start
  if took < seconds or took > seconds + hostile.GRACE then
    error(("it took %.3f seconds, not %.3f"):format(took, seconds), 0)
  end
  return first, second
end

-- ---- specs ----

local REPORTED = 5 -- failures of one spec that are shown
local BATCH = 50 -- scripts

hostile.count = 0 -- of the cases of a description so far

--- Runs fn, where things wait.
hostile.run = in_loop.run

hostile.now = blocking.now

--- Waits.
function hostile.sleep(seconds)
  if LOOP == "blocking" then return blocking.sleep(seconds) end
  return dqlite.sleep(seconds)
end

--- Waits until the server has done what it has paused for, some milliseconds at
-- most.
function hostile.let_go_on()
  hostile.sleep(0.02)
  hostile.connect():close() -- it is answered in a later turn of the server's loop
end

--- Makes a list of what an iterator-like function passes on.
function hostile.list(fill)
  local list = {}
  fill(function(case) list[#list + 1] = case end)
  return list
end

-- Counts a case and the failures.
local Tally = {}
Tally.__index = Tally

function Tally:run(case, check)
  hostile.count = hostile.count + 1
  local ok, err = pcall(check, case)
  if ok then return end
  self.failed = self.failed + 1
  if self.failed <= REPORTED then
    self.texts[self.failed] = case.name .. ": " .. tostring(err)
  end
end

-- Runs fn(tally); raises the failures when all cases have run.
local function tallied(cases, fn)
  assert(#cases > 0, "no case")
  collectgarbage()
  local tally = setmetatable({ failed = 0, texts = {} }, Tally)
  hostile.run(function() fn(tally) end)
  if tally.failed == 0 then return end
  error(("%d of %d cases:\n%s"):format(tally.failed, #cases, table.concat(tally.texts, "\n")), 0)
end

--- Runs every case, a table with a `name`, through `check(case)`.
function hostile.each(cases, check)
  tallied(cases, function(tally)
    for _, case in ipairs(cases) do tally:run(case, check) end
  end)
end

--- The same for many cases that make one connection each, whose scripts are
-- left for a batch of them at once: the case behind it shows that the next
-- connection works.
-- @tparam table cases
-- @tparam function script_of case -> steps
-- @tparam function check
function hostile.each_of_many(cases, script_of, check)
  tallied(cases, function(tally)
    for first = 1, #cases, BATCH do
      local last, scripts = math.min(first + BATCH - 1, #cases), {}
      for i = first, last do scripts[#scripts + 1] = script_of(cases[i]) end
      leave(scripts)
      for i = first, last do tally:run(cases[i], check) end
    end
  end)
end

-- ---- the process ----

-- MiB above the start: of these 20 are the library and the specs, which each file loads
-- anew, and what LuaJIT has not collected yet.
local MOST_MEMORY = 48

local function status(field)
  local file = assert(io.open "/proc/self/status")
  local text = file:read "*a"
  file:close()
  return tonumber(text:match("\n" .. field .. ":%s*(%d+) kB")) / 1024
end

-- MiB when the first of these files began. Each gets its modules anew: the
-- environment is what lasts.
local function memory_at_start()
  local start = os.getenv "DQLITE_HOSTILE_START" or tostring(status "VmRSS")
  uv.os_setenv("DQLITE_HOSTILE_START", start)
  return tonumber(start)
end

--- Describes cases, with a server for them; the last spec looks whether they
-- have left anything behind.
function hostile.describe(title, body)
  busted.describe(title, function()
    local start, descriptors = memory_at_start(), nil
    busted.setup(function()
      hostile.count = 0
      hostile.start()
      hostile.run(hostile.settle)
      descriptors = process.descriptors()
    end)
    busted.teardown(hostile.stop)
    body()
    busted.it("leave nothing behind", function()
      hostile.run(hostile.settle)
      assert(hostile.count > 0)
      local most = status "VmHWM"
      print(("\n%s: %d cases, %s, most memory %.1f MiB above the start"):format(title,
        hostile.count, LOOP, most - start))
      assert(most - start < MOST_MEMORY, "memory has grown")
      luassert.same({}, process.handles())
      luassert.equal(descriptors, process.descriptors())
    end)
  end)
end

return hostile
