--- A session joined with the stream that carries it: the only loop of the
-- client. Below connections and raw sessions.
-- @module dqlite.link

local core = require "dqlite.core"
local coroutines = require "dqlite.loop.coroutines"
local dial = require "dqlite.dial"
local errors = require "dqlite.error"
local finalizer = require "dqlite.finalizer"
local later = require "dqlite.later"
local leftovers = require "dqlite.leftovers"
local loops = require "dqlite.loops"
local member = require "dqlite.member"
local process = require "dqlite.process"

local tls = later.require "dqlite.tls"

local Link = {}
Link.__index = Link

local links = {}

local current_process = process.current
local running = coroutines.running

-- Seconds between the beginnings of two calls after which the second has a look at
-- the connection first. It costs a system call, which calls in a row do without.
local IDLE = 0.005

-- Seconds for what is there already, on a machine that is busy.
local PROMPT = 0.25

local function new(address, name, settings, loop, security, may_be_kept)
  return setmetatable({
    address = address,
    name = name,
    loop = loop,
    process = current_process(), -- that it belongs to
    dialler = settings.dial, -- the user's own
    tls = security, -- what is asked for of it, or false (dqlite.tls)
    keeping = nil, -- how nginx is to keep its socket (dqlite.keepalive)
    former = nil, -- the connection that it was of, for a pool that keeps both
    -- false, not nil: to give these a value is not to need memory, in LuaJIT either
    dialling = false, -- the stream that is being connected
    watch = false, -- minds the leader while an answer is overdue (dqlite.watch)
    observer = nil, -- is told of its end (dqlite.events)
    leader_name = nil, -- how the node names itself, when it has said that it leads
    members = nil, -- of the cluster, as the node has said
    overtaken = nil, -- by what leader, once the watch has found one
    -- where nginx has kept no socket it is made anew (dqlite.keepalive)
    core = core.session(settings.max_message_size, may_be_kept),
    stream = false, -- from dial to close; likewise
    owner = false, -- the coroutine whose call is under way
    cause = nil, -- the error that ended it
    abandoned = nil, -- the stream, once nobody waits for what it carries
    draining = false, -- the loop reads that behind the program's back
    holder = nil, -- whose `held` is to be freed once that is over
    held = nil,
    guard = nil, -- notices that everybody has dropped the link
    yields_rows = false, -- the request under way does
    holds_lock = false, -- and the server may hold the write lock meanwhile
    begun = -math.huge, -- when the last call did
    broken = false, -- an error was raised while a row was read
    queued = false, -- bytes of what is under way, as long as none was sent
    unsent = false, -- it ended with all of them still here
    dropped = nil, -- the error that the last drain came upon
  }, Link)
end

--- A link that is not dialled yet: requests can be queued.
-- @tparam string address whom to dial
-- @tparam table settings from dqlite.options
-- @tparam[opt] string name that the cluster knows the node by, where it is another
-- @tparam[opt] boolean may_be_kept by nginx is its socket: the session is open then
-- @tparam[opt] table checked the loop, where that was chosen for these settings before, and
-- whether it can wait here
-- @treturn table|nil the link
-- @treturn table|nil an error of kind "value" for a malformed address, or one without a
-- name to verify
function links.new(address, settings, name, may_be_kept, checked)
  if type(address) ~= "string" then
    errors.misuse("an address is a string, not a " .. type(address))
  end
  local valid, wrong = member.address(address)
  if not valid then
    return nil, errors.new {
      kind = "value",
      message = ("'%s': %s"):format(errors.visible(address), wrong),
    }
  end
  local loop = checked or loops.select(settings.loop)
  if not checked then
    loops.check_wait(loop)
    if settings.tls then tls.check_loop(settings, loop) end
  end
  name = name or address
  local security, unnamed = false, nil
  if settings.tls then security, unnamed = tls.towards(settings, address, name) end
  if unnamed then return nil, errors.new { kind = "value", message = unnamed } end
  return new(address, name, settings, loop, security, may_be_kept)
