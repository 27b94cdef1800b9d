--- A server that follows a script, without a socket: a loop whose streams
-- answer requests from a table, with a clock that only moves when told.
--
--    local server = scripted.server { QUERY_SQL = { scripted.rows {...} } }
--    local conn = dqlite.connect(server.address, { loop = server.loop })
--
-- An answer is a list of frames (bytes) or a function of the request that
-- returns one; "close" in the list closes the connection, and a request
-- without an answer stays unanswered. `server.sent` has the decoded requests,
-- `server.writes` the bytes of each send.
local dqlite = require "dqlite"
local wire = require "dqlite.wire"

local scripted = {}

function scripted.frame(name, fields)
  return assert(wire.encode(name, fields))
end

function scripted.failure(code, message)
  return scripted.frame("FAILURE", { code = code, message = message })
end

--- A ROWS frame of { columns = {...}, {...}, ..., more = true? }.
function scripted.rows(rows)
  return scripted.frame("ROWS", { rows = rows })
end

function scripted.result(id, affected)
  return scripted.frame("RESULT",
    { last_insert_id = id, rows_affected = affected })
end

local function opening(address)
  return {
    LEADER = { scripted.frame("SERVER", { id = "1", address = address }) },
    CLIENT = { scripted.frame("WELCOME", { heartbeat = 15000 }) },
    OPEN = { scripted.frame("DB", {}) },
  }
end

local Stream = {}
Stream.__index = Stream

local function answer(self, request)
  local server = self.server
  server.sent[#server.sent + 1] = request
  local frames = server.answers[request.name]
  if type(frames) == "function" then frames = frames(request) end
  for _, bytes in ipairs(frames or {}) do
    self.incoming[#self.incoming + 1] = bytes
  end
end

function Stream:send(session)
  local bytes = session:take()
  self.server.writes[#self.server.writes + 1] = bytes
  self.decoder:feed(bytes)
  while true do
    local request, err = self.decoder:next()
    if err then error(tostring(err)) end
    if not request then return true end
    answer(self, request)
  end
end

-- The next `chunk` bytes at most of what is to come.
local function next_chunk(self)
  local bytes = table.remove(self.incoming, 1)
  local chunk = self.server.chunk
  if bytes == "close" or #bytes <= chunk then return bytes end
  table.insert(self.incoming, 1, bytes:sub(chunk + 1))
  return bytes:sub(1, chunk)
end

function Stream:recv(session, deadline)
  local server = self.server
  server.time = server.time + server.delay
  if #self.incoming == 0 or server.time >= deadline then
    server.time = math.max(server.time, deadline)
    return nil, "timeout", "the deadline has passed"
  end
  local bytes = next_chunk(self)
  if bytes == "close" then
    return nil, "closed", "the server closed the connection"
  end
  session:feed(bytes)
  return true
end

function Stream:alive()
  return not self.closed
end

function Stream:close()
  if not self.closed then self.server.closed = self.server.closed + 1 end
  self.closed = true
end

local function connect(server)
  server.connects = server.connects + 1
  return setmetatable({
    server = server,
    decoder = wire.decoder("request"),
    incoming = {},
    closed = false,
  }, Stream)
end

--- Makes a server. `answers`: request name -> list of frames or function.
function scripted.server(answers)
  local server = {
    address = "127.0.0.1:9001",
    answers = nil,
    sent = {},
    writes = {},
    connects = 0,
    closed = 0, -- streams
    time = 100, -- of the loop's clock, seconds
    delay = 0, -- seconds that each receive takes
    chunk = math.huge, -- bytes of each receive at most
    slept = 0, -- seconds
  }
  server.answers = opening(server.address)
  for name, frames in pairs(answers or {}) do server.answers[name] = frames end
  server.loop = {
    now = function() return server.time end,
    sleep = function(seconds)
      server.time = server.time + seconds
      server.slept = server.slept + seconds
    end,
    connect = function() return connect(server) end,
  }
  return server
end

--- A connection to a server of these answers, and the server, whose `bytes()`
-- counts what was sent since.
function scripted.open(answers, opts)
  local server = scripted.server(answers)
  opts = opts or {}
  opts.loop = server.loop
  local conn = assert(dqlite.connect(server.address, opts))
  local before = scripted.bytes_sent(server)
  server.bytes = function() return scripted.bytes_sent(server) - before end
  return conn, server
end

--- How many bytes were sent.
function scripted.bytes_sent(server)
  return #table.concat(server.writes)
end

return scripted
