--- A server of spec.support.simulated or spec.support.scripted that has all the
-- memory it wants, while the client that it answers has not.
local oom = require "oom"

local quiet = {}

-- What the session does is the client's.
local function clients(session)
  return {
    take = function() return oom.again(session.take, session) end,
    feed = function(_, bytes) return oom.again(session.feed, session, bytes) end,
  }
end

local function send(stream, session, deadline)
  return stream:send(clients(session), deadline)
end

local function recv(stream, session, deadline)
  return stream:recv(clients(session), deadline)
end

local Stream = {}
Stream.__index = Stream

function Stream:send(session, deadline)
  return oom.aside(send, self.inner, session, deadline)
end

function Stream:recv(session, deadline)
  return oom.aside(recv, self.inner, session, deadline)
end

function Stream:alive()
  return self.inner:alive()
end

function Stream:close()
  return oom.aside(self.inner.close, self.inner)
end

--- Changes the loop of a server.
function quiet.server(server)
  local loop = server.loop
  local function connect()
    return setmetatable({ inner = loop.connect() }, Stream)
  end
  server.loop = {
    now = loop.now,
    sleep = function(seconds) return oom.aside(loop.sleep, seconds) end,
    connect = function() return oom.aside(connect) end,
  }
  return server
end

return quiet
