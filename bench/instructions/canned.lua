-- A connection whose server is a list of answers: no socket, no clock, no
-- decoding, so that what is counted is the client.
local dqlite = require "dqlite"
local wire = require "dqlite.wire"

local canned = {}

local function frame(name, fields)
  return assert(wire.encode(name, fields))
end

local ADDRESS = "127.0.0.1:9001"

local OPENING = frame("SERVER", { id = "1", address = ADDRESS })
  .. frame("WELCOME", { heartbeat = 15000 }) .. frame("DB", {})

local Stream = {}
Stream.__index = Stream

function Stream.send(_, session)
  session:take()
  return true
end

-- What comes first once; then one answer after the other, again and again.
function Stream:recv(session)
  local i = self.next
  self.next = i + 1
  session:feed(self.first[i] or self.answers[(i - 1) % #self.answers + 1])
  return true
end

-- As the streams of sockets, in one step.
function Stream:ask(session)
  self:send(session)
  self:recv(session)
  return session:next()
end

function Stream.alive()
  return true
end

function Stream.close() end

local function loop_of(stream)
  return {
    now = function() return 0 end,
    sleep = function() end,
    connect = function() return stream end,
  }
end

--- A ROWS frame that is the whole answer.
-- @tparam table rows `columns` and the rows
function canned.rows(rows)
  return frame("ROWS", { rows = rows })
end

-- The first two uses of a text, after which it is prepared, are behind the
-- connection.
local function open(use, answers, ...)
  local prepared = frame("STMT", { db = 0, stmt = 0, params = select("#", ...) })
  local stream = setmetatable({
    first = { OPENING, answers[1], answers[1] .. prepared },
    answers = answers,
    next = 1, -- counts the receives
  }, Stream)
  local conn = assert(dqlite.connect(ADDRESS, { loop = loop_of(stream) }))
  for _ = 1, 2 do assert(use(conn, ...)) end
  return conn
end

--- A connection that reads.
-- @tparam string text of the query, which it has prepared
-- @tparam {string,...} answers
-- @param ... parameters
function canned.open(text, answers, ...)
  return open(function(conn, ...) return conn:fetchall(text, ...) end, answers, ...)
end

--- A connection that writes.
-- @tparam string text of the statement, which it has prepared
-- @param ... parameters
function canned.open_write(text, ...)
  return open(function(conn, ...) return conn:execute(text, ...) end,
    { frame("RESULT", { last_insert_id = 1, rows_affected = 1 }) }, ...)
end

return canned
