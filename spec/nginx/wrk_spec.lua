-- Many requests at once, through the end of the leader: each answer is right, or says
-- rightly what has become of the write.

local dqlite = require "dqlite"
local eventually = require "spec.support.eventually"
local leashed = require "spec.support.leashed"
local nginx_cluster = require "spec.support.nginx_cluster"
local scratch = require "spec.support.scratch"

-- A value is read that the client knows, several times, since reading takes a fraction
-- of the time that writing takes; and the request's id is written. What fails answers as
-- text.
local STEPS = [[
  local READS = 5
  local steps = {}

  local function answer(way, id, status, value, text)
    ngx.update_time()
    ngx.status = status
    ngx.print(("%s %d %d %.3f {%s} %s"):format(way, id, ngx.worker.pid(), ngx.now(), value, text))
  end

  local function failed(way, id, step, err)
    local meaning = err.ambiguous and "ambiguous" or err.retryable and "retryable" or "final"
    answer(way, id, 503, "", ("failed %s %s %s %s"):format(step, err.kind, meaning, err.message))
  end

  -- `conn` is a connection or a pool.
  function steps.run(conn, way, id)
    local value, written, err
    for _ = 1, READS do
      value, err = conn:fetchval("SELECT text FROM known WHERE id = ?", id % 100)
      if not value then return failed(way, id, "read", err) end
    end
    written, err = conn:execute("INSERT INTO written (id) VALUES (?)", id)
    if not written then return failed(way, id, "write", err) end
    ngx.shared.seen:incr("done", 1, 0)
    answer(way, id, 200, value, "done")
  end

  steps.failed = failed
  return steps]]

local LOCATIONS = {
  ["= /pool"] = [[
    require "spec_steps".run(require "spec_pool", "pool", tonumber(ngx.var.arg_id))]],
  -- no call is run again here
  ["= /connect"] = [[
    local steps, id = require "spec_steps", tonumber(ngx.var.arg_id)
    local conn, err = require "dqlite".connect(require "spec_where")
    if not conn then return steps.failed("connect", id, "connect", err) end
    steps.run(conn, "connect", id)
    if conn:is_open() then conn:set_keepalive(10, 64) end]],
  ["= /done"] = [[ngx.print(ngx.shared.seen:get "done" or 0)]],
}

local TABLES = [[
  CREATE TABLE known (id INTEGER PRIMARY KEY, text TEXT);
  WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99)
    INSERT INTO known SELECT i, 'value ' || i FROM n;
  CREATE TABLE written (id INTEGER)]]

local SECONDS = 6

