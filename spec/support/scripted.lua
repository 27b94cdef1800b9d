--- A server that follows a script, without a socket: a loop whose streams
-- answer requests from a table, with a clock that only moves when told.
--
--    local server = scripted.server { QUERY_SQL = { scripted.rows {...} } }
--    local conn = dqlite.connect(server.address, { loop = server.loop })
--
-- An answer is a list of frames (bytes) or a function of the request and its
-- stream that returns one; "close" in the list closes the connection, and a
-- request without an answer stays unanswered. `server.sent` has the decoded
-- requests, `server.writes` the bytes of each send.
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
    CLUSTER = { scripted.frame("SERVERS", {
      servers = { { id = "1", address = address, role = "voter" } },
    }) },
  }
end

local Stream = {}
Stream.__index = Stream

-- The requests that the client has not read the whole answer of.
local function unanswered(self)
  while self.ends[1] and self.ends[1] <= self.taken do
    table.remove(self.ends, 1)
  end
  return #self.ends
end

local function answer(self, request)
  local server = self.server
  server.sent[#server.sent + 1] = request
  request.write = #server.writes
  local frames = server.answers[request.name]
  if self.silent then frames = nil end
  if type(frames) == "function" then frames = frames(request, self) end
  for _, bytes in ipairs(frames or {}) do
    self.incoming[#self.incoming + 1] = bytes
    self.queued = self.queued + 1
  end
  self.silent = request.name ~= "HANDSHAKE"
    and (not frames or #frames == 0 or frames[#frames] == "close")
  self.ends[#self.ends + 1] = self.queued
  server.ahead = math.max(server.ahead, unanswered(self))
end

function Stream:send(session)
  local refused = self.server.refuse_send
  if refused then return nil, refused, "nothing of it was taken" end
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
  if bytes == "close" or #bytes <= chunk then
    self.taken = self.taken + 1
    return bytes
  end
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

-- As the streams of sockets.
function Stream:ask(session, deadline)
  local done, kind, reason = self:send(session)
  if done then done, kind, reason = self:recv(session, deadline) end
  if not done then return nil, kind, reason end
  local name, last, detail = session:next()
  if name or last then return name, last, detail end
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
    queued = 0, -- frames that were put into it
    taken = 0, -- and that the client has received
    ends = {}, -- of the requests on their way: the number of the last frame
    silent = false, -- a request stays unanswered, and so do all behind it
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
    dialled = {}, -- addresses
    closed = 0, -- streams
    time = 100, -- of the loop's clock, seconds
    delay = 0, -- seconds that each receive takes
    chunk = math.huge, -- bytes of each receive at most
    slept = 0, -- seconds
    refuse_send = nil, -- the kind of error of sends, nothing of which leaves
    ahead = 0, -- the most requests that were on their way at once
  }
  server.answers = opening(server.address)
  for name, frames in pairs(answers or {}) do server.answers[name] = frames end
  server.loop = {
    now = function() return server.time end,
    sleep = function(seconds)
      server.time = server.time + seconds
      server.slept = server.slept + seconds
    end,
    connect = function(address)
      server.dialled[#server.dialled + 1] = address
      return connect(server)
    end,
  }
  return server
end

--- A connection to a server that was made, whose `bytes()` counts what was sent
-- since.
function scripted.connect(server, opts)
  opts = opts or {}
  opts.loop = server.loop
  local conn = assert(dqlite.connect(server.address, opts))
  local before = scripted.bytes_sent(server)
  server.bytes = function() return scripted.bytes_sent(server) - before end
  return conn, server
end

--- A connection to a new server of these answers, and the server.
function scripted.open(answers, opts)
  return scripted.connect(scripted.server(answers), opts)
end

--- How many bytes were sent.
function scripted.bytes_sent(server)
  return #table.concat(server.writes)
end

return scripted
