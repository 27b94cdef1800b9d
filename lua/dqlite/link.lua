--- A session joined with the stream that carries it: the only loop of the
-- client. Below connections and raw sessions.
-- @module dqlite.link

local core = require "dqlite.core"
local errors = require "dqlite.error"

local Link = {}
Link.__index = Link

local links = {}

local LOOPS = { blocking = "dqlite.loop.blocking" }

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

--- Ends the link for good.
-- @tparam string kind of the error
-- @tparam string reason in words
-- @tparam[opt] table about the request that got no answer: sql, write
-- @treturn table the error
function Link:fail(kind, reason, about)
  local write = about and about.write or false
  local err = errors.lost(kind, reason,
    { address = self.address, sql = about and about.sql, write = write })
  self:close(err)
  return err
end

--- The next reply, after what is pending was sent.
-- @tparam number deadline of the loop's now()
-- @tparam[opt] table about the request, for the error: sql, write
-- @treturn string|nil name of the reply, then held by `core`
-- @treturn boolean|table whether the request is finished; or the error
function Link:reply(deadline, about)
  local session, stream = self.core, self.stream
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
  })
  if err.fatal then self:close(err) end
  return err
end

--- Closes the stream. Again does nothing.
-- @tparam[opt] table cause the error that ended the link
function Link:close(cause)
  self.cause = self.cause or cause
  if self.stream then self.stream:close() end
  self.stream, self.owner = nil, nil
  self.core:close()
end

local function running()
  return coroutine.running() or "main"
end

--- Can a call begin? One at a time: another coroutine's raises.
-- @treturn true|nil
-- @treturn table|nil the error of a link that has ended, or whose last call
-- was broken off by an error that was raised in it
function Link:check()
  local owner = self.owner
  if owner and owner ~= running()
    and (owner == "main" or coroutine.status(owner) ~= "dead") then
    errors.misuse("the connection is in use by another coroutine")
  end
  if owner then self:fail("closed", "an earlier call was broken off") end
  if not self.stream then return nil, self:ended() end
  return true
end

--- Begins a call, after check; leave ends it.
function Link:enter()
  self.owner = running()
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
  local why = self.cause and ": " .. self.cause.message or ""
  return errors.new {
    kind = "closed",
    message = "the connection was lost before" .. why,
    address = self.address,
    fatal = true,
    retryable = true,
  }
end

return links
