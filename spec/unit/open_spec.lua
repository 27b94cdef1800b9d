local core = require "dqlite.core"
local dqlite = require "dqlite"
local luas = require "spec.support.luas"
local scripted = require "spec.support.scripted"

local function names(server)
  local list = {}
  for i, request in ipairs(server.sent) do list[i] = request.name end
  return table.concat(list, " ")
end

local function connect(server, opts)
  opts = opts or {}
  opts.loop = server.loop
  return dqlite.connect(server.address, opts)
end

local function leader(id, address)
  return { scripted.frame("SERVER", { id = id, address = address }) }
end

describe("a session that is opened in one call", function()
  local function bytes_of(queue)
    local session = core.session(1024)
    assert(queue(session))
    return session:take()
  end

  it("sends what the requests send one by one", function()
    for _, wants_members in ipairs { false, true } do
      local expected = bytes_of(function(session)
        session:send("LEADER", {})
        session:send("CLIENT", {})
        if wants_members then session:send("OPEN", { database = "shop" }) end
        return wants_members and session:send("CLUSTER", { format = 1 })
          or session:send("OPEN", { database = "shop" })
      end)
      assert.equal(expected, bytes_of(function(session)
        return session:open("shop", wants_members)
      end))
    end
  end)

  it("refuses a name, and one that is too large", function()
    local refused, kind, reason = core.session(1024):open(":memory:")
    assert.same({ nil, "value" }, { refused, kind })
    assert.matches(":memory:", reason, 1, true)
    refused, kind, reason = core.session(64):open(("x"):rep(80))
    assert.same({ nil, "value" }, { refused, kind })
    assert.matches("max_message_size", reason, 1, true)
  end)

  it("is not asked for an answer that is not there", function()
    local session = core.session(1024)
    assert.has_error(function() session:leader() end, "the current reply is not of this kind")
    assert.has_error(function() session:database() end, "the current reply is not of this kind")
  end)
end)

