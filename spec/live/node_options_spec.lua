-- What the embedded node is made of: options, features, ids.

local node = require "dqlite.node"
local nodes = require "spec.support.nodes"

local make, start, answer, fresh_dir = nodes.make, nodes.start, nodes.answer, nodes.fresh_dir

describe("dqlite.node", function()
  setup(nodes.open)
  teardown(nodes.close)
  after_each(nodes.stop_all)

  describe("options", function()
    local function raises(options, pattern)
      local ok, message = pcall(node.new, options)
      assert.is_false(ok)
      assert.matches(pattern, message)
    end

    local WRONG = {
      { "id", "0", 0, -1, 1.5, "x", "-1", "18446744073709551616", true, 2 ^ 60, "" },
      { "address", 9001, true },
      { "bind_address", 9001 },
      { "dir", 1, {} },
      { "latency", 0, -1, 0.0001, 3601, 0 / 0, "1" },
      { "failure_domain", -1, 0.5, "a", "18446744073709551616" },
      { "snapshot", 1024, { threshold = 0 }, { trailing = 3 }, { size = 1 },
        { threshold = 100, trailing = 99 }, { threshold = 9000 }, { strategy = "fast" } },
      { "snapshot_compression", 1, "yes" },
      { "block_size", 0, 511, 524288, "4096", 4096.5 },
      { "target_voters", 0, 1.5, "3" },
      { "target_standbys", -1, {} },
      { "role_management", 1 },
      { "auto_recovery", "off" },
      { "busy_timeout", -1, 1 / 0, "1" },
    }

    for _, case in ipairs(WRONG) do
      local name = case[1]
      it("raises for a wrong " .. name, function()
        for i = 2, #case do
          raises({ address = "127.0.0.1:9001", dir = "/nowhere", [name] = case[i] }, name)
        end
      end)
    end

    it("raises for what is unknown or missing", function()
      raises({ address = "127.0.0.1:9001", dir = "/nowhere", adress = 1 }, "'adress'")
      raises({ address = "127.0.0.1:9001", dir = "/nowhere", "x" }, "unknown option '1'")
      raises({ address = "127.0.0.1:9001" }, "'dir' is missing")
      raises({ dir = "/nowhere" }, "'address' is missing")
      raises(nil, "table expected")
      raises("127.0.0.1:9001", "table expected")
    end)

    it("raises at the caller's line", function()
      local line = debug.getinfo(1, "l").currentline + 1
      local _, message = pcall(function() node.new { address = 1, dir = "/nowhere" } end)
      assert.equal(line, tonumber(message:match "node_options_spec%.lua:(%d+): "))
    end)

    it("keeps all bits of an id", function()
      assert.equal("1", make({}).id)
      assert.equal("18446744073709551615", make({ id = "18446744073709551615" }).id)
      assert.equal("9007199254740992", make({ id = 9007199254740992 }).id)
      assert.equal("7", make({ id = "007" }).id)
    end)

    it("answers an error for addresses that libdqlite cannot listen on", function()
      for _, address in ipairs { "", "127.0.0.1", "/run/node.sock", "localhost:9001",
        "256.0.0.1:9001", "1.2.3:9001", "127.0.0.1:70000", "@",
        "@" .. ("n"):rep(107), ("n"):rep(300) .. ":9001" } do
        local made, err = make { address = address }
        assert.is_nil(made)
        assert.equal("value", err.kind)
      end
    end)

    it("answers an error for a bind_address that cannot be bound", function()
      for _, bind in ipairs { "localhost:9001", "127.0.0.1:0", "127.0.0.1", "/run/x" } do
        local made, err = make { address = "127.0.0.1:9001", bind_address = bind }
        assert.is_nil(made)
        assert.equal("value", err.kind)
      end
      local made, err = make { address = "127.0.0.1:0", bind_address = "127.0.0.1:9001" }
      assert.is_nil(made)
      assert.equal("value", err.kind)
    end)

    it("answers an error for a directory that cannot be used", function()
      local file = fresh_dir()
      nodes.write(file, "")
      for _, dir in ipairs { file, fresh_dir() .. "/deep" } do
        local ok, err = make({ dir = dir }):start()
        assert.is_nil(ok)
        assert.equal("value", err.kind)
        assert.matches(dir, err.message, 1, true)
      end
      for _, dir in ipairs { "", "a\0b", ("d"):rep(900) } do
        local made, err = make { dir = dir }
        assert.is_nil(made)
        assert.equal("value", err.kind)
      end
    end)
  end)

  describe("features", function()
    local ALWAYS = { "latency", "failure_domain", "snapshot" }
    local NEWER = {
      block_size = { 4096, "1.15.0" },
      target_voters = { 3, "1.15.0" },
      target_standbys = { 0, "1.15.0" },
      role_management = { true, "1.15.0" },
      auto_recovery = { false, "1.16.0" },
      snapshot_compression = { false, "1.16.2" },
      busy_timeout = { 1.5, "1.18.2" },
    }

    it("says what the loaded library has", function()
      local names = { "ipv6", "snapshot_strategy" }
      for _, name in ipairs(ALWAYS) do
        names[#names + 1] = name
        assert.is_true(node.features[name])
      end
      for name in pairs(NEWER) do names[#names + 1] = name end
      for _, name in ipairs(names) do assert.is_boolean(node.features[name]) end
      local total = 0
      for _ in pairs(node.features) do total = total + 1 end
      assert.equal(#names, total)
      assert.matches("^1%.%d+%.%d+$", node.version)
    end)

    it("is what version 1.11.1 has, or more", function()
      local minor = tonumber(node.version:match "^1%.(%d+)")
      assert.equal(minor >= 12, node.features.ipv6)
      assert.equal(minor >= 16, node.features.auto_recovery)
      if minor < 14 then assert.is_false(node.features.block_size) end
    end)

    for name, case in pairs(NEWER) do
      it("starts with " .. name .. ", or names the version that has it", function()
        local made, err = make { [name] = case[1] }
        if node.features[name] then
          assert.is_true(made:start())
          return
        end
        assert.is_nil(made)
        assert.equal("unsupported", err.kind)
        assert.matches("^" .. name, err.message)
        assert.matches(case[2], err.message, 1, true)
      end)
    end

    it("takes a snapshot strategy since 1.18.2", function()
      local made, err = make { snapshot = { strategy = "dynamic" } }
      if node.features.snapshot_strategy then
        assert.is_true(made:start())
      else
        assert.is_nil(made)
        assert.equal("unsupported", err.kind)
        assert.matches("1.18.2", err.message, 1, true)
      end
    end)

    it("listens on IPv6 since 1.12", function()
      local made, err = make { address = "[::1]:0" }
      if node.features.ipv6 then
        assert.is_true(made:start())
        assert.matches("^%[::1%]:%d+$", made.address)
        assert.equal(42, answer(made.address))
      else
        assert.is_nil(made)
        assert.equal("unsupported", err.kind)
        assert.matches("1.12.0", err.message, 1, true)
      end
    end)

    it("needs no role management to leave it off", function()
      assert.is_true(make({ role_management = false }):start())
    end)
  end)

  describe("generate_id", function()
    it("gives another decimal id each time", function()
      local seen = {}
      for _ = 1, 100 do
        local id = node.generate_id "127.0.0.1:9001"
        assert.matches("^[1-9]%d*$", id)
        assert.is_nil(seen[id])
        seen[id] = true
      end
    end)

    it("gives ids that a node takes", function()
      local id = node.generate_id "127.0.0.1:9001"
      assert.equal(id, start({ id = id }).id)
    end)

    it("raises for what is no string", function()
      assert.has_error(function() node.generate_id(9001) end)
      assert.has_error(function() node.generate_id() end)
    end)
  end)
end)
