-- A simulated server behind a real socket: `address`, `peer` (its socket), `server` (what
-- answers), and `answer()`, for when the client waits.
local peers = require "oom.peer"
local simulated = require "spec.support.simulated"

local Server = {}
Server.__index = Server

-- Answers what has come in.
function Server:answer()
  if self.peer:accept() then self.stream = self.server.loop.connect() end
  if not self.stream then return end
  local bytes = self.peer:read()
  if bytes == "" then return end
  self.stream:send({ take = function() return bytes end })
  local out = table.concat(self.stream.incoming)
  self.stream.incoming = {}
  self.stream.taken = self.stream.queued
  self.peer:write(out)
end

--- Starts one.
return function()
  local peer, address = peers.listen()
  local server = simulated.server()
  server.address = address
  server.answers.LEADER = { assert(require("dqlite.wire").encode("SERVER",
    { id = 1, address = address })) }
  return setmetatable({ peer = peer, address = address, server = server, stream = nil }, Server)
end