end

--- Dials. What was queued leaves with the first reply that is asked for.
-- @tparam number deadline of the loop's now()
-- @treturn true|nil
-- @treturn table|nil the error
function Link:dial(deadline)
  local stream, kind, reason = dial(self, deadline, function(begun) self.dialling = begun end)
  self.stream, self.dialling = stream or false, false
  if not stream then
    if kind == "misuse" then errors.misuse(reason) end
    return nil, self:fail(kind, reason)
  end
  if self.loop.later_finalize then
    self.guard = finalizer(function() self:forsake() end)
  end
  return true
end

local function is_inherited(self)
  return current_process() ~= self.process
end

-- Of what another process has made, ours close the copy of the descriptor here, and
-- touch nothing else. A stream of somebody else's is left alone: it might say goodbye.
local function close_stream(self, stream)
  if not is_inherited(self) then return stream:close() end
  if stream.close_inherited then stream:close_inherited() end
end

-- Is what is under way still here, every byte of it?
local function is_unsent(self)
  return self.queued and self.core:pending() == self.queued
end

-- A loop that cannot work behind the program's back leaves it to the next call. Where
-- that would hold up a request of nginx it is not for a node that does not answer.
local function is_worth_reading(self, kind)
  if not leftovers.are_due(self) or self.overtaken and self.loop.detach then return false end
  return kind == "timeout" or self.loop.background ~= nil
end

--- Ends the link for good. What is left of a result is read first: by the loop,
-- if it can do that behind the program's back, else, after a deadline, by the next
-- call or `quit`.
-- @tparam string kind of the error
-- @tparam string reason in words
-- @tparam[opt] table about the request that got no answer: sql, write
-- @treturn table the error
function Link:fail(kind, reason, about)
  self.unsent = is_unsent(self)
  if self.overtaken and kind == "closed" then kind = "not_leader" end
  local write = about and about.write and not self.unsent or false
  local err = errors.lost(kind, reason,
    { address = self.address, sql = about and about.sql, write = write, leader = self.overtaken })
  if is_inherited(self) then
    self:close(err)
    return err
  end
  if self.watch then self.watch:lost(self, err) end
  if self.draining then return err end
  if is_worth_reading(self, kind) then
    leftovers.abandon(self, err)
  else
    self:close(err)
  end
  return err
end

-- The error of a wait that ended badly. A foreign resume is raised, and so is, in the
-- child, a fork in the middle of the call.
local function broken_wait(self, kind, reason, about)
  if kind ~= "misuse" then return self:fail(kind, reason, about) end
  self:fail("closed", "the call was broken off by a foreign resume", about)
  errors.misuse(reason)
end

--- Waits by a method of the stream. What is overdue makes the watch ask the other nodes
-- meanwhile.
-- @param stream
-- @tparam string method "recv" or "send"
-- @tparam number deadline of the loop's now()
-- @tparam[opt] number patience when it is overdue
-- @return as the method
function Link:wait(stream, method, deadline, patience)
  local watch, session = self.watch, self.core
  if not watch then return stream[method](stream, session, deadline) end
  local now = self.loop.now()
  patience = patience or now + watch.OVERDUE
  if patience >= deadline then return stream[method](stream, session, deadline) end
  if now < patience then
    local done, kind, reason = stream[method](stream, session, patience, deadline)
    if done or kind ~= "timeout" then return done, kind, reason end
  end
  watch:begin(self, deadline)
  local done, kind, reason = stream[method](stream, session, deadline)
  watch:finish(self)
  return done, kind, reason
end

--- Ends the call that waits for an answer: another node leads now.
-- @tparam string leader its name
function Link:overtake(leader)
  self.overtaken = errors.visible(leader)
  if not self.stream then return end
  self.stream:interrupt(("the node does not answer, and %s is the leader now"):format(
    self.overtaken))
end

