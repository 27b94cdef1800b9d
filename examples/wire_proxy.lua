-- A proxy that prints the messages between a client and a node: luv carries the
-- bytes, dqlite.wire decodes them. Forwards to the node at DQLITE_ADDRESS, which
-- must be numeric, or to one of its own in a temporary directory, and sends a
-- few statements through itself. What one end is slow to take is kept in memory.
local uv = require "luv"
local dqlite = require "dqlite"
local wire = require "dqlite.wire"

local address, node, dir = os.getenv "DQLITE_ADDRESS", nil, nil
if not address then
  dir = os.tmpname()
  os.remove(dir) -- a file; the node makes a directory of that name
  node = assert(require "dqlite.node".new { dir = dir, address = "127.0.0.1:0" })
  assert(node:start())
  address = node.address
end

local HIDDEN = { db = true, flags = true, heartbeat = true, unused = true, vfs = true }

-- A field: a number, a text, the rows of one frame, or a list like parameters.
local function shown(value)
  if type(value) ~= "table" then return (tostring(value):gsub("%c", ".")) end
  if value.columns then return ("%d of (%s)"):format(value.n, table.concat(value.columns, ", ")) end
  if value.address or value.name then return shown(value.address or value.name) end
  local texts = {}
  for i = 1, #value do texts[i] = shown(value[i]) end
  return "{" .. table.concat(texts, ", ") .. "}"
end

local function describe(message, layouts)
  local layout = layouts[message.name] -- none of HANDSHAKE
  local parts = { message.name }
  for _, field in ipairs(layout and layout[message.schema] or {}) do
    if not HIDDEN[field] then parts[#parts + 1] = field .. "=" .. shown(message[field]) end
  end
  return table.concat(parts, " ")
end

-- The decoder takes bytes as they come: a read may end anywhere in a message.
local function forward(from, to, direction, mark)
  local decoder, layouts = wire.decoder(direction), wire.messages[direction .. "s"]
  from:read_start(function(_, bytes)
    if not bytes then return from:close(), to:close() end -- the end, or an error
    decoder:feed(bytes)
    local message, err = decoder:next()
    while message do
      print(mark, describe(message, layouts))
      message, err = decoder:next()
    end
    if err then print(mark, err) end -- goes on forwarding
    to:write(bytes)
  end)
end

local proxy = uv.new_tcp()
assert(proxy:bind("127.0.0.1", 0))
assert(proxy:listen(16, function()
  local client, server = uv.new_tcp(), uv.new_tcp()
  proxy:accept(client)
  local host, port = address:match "^(.*):(%d+)$"
  assert(server:connect(host, tonumber(port), function(err)
    if err then return client:close(), server:close(), print(err) end
    forward(client, server, "request", "->")
    forward(server, client, "response", "<-")
  end))
end))

dqlite.run(function()
  local here = "127.0.0.1:" .. proxy:getsockname().port
  -- `direct`: the leader has another address than the proxy.
  local conn = assert(dqlite.connect(here, { database = "wire_proxy", direct = true }))
  -- First the text is sent, then PREPARE beside it, then its id.
  for i = 1, 3 do print("twice", assert(conn:fetchval("SELECT ? * 2 AS twice", i))) end
  print("refused", select(2, conn:fetch "SELECT a FROM nowhere"))
  conn:close()
  proxy:close()
end)

uv.run() -- until the other handles are closed
if node then
  node:stop()
  os.execute("rm -r '" .. dir .. "'")
end
