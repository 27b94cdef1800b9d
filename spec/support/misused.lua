--- What the specs of misuse share: a server in this process, all calls that wait,
-- and what must be so where they are refused.
local assert = require "luassert"
local dqlite = require "dqlite"
local handles = require "spec.support.handles"
local luv_server = require "spec.support.luv_server"
local raises = require "spec.support.raises"
local scripted = require "spec.support.scripted"
local simulated = require "spec.support.simulated"

local misused = {}

local ALL = "SELECT a FROM t"
misused.ALL = ALL -- which answers 1, 2 in two frames

local before

--- Starts a server, for before_each: `server`, and `source`, what it answers from.
function misused.start()
  misused.source = simulated.server()
  misused.server = luv_server.start(misused.source)
  misused.source:on(ALL, {
    scripted.rows { columns = { "a" }, { 1 }, more = true },
    scripted.rows { columns = { "a" }, { 2 } },
  })
  before = handles.descriptors()
end

--- Has every connection ended?
function misused.is_over()
  return misused.server.peers == 0
end

--- Stops it, for after_each: nothing of the client is left.
function misused.stop()
  handles.verify(misused.is_over)
  assert.equal(before, handles.descriptors())
  misused.server:stop()
  simulated.verify()
end

--- A connection to it.
function misused.connect(opts)
  return assert(dqlite.connect(misused.server.address, opts))
end

--- Everything that waits, on an open connection and what hangs on it. Each is a
-- function of one line, where it must be blamed.
function misused.uses_of(conn)
  local statement = assert(conn:prepare "DELETE FROM t WHERE a = ?")
  local query = assert(conn:prepare(ALL))
  return {
    execute = function() conn:execute "DELETE FROM t" end,
    fetch = function() conn:fetch(ALL) end,
    fetchall = function() conn:fetchall(ALL) end,
    fetchone = function() conn:fetchone(ALL) end,
    fetchval = function() conn:fetchval(ALL) end,
    fetchcol = function() conn:fetchcol(ALL) end,
    query = function() conn:query(ALL) end,
    rows = function() conn:rows(ALL) end,
    RETURNING = function() conn:fetch "DELETE FROM t RETURNING a" end,
    ["rows of RETURNING"] = function() conn:rows "DELETE FROM t RETURNING a" end,
    ["OR FAIL"] = function() conn:execute "INSERT OR FAIL INTO t VALUES (1)" end,
    prepare = function() conn:prepare(ALL) end,
    ["statement:execute"] = function() statement:execute(1) end,
    ["statement:fetch"] = function() query:fetch() end,
    ["statement:rows"] = function() query:rows() end,
    ["statement:executemany"] = function() statement:executemany { { 1 } } end,
    executemany = function() conn:executemany("DELETE FROM t WHERE a = ?", { { 1 } }) end,
    pipeline = function() conn:pipeline { { ALL }, { "DELETE FROM t" } } end,
    script = function() conn:script "DELETE FROM t; DELETE FROM u" end,
    transaction = function() conn:transaction(print) end,
    begin = function() conn:begin() end,
    commit = function() conn:commit() end,
    rollback = function() conn:rollback() end,
    ping = function() conn:ping() end,
    features = function() conn:features() end,
  }
end

--- Asserts that each use is refused here, and sends nothing.
function misused.refused(uses, pattern)
  for name, use in pairs(uses) do
    local received = misused.server.received
    local ok, message = pcall(raises, pattern, use)
    assert(ok, ("%s: %s"):format(name, tostring(message)))
    assert(received == misused.server.received, name)
  end
end

--- Asserts that a connection is as good as before.
function misused.works(conn)
  assert.is_true(conn:is_open())
  assert.is_false(conn:in_transaction())
  assert.equal(1, conn:fetchval(ALL))
  assert.equal(1, conn:execute("INSERT INTO t VALUES (1)").rows_affected)
end

return misused
