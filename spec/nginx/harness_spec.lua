-- What the other specs of nginx stand on: a real one with its Lua module, a client of
-- HTTP, and a cluster beside it.

local eventually = require "spec.support.eventually"
local http = require "spec.support.http"
local leashed = require "spec.support.leashed"
local nginx = require "spec.support.nginx"
local nginx_cluster = require "spec.support.nginx_cluster"
local nodes = require "spec.support.nodes"
local scratch = require "spec.support.scratch"
local uv = require "luv"

-- Init takes its time to reap what has lost its parent.
local function is_gone(pid)
  local state = nodes.read_file(("/proc/%d/stat"):format(pid)):match ".*%) (%a)"
  return state == nil or state == "Z"
end

local function exists(path)
  return uv.fs_stat(path) ~= nil
end

local function sorted(list)
  table.sort(list)
  return list
end

describe("nginx", function()
  local server

  setup(function()
    server = nginx.start {
      env = { "SPEC_WORD=known" },
      lua = { spec_word = "return 'a module'" },
      listen = { "", "" },
      http = "lua_shared_dict seen 1m;",
      server = "location = /plain { return 204; }",
      locations = {
        ["= /pid"] = "ngx.print(ngx.worker.pid())",
        ["= /words"] = "ngx.print(os.getenv 'SPEC_WORD', ', ', require 'spec_word')",
        ["= /echo"] = [[
          ngx.req.read_body()
          ngx.status = 201
          ngx.header.x_method = ngx.req.get_method()
          ngx.header.x_twice = { "a", "b" }
          ngx.header.content_length = #ngx.req.get_body_data()
          ngx.print(ngx.req.get_body_data())]],
        ["= /chunks"] = [[
          for i = 1, 3 do
            ngx.print(("%d"):format(i):rep(i * 30000))
            ngx.flush(true)
          end]],
        ["= /gate"] = [[
          local seen = ngx.shared.seen
          seen:incr("waiting", 1, 0)
          while not seen:get "open" do ngx.sleep(0.005) end
          ngx.print "through"]],
        ["= /open"] = [[
          ngx.shared.seen:set("open", true)
          ngx.print(ngx.shared.seen:get "waiting")]],
        ["= /error"] = "ngx.log(ngx.WARN, 'only a warning') error 'as asked\\non two lines'",
        ["= /library"] = [[
          local dqlite = require "dqlite"
          local blob = require "dqlite.core".blob "\0\1"
          ngx.print(require "cjson".encode { #blob, dqlite.null == nil, jit.version:sub(1, 6) })]],
      },
    }
  end)
  teardown(nginx.stop_all)

  it("answers from each of its workers, over connections that stay open", function()
    local pids = server:workers()
    assert.equal(2, #pids)
    assert.not_equal(pids[1], pids[2])
    for _, pid in ipairs(pids) do
      local conn = server:connection(pid)
      for _ = 1, 3 do assert.equal(tostring(pid), assert(conn:get "/pid").body) end
      conn:close()
    end
    assert.truthy(assert(server:get "/pid").body:match "^%d+$")
  end)

  it("listens on further ports", function()
    local answer = assert(http.get("127.0.0.1:" .. server.ports[2], "/pid"))
    assert.equal(200, answer.status)
  end)

  it("has the environment and the modules of its options", function()
    assert.equal("known, a module", assert(server:get "/words").body)
  end)

  it("gets a body, and gives headers and status", function()
    local body = ("\0\r\n"):rep(2000)
    local answer = assert(server:post("/echo", body, { headers = { ["X-Any"] = "1" } }))
    assert.equal(201, answer.status)
    assert.equal("POST", answer.headers["x-method"])
    assert.equal("a, b", answer.headers["x-twice"])
    assert.is_true(body == answer.body)
    assert.equal("PUT", assert(server:request {
      method = "PUT", path = "/echo", body = "x",
    }).headers["x-method"])
  end)

  it("answers in chunks, and without a body", function()
    local conn = server:connection()
    local answer = assert(conn:get "/chunks")
    assert.equal("chunked", answer.headers["transfer-encoding"])
    assert.is_true(answer.body == ("1"):rep(30000) .. ("2"):rep(60000) .. ("3"):rep(90000))
    answer = assert(conn:get "/plain")
    assert.same({ 204, "" }, { answer.status, answer.body })
    assert.equal("", assert(conn:request { method = "HEAD", path = "/pid" }).body)
    assert.equal(200, assert(conn:get "/pid").status)
    conn:close()
  end)

  it("is asked several times at once, and read later", function()
    local pending = {}
    for i = 1, 5 do pending[i] = assert(server:send { path = "/gate" }) end
    local answer, reason = pending[1]:read(0.05)
    assert.is_nil(answer)
    assert.equal("timeout", reason)
    eventually("all are waiting", function() return server:get "/open".body == "5" end)
    for i = 1, 5 do assert.equal("through", assert(pending[i]:read()).body) end
  end)

  it("logs errors, of several lines too", function()
    local before = #server:errors()
    assert.equal(500, assert(server:get "/error").status)
    local errors = server:errors()
    assert.equal(before + 1, #errors)
    assert.truthy(errors[#errors]:find("as asked\non two lines", 1, true))
    assert.truthy(server:log():find("only a warning", 1, true))
  end)

  it("runs this library in LuaJIT, and cjson", function()
    assert.equal('[2,false,"LuaJIT"]', assert(server:get "/library").body)
  end)

  it("has new workers after a reload, with other options too", function()
    local old = server:workers()
    server:reload { env = { "SPEC_WORD=changed" } }
    local new = server:workers()
    assert.equal(2, #new)
    for _, pid in ipairs(old) do
      assert.not_equal(new[1], pid)
      assert.not_equal(new[2], pid)
    end
    assert.equal("changed, a module", assert(server:get "/words").body)
  end)

  it("says why it does not reload, and serves on", function()
    local workers = sorted(server:workers())
    assert.error_matches(function() server:reload { http = "nonsense;" } end,
      "nginx did not reload: .*nonsense")
    assert.same(workers, sorted(server:workers()))
    assert.equal(200, assert(server:get "/pid").status)
  end)
end)

describe("a client that goes away", function()
  after_each(nginx.stop_all)

  it("is seen by a worker", function()
    local server = nginx.start {
      server = "lua_check_client_abort on;",
      locations = { ["/wait"] = [[
        ngx.on_abort(function() ngx.log(ngx.WARN, "the client is gone") end)
        ngx.log(ngx.WARN, "the client is here")
        ngx.sleep(60)]] },
    }
    local pending = assert(server:send { path = "/wait" })
    server:await_log "the client is here"
    assert.is_nil(server:log():find("the client is gone", 1, true))
    pending:close()
    server:await_log "the client is gone"
  end)

  it("is told when the server goes away", function()
    local server = nginx.start { locations = { ["/wait"] = [[
      ngx.print "some"
      ngx.flush(true)
      ngx.log(ngx.WARN, "it waits")
      ngx.sleep(60)]] } }
    local pending = assert(server:send { path = "/wait" })
    server:await_log "it waits"
    server:stop()
    local answer, reason = pending:read()
    assert.is_nil(answer)
    assert.equal("closed", reason)
    answer, reason = server:get "/wait"
    assert.is_nil(answer)
    assert.is_string(reason)
  end)
end)

describe("nothing is left", function()
  local place

  setup(function() place = scratch.new() end)
  teardown(function()
    nginx.stop_all()
    place:close()
  end)

  local function all_gone(pids, dir)
    for _, pid in ipairs(pids) do
      eventually("the process is gone", function() return is_gone(pid) end, 2)
    end
    eventually("the files are gone", function() return not exists(dir) end, 2)
  end

  it("of an nginx that was stopped, but for its log", function()
    local server = nginx.start()
    local pids = server:processes()
    assert.equal(2, #pids)
    server:stop()
    pids[#pids + 1] = server.pid
    all_gone(pids, server.dir)
    assert.is_false(server:is_running())
    assert.truthy(server:log():find("start worker processes", 1, true))
    server:stop()
  end)

  it("of one that ends in good order, with the answer that was due", function()
    local server = nginx.start { locations = { ["/wait"] = [[
      ngx.log(ngx.WARN, "it waits")
      while not ngx.worker.exiting() do ngx.sleep(0.005) end
      ngx.print "the last one"]] } }
    local pids, pending = server:processes(), assert(server:send { path = "/wait" })
    server:await_log "it waits"
    server:quit()
    assert.equal("the last one", assert(pending:read()).body)
    server:await_end()
    server:stop()
    all_gone(pids, server.dir)
  end)

  it("of one whose first process is killed", function()
    local server = nginx.start()
    local pids = server:processes()
    uv.kill(server.pid, "sigkill")
    server:await_end()
    assert.is_false(is_gone(pids[1]))
    server:stop()
    all_gone(pids, server.dir)
  end)

  it("of one that does not start, and it says why", function()
    assert.error_matches(function() nginx.start { http = "nonsense;" } end,
      "nginx did not start: .*nonsense")
    nginx.stop_all()
  end)

  -- Prints the processes, and the directory.
  local PROGRAM = [[
    local server = require "spec.support.nginx".start()
    local pids = server:processes()
    require "luv".kill(pids[1], "sigstop")
    print(server.pid, table.concat(pids, "\t"))
    print("in " .. server.dir)
    io.stdout:flush()
    if arg[1] == "fail" then error "as asked" end
    io.read()]]

  -- Of a run that `finish` ends, with a worker that is stopped.
  local function leaves_nothing(finish, ...)
    local program, pids = place:fresh "program", {}
    nodes.write(program, PROGRAM)
    local run = leashed.start(nodes.lua_command(program, ...):gsub("^exec ", ""),
      place:fresh "log")
    local dir = eventually("the run is ready", function()
      local output, message = run:output()
      return output:match "in (%S+)\n" or not run:is_running() and error(message)
    end)
    finish(run)
    for pid in run:output():match "^[^\n]+":gmatch "%d+" do pids[#pids + 1] = tonumber(pid) end
    assert.equal(3, #pids)
    all_gone(pids, dir)
  end

  it("of a run that is killed", function()
    leaves_nothing(function(run) run:kill() end)
  end)

  it("of a run whose whole process group is killed", function()
    leaves_nothing(function(run)
      uv.kill(-run.pid, "sigkill")
      run:kill()
    end)
  end)

  it("of a run that fails", function()
    leaves_nothing(function(run)
      eventually("the run has ended", function() return not run:is_running() end)
      run:kill()
    end, "fail")
  end)
end)

describe("a cluster beside nginx", function()
  after_each(nginx_cluster.stop_all)

  it("is known there by its addresses", function()
    local both = nginx_cluster.start { locations = {
      ["/where"] = [[ngx.print(table.concat(require "spec_where", " "))]],
    } }
    assert.equal(table.concat(both.cluster:addresses(), " "),
      assert(both.server:get "/where").body)
    assert.same({}, both.server:errors())
  end)
end)
