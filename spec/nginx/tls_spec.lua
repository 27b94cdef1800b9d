-- The option `tls` under nginx, against real proxies that end TLS in front of real nodes.

local certificates = require "spec.support.certificates"
local cluster = require "spec.support.cluster"
local eventually = require "spec.support.eventually"
local nginx = require "spec.support.nginx"
local nodes = require "spec.support.nodes"
local tls_proxies = require "spec.support.tls_proxies"
local uv = require "luv"

-- In nginx: what the sources below use.
local HELPERS = [==[
local dqlite = require "dqlite"
local given = require "spec_given"

local M = { dqlite = dqlite, proxies = given.proxies, cert = given.cert, key = given.key }

-- From what the nodes call each other to their proxies.
function M.translate(address) return given.ways[address] end

function M.options(tls, more)
  local opts = { tls = tls, timeout = 5 }
  for name, value in pairs(more or {}) do opts[name] = value end
  return opts
end

-- A connection with exactly what stands behind an address.
function M.connect(address, tls, more)
  local opts = M.options(tls, more)
  opts.direct = true
  return dqlite.connect(address, opts)
end

-- Keeps the server busy for a while.
M.LONG = [=[WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500000)
  SELECT count(*) FROM n]=]

function M.describe(value, err)
  if not value then return err.kind .. ": " .. err.message end
  return tostring(value)
end

-- What comes of a query there.
function M.ask(address, tls, more)
  local conn, err = M.connect(address, tls, more)
  if not conn then return M.describe(nil, err) end
  local value, failed = conn:fetchval "SELECT 41 + 1"
  conn:close()
  return M.describe(value, failed)
end

return M
]==]

-- In the phase init, where nginx has no cosockets.
local AT_START = [[
local h = require "spec_helpers"
local _, message = pcall(h.dqlite.connect, "127.0.0.1:1", h.options(true))
local where = h.proxies.strange
return {
  message = message,
  pool = assert(h.dqlite.create_pool(where, h.options({ server_name = "node.test" }))),
}
]]

local RUN = [[
  ngx.req.read_body()
  local run = assert(loadstring(ngx.req.get_body_data(), "=spec"))
  setfenv(run, setmetatable({ h = require "spec_helpers" }, { __index = _G }))
  local ok, result = pcall(run)
  ngx.print(ok and tostring(result) or "raised " .. tostring(result))]]

local made, members, proxies, server

