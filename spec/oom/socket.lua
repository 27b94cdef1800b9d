-- A connection over a real socket, by the blocking loop.
local blocking = require "dqlite.loop.blocking"
local calls = require "spec.oom.calls"
local core = require "dqlite.core"
local dqlite = require "dqlite"
local oom = require "oom"
local new_server = require "spec.oom.peered"
local peers = require "oom.peer"
local simulated = require "spec.support.simulated"

local INSERT = "INSERT INTO t VALUES (?)"

-- ---- the blocking loop, which lets the server answer before it waits ----

local function loop_of(server)
  local loop = {}
  for name, value in pairs(blocking) do loop[name] = value end
  local function hook(stream)
    local recv = getmetatable(stream).__index.recv
    function stream.recv(...)
      oom.aside(server.answer, server)
      return recv(...)
    end
    return stream
  end
  function loop.connect(...)
    local stream, kind, reason = blocking.connect(...)
    if not stream then return nil, kind, reason end
    return oom.aside(hook, stream)
  end
  return loop
end

-- ---- connections ----

local function connect(server, loop)
  local conn, err = dqlite.connect(server.address, { loop = loop, timeout = 5 })
  server.conn = conn
  return conn, err
end

local function new()
  local server = new_server()
  return server, loop_of(server)
end

local function open()
  local server, loop = new()
  assert(connect(server, loop))
  return server, loop
end

local function after(_, server)
  local conn = server.conn
  local wrong
  if conn then
    local value, err = conn:fetchval "SELECT a FROM t"
    if value ~= 1 and not (err and err.kind == "closed" and err.fatal) then
      wrong = "the next call answers " .. tostring(err or value)
    end
    conn:close()
  end
  server.peer:close()
  return wrong or simulated.violations()[1]
end

local function calls_of(name, run, want)
  return { name = name, open = open, run = function(server) return run(server.conn) end,
    want = want, after = after }
end

-- ---- the socket alone ----

local function pair()
  local peer, address = peers.listen()
  local sock = core.socket()
  if sock:connect(address) == false then
    assert(select(2, sock:wait("w", 5)))
    assert(sock:connected())
  end
  assert(peer:accept())
  return sock, peer
end

local function unpair(_, sock, peer)
  sock:close()
  peer:close()
end

local FRAME = core.encode("WELCOME", { heartbeat = 15000 })

return {
  {
    name = "connect",
    open = new,
    run = function(server, loop)
      local conn, err = connect(server, loop)
      if not conn then return nil, err end
      return conn:is_open()
    end,
    want = { true },
    after = after,
  },
  {
    name = "connect: nobody listens",
    open = function()
      local server, loop = new()
      server.peer:close()
      return server, loop
    end,
    run = connect,
    check = calls.fails "connect",
    after = function() end,
  },
  calls_of("execute", function(conn) return conn:execute(INSERT, ("x"):rep(2000)) end,
    { { rows_affected = 1, last_insert_id = 1 } }),
  calls_of("fetch", function(conn) return conn:fetch "SELECT a FROM t" end, { { { a = 1 } } }),
  calls_of("transaction", function(conn)
    return conn:transaction(function() return conn:execute(INSERT, 1) end)
  end, { { rows_affected = 1, last_insert_id = 1 } }),
  {
    name = "the end of the connection",
    open = function()
      local server, loop = open()
      function server:answer()
        self.peer:read()
        self.peer:close()
        self.answer = function() end
      end
      return server, loop
    end,
    run = function(server) return server.conn:execute(INSERT, 1) end,
    check = calls.fails("closed", { ambiguous = true }),
    after = after,
  },
  {
    name = "a socket",
    open = pair,
    run = function(sock, peer)
      local session = core.session(1024)
      session:send("CLIENT", { id = 1 })
      local sent = sock:send(session)
      oom.aside(peer.write, peer, FRAME)
      local got = sock:recv_wait(session, 5)
      local readable, writable = sock:wait("rw", 0.001)
      return sent, got, session:next(), readable, writable, sock:alive(), sock:fd() >= 0,
        sock:peer():match "^127"
    end,
    want = { true, true, "WELCOME", false, true, true, true, "127" },
    after = unpair,
  },
}
