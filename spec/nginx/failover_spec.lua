-- Requests while the leader goes: killed, frozen, or cut off.
local cluster = require "spec.support.cluster"
local core = require "dqlite.core"
local nginx = require "spec.support.nginx"
local nginx_cluster = require "spec.support.nginx_cluster"
local nginx_inside = require "spec.support.nginx_inside"

local TIMEOUT = 15 -- seconds, the default of each call
local SOON = 8 -- that an election and what follows may take, on a busy machine
local CLIENTS = 16

describe("a leader that goes", function()
  local three, server, inside, value

  setup(function()
    three = cluster.start { cuttable = true }
    server = nginx.start(nginx_inside.options(nginx_cluster.options(three)))
    inside = nginx_inside.of(server)
    assert(inside "return pool:execute 'CREATE TABLE t (a INTEGER PRIMARY KEY)'")
    value = 0
  end)
  teardown(nginx_cluster.stop_all)

  local function each_worker(fn)
    for _, pid in ipairs(server:workers()) do
      local conn = server:connection(pid)
      fn(nginx_inside.of(server, conn))
      conn:close()
    end
  end

  -- What nginx itself logs of a socket that is reset is none.
  local function lua_errors()
    local list = {}
    for _, text in ipairs(server:errors()) do
      -- what a system call has met: nginx logs that whatever it is told
      if not text:find "%a+%(%) failed %(%d+: " then list[#list + 1] = text end
    end
    return list
  end

  local WRITE = [[
    local done, err = pool:execute("INSERT INTO t VALUES (?)", %d)
    return done and done.rows_affected, err]]
  local READ = "return pool:fetchval 'SELECT %d'"

  local function next_value()
    value = value + 1
    return value
  end

  -- Writes and reads at once, whose answers are all there in good time. Afterwards the
  -- values that were written are there, and no others.
  local function ask_all()
    local pending = {}
    for i = 1, CLIENTS do
      local n = next_value()
      local source = (i % 2 == 0 and WRITE or READ):format(n)
      pending[i] = { n = n, reads = i % 2 == 1, request = nginx_inside.send(server, source) }
    end
    local began, there, doubtful = core.now(), {}, {}
    for _, each in ipairs(pending) do
      local result, err = each.request.results(TIMEOUT)
      if each.reads then
        assert.equal(each.n, result, err and err.text)
      elseif result then
        there[each.n] = true
      else
        assert.is_true(err.ambiguous or err.retryable, err.text)
        doubtful[each.n] = err.ambiguous
      end
    end
    assert.is_true(core.now() - began < SOON, core.now() - began)
    return there, doubtful
  end

  local function check_table(there, doubtful, since)
    local list = inside(("return pool:fetchcol 'SELECT a FROM t WHERE a > %d'"):format(since))
    for _, n in ipairs(list) do
      assert.is_true(there[n] or doubtful[n], n .. " was not to be applied")
      there[n] = nil
    end
    assert.same({}, there)
  end

  local function goes(strike, heal)
    local since, leader = value, three:leader()
    each_worker(function(worker) assert.equal(1, worker(WRITE:format(next_value()))) end)
    local there, doubtful = { [value] = true, [value - 1] = true }, {}
    strike(leader)
    local more, others = ask_all()
    for n in pairs(more) do there[n] = true end
    for n, is in pairs(others) do doubtful[n] = is end
    each_worker(function(worker)
      local n = next_value()
      there[n] = true
      assert.equal(1, worker(WRITE:format(n)))
      assert.not_equal(leader.address,
        worker "return pool:with(function(conn) return conn.address end)")
    end)
    check_table(there, doubtful, since)
    heal(leader)
    three:settle()
    each_worker(function(worker) assert.equal(5, worker "return pool:fetchval 'SELECT 5'") end)
    assert.same({}, lua_errors())
  end

  it("frozen, is not waited for until the deadline, with a transaction either", function()
    local holder
    goes(function(leader)
      holder = nginx_inside.send(server, [[
        local conn = assert(dqlite.connect(where))
        assert(conn:begin())
        assert(conn:execute "INSERT INTO t VALUES (-1)")
        ngx.log(ngx.WARN, "the leader may freeze")
        ngx.sleep(0.1)
        local seconds, _, err = elapsed(function() return conn:commit() end)
        return seconds, err]])
      server:await_log "the leader may freeze"
      leader:freeze()
    end, function(leader) leader:thaw() end)
    local seconds, err = holder.results()
    assert.equal("not_leader", err.kind)
    assert.is_true(err.ambiguous and err.fatal)
    assert.is_true(seconds > 0.25 and seconds < SOON, seconds)
  end)

  it("cut off, ends nothing but what it has not answered", function()
    goes(function(leader) leader.proxy:black_hole() end,
      function(leader) leader.proxy:pass() end)
  end)

  it("killed, likewise", function()
    goes(function(leader) leader:kill() end, function(leader) leader:restart() end)
  end)
end)
