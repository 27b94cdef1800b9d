--- A client of HTTP/1.1 for specs. It waits in system calls; several connections
-- wait side by side in that each is asked (`send`) before the first is read.
--
--    local conn = assert(http.connect "127.0.0.1:8080")
--    local answer = assert(conn:request { path = "/one" })
--    assert.equal(200, answer.status)
--
-- A request is a table: `path` ("/"), `method` (GET, or POST with a body), `headers`,
-- `body`, `timeout` in seconds. An answer has `status`, `headers` (names in lower case,
-- repeated ones joined by ", ") and `body`. What fails answers nil and "timeout" or
-- another reason.
local core = require "dqlite.core"
local handles = require "spec.support.handles"
local http_answer = require "spec.support.http_answer"
local uv = require "luv"

local PATIENCE = 10 -- seconds
local PIECE = 65536 -- bytes of a read

local http = {}

local Connection = {}
Connection.__index = Connection

-- ---- bytes ----

-- Writing to a peer that is gone sends a signal, which would end the program.
local sigpipe
local function survive_sigpipe()
  if sigpipe then return end
  sigpipe = handles.except(uv.new_signal())
  sigpipe:start("sigpipe", function() end)
end

local function wait(self, wanted, deadline)
  local left = deadline - core.now()
  if left <= 0 then return nil, "timeout" end
  local readable, _, reason = self.sock:wait(wanted, left)
  if readable == nil then return nil, reason end
  return true
end

-- Calls a function of luv on the descriptor until it need not wait.
local function when_ready(self, wanted, deadline, call, what)
  while true do
    local result, message, name = call(self.sock:fd(), what, -1)
    if result then return result end
    if name ~= "EAGAIN" then return nil, message end
    local waited, reason = wait(self, wanted, deadline)
    if not waited then return nil, reason end
  end
end

local function write(self, bytes, deadline)
  while #bytes > 0 do
    local n, reason = when_ready(self, "w", deadline, uv.fs_write, bytes)
    if not n then return nil, reason end
    bytes = bytes:sub(n + 1)
  end
  return true
end

local function deadline_of(timeout)
  return core.now() + (timeout or PATIENCE)
end

--- Sends bytes as they are: part of a request, or what is none.
-- @return true, or nil and the reason
function Connection:write(bytes, timeout)
  if not self:is_open() then return nil, "closed" end
  return write(self, bytes, deadline_of(timeout))
end

-- ---- requests ----

local function has(headers, wanted)
  for name in pairs(headers) do
    if name:lower() == wanted then return true end
  end
  return false
end

local function text_of(self, method, request)
  local headers = request.headers or {}
  local lines = { ("%s %s HTTP/1.1"):format(method, request.path or "/") }
  local function add(name, value)
    if not has(headers, name:lower()) then lines[#lines + 1] = name .. ": " .. value end
  end
  add("Host", self.address)
  if request.body then add("Content-Length", #request.body) end
  if self.once then add("Connection", "close") end
  for name, value in pairs(headers) do lines[#lines + 1] = name .. ": " .. value end
  return table.concat(lines, "\r\n") .. "\r\n\r\n" .. (request.body or "")
end

--- Sends a request and does not wait for the answer. Another one may follow: the
-- answers come in the same order.
-- @return the connection, or nil and the reason
function Connection:send(request)
  if not self:is_open() then return nil, "closed" end
  local method = request.method or (request.body and "POST" or "GET")
  self.asked[#self.asked + 1] = method
  local bytes = text_of(self, method, request)
  local sent, reason = write(self, bytes, deadline_of(request.timeout))
  return sent and self, reason
end

--- Reads the next answer. After "timeout" it may be read again.
-- @tparam[opt] number timeout seconds
-- @return the answer, or nil and the reason
function Connection:read(timeout)
  assert(#self.asked > 0, "nothing was asked")
  local deadline = deadline_of(timeout)
  self.reading = self.reading or http_answer.reader(self.asked[1], self.rest)
  local answer, rest = self.reading()
  while not answer do
    if not self:is_open() then return nil, "closed" end
    local bytes, reason = when_ready(self, "r", deadline, uv.fs_read, PIECE)
    if reason == "timeout" then return nil, reason end
    answer, rest = self.reading(bytes or "")
    if answer == false then
      self:close()
      return nil, "closed"
    end
  end
  self.rest, self.reading = rest, nil
  table.remove(self.asked, 1)
  if self.once or answer.headers.connection == "close" then self:close() end
  return answer
end

--- Sends a request and reads its answer.
function Connection:request(request)
  local sent, reason = self:send(request)
  if not sent then return nil, reason end
  return self:read(request.timeout)
end

local function with(opts, fields)
  for name, value in pairs(opts or {}) do fields[name] = value end
  return fields
end

--- A request for a path; `opts` are other fields of it.
function Connection:get(path, opts)
  return self:request(with(opts, { path = path }))
end

function Connection:post(path, body, opts)
  return self:request(with(opts, { path = path, method = "POST", body = body }))
end

-- ---- the connection ----

function Connection:is_open()
  return self.sock:fd() >= 0
end

--- Closes, whatever is still to come. Again does nothing.
function Connection:close()
  self.sock:close()
end

--- Connects, to one who keeps connections open. With `once` each request says that the
-- connection ends with its answer.
-- @tparam string address "HOST:PORT", numeric
-- @tparam[opt] table opts `once`, `timeout` in seconds
-- @return the connection, or nil and the reason
function http.connect(address, opts)
  opts = opts or {}
  survive_sigpipe()
  local self = setmetatable({
    address = address,
    once = opts.once or false,
    sock = core.socket(),
    asked = {}, -- methods without an answer yet
    reading = nil, -- the reader of the answer that is under way
    rest = "", -- bytes behind the last answer
  }, Connection)
  local done, kind, reason = self.sock:connect(address)
  if done == nil then return nil, reason or kind end
  local waited, why = done or wait(self, "w", deadline_of(opts.timeout))
  if waited and not done then waited, kind, why = self.sock:connected() end
  if waited then return self end
  self:close()
  return nil, why or kind
end

--- Sends one request over a connection of its own, and does not wait.
-- @return the connection: `read`, `close`
function http.send(address, request)
  local conn, reason = http.connect(address, { once = true, timeout = request.timeout })
  if not conn then return nil, reason end
  local sent, why = conn:send(request)
  if not sent then conn:close() end
  return sent, why
end

--- One request over a connection of its own.
-- @return the answer, or nil and the reason
function http.request(address, request)
  local conn, reason = http.send(address, request)
  if not conn then return nil, reason end
  local answer, why = conn:read(request.timeout)
  conn:close()
  return answer, why
end

--- The same for a path; `opts` are other fields of the request.
function http.get(address, path, opts)
  return http.request(address, with(opts, { path = path }))
end

function http.post(address, path, body, opts)
  return http.request(address, with(opts, { path = path, method = "POST", body = body }))
end

return http
