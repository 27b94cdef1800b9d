--- A server in the process of the specs, on real sockets, that answers as a
-- scripted or a simulated one does. It runs while luv's loop does, beside the
-- client's coroutines, and does not keep the loop alive.
--
--    local server = luv_server.start(simulated.server())
--    dqlite.run(function() assert(dqlite.connect(server.address)) ... end)
--    server:stop()
--
-- `server.source` is what it answers from; its answers, functions of the request
-- and the peer, may keep the peer and `write` later. `server.received` counts
-- bytes, `server.peers` the connections that are open.
local handles = require "spec.support.handles"
local uv = require "luv"
local wire = require "dqlite.wire"

local luv_server = {}

-- libuv writes to a peer that is gone, and leaves the signal to the program.
local function survive_sigpipe()
  local signal = handles.except(uv.new_signal())
  signal:start("sigpipe", function() end)
  return signal
end

local Server = {}
Server.__index = Server

local Peer = {}
Peer.__index = Peer

function Peer:write(bytes)
  if not self.closed then self.socket:write(bytes) end
end

local function leave(peer)
  if peer.closed then return false end
  peer.closed = true
  peer.server.peers = peer.server.peers - 1
  peer.server.sockets[peer.socket] = nil
  return true
end

function Peer:close()
  if leave(self) then self.socket:close() end
end

--- Closes with RST.
function Peer:reset()
  if leave(self) then self.socket:close_reset() end
end

local function answer(peer, request)
  local source = peer.server.source
  source.sent[#source.sent + 1] = request
  local frames = source.answers[request.name]
  if peer.silent then return end
  if type(frames) == "function" then frames = frames(request, peer) end
  local last = frames and frames[#frames]
  peer.silent = request.name ~= "HANDSHAKE" and (last == nil or last == "close")
  if last == nil then return end
  if last ~= "close" then return peer:write(table.concat(frames)) end
  peer:write(table.concat(frames, "", 1, #frames - 1))
  peer:close()
end

local function read(peer, bytes)
  peer.server.received = peer.server.received + #bytes
  peer.decoder:feed(bytes)
  while true do
    local request, err = peer.decoder:next()
    if err then error(tostring(err)) end
    if not request then return end
    answer(peer, request)
  end
end

local function accept(server)
  local socket = handles.except(uv.new_tcp())
  assert(server.listener:accept(socket))
  server.peers = server.peers + 1
  server.accepted = server.accepted + 1
  local peer = setmetatable({
    server = server,
    socket = socket,
    decoder = wire.decoder "request",
    queued = 0,
    taken = math.huge, -- what the client has read is not known here
    silent = false, -- a request stays unanswered, and so do all behind it
    closed = false,
  }, Peer)
  server.sockets[socket] = peer
  socket:nodelay(true)
  socket:read_start(function(_, bytes)
    if not bytes then return peer:close() end
    local ok, err = pcall(read, peer, bytes)
    if ok then return end
    server.broken = server.broken or err
    peer:close()
  end)
end

--- Starts.
-- @tparam table source of scripted.server or simulated.server; its address
-- becomes the one that is listened on
-- @treturn table
function luv_server.start(source)
  handles.forget()
  local server = setmetatable({
    address = nil,
    source = source,
    listener = handles.except(uv.new_tcp()),
    signal = survive_sigpipe(),
    sockets = {}, -- peers by socket
    peers = 0,
    accepted = 0,
    received = 0,
    broken = nil, -- what was raised in an answer
  }, Server)
  assert(server.listener:bind("127.0.0.1", 0))
  server.address = "127.0.0.1:" .. server.listener:getsockname().port
  assert(server.listener:listen(128, function(err)
    if err then
      server.broken = server.broken or err
    else
      accept(server)
    end
  end))
  server:serve(source)
  return server
end

--- Answers from another source from now on.
function Server:serve(source)
  local hello = wire.encode("SERVER", { id = "1", address = self.address })
  source.address = self.address
  if type(source.answers.LEADER) == "table" then source.answers.LEADER = { hello } end
  self.source = source
end

--- The peer of the only connection, or of one of them.
function Server:peer()
  local _, peer = next(self.sockets)
  return peer
end

--- Stops, and raises what an answer has raised.
function Server:stop()
  for _, peer in pairs(self.sockets) do peer:close() end
  self.listener:close()
  self.signal:close()
  handles.settle()
  assert(not self.broken, self.broken)
end

return luv_server
