-- A call's deadline, whatever comes meanwhile, and the end of what was on its way to a
-- connection: behaviours 15 and 25.
local dqlite = require "dqlite"
local handles = require "spec.support.handles"
local luas = require "spec.support.luas"
local raises = require "spec.support.raises"
local scripted = require "spec.support.scripted"
local search_nodes = require "spec.support.search_nodes"
local till = require "spec.support.till"
local uv = require "luv"

local TIMEOUT = 2 -- seconds on a clock that only moves when told
local STEP = 0.01

local DELETE, ALL = "DELETE FROM t", "SELECT a FROM t"

local CALLS = {
  execute = function(conn) return conn:execute(DELETE) end,
  begin = function(conn) return conn:begin() end,
  script = function(conn) return conn:script "DELETE FROM t; DELETE FROM t" end,
  executemany = function(conn) return conn:executemany("DELETE FROM t WHERE a = ?", { { 1 } }) end,
  ping = function(conn) return conn:ping() end,
  pipeline = function(conn)
    local results = conn:pipeline { { ALL }, { DELETE } }
    return nil, results[1].error
  end,
  prepare = function(conn) return conn:prepare(ALL) end,
}
for _, name in ipairs { "fetch", "fetchall", "fetchone", "fetchval", "fetchcol", "query" } do
  CALLS[name] = function(conn) return conn[name](conn, ALL) end
end

local function part(value)
  return scripted.rows { columns = { "a" }, { value }, more = true }
end

describe("a deadline on a clock of its own", function()
  -- Calls, with answers that never end in time.
  local function times_out(call, answers, chunk)
    local conn, server = scripted.open(answers, { timeout = TIMEOUT, statement_cache = 0 })
    server.chunk, server.delay = chunk, STEP
    local began = server.time
    local answer, err = call(conn)
    assert.is_nil(answer)
    assert.equal("timeout", err.kind, tostring(err))
    assert.is_true(err.fatal)
    assert.is_false(conn:is_open())
    local took = server.time - began
    assert.is_true(took > TIMEOUT - STEP and took < TIMEOUT + 2 * STEP, took)
  end

  for name, call in pairs(CALLS) do
    it("behaviour 15: does not move with the bytes that come: " .. name, function()
      local long = { scripted.failure(1, ("x"):rep(1000)) }
      times_out(call, { EXEC_SQL = long, QUERY_SQL = long, PREPARE = long }, 1)
    end)
  end

  for _, name in ipairs { "fetch", "fetchone", "fetchcol", "query", "ping", "pipeline" } do
    it("behaviour 15: does not move with the frames that come: " .. name, function()
      local frames = {}
      for i = 1, 1000 do frames[i] = part(i) end
      times_out(CALLS[name], {
        EXEC_SQL = { scripted.result(1, 1) },
        QUERY_SQL = frames,
      }, math.huge)
    end)
  end

  it("behaviour 15: does not move from one statement of a script to the next", function()
    times_out(function(conn) return conn:script((DELETE .. ";"):rep(1000)) end,
      { EXEC_SQL = { scripted.result(1, 1) } }, math.huge)
  end)
end)

-- ---- the end of what connects ----

if luas.waits then -- else nobody runs meanwhile
  search_nodes.describe("a cluster that is closed while somebody connects", function()
    -- Connects, and closes the cluster when `reached` is so.
    -- @return what it gets then, which is used and closed
    local function close_while(where, opts, reached)
      local conn, err
      dqlite.run(function()
        local cluster = assert(dqlite.cluster(where))
        local task = dqlite.spawn(cluster.connect, cluster, opts)
        till(reached)
        assert.is_true(cluster:close())
        raises("the cluster is closed", function() cluster:connect() end)
        conn, err = task:wait()
        if not conn then return end
        assert.equal(1, conn:fetchval "SELECT 1")
        conn:close()
      end)
      return conn, err
    end

    -- The peer is silent from then on, and so does not answer to CLUSTER either.
    local function answer_later(peer)
      local timer = handles.except(uv.new_timer())
      timer:start(20, 0, function()
        timer:close()
        peer.silent = false
        peer:write(scripted.frame("DB", {}) .. scripted.frame("SERVERS", { servers = {} }))
      end)
    end

    it("behaviour 25: leaves no socket to a leader that answers later", function()
      local leader, is_asked = search_nodes.node(), false
      leader.source.answers.OPEN = function(_, peer)
        is_asked = true
        answer_later(peer)
        return {}
      end
      assert(close_while(leader.address, {}, function() return is_asked end))
    end)

    it("behaviour 25: leaves none to nodes that never answer", function()
      local first, second = search_nodes.silent(), search_nodes.silent()
      local conn, err = close_while({ first.address, second.address }, { timeout = 0.1 },
        function() return first.peers + second.peers == 2 end)
      search_nodes.fails("no_leader", conn, err)
    end)
  end)
end
