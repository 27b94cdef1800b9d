--- A connection of nginx as a stream: a cosocket, which belongs to the context (a request
-- or a timer) that has connected it. No wait here blocks the worker, and no C function
-- yields.
-- @module dqlite.loop.cosocket

local core = require "dqlite.core"
local base = require "resty.core.base"
local semaphore = require "ngx.semaphore"

local cosocket = {}

local get_request = base.get_request
local spawn, kill = ngx.thread.spawn, ngx.thread.kill
local running, status = coroutine.running, coroutine.status
local now = core.now

local OVER = "the deadline has passed"
local KILLED = "the light thread that waited was killed"
local DAY = 86400

--- Seconds as nginx wants them.
function cosocket.milliseconds(seconds)
  return math.ceil(math.min(seconds, DAY) * 1000)
end

local milliseconds = cosocket.milliseconds

local Stream = {}
Stream.__index = Stream

-- Seconds that a wait lasts which nobody can end but the peer. What takes longer waits
-- beside a light thread that reads.
local PLAIN, PLAIN_MS = 0.25, 250

-- Bytes that a socket's buffer takes at once, whatever the server does. More is sent by
-- a light thread, while answers are read: a server reads nothing while it answers.
local SMALL = 32 * 1024

local READ_MOST = 64 * 1024

-- A read of nginx brings one buffer (lua_socket_buffer_size, a page or two of them): a
-- full one tells that there may be more.
local PAGE = 4096

--- A stream over a cosocket that is connected.
-- @param sock
-- @tparam boolean is_kept may it be given back to nginx?
-- @tparam[opt] string doubt what may be wrong where the peer ends it without a byte
function cosocket.stream(sock, is_kept, doubt)
  return setmetatable({
    sock = sock,
    request = get_request(), -- the context that it belongs to
    is_kept = is_kept,
    reused = sock:getreusedtimes(),
    doubt = doubt or false, -- until a byte has come
    fresh = true, -- nothing was received since the last send
    is_full = false, -- the last read filled nginx' buffer
    read_ms = 0, -- the timeout of reads that is set
    late = false, -- a plain wait was over before an answer came
    waiting = false, -- the coroutine that does
    interruption = false, -- why that wait is to end
    broken = false, -- what was sent last has failed, which who waits has not heard of yet
    closing = false, -- it is closed, or will be by who waits
    wake = false, -- a semaphore, posted when a light thread is done or a wait is to end
    reader = false, -- what a light thread reads, and whether it is done
    sender = false, -- and what one sends
  }, Stream)
end

-- ngx_lua names the cause in its own words.
local function lost(self, err)
  if err == "timeout" then return nil, "timeout", OVER end
  local reason = err == "closed" and "the server closed the connection" or err
  return nil, "closed", self.doubt and reason .. self.doubt or reason
end

-- nginx raises for less than none, and takes none for its default.
local function set_timeouts(self, send, read)
  local ms = math.max(1, milliseconds(read))
  self.read_ms = ms
  self.sock:settimeouts(ms, math.max(1, milliseconds(send)), ms)
end

-- ---- light threads ----

-- Seconds without an answer after which one that reads looks whether anybody waits for it.
-- Who was killed has not ended it, and the request does not end before it.
local LOOK = 1

-- Both end by themselves when their deadlines pass. What is sent keeps its own, whatever
-- begins meanwhile: nginx looks at the timeout each time that it goes on with it.
local function begin_work(self, work)
  local time = now()
  local sender = self.sender or work
  self.wake = self.wake or semaphore.new(0)
  set_timeouts(self, sender.deadline - time, math.min(work.deadline - time, LOOK))
  work.thread = spawn(function()
    work.result, work.err = work.run(self, work)
    work.done = true
    if self.closing then pcall(self.sock.close, self.sock) end
    self.wake:post(1)
  end)
end

-- Only who has started a light thread can end it; the socket is closed by that.
local function end_work(work)
  if work and not work.done then pcall(kill, work.thread) end
end

local function is_of_use(self, work)
  if self.closing or now() >= work.deadline then return false end
  return not self.waiting or status(self.waiting) ~= "dead"
end

