-- A new membership for the data of a node.

local node = require "dqlite.node"
local nodes = require "spec.support.nodes"

local make, start, answer, fresh_dir = nodes.make, nodes.start, nodes.answer, nodes.fresh_dir
local with_connection = nodes.with_connection

describe("dqlite.node", function()
  setup(nodes.open)
  teardown(nodes.close)
  after_each(nodes.stop_all)

  describe("recover", function()
    local first

    before_each(function()
      first = start {}
      with_connection(first.address, function(conn)
        assert(conn:execute "CREATE TABLE t (a)")
        return assert(conn:execute "INSERT INTO t VALUES ('saved')")
      end)
    end)

    local function recover(members, changes)
      local options = { id = first.id, address = first.address, dir = first.dir,
        members = members }
      for name, value in pairs(changes or {}) do options[name] = value end
      return node.recover(options)
    end

    local function member(id, address, role)
      return { id = id, address = address or first.address, role = role }
    end

    it("gives the data to a cluster of one at a new address", function()
      first:stop()
      local address = make({}).address
      assert.is_true(recover({ member("1", address) }, { address = address }))
      local again = start { dir = first.dir, address = address }
      with_connection(again.address, function(conn)
        assert.equal("saved", conn:fetchval "SELECT a FROM t")
        return assert(conn:execute "INSERT INTO t VALUES ('more')")
      end)
    end)

    it("takes members of every role", function()
      first:stop()
      assert.is_true(recover {
        member("1", nil, "voter"),
        member(2, "127.0.0.1:9", "standby"),
        member("18446744073709551615", "127.0.0.1:10", "spare"),
      })
      assert.equal(42, answer(start({ dir = first.dir, address = first.address }).address))
    end)

    it("refuses a directory in use", function()
      local ok, err = recover { member "1" }
      assert.is_nil(ok)
      assert.equal("busy", err.kind)
      assert.equal(42, answer(first.address))
    end)

    it("refuses members that are no cluster", function()
      first:stop()
      for _, members in ipairs {
        { member "1", member("1", "127.0.0.1:9") },
        { member "1", member "2" },
        { member("2", "127.0.0.1:9") },
        { member("1", "127.0.0.1:9") },
        { member("1", nil, "spare") },
        { member "1", member("2", "nonsense") },
      } do
        local ok, err = recover(members)
        assert.is_nil(ok)
        assert.equal("value", err.kind)
      end
    end)

    it("refuses a directory without data", function()
      local empty = fresh_dir()
      nodes.output_of("mkdir " .. empty)
      first:stop()
      for _, dir in ipairs { fresh_dir(), empty } do
        local ok, err = recover({ member "1" }, { dir = dir })
        assert.is_nil(ok)
        assert.equal("value", err.kind)
        assert.matches("holds no data", err.message)
      end
    end)

    it("raises for wrong options", function()
      for _, changes in ipairs {
        { members = {} }, { members = "1" }, { members = { {} } }, { id = 0 },
        { members = { { id = "1", address = first.address, role = "king" } } },
        { members = { { id = "1", address = first.address, weight = 1 } } },
        { latency = 1 }, { dir = 5 },
      } do
        assert.has_error(function() recover({ member "1" }, changes) end)
      end
      assert.has_error(function() node.recover { id = 1 } end)
    end)
  end)
end)
