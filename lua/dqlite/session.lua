--- A raw session: single messages to one node, for bootstrapping a cluster by
-- hand, for tools, for new drivers. No leader search, no database unless OPEN
-- is sent. Messages are tables as in dqlite.wire.
--
-- What would take a server down cannot be sent (hazards.md): it is answered
-- with an error of kind "value" before a byte leaves.
-- @module dqlite.session

local errors = require "dqlite.error"
local links = require "dqlite.link"
local options = require "dqlite.options"

local session = {}

local Session = {}
Session.__index = Session

--- Dials one node.
-- @tparam string address as in dqlite.connect
-- @tparam[opt] table opts `timeout` (seconds, of this and each later call),
-- `loop`, `max_message_size`
-- @treturn table|nil the session
-- @treturn table|nil the error
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
    closed = false, -- by its user
  }, Session)
end

local function check_usable(self)
  if self.closed then errors.misuse("the session is closed") end
  if not self.link:is_open() then return nil, self.link:ended() end
  return true
end

--- Queues a request; several may be on their way. It leaves with the next
-- receive.
-- @tparam string name of a request in dqlite.wire
-- @tparam[opt] table fields its fields
-- @treturn true|nil
-- @treturn table|nil the error; of kind "value" when the request is refused
function Session:send(name, fields)
  local usable, err = check_usable(self)
  if not usable then return nil, err end
  local ok, sent, kind, reason =
    pcall(self.link.core.send, self.link.core, name, fields or {})
  if not ok then errors.misuse(sent) end
  if sent then return true end
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
  local name, last = link:reply(deadline)
  if not name then return nil, last end
  local message, kind, reason = link.core:message()
  if not message then return nil, link:fail(kind, reason) end
  message.last = last
  return message
end

--- Receives the next reply; a FAILURE is a message like others.
-- @tparam[opt] number timeout seconds
-- @treturn table|nil the message; `last` tells whether its request is finished
-- @treturn table|nil the error, after which the session is dead
function Session:receive(timeout)
  local usable, err = check_usable(self)
  if not usable then return nil, err end
  if self.link.core:outstanding() == 0 then
    errors.misuse("no request is on its way")
  end
  local message, why = receive(self, deadline_of(self, timeout))
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
-- @treturn table|nil the error, also the one that a FAILURE stands for
function Session:request(name, fields, timeout)
  if not self.closed and self.link.core:outstanding() > 0 then
    errors.misuse("other requests are on their way: use send and receive")
  end
  local deadline = deadline_of(self, timeout)
  local sent, refused = self:send(name, fields)
  if not sent then return nil, refused end
  local answer
  repeat
    local message, err = receive(self, deadline)
    if not message then return nil, err end
    if message.name == "FAILURE" then return nil, self.link:failure() end
    if answer then append_rows(answer.rows, message.rows) end
    answer = answer or message
  until message.last
  if answer.rows then answer.rows.more = false end
  answer.last = true
  return answer
end

--- Closes. Again does nothing.
function Session:close()
  self.closed = true
  self.link:close()
  return true
end

Session.__close = Session.close

function Session:__tostring()
  return "dqlite session with " .. self.address
end

return session
