--- Raw sessions: single messages to one node, for bootstrapping a cluster by
-- hand, for tools, for new drivers. No leader search, no database unless OPEN
-- is sent. Messages are tables as in dqlite.wire.
--
-- HEARTBEAT, CONNECT, DESCRIBE of another format than 0, ADD of the id 0, ASSIGN
-- of an unknown role and OPEN of a name that takes a server down are answered
-- with an error of kind "value" before a byte leaves. Statements are sent as
-- they are, also those that harm some servers, and so is an id of a statement that was
-- not answered or was finalized, which takes a server down.
-- @module dqlite.session

require "dqlite.native".load "dqlite.core" -- before the others ask for it

local errors = require "dqlite.error"
local links = require "dqlite.link"
local loops = require "dqlite.loops"
local options = require "dqlite.options"

local session = {}

local Session = {}
Session.__index = Session

--- Dials one node.
-- @tparam string address as in dqlite.connect
-- @tparam[opt] table opts `timeout` (seconds, of this and each later call),
-- `loop`, `max_message_size`
-- @treturn Session|nil
-- @treturn dqlite.error|nil the error
function session.connect(address, opts)
  local settings = options.connect(opts)
  local link, wrong = links.new(address, settings)
  if not link then return nil, wrong end
  local ok, err = link:dial(link.loop.now() + settings.timeout)
  if not ok then return nil, err end
  return setmetatable({
    link = link,
    timeout = settings.timeout,
    address = address,
    closed = false, -- or the coroutine that has closed it
    write = false, -- could a request on its way change something?
  }, Session)
end

-- Requests that may have changed something, if their answer is lost.
local WRITES = {
  EXEC = true, EXEC_SQL = true, QUERY = true, QUERY_SQL = true, ADD = true,
  ASSIGN = true, REMOVE = true, TRANSFER = true, WEIGHT = true,
}

local function check_usable(self)
  if self.closed == loops.running() then errors.misuse("the session is closed") end
  local free, err = self.link:check(self.timeout)
  return free, err
end

local function look(link)
  link:enter()
  local fine, err = link:look(link.loop.now())
  link:leave()
  return fine, err
end

--- A session, by @{connect}; its `address`.
-- @type Session

--- Queues a request; several may be on their way. It leaves with the next
-- receive.
-- @tparam string name of a request in dqlite.wire
-- @tparam[opt] table fields its fields
-- @treturn true|nil
-- @treturn dqlite.error|nil the error; of kind "value" when the request is refused
function Session:send(name, fields)
  local usable, err = check_usable(self)
  if usable then usable, err = look(self.link) end
  if not usable then return nil, err end
  local ok, sent, kind, reason =
    pcall(self.link.core.send, self.link.core, name, fields or {})
  if not ok then errors.raised(sent) end
  if sent then
    self.write = self.write or WRITES[name] or false
    return true
  end
  if kind ~= "value" then return nil, self.link:fail(kind, reason) end
  return nil, errors.new { kind = "value", message = reason }
end

-- `timeout` is the call's own, in seconds, or nil.
local function deadline_of(self, timeout)
  if timeout ~= nil then options.call({ timeout = timeout }, {}) end
  return self.link.loop.now() + (timeout or self.timeout)
end

local function receive(self, deadline)
  local link = self.link
  local free, ended = link:check(self.timeout)
  if not free then return nil, ended end
  link:enter()
  local name, last = link:reply(deadline, self)
  if not name then return nil, last end
  local message, kind, reason = link.core:message()
  if not message then return nil, link:fail(kind, reason, self) end
  message.last = last
  link:leave()
  return message
end

local function settle(self)
  if self.link.core:outstanding() == 0 then self.write = false end
end

--- Receives the next reply; a FAILURE is a message like others.
-- @tparam[opt] number timeout seconds
-- @treturn table|nil the message; `last` tells whether its request is finished
-- @treturn dqlite.error|nil the error, after which the session is dead
function Session:receive(timeout)
  local usable, err = check_usable(self)
  if not usable then return nil, err end
  if self.link.core:outstanding() == 0 then
    errors.misuse("no request is on its way")
  end
  local message, why = receive(self, deadline_of(self, timeout))
  settle(self)
  return message, why
end

local function append_rows(rows, more)
  for i = 1, more.n do rows[rows.n + i] = more[i] end
  rows.n = rows.n + more.n
end

--- Sends one request and waits for its whole answer: the rows of all frames
-- come in one message.
-- @tparam string name of a request
-- @tparam[opt] table fields its fields
-- @tparam[opt] number timeout seconds
-- @treturn table|nil the message
-- @treturn dqlite.error|nil the error, also the one that a FAILURE stands for
function Session:request(name, fields, timeout)
  local usable, lost = check_usable(self)
  if not usable then return nil, lost end
  if self.link.core:outstanding() > 0 then
    errors.misuse("other requests are on their way: use send and receive")
  end
  local deadline = deadline_of(self, timeout)
  local sent, refused = self:send(name, fields)
  if not sent then return nil, refused end
  local answer
  repeat
    local message, err = receive(self, deadline)
    if not message then return nil, err end
    if message.name == "FAILURE" then
      local failure = self.link:failure(self)
      settle(self)
      return nil, failure
    end
    if answer then append_rows(answer.rows, message.rows) end
    answer = answer or message
  until message.last
  settle(self)
  if answer.rows then answer.rows.more = false end
  answer.last = true
  return answer
end

--- Closes. Again does nothing.
-- @treturn true
function Session:close()
  self.closed = self.closed or loops.running()
  self.link:close()
  return true
end

Session.__close = Session.close

function Session:__tostring()
  return "dqlite session with " .. self.address
end

return session
