--- Requests sent ahead of their answers, in bounded number and size: the server
-- reads nothing while it answers, so a client that only writes would stall
-- after some megabytes (protocol.md 2.1).
-- @module dqlite.window

local window = {}

local MOST = 256 -- requests on their way
local REFILL = 64 -- of them, when more are sent
local BYTES = 256 * 1024 -- not yet taken by the socket

local function send_and_receive(session, most, send, receive)
  local sent, received, open = 0, 0, true
  local limit = most or MOST
  local refill = most and 0 or REFILL
  repeat
    while open and sent - received < limit and session:pending() < BYTES do
      open = send(sent + 1)
      if open then sent = sent + 1 end
    end
    while sent > received
      and (sent - received > (open and refill or 0) or session:pending() >= BYTES) do
      received = received + 1
      open = receive(received) and open
    end
  until received == sent and not open
end

--- Sends and receives until nothing is left, inside a call. The connection
-- cannot be used meanwhile, by what `send` calls either.
-- @tparam table conn the connection
-- @tparam string what it is busy with, in words
-- @tparam[opt] number most how many may be on their way
-- @tparam function send queues the i-th request: true, or false when there is
-- none or it could not be sent
-- @tparam function receive reads the i-th answer: true, or false to send no
-- more
function window.run(conn, what, most, send, receive)
  conn.working, conn.link.queued = what, nil
  local ok, err = pcall(send_and_receive, conn.link.core, most, send, receive)
  conn.working = false
  if ok then return end
  conn.link:fail("closed", what .. " was broken off")
  error(err, 0)
end

return window
