--- A session joined with the stream that carries it: the only loop of the
-- client. Below connections and raw sessions.
-- @module dqlite.link

local core = require "dqlite.core"
local errors = require "dqlite.error"

local Link = {}
Link.__index = Link

local links = {}

local LOOPS = { blocking = "dqlite.loop.blocking" }

-- What is read of an abandoned result before its connection is closed
-- instead, and how long a server that is sending one may be silent.
local DRAIN_BYTES, DRAIN_SECONDS, SILENCE = 64 * 1024 * 1024, 5, 10

--- The loop that an option names.
-- @tparam string|table name as in api.md
-- @treturn table the loop
function links.loop(name)
  if type(name) == "table" then return name end
  if not LOOPS[name] then
    errors.misuse(("option 'loop': \"%s\" is unsupported yet"):format(name))
  end
  return require(LOOPS[name])
end

local function address_problem(address)
  local kind, reason, port = core.parse_address(address)
  if not kind then return reason end
  if port == 0 then return "the port is 0" end
end

--- A link that is not dialled yet: requests can be queued.
-- @tparam string address whom to dial
-- @tparam table settings from dqlite.options
-- @treturn table|nil the link
-- @treturn table|nil an error of kind "value" for a malformed address
function links.new(address, settings)
  if type(address) ~= "string" then
    errors.misuse("an address is a string, not a " .. type(address))
  end
  local wrong = address_problem(address)
  if wrong then
    return nil, errors.new {
      kind = "value",
      message = ("'%s': %s"):format(errors.visible(address), wrong),
    }
  end
  return setmetatable({
    address = address,
    loop = links.loop(settings.loop),
    core = core.session(settings.max_message_size),
    stream = nil, -- from dial to close
    owner = nil, -- the coroutine whose call is under way
    cause = nil, -- the error that ended it
    abandoned = nil, -- the stream, once nobody waits for what it carries
    yields_rows = false, -- the request under way does
    holds_lock = false, -- and the server may hold the write lock meanwhile
    broken = false, -- an error was raised while a row was read
    queued = nil, -- bytes of what is under way, as long as none was sent
    unsent = false, -- it ended with all of them still here
    dropped = nil, -- the error that the last drain came upon
  }, Link)
end

--- Dials. What was queued leaves with the first reply that is asked for.
-- @tparam number deadline of the loop's now()
-- @treturn true|nil
-- @treturn table|nil the error
function Link:dial(deadline)
  local stream, kind, reason = self.loop.connect(self.address, deadline)
  if stream then
    self.stream = stream
    return true
  end
  return nil, self:fail(kind, reason)
end

-- A result may be on its way. To close now would leave 1.18 with a connection,
-- and with a write lock if it holds one, for ever (hazards.md, Waiting).
local function abandon(self, cause)
  self.cause = self.cause or cause
  self.abandoned, self.stream, self.owner = self.stream, nil, nil
end

-- Is what is under way still here, every byte of it?
local function is_unsent(self)
  return self.queued ~= nil and self.core:pending() == self.queued
end

--- Ends the link for good. After a deadline its stream stays until `quit` or
-- the next call has read the rest of a result.
-- @tparam string kind of the error
-- @tparam string reason in words
-- @tparam[opt] table about the request that got no answer: sql, write
-- @treturn table the error
function Link:fail(kind, reason, about)
  self.unsent = is_unsent(self)
  local write = about and about.write and not self.unsent or false
  local err = errors.lost(kind, reason,
    { address = self.address, sql = about and about.sql, write = write })
  if kind == "timeout" and self.yields_rows and not self.unsent then
    abandon(self, err)
  else
    self:close(err)
  end
  return err
end

--- The next reply, after what is pending was sent.
-- @tparam number deadline of the loop's now()
-- @tparam[opt] table about the request, for the error: sql, write
-- @treturn string|nil name of the reply, then held by `core`
-- @treturn boolean|table whether the request is finished; or the error
function Link:reply(deadline, about)
  local session, stream = self.core, self.stream
  if not stream then return nil, self:ended() end
  while true do
    local name, last, reason = session:next()
    if name then return name, last end
    if last then return nil, self:fail(last, reason, about) end
    local done, kind, why
    if session:pending() > 0 then
      done, kind, why = stream:send(session, deadline)
    else
      done, kind, why = stream:recv(session, deadline)
    end
    if not done then return nil, self:fail(kind, why, about) end
  end
