local dqlite = require "dqlite"
local wire = require "dqlite.wire"

local function hex(bytes)
  return (bytes:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

local function decode(direction, bytes, opts)
  local decoder = wire.decoder(direction, opts)
  decoder:feed(bytes)
  return decoder:next()
end

describe("what every program has", function()
  it("are the codec and raw sessions, too", function()
    assert.equal(wire, dqlite.wire)
    assert.equal(require "dqlite.session", dqlite.session)
    assert.is_nil(dqlite.nodes)
  end)
end)

describe("encode", function()
  it("makes a frame of a name and fields", function()
    assert.equal("0100000000000000" .. "0000000000000000", hex(wire.encode("LEADER")))
    assert.equal("0200000007000000" .. "0000000000000000" .. "ffffffffffffffff",
      hex(wire.encode("ROWS", { rows = { columns = {} } })))
  end)

  it("takes what decode gives, for both directions", function()
    local bytes = wire.encode("EXEC_SQL", {
      sql = "INSERT INTO t VALUES (?, ?, ?, ?)",
      params = { 1, dqlite.null, dqlite.blob("\0\1"), 0.5 },
    })
    local message = decode("request", bytes, { handshake = false })
    assert.same({ "INTEGER", "NULL", "BLOB", "FLOAT" }, message.params.types)
    assert.equal(bytes, wire.encode(message.name, message))
  end)

  it("selects a version by its schema", function()
    local bytes = wire.encode("QUERY", { schema = 1, stmt = 3, params = { true } })
    assert.equal("0300000006010000" .. "0000000003000000" .. "010000000b000000"
      .. "0100000000000000", hex(bytes))
  end)

  it("keeps all 64 bits of an id", function()
    local bytes = wire.encode("REMOVE", { id = "18446744073709551615" })
    assert.equal("ffffffffffffffff", hex(bytes:sub(9)))
    assert.equal("18446744073709551615",
      decode("request", bytes, { handshake = false }).id)
  end)

  it("takes roles by name and by number", function()
    assert.equal(wire.encode("ASSIGN", { id = 1, role = 2 }),
      wire.encode("ASSIGN", { id = "1", role = "spare" }))
    assert.equal(16, #wire.encode("ASSIGN", { id = 1 }))
  end)

  it("refuses what would take a server down", function()
    for _, case in ipairs {
      { "DESCRIBE", { format = 1 } }, { "ADD", { id = 0, address = "a:1" } },
      { "ASSIGN", { id = 1, role = 3 } },
      { "EXEC_SQL", { sql = "a\0b" } },
      { "EXEC_SQL", { sql = "?", params = { "a\0b", types = { "TEXT" } } } },
      { "EXEC_SQL", { sql = "?", params = { 1, n = 256 } } },
    } do
      local bytes, err = wire.encode(case[1], case[2])
      assert.is_nil(bytes)
      assert.equal("value", err.kind)
    end
  end)

  it("raises what is no message at the caller's line", function()
    for _, case in ipairs {
      { "NOTHING", {} }, { "LEADER", { schema = 1 } }, { "LEADER", { sql = "x" } },
      { "LEADER", { [1] = 1 } }, { "WEIGHT", { weight = -1 } },
      { "FINALIZE", { stmt = 2 ^ 32 } }, { "PREPARE", { sql = 5 } },
      { "EXEC_SQL", { params = 1 } }, { "EXEC_SQL", { params = { print } } },
      { "EXEC_SQL", { params = { 1, types = { "WORD" } } } },
      { "EXEC_SQL", { params = { "x", types = { "INTEGER" } } } },
      { "ROWS", {} }, { "ROWS", { rows = { { 1 } } } },
      { "ASSIGN", { id = 1, role = "leader" } },
      { "SERVERS", { servers = { 1 } } },
    } do
      local line = debug.getinfo(1, "l").currentline + 1
      local ok, message = pcall(function() wire.encode(case[1], case[2]) end)
      assert.is_false(ok, case[1])
      assert.matches("wire_spec.lua:" .. line .. ": ", message)
    end
  end)

  it("raises a list for which no frame has room", function()
    local server = { id = 1, address = "a:1", role = 0 }
    for _, case in ipairs {
      { "EXEC_SQL", { params = { 1, n = 2 ^ 28 } } },
      -- three words each, so that a product of 32 bits is small
      { "SERVERS", { servers = { server, n = 0x55555556 } } },
      { "SERVERS", { servers = { server, n = 0x5555556 } } },
      { "FILES", { files = { { name = "a", content = "" }, n = 2 ^ 31 - 1 } } },
    } do
      local ok, message = pcall(wire.encode, case[1], case[2])
      assert.is_false(ok)
      assert.matches("too many values for one frame", message, 1, true)
    end
  end)
end)

describe("encode, of tables with metamethods,", function()
  it("takes what is really in them", function()
    local made = setmetatable({}, { __index = function(_, key) return key .. " made up" end })
    assert.has_error(function() wire.encode("FILES", { files = { made } }) end)
    assert.equal(wire.encode("LEADER"), wire.encode("LEADER", made))
  end)
end)

describe("a decoder", function()
  it("gives the version word of a client first", function()
    local decoder = wire.decoder("request")
    decoder:feed(wire.HANDSHAKE .. wire.encode("LEADER"))
    assert.same({ name = "HANDSHAKE", version = "1" }, decoder:next())
    assert.equal("LEADER", decoder:next().name)
    assert.is_nil(decoder:next())
  end)

  it("wants more until a message is whole", function()
    local bytes = wire.encode("SERVER", { id = "1", address = "127.0.0.1:9001" })
    local decoder = wire.decoder("response")
    for i = 1, #bytes - 1 do
      decoder:feed(bytes:sub(i, i))
      local message, err = decoder:next()
      assert.is_nil(message)
      assert.is_nil(err)
    end
    decoder:feed(bytes:sub(-1))
    assert.equal("127.0.0.1:9001", decoder:next().address)
  end)

  it("stays broken once it met what is no protocol", function()
    local decoder = wire.decoder("response")
    decoder:feed(("\0"):rep(8) .. wire.encode("EMPTY"))
    for _ = 1, 2 do
      local message, err = decoder:next()
      assert.is_nil(message)
      assert.equal("protocol", err.kind)
    end
  end)

  it("refuses a frame above its limit", function()
    local _, err = decode("response", wire.encode("SERVER", { id = 1, address = ("x"):rep(100) }),
      { max = 64 })
    assert.equal("protocol", err.kind)
  end)

  it("finds the roles of servers, or that there are none", function()
    local server = { id = "3", address = "10.0.0.1:9001" }
    local bytes = wire.encode("SERVERS", { servers = { server, server } })
    assert.same({ server, server }, decode("response", bytes).servers)
    server.role = 1
    bytes = wire.encode("SERVERS", { servers = { server, server } })
    assert.same({ server, server }, decode("response", bytes).servers)
  end)

  it("knows its options", function()
    for _, opts in ipairs { { mx = 1 }, { max = "x" }, { max = -1 }, { max = 2 ^ 40 } } do
      local ok, message = pcall(function() wire.decoder("response", opts) end)
      assert.is_false(ok)
      assert.matches("wire_spec.lua:%d+: .*option", message)
    end
  end)

  it("is for one of two directions", function()
    assert.has_error(function() wire.decoder("both") end)
    assert.has_error(function() wire.decoder("response"):feed(1) end)
  end)
end)

describe("the table of messages", function()
  it("lists the fields of each version", function()
    assert.equal(8, wire.messages.requests.EXEC_SQL.number)
    assert.same({ "db", "sql", "params" }, wire.messages.requests.EXEC_SQL[1])
    assert.same({ "db", "stmt", "params", "tail" }, wire.messages.responses.STMT[1])
    assert.same({ "db", "stmt", "params" }, wire.messages.responses.STMT[0])
  end)
end)