-- In nginx: where everything is.
local function given()
  local ways = {}
  for i, node in ipairs(members.nodes) do
    ways[#ways + 1] = ("[%q] = %q,"):format(node.address, proxies.addresses["node" .. i])
  end
  local addresses = {}
  for name, address in pairs(proxies.addresses) do
    addresses[#addresses + 1] = ("%s = %q,"):format(name, address)
  end
  return ("return { ways = { %s }, proxies = { %s }, cert = %q, key = %q }"):format(
    table.concat(ways, " "), table.concat(addresses, " "),
    nodes.read_file(made:path "client"), nodes.read_file(made:key_path "client"))
end

local function start_nginx()
  return nginx.start {
    workers = 1,
    http = ("lua_ssl_trusted_certificate %s; init_by_lua_block { require 'spec_start' }"):format(
      made:path "ca"),
    locations = { ["= /run"] = RUN },
    server = ("location = /modern { lua_ssl_protocols TLSv1.3; content_by_lua_block { %s } }")
      :format(RUN),
    lua = { spec_given = given(), spec_helpers = HELPERS, spec_start = AT_START },
  }
end

local function run(source, path)
  local answer = assert(server:post(path or "/run", source))
  assert.equal(200, answer.status)
  return answer.body
end

local function begin(count)
  made = certificates.new()
  made:authority "ca"
  made:authority "other_ca"
  made:issue("node", "ca", "node.test")
  made:issue("stranger", "other_ca", "node.test")
  made:issue("client", "ca")
  members = cluster.start { nodes = count }
  local leader = members:leader().address
  local wanted = {
    good = { to = leader, shows = "node" },
    modern = { to = leader, shows = "node", protocols = "TLSv1.3" },
    strange = { to = leader, shows = "stranger" },
    demanding = { to = leader, shows = "node", demands = "ca" },
    marker = { to = leader, shows = "node" },
    hasty = { to = leader, shows = "node", more = "proxy_timeout 100ms;" },
    choosy = { to = leader, shows = "node", demands = "other_ca" },
  }
  for i, node in ipairs(members.nodes) do
    wanted["node" .. i] = { to = node.address, shows = "node" }
  end
  proxies = tls_proxies.start(made, wanted)
  server = start_nginx()
end

local function finish()
  nginx.stop_all()
  cluster.stop_all()
  made:close()
end

describe("TLS under nginx", function()
  setup(function() begin(1) end) -- that leads, however busy the machine is
  teardown(finish)

  it("asks a server that is verified", function()
    assert.equal("42", run "return h.ask(h.proxies.good, { server_name = 'node.test' })")
  end)

  it("refuses a server of an authority that is not trusted, and says what to set", function()
    local answer = run "return h.ask(h.proxies.strange, { server_name = 'node.test' })"
    assert.matches("^connect: .*unable to .*lua_ssl_trusted_certificate.*lua_ssl_verify_depth",
      answer)
  end)

  -- On a busy machine the handshake is often over before anybody has waited for it.
  it("refuses it, and a wrong name, each time in the same words", function()
    local answer = run [[
      local seen = {}
      local function note(answer)
        answer = answer:gsub("%d+: ", "")
        if not seen[answer] then seen[#seen + 1] = answer end
        seen[answer] = true
      end
      for _ = 1, 60 do
        note(h.ask(h.proxies.strange, { server_name = "node.test" }))
        note(h.ask(h.proxies.good, { server_name = "other.test" }))
      end
      return #seen .. table.concat(seen, "; ")]]
    assert.matches("^2connect: .*is not trusted.*connect: .*is not for 'other.test'", answer)
  end)

  it("refuses a server whose certificate has another name", function()
    local answer = run "return h.ask(h.proxies.good, { server_name = 'other.test' })"
    assert.matches("^connect: .*not for 'other.test'.*tls.server_name", answer)
  end)

  it("does so through resty.dqlite as well, whose ssl verifies unless told not to", function()
    assert.equal("true 42, false true, 42", run [[
      local function ask(name, more)
        local host, port = h.proxies[name]:match "^(.*):(%d+)$"
        local opts = { host = host, port = tonumber(port), ssl = true, direct = true }
        for key, value in pairs(more) do opts[key] = value end
        local db = require "resty.dqlite":new()
        local ok, err = db:connect(opts)
        if not ok then return nil, err end
        local rows = assert(db:query "SELECT 42 AS answer")
        return rows[1].answer
      end
      local verified = ask("good", { ssl_server_name = "node.test" })
      local refused, err = ask("strange", { ssl_server_name = "node.test" })
      local trusting = ask("strange", { ssl_verify = false })
      return ("%s %s, %s %s, %s"):format(verified ~= nil, verified, refused ~= nil,
        err:find("is not trusted", 1, true) ~= nil, trusting)]])
  end)

  it("refuses what has no name to verify", function()
    local answer = run "return h.ask(h.proxies.good, true)"
    assert.matches("^value: .*127%.0%.0%.1.*tls%.server_name", answer)
  end)

  it("takes anybody without verification", function()
    assert.equal("42", run "return h.ask(h.proxies.strange, { verify = false })")
    assert.equal("42", run "return h.ask(h.proxies.good, { verify = false })")
  end)

  it("verifies the name that the cluster calls a node, where the address has none", function()
    assert.equal("true", run [[
      local cluster = h.dqlite.cluster("node.test:1", h.options(true, {
        translate = function() return h.proxies.good end,
      }))
      return h.describe((cluster:node "node.test:1":leader() or {}).address ~= nil)]])
  end)

  it("shows a client's certificate to who asks for it", function()
    assert.equal("42", run [[return h.ask(h.proxies.demanding,
      { server_name = "node.test", cert = h.cert, key = h.key })]])
  end)

  it("says that a client's certificate may be missing, or not accepted", function()
    assert.matches("^closed: .*after the TLS handshake.*client certificate %(tls.cert and",
      (run "return h.ask(h.proxies.demanding, { server_name = 'node.test' })"))
    assert.matches("^closed: .*after the TLS handshake.*accept the client certificate",
      (run [[return h.ask(h.proxies.choosy,
        { server_name = "node.test", cert = h.cert, key = h.key })]]))
  end)

  it("says nothing of that where the server has answered before", function()
    local answer = run [[
      local conn = assert(h.connect(h.proxies.hasty, { server_name = "node.test" }))
      return h.describe(conn:fetchval(h.LONG))]]
    assert.matches("^closed: ", answer)
    assert.is_nil(answer:find("TLS", 1, true))
  end)

  it("refuses certificates that OpenSSL cannot read, and keys of others", function()
    local text = [[return h.ask(h.proxies.demanding, { server_name = "node.test", %s })]]
    assert.matches("^value: tls%.cert: ", (run(text:format
      [[cert = h.cert:gsub("\n%w", "\n#"), key = h.key]])))
    assert.matches("^value: tls%.key: ", (run(text:format
      [[cert = h.cert, key = h.key:gsub("\n%w", "\n#")]])))
    assert.matches("^value: tls%.key is not the key of tls%.cert", (run(text:format(
      ("cert = h.cert, key = %q"):format(nodes.read_file(made:key_path "node"))))))
  end)

  it("says what is too old for a client's certificate", function()
    assert.matches("^unsupported: .*0%.10%.22 or newer.*\n42$", (run [[
      local methods = getmetatable(ngx.socket.tcp()).__index
      local kept = methods.setclientcert
      methods.setclientcert = nil
      local way = { server_name = "node.test", cert = h.cert, key = h.key }
      local without = h.ask(h.proxies.demanding, way)
      methods.setclientcert = kept
      return without .. "\n" .. h.ask(h.proxies.demanding, way)]]))
  end)

  it("finds none among servers that it does not trust, and says why", function()
    assert.matches("^no_leader: .*lua_ssl_trusted_certificate", (run [[
      local opts = h.options({ server_name = "node.test" }, { timeout = 0.5 })
      local conn, err = h.dqlite.connect({ h.proxies.strange, h.proxies.strange }, opts)
      return h.describe(conn, err)]]))
  end)

  it("speaks the versions that the directive allows", function()
    local modern = "return h.ask(h.proxies.modern, { server_name = 'node.test' })"
    assert.matches("^connect: the TLS handshake failed.*lua_ssl_protocols", run(modern))
    assert.equal("42", run(modern, "/modern"))
    local demanding = "return h.ask(h.proxies.demanding, { server_name = 'node.test' })"
    assert.matches("^closed: .*client certificate", run(demanding, "/modern"))
  end)

  it("is refused by a server of plain text, before long", function()
    local address = members:leader().address
    local answer = run(("return h.ask(%q, { verify = false })"):format(address))
    assert.matches("^connect: the TLS handshake failed: does the server speak TLS", answer)
  end)

  it("gives up a server that says nothing when the time is over", function()
    local silent = uv.new_tcp()
    assert(silent:bind("127.0.0.1", 0))
    assert(silent:listen(8, function() end))
    local answer = run(([[return h.ask("127.0.0.1:%d", { verify = false },
      { connect_timeout = 0.2 })]]):format(silent:getsockname().port))
    silent:close()
    uv.run "nowait" -- luv crashes at the end of a program where the loop has no turn after that
    assert.matches("^timeout: no end of the TLS handshake", answer)
  end)

  it("carries what is large, both ways, and answers that take their time", function()
    assert.equal("3000000 2000000 true", run [[
      local conn = assert(h.connect(h.proxies.good, { server_name = "node.test" }))
      local sent = assert(conn:fetchval("SELECT length(?)", ("x"):rep(3000000)))
      local got = assert(conn:fetchval "SELECT hex(zeroblob(1000000))")
      local count = assert(conn:fetchval(h.LONG))
      conn:close()
      return ("%d %d %s"):format(sent, #got, count == 1500000)]])
  end)

  describe("keeps connections", function()
    -- Once a later connection is known to have ended, all that have ended before are.
    local function settle()
      local before = proxies:ended "marker"
      assert.equal("42", run "return h.ask(h.proxies.marker, { verify = false })")
      eventually("a connection has ended", function() return proxies:ended "marker" > before end)
    end

    -- Runs in an nginx of its own, which takes its connections along when it ends.
    local function run_alone(source, path)
      settle()
      local before, ours = proxies:ended "good", server
      server = start_nginx()
      local ok, answer = pcall(run, source, path)
      server:stop()
      server = ours
      assert(ok, answer)
      settle()
      return answer, proxies:ended "good" - before
    end

    it("with the one handshake that each has had", function()
      local answer, connections = run_alone [[
        local sum = 0
        for i = 1, 5 do
          local conn = assert(h.connect(h.proxies.good, { server_name = "node.test" }))
          sum = sum + conn:fetchval("SELECT ?", i)
          assert(conn:get_reused_times() == i - 1, "it is another one")
          assert(conn:set_keepalive(10))
        end
        return sum]]
      assert.same({ "15", 1 }, { answer, connections })
    end)

    it("of a pool, and of TLS 1.3, too", function()
      local answer, connections = run_alone(([[
        local pool = assert(h.dqlite.create_pool(%q, h.options({ server_name = "node.test" }, {
          translate = function() return h.proxies.good end,
        })))
        local sum = 0
        for i = 1, 5 do sum = sum + assert(pool:fetchval("SELECT ?", i)) end
        return sum]]):format(members:leader().address), "/modern")
      assert.same({ "15", 1 }, { answer, connections })
    end)

    it("for who asks for the same security alone", function()
      local answer, connections = run_alone [[
        local ways = {
          { verify = false }, { server_name = "node.test" },
          { verify = false, server_name = "node.test" },
          { verify = false, cert = h.cert, key = h.key },
          { server_name = "node.test", cert = h.cert, key = h.key },
        }
        local counts = {}
        for round = 1, 2 do
          for _, tls in ipairs(ways) do
            local conn = assert(h.connect(h.proxies.good, tls))
            counts[#counts + 1] = conn:get_reused_times()
            assert(conn:set_keepalive(10))
          end
        end
        return table.concat(counts, " ") .. h.ask(h.proxies.good, { server_name = "other.test" })]]
      assert.matches("^0 0 0 0 0 1 1 1 1 1connect: .*'other.test'", answer)
      assert.equal(6, connections)
    end)

    it("and lets a pool go on after handshakes that have failed", function()
      assert.equal("connect connect connect 42", run [[
        local opts = { translate = function() return h.proxies.strange end }
        opts = h.options({ server_name = "node.test" }, opts)
        opts.max_size, opts.backlog = 1, 0
        local pool = assert(h.dqlite.create_pool("127.0.0.1:1", opts))
        local seen = {}
        for i = 1, 3 do
          local value, err = pool:fetchval "SELECT 1"
          seen[i] = err.kind
        end
        seen[4] = h.ask(h.proxies.strange, { verify = false })
        return table.concat(seen, " ")]])
    end)
  end)

  describe("raises", function()
    it("where it is combined with what contradicts it", function()
      local function raised(source) return (run(source):match "^raised spec:%d+: (.*)") end
      assert.matches("'tls' and 'dial' exclude", raised [[
        h.dqlite.connect("127.0.0.1:1", { tls = true, dial = print })]])
      assert.matches("'tls' is unsupported here", raised [[
        h.dqlite.connect("127.0.0.1:1", { tls = true, loop = "blocking" })]])
      assert.matches("make another cluster", raised [[
        h.dqlite.cluster("127.0.0.1:1", { tls = true }):connect { tls = { verify = false } }]])
      assert.matches("make another cluster", raised [[
        h.dqlite.cluster("127.0.0.1:1"):connect { tls = true }]])
    end)

    it("in the phase init, where a pool can be made but nothing can be asked", function()
      assert.matches("'tls' is unsupported with this loop", (run [[
        return require "spec_start".message]]))
      assert.matches("^connect: .*lua_ssl_trusted", (run [[
        return h.describe(require "spec_start".pool:fetchval "SELECT 1")]]))
    end)

    it("nothing where a connection says the same as its cluster", function()
      assert.equal("42", run [[
        local opts = h.options({ server_name = "node.test" }, { translate = h.translate })
        local cluster = assert(h.dqlite.cluster(h.proxies.node1, opts))
        local conn = assert(cluster:connect { tls = { server_name = "node.test" } })
        return conn:fetchval "SELECT 42"]])
    end)
  end)

  it("has no search in common with who asks for something else at the time", function()
    local answer = run [[
      local where = { h.proxies.strange, h.proxies.choosy }
      local function connect(tls)
        return h.describe(h.dqlite.connect(where, h.options(tls, { timeout = 1.5 })))
      end
      local verified = ngx.thread.spawn(connect, { server_name = "other.test" })
      local unverified = connect { verify = false }
      local _, first = ngx.thread.wait(verified)
      return first .. "\n" .. unverified]]
    local verified, unverified = answer:match "^(no_leader: .*)\n(no_leader: .*)$"
    assert.matches("lua_ssl_trusted_certificate.*not for 'other.test'", verified)
    assert.is_nil(unverified:find("lua_ssl_trusted_certificate", 1, true))
    assert.is_nil(unverified:find("other.test", 1, true))
    assert.matches("client certificate", unverified)
  end)
end)

describe("a cluster behind TLS", function()
  setup(function() begin(3) end)
  teardown(finish)

  it("has its leader found", function()
    assert.equal("42", run [[
      local followers_too = {}
      for i = 1, 3 do followers_too[i] = h.proxies["node" .. i] end
      local conn, err = h.dqlite.connect(followers_too, h.options({ server_name = "node.test" },
        { translate = h.translate }))
      return h.describe(conn and conn:fetchval "SELECT 42", err)]])
  end)

  it("has every node asked how it is", function()
    assert.equal("3 3", run [[
      local where = {}
      for i = 1, 3 do where[i] = h.proxies["node" .. i] end
      local cluster = assert(h.dqlite.cluster(where, h.options({ server_name = "node.test" },
        { translate = h.translate })))
      assert(cluster:leader())
      local health = assert(cluster:health())
      return health.voters .. " " .. health.answering]])
  end)

  it("has a leader that hangs noticed by the watch", function()
    local pending = assert(server:send { method = "POST", path = "/run", body = ([[
      local opts = h.options({ server_name = "node.test" }, { translate = h.translate })
      opts.timeout = 15
      local conn = assert(h.dqlite.connect(%q, opts))
      ngx.log(ngx.WARN, "it is connected")
      local value, err
      repeat value, err = conn:fetchval "SELECT 1" until not value
      return h.describe(value, err)]]):format(members:leader().address) })
    server:await_log "it is connected"
    members:leader():freeze()
    assert.matches("^not_leader: the node does not answer, and ", assert(pending:read(15)).body)
  end)
end)