end

--- The error that the current FAILURE stands for.
-- @tparam[opt] table about the request: sql, write
-- @treturn table the error; when it is fatal, the link has ended
function Link:failure(about)
  local code, text = self.core:failure()
  local err = errors.from_failure(code, text, {
    address = self.address,
    sql = about and about.sql,
    write = about and about.write or false,
    one_statement = about and about.one_statement,
  })
  if err.fatal then self:close(err) end
  return err
end

-- One reply that nobody waits for, or some bytes of it; what was not sent stays
-- here. Returns its size, 0 when more is to come, or nil and why there is none.
local function drop_reply(self, stream, deadline)
  local session = self.core
  local name, ended, why = session:next()
  if name == "FAILURE" then self.dropped = self:failure() end
  if name then return session:body_size() end
  if ended then return nil, why end
  local patience = math.min(deadline, self.loop.now() + SILENCE)
  local done, _, reason = stream:recv(session, patience)
  return done and 0, reason
end

--- Reads the rest of what is on its way and drops it. Up to a bound in bytes
-- and seconds; where the server may hold the write lock only silence ends it.
-- The error of a FAILURE in it is then `dropped`.
-- @treturn true|nil
-- @treturn string|nil why something is left
function Link:drain()
  local stream, bounded, size = self.stream or self.abandoned, not self.holds_lock, 0
  local deadline = bounded and self.loop.now() + DRAIN_SECONDS or math.huge
  self.dropped = nil
  while self.core:outstanding() > 0 do
    local more, why = drop_reply(self, stream, deadline)
    if not more then return nil, why end
    size = size + more
    if bounded and size > DRAIN_BYTES then return nil, "it is too large to be read" end
  end
  return true
end

--- Closes the stream. Again does nothing.
-- @tparam[opt] table cause the error that ended the link
function Link:close(cause)
  self.cause = self.cause or cause
  local stream = self.stream or self.abandoned
  if stream then stream:close() end
  self.stream, self.abandoned, self.owner = nil, nil, nil
  self.core:close()
end

--- Closes once no result is on its way any more. A call that waits in another
-- coroutine is not waited for.
function Link:quit()
  local stream = self.stream or self.abandoned
  local may_wait = not self.owner and not self.broken
  if stream and self.yields_rows and may_wait then self:drain() end
  self:close()
end

--- The coroutine that runs; "main" where Lua 5.1 has none.
function links.running()
  return coroutine.running() or "main"
end

--- Will this coroutine never run again?
function links.is_dead(thread)
  return thread ~= "main" and coroutine.status(thread) == "dead"
end

--- Can a call begin? One at a time: another coroutine's raises.
-- @treturn true|nil
-- @treturn table|nil the error of a link that has ended, or whose last call
-- was broken off by an error that was raised in it
function Link:check()
  local owner = self.owner
  if owner and owner ~= links.running() and not links.is_dead(owner) then
    errors.misuse("the connection is in use by another coroutine")
  end
  if owner or self.broken then self:fail("closed", "an earlier call was broken off") end
  if self.abandoned then self:quit() end
  if not self.stream then return nil, self:ended() end
  return true
end

--- Begins a call, after check; leave ends it.
function Link:enter()
  self.owner = links.running()
end

--- Ends a call.
function Link:leave()
  self.owner = nil
end

--- Can requests be sent?
function Link:is_open()
  return self.stream ~= nil
end

--- The error of a call on a link that has ended.
function Link:ended()
  local message = "the connection is closed"
  if self.cause then message = "the connection was lost before: " .. self.cause.message end
  return errors.new {
    kind = "closed",
    message = message,
    address = self.address,
    fatal = true,
    retryable = true,
  }
end

return links