--- The next reply, after what is pending was sent.
-- @tparam number deadline of the loop's now()
-- @tparam[opt] table about the request, for the error: sql, write
-- @tparam[opt] number patience when it is overdue
-- @treturn string|nil name of the reply, then held by `core`
-- @treturn boolean|table whether the request is finished; or the error
-- @treturn number|nil its size in bytes
function Link:reply(deadline, about, patience)
  local session, stream = self.core, self.stream
  if not stream then return nil, self:ended() end
  while true do
    local name, last, detail = session:next()
    if name then return name, last, detail end
    if last then return nil, self:fail(last, detail, about) end
    local method = detail > 0 and "send" or "recv"
    local done, kind, why = self:wait(stream, method, deadline, patience)
    if not done then return nil, broken_wait(self, kind, why, about) end
    patience = nil
  end
end

--- As `reply`, to a request that is alone on its way: most streams get there in a step.
function Link:ask(deadline, about)
  local stream, watch = self.stream, self.watch
  if not stream or not stream.ask then return self:reply(deadline, about) end
  local patience = watch and self.begun + watch.OVERDUE
  if not watch or patience > deadline then patience = deadline end
  local name, last, detail = stream:ask(self.core, patience)
  if name then return name, last, detail end
  if last and last ~= "timeout" then return nil, broken_wait(self, last, detail, about) end
  return self:reply(deadline, about, watch and patience)
end

--- Sends what is pending, all of it or until an answer comes in.
-- @tparam number deadline of the loop's now()
-- @tparam[opt] table about the request, for the error: sql, write
-- @treturn true|nil
-- @treturn table|nil the error
function Link:push(deadline, about)
  local done, kind, why = self:wait(self.stream, "send", deadline)
  if done then return true end
  return nil, broken_wait(self, kind, why, about)
end

--- Sends what is pending, and does not wait for a reply.
-- @tparam number deadline of the loop's now()
-- @tparam[opt] table about the request, for the error: sql, write
-- @treturn true|nil
-- @treturn table|nil the error
function Link:flush(deadline, about)
  while self.stream and self.core:pending() > 0 do
    local sent, err = self:push(deadline, about)
    if not sent then return nil, err end
  end
  if self.stream then return true end
  return nil, self:ended()
end

--- Waits, in the middle of a call, for something else than a reply.
-- @tparam number seconds how long
-- @treturn true|nil
-- @treturn table|nil the error of a link that another coroutine has closed meanwhile
function Link:pause(seconds)
  local reason = loops.pause(self.loop, seconds)
  if reason then return nil, broken_wait(self, "misuse", reason) end
  if not self.stream then return nil, self:ended() end
  return true
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
    one_statement = about and about.one_statement,
  })
  if err.fatal and self.watch then self.watch:lost(self, err) end
  if err.fatal then self:close(err) end
  return err
end

--- Says to the end what was begun between two frames (dqlite.loop.cosocket), and reads
-- the answers: nothing is on its way then.
-- @tparam number deadline of the loop's now()
-- @treturn true|nil
-- @treturn table|nil the error
function Link:settle(deadline)
  local session = self.core
  session:settle()
  while session:owed() > 0 do
    local name, failed, detail = session:next()
    if name then return nil, self:fail("protocol", "a reply that nothing was asked for") end
    if failed then return nil, self:fail(failed, detail) end
    if session:owed() > 0 then
      local method = detail > 0 and "send" or "recv"
      local done, kind, reason = self:wait(self.stream, method, deadline)
      if not done then return nil, broken_wait(self, kind, reason) end
    end
  end
  return true
end

Link.drain, Link.quit, Link.quit_holding = leftovers.drain, leftovers.quit, leftovers.quit_holding

--- Closes the stream. Again does nothing.
-- @tparam[opt] table cause the error that ended the link
function Link:close(cause)
  -- to give a field that is not there the value nil may need memory in LuaJIT
  if cause and not self.cause then self.cause = cause end
  local stream = self.stream or self.abandoned
  if stream then close_stream(self, stream) end
  if self.dialling then close_stream(self, self.dialling) end
  self.stream = false
  self.owner = false
  if self.abandoned then self.abandoned = nil end
  self.watch = false
  self.core:close()
  if stream and self.observer and not is_inherited(self) then self.observer:closed(self) end