describe("connect", function()
  it("sends version, LEADER, CLIENT and OPEN in one write", function()
    local server = scripted.server()
    local conn = assert(connect(server, { database = "shop" }))
    assert.equal(1, #server.writes)
    assert.equal("HANDSHAKE LEADER CLIENT OPEN", names(server))
    assert.equal("shop", server.sent[4].database)
    assert.is_true(conn:is_open())
    assert.equal("shop", conn.database)
    assert.equal("127.0.0.1:9001", conn.address)
  end)

  it("refuses names that take a server down before it dials", function()
    for _, name in ipairs {
      "", ":memory:", "file:x", ("x"):rep(505), "a\0b", "a-wal", "a-journal",
    } do
      local server = scripted.server()
      local conn, err = connect(server, { database = name })
      assert.is_nil(conn)
      assert.equal("value", err.kind)
      assert.equal(0, server.connects)
    end
  end)

  it("refuses malformed addresses before it dials", function()
    for _, address in ipairs {
      "", "host", "host:", ":9001", "host:x", "host:0", "host:65536", "::1:9001", "[::1]",
      "[::1:9001", "a b:1", "@", "/", "a:1\n", ("x"):rep(260) .. ":1",
    } do
      local server = scripted.server()
      local conn, err = dqlite.connect(address, { loop = server.loop })
      assert.is_nil(conn, address)
      assert.equal("value", err.kind)
      assert.equal(0, server.connects)
    end
  end)

  it("asks again while there is no leader, until the deadline", function()
    local server = scripted.server { LEADER = leader("0", "") }
    local conn, err = connect(server, { timeout = 3 })
    assert.is_nil(conn)
    assert.equal("no_leader", err.kind)
    assert.is_true(err.retryable)
    assert.equal(2, server.connects) -- the second is kept
    assert.is_true(#server.writes > 20)
    assert.is_true(server.slept > 2 and server.slept <= 3)
    assert.equal(server.connects, server.closed)
  end)

  it("says of a node that has not joined that it knows no others", function()
    local server = scripted.server {
      LEADER = leader("0", ""),
      CLUSTER = { scripted.frame("SERVERS", { servers = {} }) },
    }
    local _, err = connect(server, { timeout = 1 })
    assert.matches("1 of 1 nodes answers, and knows no others: not joined yet%?", err.message)
  end)

  it("connects once an election is over", function()
    local server, asked = nil, 0
    server = scripted.server {
      LEADER = function()
        asked = asked + 1
        if asked < 3 then return leader("0", "") end
        return leader("1", server.address)
      end,
    }
    assert.is_truthy(connect(server))
    assert.equal(3, server.connects)
    assert.equal(2, server.closed)
  end)

  it("takes an id without an address for no leader", function()
    local server = scripted.server { LEADER = leader("7", "") }
    local _, err = connect(server, { timeout = 0.01 })
    assert.equal("no_leader", err.kind)
  end)

  it("goes on to the leader when it is another node", function()
    local server = scripted.server { LEADER = leader("2", "127.0.0.1:9002") }
    local conn = assert(connect(server))
    assert.equal("127.0.0.1:9002", conn.address)
    assert.equal("127.0.0.1:9001 127.0.0.1:9002", table.concat(server.dialled, " "))
    assert.equal(1, server.closed)
  end)

  it("does not compare addresses when it is to be direct", function()
    local server = scripted.server { LEADER = leader("2", "127.0.0.1:9002") }
    assert.is_truthy(connect(server, { direct = true }))
  end)

  it("takes an address with id 0 for a broken server", function()
    local server = scripted.server { LEADER = leader("0", "127.0.0.1:9001") }
    local _, err = connect(server)
    assert.equal("protocol", err.kind)
    assert.equal(1, server.closed)
  end)

  it("reports a failing OPEN with its code", function()
    local server = scripted.server { OPEN = { scripted.failure(10250, "not leader") } }
    local _, err = connect(server, { direct = true })
    assert.equal("not_leader", err.kind)
    assert.equal(10250, err.code)
    assert.equal(1, server.closed)
  end)

  it("opens again where the leadership was lost in between", function()
    local opened = 0
    local server = scripted.server {
      OPEN = function()
        opened = opened + 1
        if opened == 1 then return { scripted.failure(10250, "not leader") } end
        return { scripted.frame("DB", {}) }
      end,
    }
    assert.is_truthy(connect(server))
    assert.equal(server.connects - 1, server.closed)
  end)

  it("reports an OPEN that the leader refuses at once", function()
    local server = scripted.server { OPEN = { scripted.failure(14, "unable to open") } }
    local _, err = connect(server)
    assert.equal(14, err.code)
    assert.equal(1, server.connects)
    assert.equal(1, server.closed)
  end)

  it("gives up on a silent node after connect_timeout", function()
    local server = scripted.server { LEADER = {}, CLIENT = {}, OPEN = {} }
    local _, err = connect(server, { connect_timeout = 0.5, timeout = 15 })
    assert.equal("timeout", err.kind)
    assert.equal(100.5, server.time)
    assert.equal(1, server.closed)
  end)

  it("reports a server that hangs up", function()
    local server = scripted.server { LEADER = { "close" } }
    local _, err = connect(server)
    assert.equal("closed", err.kind)
    assert.equal(1, server.closed)
  end)

  it("works when the answers come byte by byte", function()
    local server = scripted.server()
    server.chunk = 1
    assert.is_truthy(connect(server))
  end)
end)

describe("options of connect", function()
  local function raised(opts)
    local line = debug.getinfo(1, "l").currentline + 1
    local ok, message = pcall(function() dqlite.connect("127.0.0.1:1", opts) end)
    assert.is_false(ok)
    assert.matches("open_spec.lua:" .. line .. ": ", message)
    return message
  end

  it("that are unknown raise with their name", function()
    assert.matches("unknown option 'tymeout'", raised { tymeout = 1 })
  end)

  it("that are not for this place say so", function()
    assert.matches("'tls' is unsupported", raised { tls = {} })
    assert.matches(luas.waits and "only a coroutine that a controller runs"
      or "the cqueues loop needs LuaJIT, or Lua 5.2", raised { loop = "cqueues" })
    assert.matches("needs nginx", raised { loop = "nginx" })
  end)

  it("with nonsensical values raise with their name", function()
    for name, value in pairs {
      timeout = 0, connect_timeout = -1, database = 5, loop = "fast", int64 = "float",
      blobs = true, dates = "x", array_mt = 1, max_rows = 0, max_result_bytes = 1.5,
      busy_timeout = -1, statement_cache = 1.5, max_message_size = 2 ^ 40, direct = "yes",
      redirect = "127.0.0.1:1", dial = true, translate = {}, refresh = 1,
    } do
      assert.matches("option '" .. name .. "' must be", raised { [name] = value })
    end
    assert.matches("option 'timeout' must be", raised { timeout = 0 / 0 })
    assert.matches("options are a table", raised("fast"))
  end)

  it("that only LuaJIT can keep raise elsewhere", function()
    if rawget(_G, "jit") then
      assert.is_truthy(connect(scripted.server(), { int64 = "cdata" }))
    else
      assert.matches("LuaJIT", raised { int64 = "cdata" })
    end
  end)

  it("need an address that is a string", function()
    assert.has_error(function() dqlite.connect(9001) end)
  end)
end)
