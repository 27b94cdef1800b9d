-- An HTTP server that keeps a list of items in dqlite, as JSON: lua-http serves, and the
-- requests share the connections of a pool, all in one controller of cqueues. While one
-- waits for the database the others go on.
--
--    luajit server.lua [PORT [ADDRESS...]]
--
--    GET  /items        a list
--    GET  /items/ID     one of them
--    POST /items        {"name": "bolt", "count": 7}: 201 and the item
--
-- Talks to the cluster of the nodes at ADDRESS, or starts a node of its own in a temporary
-- directory. SIGTERM or Ctrl-C end it: it takes no more requests, and finishes those that
-- it has.
local cjson = require "cjson.safe"
local condition = require "cqueues.condition"
local cqueues = require "cqueues"
local dqlite = require "dqlite"
local http_headers = require "http.headers"
local http_server = require "http.server"
local signal = require "cqueues.signal"

local unpack = table.unpack or unpack
local port, addresses = tonumber(arg[1]) or 8080, { unpack(arg, 2) }

local BODY_MOST = 64 * 1024 -- bytes
local GRACE = 10 -- seconds that requests get at the end
local TABLE = [[
CREATE TABLE IF NOT EXISTS items (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  count INTEGER NOT NULL
)]]

local controller = cqueues.new()
local pool -- made in the controller, where it waits

-- ---- answers: a status and what becomes JSON ----

local function refuse(status, message) return status, { error = message } end

local TEMPORARY = { no_leader = true, pool = true, timeout = true }

-- What may be tried again is 503; `ambiguous` is a write that may have been made.
local function failed(err)
  if err.ambiguous or err.retryable or err.fatal or TEMPORARY[err.kind] then
    return 503, { error = err.message, ambiguous = err.ambiguous }
  end
  io.stderr:write("the database refuses: ", tostring(err), "\n")
  return refuse(500, "the database refuses")
end

local function list()
  local rows, err = pool:fetch "SELECT id, name, count FROM items ORDER BY id"
  if not rows then return failed(err) end
  return 200, rows
end

local function show(id)
  local row, err = pool:fetchone("SELECT id, name, count FROM items WHERE id = ?", id)
  if err then return failed(err) end
  if not row then return refuse(404, "there is no such item") end
  return 200, row
end

local function add(stream)
  local text = stream:get_body_chars(BODY_MOST + 1, 10)
  local item = text and #text <= BODY_MOST and cjson.decode(text)
  if type(item) ~= "table" or type(item.name) ~= "string" or type(item.count) ~= "number" then
    return refuse(400, 'an item is {"name": text, "count": number}')
  end
  local done, err = pool:execute("INSERT INTO items (name, count) VALUES (?, ?)", item.name,
    item.count)
  if not done then return failed(err) end
  return 201, { id = done.last_insert_id, name = item.name, count = item.count }
end

local function answer(stream, method, path)
  local id = path:match "^/items/(%d+)$"
  if method == "GET" and path == "/items" then return list() end
  if method == "POST" and path == "/items" then return add(stream) end
  if method == "GET" and id then return show(tonumber(id)) end
  return refuse(404, "there is no such page")
end

-- ---- HTTP ----

local busy, is_ending = 0, false -- requests that are served; are there to be no more?
local idle = condition.new() -- signalled when one is done

local function write(stream, status, value)
  local headers, text = http_headers.new(), next(value) and cjson.encode(value) or "[]"
  headers:append(":status", tostring(status))
  headers:append("content-type", "application/json")
  headers:append("content-length", tostring(#text))
  if status == 503 then headers:append("retry-after", "1") end
  if is_ending then headers:append("connection", "close") end
  stream:write_headers(headers, false, 10)
  stream:write_chunk(text, true, 10)
end

-- One request. What it raises lua-http would raise out of the controller.
local function serve(_, stream)
  local headers = stream:get_headers(10)
  if not headers then return end
  busy = busy + 1
  local ok, status, value = pcall(answer, stream, headers:get ":method", headers:get ":path")
  if not ok then
    io.stderr:write("a request fails: ", tostring(status), "\n")
    status, value = refuse(500, "it failed")
  end
  pcall(write, stream, status, value)
  busy = busy - 1
  idle:signal()
end

-- What goes wrong with one client's connection.
local function note(_, _, what, err)
  io.stderr:write(what, ": ", tostring(err), "\n")
end

-- ---- the whole ----

local node, dir

local function start_node()
  dir = os.tmpname()
  os.remove(dir) -- a file; the node makes a directory of that name
  node = assert(require "dqlite.node".new { dir = dir, address = "127.0.0.1:0" })
  assert(node:start())
  addresses[1] = node.address
end

local function stop_node()
  if not node then return end
  node:stop()
  os.execute("rm -r '" .. dir .. "'")
end

-- No new connections; those with a request get its answer.
local function finish(server)
  is_ending = true
  server:close()
  local deadline = cqueues.monotime() + GRACE
  while busy > 0 and cqueues.monotime() < deadline do
    cqueues.poll(idle, deadline - cqueues.monotime())
  end
  pool:close()
end

local function run()
  pool = assert(dqlite.create_pool(addresses, {
    database = "items",
    timeout = 3, -- seconds that a request waits for the database
    min_size = 0, -- it may come up before the database does
    max_size = 8,
    init = function(conn) return conn:execute(TABLE) end,
  }))
  local server = assert(http_server.listen {
    cq = controller,
    host = "127.0.0.1",
    port = port,
    tls = false,
    onstream = serve,
    onerror = note,
  })
  assert(server:listen())
  local _, host, bound = server:localname()
  print(("http://%s:%d/items"):format(host, bound))
  io.stdout:flush()
  signal.listen(signal.SIGTERM, signal.SIGINT):wait()
  finish(server)
end

signal.block(signal.SIGTERM, signal.SIGINT) -- for `run`, before there are other threads
if not addresses[1] then start_node() end
local is_over = false
controller:wrap(function()
  run()
  is_over = true
end)
repeat assert(controller:step()) until is_over
stop_node()
print "ended"