end

--- Ends a link that its user has dropped without a word, from its finalizer; or that a loop
-- has dropped, which was reading what is left and will not go on.
function Link:forsake()
  local stream = self.stream or self.abandoned
  if not stream then return end
  if is_inherited(self) then return close_stream(self, stream) end
  self.loop.later_finalize(function()
    if leftovers.are_due(self) then return leftovers.abandon(self) end
    self:close()
  end)
end

--- Raises in a process that was forked since.
function Link:check_process()
  process.check(self.process, "the connection")
end

-- Has a call of another coroutine been broken off? To nginx alone one is dead that waits.
local function is_over(self, owner)
  local stream = self.stream
  return loops.is_dead(owner) or stream and stream.was_killed and stream:was_killed(owner)
end

--- Can a call begin? One at a time: another coroutine's raises.
-- @tparam number patience seconds that the call may take
-- @treturn true|nil
-- @treturn table|nil the error of a link that has ended, or whose last call
-- was broken off by an error that was raised in it
function Link:check(patience)
  self:check_process()
  loops.check_wait(self.loop)
  local owner = self.owner
  if owner and owner ~= loops.running() and not is_over(self, owner) then
    errors.misuse("the connection is in use by another coroutine: let them take turns, or give"
      .. " each a connection of its own")
  end
  if owner or self.broken then self:fail("closed", "an earlier call was broken off") end
  if self.abandoned and not self.draining then
    self:quit(self.loop.now() + patience)
  end
  if not self.stream then return nil, self:ended() end
  return true
end

--- Looks at a connection that was idle, before something is sent that would be
-- lost or answered by something else: has the server closed it, or sent what
-- nobody asked for?
-- @tparam number now of the loop
-- @treturn true|nil
-- @treturn table|nil the error
function Link:look(now)
  local was_idle = now - self.begun > IDLE
  self.begun = now
  if not was_idle or self.core:outstanding() > 0 or self.core:pending() > 0
    or self.stream:alive() then
    return true
  end
  local got, kind, reason = self.stream:recv(self.core, self.loop.now() + PROMPT)
  if got then kind, reason = "protocol", "bytes that nothing was asked for" end
  return nil, broken_wait(self, kind, reason)
end

--- Begins a call, after check; leave ends it.
function Link:enter()
  self.owner = loops.running()
end

--- Begins a call: check, enter and look.
-- @tparam number now of the loop
-- @tparam number patience seconds that the call may take
-- @treturn true|nil
-- @treturn table|nil the error
function Link:begin(now, patience)
  local free, err = self:check(patience)
  if not free then return nil, err end
  self:enter()
  return self:look(now)
end

--- Begins a call where nothing is wrong.
-- @treturn number|nil the loop's now(); nil: nothing was done, see `begin`
function Link:begin_at_once()
  local loop, stream = self.loop, self.stream
  local now, refusal = loop.now(), loop.refusal
  if not stream or self.owner or self.broken or refusal and refusal() then return nil end
  if now - self.begun > IDLE and not stream:alive() then return nil end
  self.begun, self.owner = now, running() or "main"
  return now
end

--- Ends a call.
function Link:leave()
  self.owner = false
end

--- Can requests be sent?
function Link:is_open()
  return self.stream ~= false and not is_inherited(self)
end

--- Is it another process's, that has forked this one?
Link.is_inherited = is_inherited

--- The error of a call on a link that has ended.
function Link:ended()
  local message = "the connection is closed"
  if self.cause then message = "the connection was lost before: " .. self.cause.message end
  return errors.new {
    kind = "closed",
    message = message,
    address = self.address,
    fatal = true,
    retryable = true,
  }
end

return links
