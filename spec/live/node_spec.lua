-- The embedded node at work. Starts its own nodes and needs no other server.

local dqlite = require "dqlite"
local node = require "dqlite.node"
local nodes = require "spec.support.nodes"
local ports = require "spec.support.ports"
local process = require "spec.support.process"

local make, start, answer = nodes.make, nodes.start, nodes.answer
local fresh_dir, quote, output_of = nodes.fresh_dir, nodes.quote, nodes.output_of
local with_connection = nodes.with_connection
local lua_command, run_lua = nodes.lua_command, nodes.run_lua

describe("dqlite.node", function()
  setup(nodes.open)
  teardown(nodes.close)
  after_each(nodes.stop_all)

  it("is there without a require of its own, once it is asked for", function()
    assert.equal(node, dqlite.node)
  end)

  describe("a running node", function()
    it("answers at its address", function()
      local started = start { latency = 0.05, failure_domain = "18446744073709551615",
        snapshot = { threshold = 100, trailing = 100 } }
      assert.matches("^127%.0%.0%.1:%d+$", started.address)
      assert.not_matches(":0$", started.address)
      assert.equal(started.address, started.bind_address)
      assert.equal(42, answer(started.address))
    end)

    it("shows what it is", function()
      local made = make { id = "7" }
      assert.equal("dqlite.node 7 at " .. made.address .. " (stopped)", tostring(made))
      assert(made:start())
      assert.equal("dqlite.node 7 at " .. made.address .. " (running)", tostring(made))
    end)

    it("listens at a bind_address of its own", function()
      local free = make({}).address
      local started = start { address = "node.example:9001", bind_address = free }
      assert.equal("node.example:9001", started.address)
      assert.equal(free, started.bind_address)
    end)

    it("answers on an abstract socket, to this process", function()
      local started = start { address = "@node_spec" .. os.time() .. math.random(1e6) }
      assert.equal(42, answer(started.address))
      local any = start { address = "127.0.0.1:9001", bind_address = "@" }
      assert.matches("^@%w+$", any.bind_address)
    end)

    it("keeps the data over a restart, on the same or on a new object", function()
      local started = start {}
      with_connection(started.address, function(conn)
        assert(conn:execute "CREATE TABLE t (a)")
        return assert(conn:execute("INSERT INTO t VALUES (?)", "kept"))
      end)
      local function read(address)
        return with_connection(address, function(conn)
          return assert(conn:fetchval "SELECT a FROM t")
        end)
      end
      assert.is_true(started:stop())
      assert.is_true(started:start())
      assert.equal("kept", read(started.address))
      assert.is_true(started:stop())
      assert.equal("kept", read(start({ dir = started.dir }).address))
    end)

    it("raises when it is started twice", function()
      local started = start {}
      local ok, message = pcall(started.start, started)
      assert.is_false(ok)
      assert.matches("running already", message)
    end)

    it("stops twice, and before its start", function()
      local made = make {}
      assert.is_true(made:stop())
      assert.is_true(made:start())
      assert.is_true(made:stop())
      assert.is_true(made:stop())
      assert.is_nil((dqlite.connect(made.address, { timeout = 0.2 })))
    end)

    it("makes its directory for its owner only", function()
      local started = start {}
      assert.equal("700\n", output_of("stat -c %a " .. quote(started.dir)))
    end)

    it("ignores SIGPIPE and keeps signals off its threads", function()
      local out = run_lua([[
        local n = require "dqlite.node".new { dir = arg[1], address = "127.0.0.1:0" }
        assert(n:start())
        local function mask(status, name)
          local last = status:match(name .. ":%s*%x*(%x%x%x%x)\n")
          return tonumber(last, 16)
        end
        local main = io.open("/proc/self/status"):read "*a"
        local pid = main:match "Pid:%s*(%d+)"
        print("SIGPIPE", math.floor(mask(main, "SigIgn") / 2 ^ 12) % 2)
        local open, blocked = 0, 0
        for thread in io.popen("ls /proc/" .. pid .. "/task"):lines() do
          local file = io.open("/proc/self/task/" .. thread .. "/status")
          local interrupt = math.floor(mask(file:read "*a", "SigBlk") / 2) % 2
          if interrupt == 1 then blocked = blocked + 1 else open = open + 1 end
        end
        print("open", open, "some blocked", blocked > 0)
      ]], fresh_dir())
      assert.equal("SIGPIPE\t1\nopen\t1\tsome blocked\ttrue\n0\n", (out:gsub("%.0", "")))
    end)

    local function starts_again()
      local started = start { address = "127.0.0.1:" .. ports.free() }
      local child = assert(io.popen("cat >/dev/null", "w"))
      assert.is_true(started:stop())
      local ok, err = started:start()
      child:close()
      return ok, err
    end

    -- Somebody else's connection may take it by chance, hardly twice.
    it("leaves its port to nobody: a child process does not keep it", function()
      local ok, err = starts_again()
      if not ok and err.retryable then ok, err = starts_again() end
      assert.is_true(ok, tostring(err))
    end)
  end)

  describe("the lock", function()
    local function refused(dir)
      local ok, err = make({ dir = dir }):start()
      assert.is_nil(ok)
      assert.equal("busy", err.kind)
      assert.is_true(err.retryable)
      assert.matches(dir, err.message, 1, true)
    end

    it("keeps a second node of this process out", function()
      local first = start {}
      refused(first.dir)
      assert.equal(42, answer(first.address))
      first:stop()
      assert.equal(42, answer(start({ dir = first.dir }).address))
    end)

    it("keeps a second process out, both ways", function()
      local dir, fifo = fresh_dir(), fresh_dir()
      output_of("mkfifo " .. quote(fifo))
      local script = "spec/support/node_process.lua"
      local child = assert(io.popen(lua_command(script, dir, "127.0.0.1:0")
        .. " <" .. quote(fifo) .. " 2>&1"))
      local input = assert(io.open(fifo, "w"))
      local address = child:read "*l":match "^ready (127%.0%.0%.1:%d+)$"
      assert.is_string(address)
      refused(dir)
      assert.equal(42, answer(address))
      input:close()
      assert.equal("", child:read "*a")
      child:close()
      start { dir = dir }
      local out = output_of("(" .. lua_command(script, dir, "127.0.0.1:0")
        .. ") </dev/null 2>&1; echo $?")
      assert.matches("^node_process: busy: another node runs on the directory.*\n1\n$", out)
    end)

    it("is given back by a start that fails", function()
      local first = start {}
      local second = make { address = first.address }
      local ok, err = second:start()
      assert.is_nil(ok)
      assert.equal("connect", err.kind)
      assert.matches("[Aa]ddress already in use", err.message)
      assert.is_true(err.retryable)
      assert.equal(first.address, err.address)
      assert.equal(42, answer(start({ dir = second.dir }).address))
    end)
  end)

  it("leaves no descriptor open when its port is taken, and starts once it is free", function()
    local first = start {}
    local second = make { address = first.address }
    local before = process.descriptors()
    for _ = 1, 3 do assert.is_nil((second:start())) end
    assert.equal(before, process.descriptors())
    first:stop()
    assert.is_true(second:start())
  end)

  it("does not wait for an address that is not this machine's", function()
    local ok, err = make({ address = "192.0.2.1:9001" }):start() -- RFC 5737
    assert.is_nil(ok)
    assert.equal("connect", err.kind)
    assert.is_false(err.retryable)
    assert.matches("cannot listen: ", err.message, 1, true)
  end)

  describe("damaged data", function()
    local function fails(dir)
      local ok, err = make({ dir = dir }):start()
      assert.is_nil(ok)
      assert.equal("connect", err.kind)
      assert.is_number(err.code)
      return err
    end

    -- A create that fails must not leave anything behind in SQLite: the nodes
    -- after it work.
    it("fails the creation, and the next node works", function()
      local dir = fresh_dir()
      start({ dir = dir }):stop()
      nodes.write(dir .. "/metadata1", ("\255"):rep(32))
      for _ = 1, 3 do fails(dir) end
      assert.equal(42, answer(start({}).address))
    end)

    it("fails the start, and the next node works", function()
      local dir = fresh_dir()
      start({ dir = dir }):stop()
      assert(os.rename(dir .. "/0000000000000001-0000000000000001",
        dir .. "/0000000000000005-0000000000000006"))
      assert.matches("closed segment", fails(dir).message)
      assert.equal(42, answer(start({}).address))
    end)
  end)

  describe("a node that nobody holds", function()
    it("is stopped by the collector", function()
      local dir = fresh_dir()
      local function drop()
        local dropped = assert(node.new { address = "127.0.0.1:0", dir = dir })
        assert(dropped:start())
      end
      drop()
      collectgarbage()
      collectgarbage()
      assert.equal(42, answer(start({ dir = dir }).address))
    end)

    local DROP = [[
      local n = assert(require "dqlite.node".new { address = "127.0.0.1:0", dir = arg[1] })
      assert(n:start())
      print "started"
    ]]

    it("is stopped when its Lua state closes", function()
      assert.equal("started\n0\n", run_lua(DROP, fresh_dir()))
    end)

    it("is stopped when its Lua state closes after an error", function()
      local out = run_lua(DROP .. "error 'broken'", fresh_dir())
      assert.matches("broken", out)
      assert.matches("started", out)
      assert.matches("\n1\n$", out)
    end)

    it("does not hold up os.exit", function()
      assert.equal("started\n3\n", run_lua(DROP .. "os.exit(3)", fresh_dir()))
    end)

    if _VERSION >= "Lua 5.4" then
      it("is stopped by the end of its scope", function()
        local dir = fresh_dir()
        local chunk = assert(load [[
          local node, dir = ...
          local n <close> = assert(node.new { address = "127.0.0.1:0", dir = dir })
          assert(n:start())
          return n
        ]])
        local scoped = chunk(node, dir)
        assert.matches("%(stopped%)$", tostring(scoped))
        assert.equal(42, answer(start({ dir = dir }).address))
      end)
    end
  end)
end)
