--- A lone node that leads, for virtual_net: every connection is a simulated server
-- of its own. At each step something may go wrong instead, with the rates of
-- `server.rates`; none of it any more after `server:heal()`.
--
-- `server.open` counts the streams that the client has not closed; `server.live` those
-- that neither side has, `server.sessions` those of them that have asked for a database.
local scripted = require "spec.support.scripted"
local simulated = require "spec.support.simulated"

local virtual_server = {
  -- What can go wrong, by step.
  FAULTS = {
    "refuse", "hang", -- a dial
    "open_close", "open_failure", "open_never", "no_leader", -- the opening
    "query_close", "query_failure", "query_never",
    "rollback_close", "rollback_failure", "rollback_never",
    "cut", -- at any time afterwards
  },
  ADDRESS = "127.0.0.1:9001",
}

local Server = {}
Server.__index = Server

-- Leadership lost, busy, out of memory: fatal, to be waited for, and neither.
local CODES = { 10250, 10506, 5, 7 }

local function happens(self, fault)
  return not self.healed and self.world.random:chance(self.rates[fault] or 0)
end

-- ---- dials ----

function Server:dialled(stream)
  self.dials, self.open, self.live = self.dials + 1, self.open + 1, self.live + 1
  stream.number = self.dials
  local verdict = happens(self, "refuse") and "refuse" or happens(self, "hang") and "hang"
    or "accept"
  self.world:note(("dial %d: %s"):format(self.dials, verdict))
  return verdict
end

-- One side has closed it.
local function lose(self, stream)
  if stream.is_lost then return end
  stream.is_lost = true
  self.live = self.live - 1
  if stream.is_session then self.sessions = self.sessions - 1 end
end

function Server:closed(stream)
  self.world:note(("%d is closed"):format(stream.number))
  self.open = self.open - 1
  lose(self, stream)
end

-- ---- requests ----

local OPENING = { LEADER = true, CLIENT = true, OPEN = true, CLUSTER = true }
local QUERIES = { EXEC = true, QUERY = true, EXEC_SQL = true, QUERY_SQL = true, PREPARE = true }

local NO_LEADER = { scripted.frame("SERVER", { id = "0", address = "" }) }
local CLOSE, NEVER = { "close" }, {}

local function failure(self)
  return { scripted.failure(self.world.random:pick(CODES), "injected") }
end

local function fault_of(self, step)
  if happens(self, step .. "_close") then return CLOSE, "a close" end
  if happens(self, step .. "_failure") then return failure(self), "a failure" end
  if happens(self, step .. "_never") then return NEVER, "never" end
end

local function fault(self, name, request)
  if name == "LEADER" and happens(self, "no_leader") then return NO_LEADER, "no leader" end
  if OPENING[name] then return fault_of(self, "open") end
  if not QUERIES[name] then return nil end
  return fault_of(self, request.sql == "ROLLBACK" and "rollback" or "query")
end

local function ask_for_database(self, stream)
  if stream.is_session or stream.is_lost then return end
  stream.is_session = true
  self.sessions = self.sessions + 1
end

local function answer(self, stream, handler, request, inner)
  local name = request.name
  local frames, what = fault(self, name, request)
  if QUERIES[name] and request.sql ~= "ROLLBACK" then self.queries = self.queries + 1 end
  if self.world.tracing and name ~= "HANDSHAKE" then
    self.world:note(("%d: %s %s%s"):format(stream.number, name, request.sql or request.stmt or "",
      what and ", answered by " .. what or ""))
  end
  if frames == CLOSE then lose(self, stream) end
  if frames then return frames end
  if type(handler) == "function" then return handler(request, inner) end
  return handler
end

-- The answers of a simulated server, between which faults come.
local function faulty(self, stream, answers)
  return setmetatable({}, { __index = function(_, name)
    if name == "OPEN" then ask_for_database(self, stream) end
    return function(request, inner)
      return answer(self, stream, answers[name], request, inner)
    end
  end })
end

local CLUSTER = { scripted.frame("SERVERS", {
  servers = { { id = "1", address = virtual_server.ADDRESS, role = "voter" } },
}) }

function Server:accept(stream)
  local source = simulated.server()
  if self.names_itself then source.answers.CLUSTER = CLUSTER end
  source.answers = faulty(self, stream, source.answers)
  stream.source = source
  if happens(self, "cut") then
    self.world:after(self.world.random:number() * self.span, function()
      if stream.is_closed then return end
      self.world:note(("%d is cut"):format(stream.number))
      lose(self, stream)
      stream:cut()
    end)
  end
  return source.loop.connect(virtual_server.ADDRESS)
end

--- Nothing goes wrong any more.
function Server:heal()
  self.world:note "the server is well again"
  self.healed, self.latency = true, 0.001
end

--- Makes one.
-- @tparam table world of virtual_loop
-- @tparam[opt] table rates fault -> probability
function virtual_server.new(world, rates)
  return setmetatable({
    world = world,
    ADDRESS = virtual_server.ADDRESS,
    rates = rates or {},
    latency = 0.005, -- seconds, at most
    span = 0.2, -- seconds after which a connection is cut, at most
    names_itself = true, -- does it answer CLUSTER with itself?
    healed = false,
    open = 0, -- streams
    live = 0,
    sessions = 0,
    dials = 0,
    queries = 0, -- that were asked, beside ROLLBACK
  }, Server)
end

return virtual_server
