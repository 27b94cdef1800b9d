-- lua node_process.lua DIR ADDRESS [ID [LATENCY [BIND]]]
--
-- A node in a process of its own, whose life hangs on its standard input:
-- prints "ready ADDRESS" (with the port taken for port 0) once it serves, and
-- stops when the input ends. LATENCY is in seconds; BIND is what to listen on where
-- that is not ADDRESS. Exit status 1 and the error on standard error where it cannot
-- start or stop.

local node = require "dqlite.node"

local function fail(err)
  io.stderr:write("node_process: ", tostring(err), "\n")
  os.exit(1)
end

local dir, address, id, latency, bind = arg[1], arg[2], arg[3], tonumber(arg[4]), arg[5]
if not address then fail "usage: lua node_process.lua DIR ADDRESS [ID [LATENCY [BIND]]]" end

local server, err = node.new {
  dir = dir,
  address = address,
  id = id,
  latency = latency,
  bind_address = bind,
}
if not server then fail(err) end

local ok
ok, err = server:start()
if not ok then fail(err) end

io.stdout:write("ready ", server.address, "\n")
io.stdout:flush()
while io.read(4096) do end

ok, err = server:stop()
if not ok then fail(err) end
