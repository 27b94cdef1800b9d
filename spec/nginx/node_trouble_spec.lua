-- dqlite.node.nginx where it has to wait, where it fails, and where it is used wrongly.

local nginx = require "spec.support.nginx"
local nginx_node = require "spec.support.nginx_node"
local nodes = require "spec.support.nodes"
local uv = require "luv"

local ask, first_worker, logged = nginx_node.ask, nginx_node.first_worker, nginx_node.logged
local add, await_start, start = nginx_node.add, nginx_node.await_start, nginx_node.start

describe("a node in nginx", function()
  local server

  setup(nginx_node.open)
  teardown(nginx_node.close)
  after_each(nginx_node.stop_all)

  describe("that cannot start yet", function()
    local other

    before_each(function() other = nodes.start { dir = nginx_node.fresh_dir() } end)

    local function verify_waiting(where, kind)
      server = start(where, { workers = 1 })
      assert.equal("waiting " .. kind, ask(server, "/status"))
      assert.equal(1, logged(server, "dqlite node: waits: " .. kind))
      assert.is_nil((first_worker(server)))
    end

    it("waits for its directory", function()
      verify_waiting({ dir = other.dir }, "busy")
      other:stop()
      await_start(server, 1)
      assert.equal("running ", ask(server, "/status"))
      assert.equal(1, add(server))
    end)

    it("waits for its port", function()
      verify_waiting({ address = other.address }, "connect")
      other:stop()
      await_start(server, 1)
      assert.equal(1, add(server))
    end)

    it("waits no longer when its worker exits", function()
      verify_waiting({ dir = other.dir }, "busy")
      server:quit()
      server:await_end(2)
      assert.equal(42, nodes.answer(other.address))
      assert.same({}, server:errors())
      assert.is_nil((first_worker(server)))
    end)
  end)

  describe("that cannot start", function()
    local function verify_failed(where, kind, text, more)
      server = start(where, more or { workers = 1 })
      assert.equal("failed " .. kind, ask(server, "/status"))
      local errors = server:errors()
      assert.equal(1, #errors)
      assert.truthy(errors[1]:find("dqlite node: cannot start: " .. kind, 1, true), errors[1])
      assert.truthy(errors[1]:find(text, 1, true), errors[1])
      assert.equal("0", ask(server, "/id"))
    end

    it("reports a directory that cannot be made", function()
      verify_failed({ dir = "/no/such/place" }, "value", "/no/such/place: No such file")
    end)

    it("reports an address of another machine", function()
      verify_failed({ address = "192.0.2.1:9001" }, "connect", "cannot listen") -- RFC 5737
    end)

    it("reports data that are none, and serves requests without", function()
      local dir = nginx_node.fresh_dir()
      assert(uv.fs_mkdir(dir, 448)) -- 0700
      nodes.write(dir .. "/metadata1", ("\255"):rep(32))
      verify_failed({ dir = dir }, "connect", dir)
    end)

    -- Loaded in the first process: the workers may not read this tree.
    it("says whose the directory has to be", function()
      local dir = nginx_node.fresh_dir()
      assert(uv.fs_mkdir(dir, 448))
      verify_failed({ dir = dir }, "value",
        "Permission denied; nginx' workers run as the user of the directive `user`", {
          workers = 1,
          user = "nobody nogroup",
          http = "init_by_lua_block { require 'dqlite.node.nginx' }",
        })
    end)
  end)

  describe("misused", function()
    -- Logs what start raises.
    local RAISES = [[ do
      local ok, raised = pcall(require "dqlite.node.nginx".start, %s)
      ngx.log(ngx.WARN, tostring(ok), ": ", raised) end ]]

    -- `calls` maps options, in Lua, to what is raised.
    local function verify_raised(block, calls)
      local code = ""
      for opts in pairs(calls) do code = code .. RAISES:format(opts) end
      server = nginx.start { workers = 1, http = ("%s { %s }"):format(block, code),
        locations = { ["= /"] = RAISES:format "{}" } }
      for _, text in pairs(calls) do
        assert.is_true(logged(server, "false: [^\n]*" .. text) > 0, server:log())
      end
    end

    it("raises where there is no worker yet, and in requests", function()
      verify_raised("init_by_lua_block", { ["{}"] = "nginx, not for the phase init" })
      assert(server:get "/")
      assert.equal(1, logged(server, "nginx, not for the phase content"))
    end)

    it("raises for options", function()
      local wrong = "dqlite.node.nginx.start: option 'address' must be a host and a port"
      verify_raised("init_worker_by_lua_block", {
        ["{ address = '@node', dir = '/tmp/none' }"] = wrong,
        ["{ address = '127.0.0.1:0', dir = '/tmp/none' }"] = wrong,
        ["{ port = 1 }"] = "dqlite.node.new: unknown option 'port'",
      })
      assert.equal(2, logged(server, wrong))
    end)

    it("raises for a second node, and the first one serves", function()
      server = start({}, { workers = 1, again = RAISES:format "{}" })
      assert.equal(1, logged(server, "start: this worker has a node already"))
      assert.equal(1, add(server))
    end)

    it("raises outside of nginx", function()
      local out = nodes.run_lua(
        "print(require 'dqlite.node.nginx'.stop(), pcall(require 'dqlite.node.nginx'.start, {}))")
      assert.truthy(out:find("in nginx, and this is not nginx", 1, true), out)
    end)
  end)
end)
