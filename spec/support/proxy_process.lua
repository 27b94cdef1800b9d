-- lua proxy_process.lua TARGET
--
-- A TCP proxy in front of an address "host:port", in a process of its own whose
-- life hangs on its standard input. Prints its address; then answers each line
-- of input, a command with its arguments, once it has taken effect, with
-- "ok ANSWER" or what is wrong with it. proxy.lua has them all.

local proxy_way = require "spec.support.proxy_way"
local uv = require "luv"

local HOST, BACKLOG = "127.0.0.1", 128

local target_host, target_port = arg[1]:match "^(.*):(%d+)$"

local listener, port -- always bound to the port
local fillers = {} -- connections that fill the queue of a listener that has vanished
local connections = {} -- the open ones, as a set
local accepted, open = 0, 0
local mode, allowance = proxy_way.PASS, math.huge

-- ---- connections ----

local function close_socket(socket, with_reset)
  if socket:is_closing() then return end
  if not (with_reset and socket:close_reset()) then
    if not socket:is_closing() then socket:close() end
  end
end

local function close(connection, with_reset)
  if not connections[connection] then return end
  connections[connection] = nil
  open = open - 1
  connection.up:close()
  connection.down:close()
  close_socket(connection.client, with_reset)
  close_socket(connection.server, with_reset)
end

-- Both directions have ended.
local function end_one(connection)
  connection.ends = connection.ends + 1
  if connection.ends == 2 then close(connection, false) end
end

local function dial(connection)
  connection.server:connect(target_host, tonumber(target_port), function(err)
    if not connections[connection] then return end
    if err then return close(connection, true) end
    connection.server:nodelay(true)
    connection.up:start()
    connection.down:start()
  end)
end

local function open_one(client)
  local connection = { client = client, server = uv.new_tcp(), ends = 0, up = nil, down = nil }
  local function broken() close(connection, true) end
  local function ended() end_one(connection) end
  connection.up = proxy_way.new(client, connection.server, mode, broken, ended)
  connection.down = proxy_way.new(connection.server, client, mode, broken, ended)
  connection.down.allowance = allowance
  connections[connection] = true
  accepted, open = accepted + 1, open + 1
  client:nodelay(true)
  dial(connection)
end

-- ---- the listener ----

local function bind()
  if listener then listener:close() end
  listener = uv.new_tcp()
  assert(listener:bind(HOST, port or 0))
  port = listener:getsockname().port
end

local function drop_fillers()
  for _, socket in ipairs(fillers) do close_socket(socket, true) end
  fillers = {}
end

local function listen()
  assert(listener:listen(BACKLOG, function(err)
    assert(not err, err)
    local client = uv.new_tcp()
    if listener:accept(client) then open_one(client) else client:close() end
  end))
end

-- ---- what is carried ----

local function set(fields, most)
  mode, allowance = setmetatable(fields, { __index = proxy_way.PASS }), most or math.huge
  for connection in pairs(connections) do
    connection.up:set(mode, math.huge)
    connection.down:set(mode, allowance)
  end
end

-- ---- commands: each returns its answer, if it has one ----

local commands = {}
local LATER = {} -- instead: it answers by itself

local function answer(text)
  io.stdout:write(text, "\n")
  io.stdout:flush()
end

function commands.count() return accepted end

function commands.open_count() return open end

function commands.reset() accepted = 0 end

function commands.pass() set {} end

function commands.delay(seconds) set { delay = seconds } end

function commands.drip(bytes, seconds) set { bytes = bytes, seconds = seconds } end

function commands.black_hole() set { hold = true } end

function commands.hang_after(bytes) set({}, bytes) end

function commands.cut()
  for connection in pairs(connections) do close(connection, true) end
end

function commands.cut_after(bytes)
  for connection in pairs(connections) do connection.up:break_after(bytes) end
end

function commands.half_close()
  for connection in pairs(connections) do connection.down:end_early() end
end

function commands.accept()
  drop_fillers()
  bind()
  listen()
end

-- A socket that is bound and does not listen.
function commands.refuse()
  drop_fillers()
  bind()
end

-- Connects to the listener, and goes on when that is done or will never be: a
-- client may have been quicker. On one machine it takes no time.
local function fill(done)
  local socket, timer = uv.new_tcp(), uv.new_timer()
  fillers[#fillers + 1] = socket
  local function finish()
    if timer:is_closing() then return end
    timer:close()
    done()
  end
  socket:connect(HOST, port, finish)
  timer:start(50, 0, finish)
end

-- Linux drops the SYN for a socket whose queue is full. The first connection is
-- taken from the queue, and kept, by libuv; the next one fills it.
function commands.vanish()
  commands.refuse()
  assert(listener:listen(0, function() end))
  fill(function()
    fill(function() answer "ok " end)
  end)
  return LATER
end

-- ---- the input ----

local function run(line)
  local words = {}
  for word in line:gmatch "%S+" do words[#words + 1] = tonumber(word) or word end
  local fn = commands[words[1]]
  if not fn then return answer("no such command: " .. line) end
  local ok, result = pcall(fn, words[2], words[3])
  if result == LATER then return end
  answer(ok and "ok " .. tostring(result or "") or "it failed: " .. tostring(result))
end

-- After what came in before it: later in the same turn of the loop there may be
-- connections to accept.
local function later(line)
  local timer = uv.new_timer()
  timer:start(0, 0, function()
    timer:close()
    run(line)
  end)
end

-- libuv writes to a peer that is gone, and leaves the signal to the program.
local function survive_sigpipe()
  uv.new_signal():start("sigpipe", function() end)
end

local function main()
  survive_sigpipe()
  local input, rest = uv.new_pipe(false), ""
  assert(input:open(0))
  input:read_start(function(err, bytes)
    if err or not bytes then os.exit(0, false) end
    rest = (rest .. bytes):gsub("(.-)\n", function(line)
      later(line)
      return ""
    end)
  end)
  bind()
  listen()
  answer(("%s:%d"):format(HOST, port))
  uv.run()
end

main()
