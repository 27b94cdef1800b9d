--- What is done to the database during a run of chaos: coroutines that share a pool move
-- money between accounts, read the sum of it, and insert what is unique.
local core = require "dqlite.core"
local dqlite = require "dqlite"

local workload = {}

local WORKERS = 16
local POOL = 8 -- connections
local PAUSE = 0.05 -- seconds between two operations of a worker, at most
local TIMEOUTS = { 1, 2.5, 4 } -- seconds; some are shorter than an election

workload.ACCOUNTS = 8
workload.BALANCE = 1000 -- of each at first

-- No number is UNIQUE: what was applied twice is to be seen.
local TABLES = {
  "CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)",
  "CREATE TABLE items (id INTEGER PRIMARY KEY, worker INTEGER, number INTEGER)",
  [[CREATE TABLE ledger (id INTEGER PRIMARY KEY, worker INTEGER, number INTEGER,
    source INTEGER, target INTEGER, amount INTEGER)]],
  "CREATE TABLE marks (id INTEGER PRIMARY KEY)",
}

local INSERT = "INSERT INTO items (worker, number) VALUES (?, ?)"
local ENTER = "INSERT INTO ledger (worker, number, source, target, amount) VALUES (?, ?, ?, ?, ?)"
local MOVE = "UPDATE accounts SET balance = balance + ? WHERE id = ?"
local SUM = "SELECT sum(balance) FROM accounts"

-- ---- operations: of an op to what the pool answers ----

local operations = {}

function operations.insert(pool, op)
  return pool:execute(INSERT, { op.worker, op.number }, { timeout = op.timeout })
end

function operations.once(pool, op)
  return pool:once(("%d/%d"):format(op.worker, op.number), function(conn)
    return conn:execute(INSERT, op.worker, op.number) and true
  end, { timeout = op.timeout })
end

function operations.transfer(pool, op)
  local source, target = math.random(workload.ACCOUNTS), math.random(workload.ACCOUNTS - 1)
  if target >= source then target = target + 1 end
  local amount = math.random(100)
  op.values = { source, target, amount }
  return pool:transaction(function(conn)
    local moved, err = conn:execute(MOVE, -amount, source)
    if moved then moved, err = conn:execute(ENTER, op.worker, op.number, source, target, amount) end
    if moved then moved, err = conn:execute(MOVE, amount, target) end
    return moved, err
  end)
end

function operations.read(pool, op)
  local sum, err = pool:fetchval(SUM, {}, { timeout = op.timeout })
  op.values = { sum }
  return sum, err
end

-- Of ten operations.
local MIX = { "insert", "insert", "insert", "once", "once", "transfer", "transfer", "transfer",
  "read", "read" }

-- ---- workers ----

local function outcome_of(op, err)
  if type(err) ~= "table" then return "raised" end
  if op.kind == "read" then return "failed" end
  return err.ambiguous and "ambiguous" or "unapplied"
end

local function run(pool, op)
  local ok, answer, err = pcall(operations[op.kind], pool, op)
  if not ok then return "raised", tostring(answer) end
  if answer ~= nil then return "ok" end
  return outcome_of(op, err), tostring(err)
end

local function work(self, worker)
  local number = 0
  while not self.stopped do
    number = number + 1
    local op = { worker = worker, number = number, kind = MIX[math.random(#MIX)],
      timeout = TIMEOUTS[math.random(#TIMEOUTS)] }
    op.begun = core.now() - self.epoch
    op.outcome, op.error = run(self.pool, op)
    op.ended = core.now() - self.epoch
    self.history:add("op", op)
    dqlite.sleep(math.random() * PAUSE)
  end
end

local Workload = {}
Workload.__index = Workload

--- Makes the tables.
-- @tparam table conn to the leader
function workload.prepare(conn)
  for _, text in ipairs(TABLES) do assert(conn:execute(text)) end
  for account = 1, workload.ACCOUNTS do
    assert(conn:execute("INSERT INTO accounts VALUES (?, ?)", account, workload.BALANCE))
  end
end

--- Starts the workers.
-- @tparam table where of the pool: addresses
-- @tparam table opts of the pool
-- @tparam table history that gets each operation
-- @tparam number epoch of core.now()
-- @treturn table
function workload.start(where, opts, history, epoch)
  opts.max_size, opts.timeout = POOL, TIMEOUTS[#TIMEOUTS]
  local self = setmetatable({
    pool = assert(dqlite.create_pool(where, opts)),
    history = history,
    epoch = epoch,
    stopped = false,
    tasks = {},
  }, Workload)
  for worker = 1, WORKERS do self.tasks[worker] = dqlite.spawn(work, self, worker) end
  return self
end

--- Lets the operations that go on end, and closes the pool.
function Workload:stop()
  self.stopped = true
  for _, task in ipairs(self.tasks) do task:wait() end
  self.pool:close()
end

-- ---- the final state ----

local function add_all(history, what, rows)
  for _, row in ipairs(assert(rows)) do history:add(what, row) end
end

--- Writes down what is in the tables. A write of its own comes first: behind it nothing
-- is under way any more that an earlier leader has left.
-- @tparam table conn to the leader
-- @tparam table history
function workload.record(conn, history)
  assert(conn:execute "INSERT INTO marks DEFAULT VALUES")
  assert(conn:transaction(function()
    add_all(history, "item", conn:fetch "SELECT worker, number FROM items")
    add_all(history, "ledger",
      conn:fetch "SELECT worker, number, source, target, amount FROM ledger")
    add_all(history, "balance", conn:fetch "SELECT id AS account, balance FROM accounts")
    return true
  end, { mode = "read" }))
  history:add "end"
end

return workload