local function read_any(self, work)
  local data, err
  repeat
    data, err = self.sock:receiveany(READ_MOST)
  until err ~= "timeout" or not is_of_use(self, work)
  return data, err
end

local function new_work(run, deadline)
  return { run = run, done = false, deadline = deadline, result = nil, err = nil, thread = nil }
end

-- One that reads for an earlier wait has more time now; one that has found nothing by then
-- begins again.
local function keep_reading(self, deadline)
  local reader = self.reader
  if reader and not reader.done then
    reader.deadline = math.max(reader.deadline, deadline)
  elseif not reader or reader.err == "timeout" then
    self.reader = new_work(read_any, deadline)
    begin_work(self, self.reader)
  end
end

local function start_sender(self, bytes, deadline)
  self.sender = new_work(function(stream) return stream.sock:send(bytes) end, deadline)
  begin_work(self, self.sender)
end

local function is_sending(self)
  return self.sender and not self.sender.done
end

local GRACE = 0.05 -- seconds that their own timeouts are waited for

-- Waits until one of them is done, or somebody ends the wait.
local function wait_for(self, is_done, deadline)
  while not is_done(self) do
    local left = deadline - now() + GRACE
    if self.interruption then
      end_work(self.reader)
      end_work(self.sender)
      return nil
    end
    if left <= 0 then return nil, "timeout", OVER end
    self.wake:wait(left)
  end
  return true
end

-- ---- receiving and sending ----

local function accept(self, session, data)
  self.is_full = #data % PAGE == 0
  self.late, self.doubt = false, false
  session:feed(data)
  return true
end

local function has_read(self)
  return self.reader.done
end

local FOREIGN = "the connection belongs to another request of nginx: connect in each, or use a pool"

-- nginx closes sockets with the request that they belong to. What else closes one ends
-- the connection here, too, before it sends again.
local function not_sent(self, err)
  if err == "closed" and not self.broken then return nil, "misuse", FOREIGN end
  return lost(self, err)
end

-- What the reader has come to.
local function take_read(self, session)
  local reader = self.reader
  self.reader = false
  if reader.result then return accept(self, session, reader.result) end
  return lost(self, reader.err)
end

local function receive_beside(self, session, deadline)
  keep_reading(self, deadline)
  local read, kind, reason = wait_for(self, has_read, deadline)
  if not read then return nil, kind, reason end
  return take_read(self, session)
end

local function receive(self, session, deadline, left)
  if self.late or self.reader then return receive_beside(self, session, deadline) end
  local patience = left < PLAIN and left or PLAIN
  if left < PLAIN or self.read_ms ~= PLAIN_MS then set_timeouts(self, left, patience) end
  local data, err = self.sock:receiveany(READ_MOST)
  if data then return accept(self, session, data) end
  self.late = err == "timeout"
  if self.late and left > patience and not self.interruption then
    return receive_beside(self, session, deadline)
  end
  return lost(self, err)
end

local function has_sent_or_read(self)
  return self.sender.done or self.reader.done
end

-- Many bytes, or what is left of them, until an answer has come.
local function send_beside(self, session, deadline)
  if not self.sender.done then keep_reading(self, deadline) end
  local done, kind, reason = wait_for(self, has_sent_or_read, deadline)
  if not done then return nil, kind, reason end
  local sender = self.sender
  if not sender.done then return take_read(self, session) end
  self.sender = false -- what was read meanwhile is there for who receives next
  if sender.result then return true end
  return not_sent(self, sender.err)
end

-- What was begun cannot be begun again: it has the time of the whole call.
local function send(self, session, deadline, left, limit)
  if self.sender then return send_beside(self, session, deadline) end
  local bytes = session:take()
  if #bytes > SMALL or self.reader then
    start_sender(self, bytes, limit or deadline)
    return send_beside(self, session, deadline)
  end
  set_timeouts(self, limit and limit - now() or left, left < PLAIN and left or PLAIN)
  local sent, err = self.sock:send(bytes)
  if sent then return true end
  return not_sent(self, err)
end

-- nginx has closed the socket of who was killed.
local function forget_killed(self)
  self.closing, self.waiting = self.closing or KILLED, false
end

