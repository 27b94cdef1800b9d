-- dqlite.node.nginx: a node inside the first worker, through what happens to workers.

local core = require "dqlite.core"
local eventually = require "spec.support.eventually"
local nginx_node = require "spec.support.nginx_node"
local nodes = require "spec.support.nodes"
local uv = require "luv"

local ask, first_worker, logged = nginx_node.ask, nginx_node.first_worker, nginx_node.logged
local add, await_start, start = nginx_node.add, nginx_node.await_start, nginx_node.start

local function is_there(pid)
  local state = nodes.read_file(("/proc/%d/stat"):format(pid)):match ".*%) (%a)"
  return state ~= nil and state ~= "Z"
end

-- Of a process' threads, those that some of the signals reach by which nginx is ruled.
local function threads_with_signals(pid)
  local RULING = { 1, 3, 10, 12, 14, 15, 17, 28 } -- HUP QUIT USR1 USR2 ALRM TERM CHLD WINCH
  local all, open = 0, {}
  for name in nodes.output_of("ls /proc/" .. pid .. "/task"):gmatch "%d+" do
    all = all + 1
    local status = nodes.read_file(("/proc/%d/task/%s/status"):format(pid, name))
    local mask = tonumber(status:match "SigBlk:%s*%x+(%x%x%x%x%x%x%x%x)\n", 16)
    for _, signal in ipairs(RULING) do
      if math.floor(mask / 2 ^ (signal - 1)) % 2 == 0 then open[name] = true end
    end
  end
  return all, open
end

describe("a node in nginx", function()
  setup(nginx_node.open)
  teardown(nginx_node.close)

  describe("that runs", function()
    local server, before

    setup(function() server = start() end)
    teardown(nginx_node.stop_all)

    -- The rows, and how often the node had started.
    before_each(function()
      before = { rows = add(server), starts = select(2, first_worker(server)) }
    end)

    it("serves the requests of all workers, those of its own too", function()
      local first = first_worker(server)
      local count = before.rows
      for _, pid in ipairs(server:workers()) do
        local id = ask(server, "/id", pid)
        assert.equal(pid == first and "0" or "1", id)
        assert.equal(pid == first and "running " or "none ", ask(server, "/status", pid))
        for _ = 1, 3 do
          count = count + 1
          assert.equal(tostring(count), ask(server, "/add", pid))
        end
      end
      assert.equal(before.rows + 6, count)
    end)

    it("leaves nginx' signals to its worker", function()
      local pid = first_worker(server)
      local all, open = threads_with_signals(pid)
      assert.is_true(all > 1)
      assert.same({ [tostring(pid)] = true }, open)
    end)

    for _, signal in ipairs { "sigquit", "sigterm", "sigkill" } do
      it("runs again after its worker has ended by " .. signal, function()
        local old, began = first_worker(server), core.now()
        local stops = logged(server, "dqlite node: 1 has stopped")
        local waits = logged(server, "dqlite node: waits")
        assert(uv.kill(old, signal))
        eventually("the worker has ended", function() return not is_there(old) end, 2)
        assert.not_equal(old, await_start(server, before.starts + 1))
        assert.is_true(core.now() - began < 3)
        assert.equal(before.rows + 1, add(server))
        if signal ~= "sigkill" then stops = stops + 1 end
        assert.equal(stops, logged(server, "dqlite node: 1 has stopped"))
        assert.equal(waits, logged(server, "dqlite node: waits"))
      end)
    end

    it("runs in the new worker after a reload, whatever idles in the old one", function()
      local idle = server:connection(first_worker(server))
      assert.equal(200, assert(idle:get "/add").status)
      for n = 1, 2 do
        server:reload()
        await_start(server, before.starts + n)
        assert.equal(before.rows + 1 + n, add(server))
      end
      assert.equal("running ", ask(server, "/status", first_worker(server)))
      idle:close()
    end)

    it("serves old and new workers while an old one has work, and then moves", function()
      local WAITS = "dqlite node: waits: busy: another node runs on the directory"
      local old, waits = first_worker(server), logged(server, WAITS)
      local busy = server:connection(old)
      assert(busy:send { path = "/hold" })
      server:await_log "it is held"
      server:reload()
      eventually("the new one waits", function()
        return logged(server, WAITS) == waits + 1
      end)
      local states = {}
      for _, pid in ipairs(server:workers()) do states[ask(server, "/status", pid)] = true end
      assert.same({ ["waiting busy"] = true, ["none "] = true }, states)
      for n = 1, 4 do assert.equal(before.rows + n, add(server)) end
      local rows = tostring(before.rows + 4)
      ask(server, "/go")
      assert.equal(rows, assert(busy:read()).body)
      repeat
        assert.equal(rows, assert(server:get "/count").body)
        local _, times = first_worker(server)
      until times == before.starts + 1
      assert.not_equal(old, first_worker(server))
      assert.equal(before.rows + 5, add(server))
      assert.equal(waits + 1, logged(server, WAITS))
    end)
  end)

  describe("that ends", function()
    local server, place

    after_each(nginx_node.stop_all)

    it("has stopped when nginx has, and its data are there", function()
      server, place = start()
      assert.equal(1, add(server))
      server:quit()
      server:await_end(5)
      assert.equal(1, nginx_node.rows_left(place))
      assert.same({}, server:errors())
      assert.equal(1, logged(server, "dqlite node: 1 has stopped"))
    end)

    it("is stopped by the end of a worker that does not call stop", function()
      server, place = start({}, { workers = 1, exit = "" })
      assert.equal(1, add(server))
      server:quit()
      server:await_end(5)
      assert.equal(1, nginx_node.rows_left(place))
    end)

    it("runs without a cache of code", function()
      server, place = start({}, { http = "lua_code_cache off;" })
      assert.equal("none ", ask(server, "/status", first_worker(server)))
      for n = 1, 3 do assert.equal(n, add(server)) end
      server:quit()
      server:await_end(5)
      assert.equal(3, nginx_node.rows_left(place))
    end)

    it("is for workers only, not for the manager of a cache", function()
      local cache = nginx_node.fresh_dir()
      server = start({}, {
        workers = 1,
        http = ("proxy_cache_path %s keys_zone=cache:1m;"):format(cache),
      })
      local pid, count = first_worker(server)
      assert.same({ server:workers(), 1 }, { { pid }, count })
      assert.is_true(#server:processes() > 1)
      server:quit()
      server:await_end(5)
      assert.same({}, server:errors())
    end)

    it("is stopped once, by who calls stop first", function()
      server, place = start({}, { workers = 1, exit = [[
        local node = require "dqlite.node.nginx"
        ngx.log(ngx.WARN, "stop: ", node.stop(), node.stop(), node.status())]] })
      assert.equal(1, add(server))
      server:quit()
      server:await_end(5)
      assert.equal(1, logged(server, "stop: truetruenil"))
      assert.equal(1, nginx_node.rows_left(place))
    end)
  end)
end)
