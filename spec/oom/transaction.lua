-- Transactions.
local calls = require "spec.oom.calls"
local scripted = require "spec.support.scripted"

local scenario, all_or_nothing = calls.scenario, calls.all_or_nothing

local INSERT, DELETE = "INSERT INTO t VALUES (?)", "DELETE FROM t"

local function insert(conn)
  local done, err = conn:execute(INSERT, 1)
  if not done then return nil, err end
  return done.rows_affected
end

-- Two writes, the second of them at a level of its own.
local function nested(conn)
  local done, err = conn:execute(DELETE)
  if not done then return nil, err end
  local inner, failed = conn:transaction(insert)
  if not inner then return nil, failed end
  return "done", inner
end

-- The inner level fails, and the outer one goes on.
local function forgiving(conn)
  conn:transaction(function() conn:execute "DELETE FROM broken" end)
  return insert(conn)
end

local function run(name, fn, opts, want, after)
  return scenario(name, { ["DELETE FROM broken"] = { scripted.failure(1, "no such table") } },
    function(conn) return conn:transaction(fn, opts) end, want, after)
end

-- In a transaction that `begin` has opened.
local function handle(name, act, want, after)
  local open = calls.opener {}
  return scenario(name, function()
    local conn, server = open()
    local tx = assert(conn:begin())
    assert(insert(conn))
    return conn, server, tx
  end, act, want, after)
end

-- Once by hand from begin to end.
local function by_hand(name, begin, finish, want, writes)
  return scenario(name, {}, function(conn)
    local began, err = begin(conn)
    if not began then return nil, err end
    local done, failed = insert(conn)
    if not done then return nil, failed end
    return finish(conn, began)
  end, want, writes)
end

-- All writes or none; a transaction that is still open may be.
local function unless_open(writes)
  local check = all_or_nothing(writes)
  return function(ok, conn, server, ...)
    if conn:in_transaction() then return calls.after(ok, conn, server) end
    return check(ok, conn, server, ...)
  end
end

return {
  run("transaction", nested, nil, { "done", 1 }, all_or_nothing { DELETE, INSERT }),
  run("transaction: read", function(conn) return conn:fetchval "SELECT a FROM t" end,
    { mode = "read" }, { 1 }, all_or_nothing {}),
  run("transaction: an error answered", function() return nil, "no" end, nil,
    calls.gives(nil, "no"), all_or_nothing {}),
  calls.with("raises", run("transaction: an error raised", function(conn)
    insert(conn)
    error("no", 0)
  end, nil, { "no" }, all_or_nothing {})),
  run("transaction: a statement failed", function(conn)
    insert(conn)
    conn:execute "DELETE FROM broken"
    return true
  end, nil, calls.fails "sql", all_or_nothing {}),
  run("transaction: an inner level failed", forgiving, nil, { 1 }, all_or_nothing { INSERT }),

  scenario("begin", {}, function(conn)
    local tx, err = conn:begin "deferred"
    if not tx then return nil, err end
    return tostring(tx)
  end, { "dqlite transaction (open)" }),
  handle("tx:commit", function(_, _, tx) return tx:commit() end, { true },
    unless_open { INSERT }),
  handle("tx:rollback", function(_, _, tx) return tx:rollback() end, { true }, unless_open {}),
  handle("tx: closed", function(_, _, tx) getmetatable(tx).__close(tx) end, {}, unless_open {}),
  handle("commit of a handle", function(conn) return conn:commit() end, { true },
    unless_open { INSERT }),
  handle("rollback of a handle", function(conn) return conn:rollback() end, { true },
    unless_open {}),
  by_hand("begin, commit", function(conn) return conn:begin() end,
    function(_, tx) return tx:commit() end, { true }, unless_open { INSERT }),
  by_hand("BEGIN, commit", function(conn) return conn:execute "BEGIN" end,
    function(conn) return conn:commit() end, { true }, unless_open { INSERT }),
  by_hand("BEGIN, rollback", function(conn) return conn:execute "BEGIN" end,
    function(conn) return conn:rollback() end, { true }, unless_open {}),
  by_hand("BEGIN, COMMIT", function(conn) return conn:execute "BEGIN" end,
    function(conn) return conn:execute "COMMIT" end, { {} }, unless_open { INSERT }),
}
