-- A reply that comes after its request has given up is nobody else's. A proxy in front of
-- a real node holds everything back for about as long as requests have patience.
local cluster = require "spec.support.cluster"
local eventually = require "spec.support.eventually"
local http = require "spec.support.http"
local nginx = require "spec.support.nginx"
local nginx_cluster = require "spec.support.nginx_cluster"

local LATE = 1000 -- replies that come too late
local AT_ONCE, MOST = 100, 40 -- requests; connections of a worker
local DELAY = 0.02 -- seconds in each direction
local ROUNDS = 60 -- at most

-- Each request has a value of its own, and one of these patiences in seconds: too little,
-- about enough, enough.
local PATIENCES = { 0.005, 0.02, 0.03, 0.035, 0.038, 0.04, 0.041, 0.045, 0.06, 0.2 }

local ASK = [[
  local pool = require "spec_pool"
  local mine = "mine-" .. ngx.var.arg_n
  local opts = { timeout = tonumber(ngx.var.arg_patience) }
  local conn, err = pool:acquire()
  if not conn then return ngx.print("no connection: ", tostring(err)) end
  local list
  if ngx.var.arg_many then
    list, err = conn:fetchcol("WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL "
      .. "SELECT x + 1 FROM c WHERE x < 300) SELECT ?1 || ':' || x FROM c", { mine }, opts)
    for i, value in ipairs(list or {}) do
      if value ~= mine .. ":" .. i then return ngx.print("wrong: ", value) end
    end
    if list and #list ~= 300 then return ngx.print("wrong: ", #list, " rows") end
  else
    list, err = conn:fetchcol("SELECT ?", { mine }, opts)
    if list and (#list ~= 1 or list[1] ~= mine) then return ngx.print("wrong: ", list[1]) end
  end
  ngx.print(list and "right" or err.kind)
  conn:release()]]

describe("a late reply", function()
  local server, front, conns

  setup(function()
    local one = cluster.start { nodes = 1, cuttable = true }
    front = one.nodes[1].proxy
    server = nginx.start(nginx_cluster.options(one, {
      lua_socket_log_errors = false,
      locations = { ["= /ask"] = ASK },
      lua = { spec_pool = ([[return assert(require "dqlite".create_pool(
        require "spec_where", { max_size = %d, acquire_timeout = 10 }))]]):format(MOST) },
    }))
    conns = {}
    for i = 1, AT_ONCE do conns[i] = assert(http.connect(server.address)) end
  end)
  teardown(function()
    for _, conn in ipairs(conns or {}) do conn:close() end
    nginx_cluster.stop_all()
  end)

  -- One request over each connection at once; adds the answers up.
  local function round(n, answers, patience)
    for i, conn in ipairs(conns) do
      local id = n * AT_ONCE + i
      assert(conn:send { path = ("/ask?n=%d&patience=%g%s"):format(id,
        patience or PATIENCES[(id * 7 + n) % #PATIENCES + 1], id % 4 == 0 and "&many=1" or "") })
    end
    for _, conn in ipairs(conns) do
      local body = assert(conn:read()).body
      answers[body] = (answers[body] or 0) + 1
    end
  end

  it("never reaches the next request, and takes its connection along", function()
    local answers, n = { timeout = 0, right = 0 }, 0
    front:delay(DELAY)
    while answers.timeout < LATE and n < ROUNDS do
      n = n + 1
      round(n, answers)
    end
    assert.same({ timeout = answers.timeout, right = answers.right }, answers)
    assert.is_true(answers.timeout >= LATE, answers.timeout .. " were late")
    assert.is_true(answers.right > 0)
    front:pass()
    eventually("those that were late are closed", function()
      return front:count() - front:open_count() >= answers.timeout
    end)
    assert.is_true(front:open_count() <= 2 * MOST, front:open_count() .. " are open")
    answers = {}
    for again = 1, 3 do round(n + again, answers, 5) end
    assert.same({ right = 3 * AT_ONCE }, answers)
    assert.is_true(front:open_count() <= 2 * MOST, front:open_count() .. " are open")
    assert.same({}, server:errors())
  end)
end)