-- Who was here before may be waiting still, until it notices that it is to end.
local function wait_for_turn(self, deadline)
  while self.waiting do
    if status(self.waiting) == "dead" then forget_killed(self) end
    if now() >= deadline then return nil, "timeout", OVER end
    ngx.sleep(0.005)
  end
  return true
end

-- A wait from its begin to its end, by `receive` or `send`.
local function wait(self, work, session, deadline, limit)
  if self.waiting then
    local free, kind, reason = wait_for_turn(self, deadline)
    if not free then return nil, kind, reason end
  end
  local left = deadline - now()
  if self.closing then return nil, "closed", self.closing end
  if left <= 0 then return nil, "timeout", OVER end
  self.waiting = running()
  local done, kind, reason = work(self, session, deadline, left, limit)
  self.waiting = false
  local why = self.interruption
  if not why then return done, kind, reason end
  self.interruption = false
  if self.closing then pcall(self.sock.close, self.sock) end
  return nil, "closed", why
end

-- What the server has still to say waits for our kernel's acknowledgement, up to 40 ms.
-- It travels with any byte that we send (goals.md, point 1).
local function acknowledge(self, session)
  if self.fresh then
    self.fresh = false
  elseif not (self.is_full or is_sending(self) or self.closing or self.waiting) then
    local byte = session:nudge()
    if byte and not self.sock:send(byte) then self.broken = true end
  end
end

--- Gets at least one byte into the session.
-- @param session a core session
-- @tparam number deadline of now()
-- @return true, or nil with the kind of the error and its reason
function Stream:recv(session, deadline)
  acknowledge(self, session)
  return wait(self, receive, session, deadline)
end

--- Sends what is pending, all of it or until an answer comes in.
-- @param session a core session
-- @tparam number deadline of now(): of this wait
-- @tparam[opt] number limit likewise, of all waits for the same
-- @return true, or nil with the kind of the error and its reason
function Stream:send(session, deadline, limit)
  if get_request() ~= self.request then return nil, "misuse", FOREIGN end
  self.fresh = true
  return wait(self, send, session, deadline, limit)
end

--- Is the peer there? Of a cosocket only a call finds out.
function Stream:alive()
  return not self.closing
end

--- Was the coroutine killed whose call is under way? The connection has ended then.
-- @param owner the coroutine
-- @treturn boolean
function Stream:was_killed(owner)
  if get_request() ~= self.request or status(owner) ~= "dead" then return false end
  forget_killed(self)
  return true
end

--- Ends the wait of whoever waits here; the call fails with "closed". May come from
-- another context; who waits for an answer that is not late yet notices within 0.25 s.
-- @tparam string reason in words
function Stream:interrupt(reason)
  if not self.waiting then return end
  self.interruption = reason
  if self.wake then self.wake:post(1) end
end

--- Closes. Where somebody waits, or in another context, who waits closes.
function Stream:close()
  self.closing = self.closing or "the connection was closed meanwhile"
  self:interrupt(self.closing)
  end_work(self.reader)
  end_work(self.sender)
  pcall(self.sock.close, self.sock)
end

--- How often nginx has kept it for somebody: 0 for a new connection, on which nothing
-- was said yet.
-- @treturn number
function Stream:times_reused()
  return self.reused
end

local function keep(self, idle, size)
  if not self.is_kept then return nil, "it is of no pool" end
  if self.reader or is_sending(self) then return nil, "a light thread waits for it" end
  -- "closed" is a server that has closed it meanwhile, too
  local is_ours, kept, err =
    pcall(self.sock.setkeepalive, self.sock, idle and milliseconds(idle), size)
  if not is_ours then return nil, FOREIGN, true end
  if not kept then return nil, err end
  return true
end

--- Gives it to nginx, for who connects to the same pool next. To be asked for only
-- when nothing is on its way.
-- @tparam[opt] number idle seconds that it is kept without use; 0: for ever. Left out:
-- what nginx.conf says
-- @tparam[opt] number size how many are kept, likewise
-- @treturn true|nil
-- @treturn string|nil why not; it is closed then
-- @treturn boolean|nil is that a mistake of the program?
function Stream:keep(idle, size)
  local kept, err, is_misuse = keep(self, idle, size)
  if not kept then self:close() end
  self.closing = "it was given back to nginx"
  return kept, err, is_misuse
end

return cosocket
