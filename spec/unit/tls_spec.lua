-- What the option `tls` may say, and what it asks for of a connection. That it is done:
-- spec/nginx/tls_spec.lua.

local dqlite = require "dqlite"
local keepalive = require "dqlite.keepalive"
local tls = require "dqlite.tls"

local CERT = "-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n"
local KEY = "-----BEGIN EC PRIVATE KEY-----\nMHc=\n-----END EC PRIVATE KEY-----\n"

describe("the option tls", function()
  it("takes what makes sense", function()
    for _, value in ipairs {
      true, false, {}, { verify = false }, { server_name = "db-1.example" },
      { cert = CERT, key = KEY }, { cert = "subject\n" .. CERT .. CERT, key = "\n" .. KEY },
    } do
      assert.is_nil(tls.problem(value))
    end
  end)

  it("refuses nonsense, and says of which part", function()
    for inside, values in pairs {
      verify = { { verify = "no" } },
      server_name = {
        { server_name = "" }, { server_name = "127.0.0.1" }, { server_name = "::1" },
        { server_name = "db:9001" }, { server_name = 5 }, { server_name = "a\0b" },
        { server_name = ("a"):rep(254) }, { server_name = "-a" },
      },
      cert = {
        { cert = "/etc/cert.pem", key = KEY }, { cert = KEY, key = KEY }, { key = KEY },
        { cert = 1, key = KEY },
      },
      key = {
        { cert = CERT, key = "/etc/key.pem" }, { cert = CERT, key = CERT }, { cert = CERT },
        { cert = CERT, key = KEY:gsub("EC", "ENCRYPTED") .. "" },
        { cert = CERT, key = KEY:gsub("MHc=", "Proc-Type: 4,ENCRYPTED") .. "" },
      },
    } do
      for _, value in ipairs(values) do
        local wanted, name = tls.problem(value)
        assert.is_string(wanted)
        assert.equal(inside, name)
      end
    end
    for _, value in ipairs { "yes", 1, print } do assert.is_string((tls.problem(value))) end
  end)

  it("names what it does not know", function()
    assert.matches("without 'server'", (tls.problem { server = "x" }))
    assert.matches("without '1'", (tls.problem { "x" }))
  end)

  it("raises at the line of the call", function()
    local line = debug.getinfo(1, "l").currentline + 1
    local _, message = pcall(function() dqlite.session.connect("db:1", { tls = { key = 1 } }) end)
    assert.matches("tls_spec.lua:" .. line .. ": option 'tls.key' must be PEM text", message)
    assert.error_matches(function() dqlite.create_pool("127.0.0.1:1", { tls = { x = 1 } }) end,
      "option 'tls' must be a table of .* without 'x'")
  end)

  it("is unsupported outside of nginx, and says so", function()
    for _, make in ipairs { dqlite.connect, dqlite.cluster, dqlite.create_pool,
      dqlite.session.connect } do
      for _, value in ipairs { true, { verify = false } } do
        assert.error_matches(function() make("127.0.0.1:1", { tls = value }) end,
          "'tls' is unsupported here: so far it works under nginx alone")
      end
    end
    assert.is_truthy(dqlite.cluster("127.0.0.1:1", { tls = false }))
  end)

  it("stops a loop that cannot do it", function()
    local settings = { tls = { verify = true } }
    assert.error_matches(function() tls.check_loop(settings, { name = "blocking" }) end,
      "'tls' is unsupported with this loop")
    tls.check_loop(settings, { speaks_tls = true })
    tls.check_loop({ tls = false }, {})
  end)
end)

describe("of a connection is asked", function()
  local function towards(given, address, name)
    given.certificates = given.certificates or ""
    return tls.towards({ tls = given }, address, name or address)
  end

  it("nothing without the option", function()
    assert.is_false(tls.towards({ tls = false }, "127.0.0.1:1", "127.0.0.1:1"))
  end)

  it("the name that is given, else the host that is dialled, else the node's", function()
    local given = { verify = true, server_name = "given.test" }
    assert.equal("given.test", towards(given, "db.test:9001").server_name)
    given = { verify = true }
    for address, name in pairs {
      ["db.test:9001"] = "db.test", ["db.test.:9001"] = "db.test", ["db:1"] = "db",
    } do
      assert.equal(name, towards(given, address).server_name)
    end
    assert.equal("outer.test", towards(given, "outer.test:1", "inner.test:1").server_name)
    assert.equal("inner.test", towards(given, "127.0.0.1:1", "inner.test:1").server_name)
    assert.equal("inner.test", towards(given, "/run/proxy", "inner.test:1").server_name)
  end)

  it("nothing that cannot be verified: the error says what to do", function()
    for _, address in ipairs { "127.0.0.1:9001", "[::1]:9001", "/run/node", "@node" } do
      local security, reason = towards({ verify = true }, address)
      assert.is_nil(security)
      assert.is_truthy(reason:find(address, 1, true))
      assert.matches("tls%.server_name.*tls%.verify = false", reason)
      security = towards({ verify = false }, address)
      assert.same({ false }, { security.verify, security.server_name })
    end
  end)

  it("the same of those alone that may share a socket", function()
    local seen = {}
    local function pool(given, database)
      local link = { address = "db.test:1" }
      link.tls = given and towards(given, link.address)
      local name = keepalive.of(link, { database = database or "default" }).pool
      assert.is_nil(seen[name])
      seen[name] = true
      return name
    end
    pool(false)
    local plain = pool({ verify = true })
    pool({ verify = false })
    pool({ verify = true, server_name = "other.test" })
    pool({ verify = true, certificates = "one" })
    pool({ verify = true, certificates = "two" })
    pool({ verify = true }, "other")
    seen = {}
    assert.equal(plain, pool({ verify = true, server_name = "db.test" }))
  end)
end)
