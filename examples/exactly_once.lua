-- Requests that are applied exactly once while leaders are killed (kill -9). Three nodes
-- of its own, each in a process; 8 coroutines, 25 requests each. What was in doubt after
-- a kill is run again with the same request id: pool:once finds out whether it had been
-- applied. DQLITE_ADDRESS is not looked at. Needs luv.
local uv = require "luv"
local dqlite = require "dqlite"

-- ---- a node in a process: this file, run with other arguments ----

if arg[1] == "node" then
  local node = assert(dqlite.node.new {
    id = arg[2], dir = arg[3], address = arg[4], latency = 0.05,
  })
  assert(node:start())
  print(node.address)
  io.stdout:flush()
  io.read "*a" -- until the parent is gone
  os.exit(0)
end

local dir = os.tmpname()

local function start(id, address)
  local input, output = uv.new_pipe(false), uv.new_pipe(false)
  local node = { id = id, address = nil, process = nil, input = input, ended = false }
  node.process = assert(uv.spawn(arg[-1], {
    args = { arg[0], "node", id, dir .. "." .. id, address or "127.0.0.1:0" },
    stdio = { input, output, 2 },
  }, function()
    node.ended = true
    node.process:close()
  end))
  output:read_start(function(_, text)
    if text then node.address = text:match "%S+" else output:close() end
  end)
  while not node.address do
    assert(not node.ended, "the node did not start")
    dqlite.sleep(0.01)
  end
  return node
end

local function kill(node)
  node.process:kill "sigkill"
  node.input:close()
  while not node.ended do dqlite.sleep(0.01) end
end

-- ---- the program ----

dqlite.run(function()
  local nodes = {}
  for i = 1, 3 do nodes[i] = start(tostring(i)) end
  local cluster = assert(dqlite.cluster(nodes[1].address))
  local addresses = { nodes[1].address }
  for i = 2, 3 do
    addresses[i] = nodes[i].address
    assert(cluster:add { id = nodes[i].id, address = addresses[i], role = "voter" })
  end
  cluster:close()

  local pool = assert(dqlite.create_pool(addresses))
  assert(pool:execute "CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER)")
  assert(pool:execute "INSERT INTO accounts VALUES (1, 0)")

  local done, repeated = 0, 0
  local function work(worker)
    for i = 1, 25 do
      local id = ("worker %d, payment %d"):format(worker, i)
      local answer = assert(pool:once(id, function(conn)
        return conn:execute "UPDATE accounts SET balance = balance + 1 WHERE id = 1" and true
      end))
      done = done + 1
      if answer.repeated then repeated = repeated + 1 end
    end
  end
  local tasks = {}
  for worker = 1, 8 do tasks[worker] = dqlite.spawn(work, worker) end

  for _, share in ipairs { 60, 120 } do
    while done < share do dqlite.sleep(0.002) end
    local watcher = assert(dqlite.cluster(addresses))
    local leader = assert(watcher:leader())
    watcher:close()
    for i, node in ipairs(nodes) do
      if node.address == leader.address then
        kill(node)
        print("killed the leader, node " .. node.id)
        nodes[i] = start(node.id, node.address)
      end
    end
  end

  for worker = 1, 8 do tasks[worker]:wait() end
  local balance = assert(pool:fetchval "SELECT balance FROM accounts WHERE id = 1")
  print(("%d requests, balance %d"):format(done, balance))
  print(("%d of them had been applied when their answers were lost"):format(repeated))
  pool:close()
  for _, node in ipairs(nodes) do kill(node) end
end)
os.execute("rm -rf '" .. dir .. "'*")
