-- lua hostile_server.lua
--
-- A server in a process of its own that misbehaves as it is told. Prints the
-- address it listens at, and ends with its standard input.
--
-- A connection is answered well unless a script was left for it: an INSERT INTO
-- SCRIPTS of one parameter, the text of a Lua function's body that returns
-- lists of steps, the first for the connection that comes next and so on:
--
--    { "await", n }         n more requests are to come, the first time behind
--                           the version word; nothing is read before the first
--    { "send", bytes }
--    { "drip", bytes, s }   one byte every s seconds
--    { "flood", bytes }     again and again, as fast as they are taken
--    { "pause", s }
--    { "deaf" }             nothing is read from now on
--    { "fin" }              nothing more will be sent
--    { "close" }
--    { "reset" }
--
-- Behind the last step it reads, where it has read before, and says nothing.
-- That INSERT resets what is left of earlier scripts, and so does their age, for
-- clients that wait for ever. Its answer has the number of requests that the last
-- of them has seen, as id.
local uv = require "luv"
local wire = require "dqlite.wire"

local listener = uv.new_tcp()
assert(listener:bind("127.0.0.1", 0))
local address = "127.0.0.1:" .. listener:getsockname().port

local HEADER, WORD = 8, 8
local OLDEST = 15000 -- ms that a script may last

local scripts = {} -- for the connections that come next
local scripted = {} -- when those that follow one began, ms
local seen = 0 -- requests, by the last of them

local function close(client, how)
  scripted[client] = nil
  if not client:is_closing() then client[how or "close"](client) end
end

-- ---- connections that are answered well ----

local function answer(name, fields)
  return assert(wire.encode(name, fields))
end

local function leave_scripts(request)
  for client in pairs(scripted) do close(client, "close_reset") end
  scripts = assert((rawget(_G, "loadstring") or load)(request.params[1]))()
  return answer("RESULT", { last_insert_id = seen, rows_affected = 1 })
end

local ANSWERS = {
  HANDSHAKE = function() return "" end,
  LEADER = function() return answer("SERVER", { id = "1", address = address }) end,
  CLIENT = function() return answer("WELCOME", { heartbeat = 15000 }) end,
  OPEN = function() return answer("DB", {}) end,
  CLUSTER = function()
    return answer("SERVERS", { servers = { { id = "1", address = address, role = "voter" } } })
  end,
  EXEC_SQL = leave_scripts,
  QUERY_SQL = function()
    return answer("ROWS", { rows = { columns = { "a" }, { 42 } } })
  end,
}

local function serve_well(client)
  local decoder = wire.decoder "request"
  client:read_start(function(_, bytes)
    if not bytes then return close(client) end
    decoder:feed(bytes)
    local answers = {}
    for request in decoder.next, decoder do
      answers[#answers + 1] = ANSWERS[request.name](request)
    end
    client:write(table.concat(answers))
  end)
end

-- ---- connections that follow a script ----

-- How many whole requests are in the bytes behind `from`, and where they end.
local function count_requests(bytes, from)
  local count = 0
  while #bytes >= from + HEADER do
    local a, b, c, d = bytes:byte(from + 1, from + 4)
    local size = HEADER + WORD * (a + b * 0x100 + c * 0x10000 + d * 0x1000000)
    if #bytes < from + size then break end
    from, count = from + size, count + 1
  end
  return count, from
end

local Peer = {}
Peer.__index = Peer

local function resume(self)
  local ok, err = coroutine.resume(self.thread, self)
  if not ok then error(err, 0) end
end

local function read(self)
  local bytes, from = "", #wire.HANDSHAKE
  self.client:read_start(function(_, more)
    if not more then return close(self.client) end
    bytes = bytes .. more
    if #bytes < from then return end
    local count
    count, from = count_requests(bytes, from)
    bytes, from = bytes:sub(from + 1), 0
    self.requests, seen = self.requests + count, seen + count
    if self.awaited and self.requests >= self.awaited then
      self.awaited = nil
      resume(self)
    end
  end)
end

local function pause(self, seconds)
  local timer = uv.new_timer()
  timer:start(math.floor(seconds * 1000), 0, function()
    timer:close()
    if scripted[self.client] then resume(self) end
  end)
  coroutine.yield()
end

local STEPS = { pause = pause }

function STEPS.await(self, count)
  local due = self.due + count
  self.due = due
  if not self.reading then read(self) end
  self.reading = true
  if self.requests >= due then return end
  self.awaited = due
  coroutine.yield()
end

function STEPS.send(self, bytes)
  self.client:write(bytes)
end

function STEPS.drip(self, bytes, seconds)
  for i = 1, #bytes do
    self.client:write(bytes:sub(i, i))
    pause(self, seconds)
  end
end

local function flood(client, bytes)
  if not scripted[client] then return end
  client:write(bytes, function(err)
    if not err then flood(client, bytes) end
  end)
end

function STEPS.flood(self, bytes)
  flood(self.client, bytes)
end

function STEPS.deaf(self)
  self.client:read_stop()
end

function STEPS.fin(self)
  self.client:shutdown()
end

function STEPS.close(self)
  close(self.client)
end

function STEPS.reset(self)
  close(self.client, "close_reset")
end

local function follow(client, script)
  seen = 0
  scripted[client] = uv.now()
  resume(setmetatable({
    client = client,
    reading = false,
    requests = 0, -- that came
    due = 0, -- that were to come so far
    awaited = nil, -- how many are waited for
    thread = coroutine.create(function(self)
      for _, step in ipairs(script) do STEPS[step[1]](self, step[2], step[3]) end
    end),
  }, Peer))
end

-- ---- the process ----

assert(listener:listen(128, function()
  local client = uv.new_tcp()
  listener:accept(client)
  client:nodelay(true)
  local script = table.remove(scripts, 1)
  if script then follow(client, script) else serve_well(client) end
end))

uv.new_timer():start(1000, 1000, function()
  for client, began in pairs(scripted) do
    if uv.now() - began > OLDEST then close(client, "close_reset") end
  end
end)

local input = uv.new_pipe(false)
input:open(0)
input:read_start(function(_, bytes)
  if not bytes then os.exit(0) end
end)

io.stdout:write(address, "\n")
io.stdout:flush()
uv.run()
