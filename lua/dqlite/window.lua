--- Requests sent ahead of their answers, in bounded number and size: the server
-- reads nothing while it answers, so a client that only writes would stall
-- after some megabytes (protocol.md 2.1). They leave a few at a time, so that the
-- server is at work on the first while the others are made.
-- @module dqlite.window

local window = {}

local MOST = 256 -- requests on their way
local REFILL = 128 -- of them, when more are sent
local FEW = 16 -- that leave together

--- Bytes that are made ahead, and not yet taken by the socket.
window.BYTES = 256 * 1024

-- Lets leave what was made. What is too much for the socket at once leaves while
-- answers are read.
local function push(conn)
  local link = conn.link
  if link.core:pending() >= window.BYTES then return true end
  if not link:push(conn.deadline) then return false end
  link.queued = false
  return true
end

-- Answers how many were sent, and whether there may be more.
local function send(conn, run, sent, limit)
  local link, session = conn.link, conn.link.core
  local first, pending = sent, session:pending()
  while sent < limit and pending < window.BYTES do
    local n = run:send(sent + 1, math.min(FEW, limit - sent))
    if n == 0 then return sent, false end
    sent = sent + n
    pending = session:pending()
    if link.queued then link.queued = pending end
    if sent - first >= FEW then
      first = sent
      if not push(conn) then return sent, false end
    end
  end
  return sent, true
end

local function send_and_receive(conn, run, most)
  local link, session = conn.link, conn.link.core
  local sent, received, open = 0, 0, true
  local limit = most or MOST
  local refill = most and 0 or REFILL
  link.queued = 0
  repeat
    if open then sent, open = send(conn, run, sent, received + limit) end
    while sent > received
      and (sent - received > (open and refill or 0) or session:pending() >= window.BYTES) do
      local n, go_on = run:receive(received + 1)
      received, link.queued = received + n, false
      open = go_on and open
    end
  until received == sent and not open
end

--- Sends and receives until nothing is left, inside a call. The connection
-- cannot be used meanwhile, by what `run` calls either.
-- @tparam table conn the connection
-- @tparam string what it is busy with, in words
-- @tparam[opt] number most how many may be on their way
-- @tparam table run `run:send(i, most)` queues the i-th request, and those that
-- follow up to so many: it answers how many, 0 when there is none or it could not be
-- sent; `run:receive(i)` reads the i-th answer, and those behind it that are there: it
-- answers how many, and false to send no more
function window.run(conn, what, most, run)
  conn.working = what
  local ok, err = pcall(send_and_receive, conn, run, most)
  conn.working, conn.link.queued = false, false
  if ok then return end
  conn.link:fail("closed", what .. " was broken off")
  error(err, 0)
end

return window