describe("wrk, while the leader is killed", function()
  local place, answers, wrong, rows, printed, errors, workers

  local function answered(server)
    return tonumber(assert(server:get "/done").body)
  end

  local function run_wrk(both)
    local results = place:fresh "results"
    local wrk = leashed.start(("env WRK_RESULTS=%s wrk -t 1 -c 64 -d %ds --timeout 20s"
      .. " -s spec/support/wrk_checked.lua http://%s/"):format(results, SECONDS,
      both.server.address), place:fresh "wrk")
    eventually("some are answered", function() return answered(both.server) >= 300 end)
    both.cluster:leader():kill()
    eventually("wrk has ended", function() return not wrk:is_running() end, SECONDS + 10)
    printed = wrk:output()
    wrk:kill()
    return results
  end

  local function read_answers(path)
    for line in io.lines(path) do
      local way, id, worker, at, rest = line:match "^(%a+) (%d+) (%d+) ([%d.]+) (.+)$"
      if way then
        local step, kind, meaning = rest:match "^failed (%a+) (%S+) (%a+)"
        answers[#answers + 1] = { way = way, id = tonumber(id), worker = tonumber(worker),
          at = tonumber(at), is_done = rest == "done", step = step, kind = kind,
          meaning = meaning, line = line }
      else
        wrong[#wrong + 1] = line
      end
    end
  end

  local function read_rows(members)
    local conn = assert(dqlite.connect(members:addresses()))
    local text = "SELECT id, COUNT(*) AS times FROM written GROUP BY id"
    for row in conn:rows(text) do rows[row.id] = row.times end
    conn:close()
  end

  setup(function()
    place, answers, wrong, rows = scratch.new(), {}, {}, {}
    local both = nginx_cluster.start {
      listen = { "reuseport" }, -- else one worker may take nearly all connections
      http = "lua_shared_dict seen 1m; keepalive_requests 1000000;",
      lua_socket_log_errors = false,
      locations = LOCATIONS,
      lua = {
        spec_steps = STEPS,
        spec_pool = [[return require "dqlite".create_pool(require "spec_where",
          { max_size = 64, timeout = 10 })]],
      },
    }
    local conn = assert(dqlite.connect(both.cluster:addresses()))
    assert(conn:script(TABLES))
    conn:close()
    workers = both.server:workers()
    local results = run_wrk(both)
    both.server:quit()
    both.server:await_end() -- with all that is under way
    errors = both.server:errors()
    read_answers(results)
    read_rows(both.cluster)
  end)

  teardown(function()
    nginx_cluster.stop_all()
    if place then place:close() end
  end)

  local function count(is_wanted)
    local n = 0
    for _, each in ipairs(answers) do
      if is_wanted(each) then n = n + 1 end
    end
    return n
  end

  -- Lines of what should not be.
  local function lines_of(is_unwanted)
    local list = {}
    for _, each in ipairs(answers) do
      if is_unwanted(each) and #list < 10 then list[#list + 1] = each.line end
    end
    return list
  end

  it("answers nothing wrong, and leaves no request alone", function()
    assert.same({}, wrong)
    assert.equal("connect 0, read 0, write 0, timeout 0", printed:match "connect %d[^\n]*")
    assert.is_true(#answers > 300)
  end)

  it("fails with errors that say whether to try again", function()
    assert.same({}, lines_of(function(each)
      return not each.is_done and each.meaning ~= "retryable" and each.meaning ~= "ambiguous"
    end))
    assert.same({}, lines_of(function(each)
      return each.meaning == "ambiguous" and each.step ~= "write"
    end))
  end)

  it("lets the calls of a pool fail only where it is unknown what they have done", function()
    assert.same({}, lines_of(function(each)
      return each.way == "pool" and not each.is_done and each.meaning ~= "ambiguous"
    end))
    assert.is_true(count(function(each)
      return each.way == "connect" and not each.is_done
    end) > 0)
  end)

  it("has written once what it has answered, and nothing that is to be tried again", function()
    assert.same({}, lines_of(function(each) return each.is_done and rows[each.id] ~= 1 end))
    assert.same({}, lines_of(function(each)
      return each.meaning == "retryable" and rows[each.id] ~= nil
    end))
    for id, times in pairs(rows) do assert.same({ id, 1 }, { id, times }) end
  end)

  -- When the first request failed that was on its way when the leader was killed.
  local function end_of_leader()
    local first = math.huge
    for _, each in ipairs(answers) do
      if not each.is_done then first = math.min(first, each.at) end
    end
    return first
  end

  it("goes on with the next leader, in both workers, both ways", function()
    local ended, seen = end_of_leader(), {}
    for _, each in ipairs(answers) do
      if each.is_done and each.at > ended then seen[each.worker .. " " .. each.way] = true end
    end
    for _, pid in ipairs(workers) do
      assert.is_true(seen[pid .. " pool"])
      assert.is_true(seen[pid .. " connect"])
    end
  end)

  -- What nginx itself says of sockets to a process that was killed.
  it("logs no errors, but those of the system", function()
    local others = {}
    for _, entry in ipairs(errors) do
      if not entry:find "%*%d+ %a+%(%) failed %(%d+: " then others[#others + 1] = entry end
    end
    assert.same({}, others)
  end)
end)
