local policy = require "dqlite.policy"
local raises = require "spec.support.raises"

local function refuses(fn, addresses, why)
  for _, address in ipairs(addresses) do
    local allowed, reason = fn(address)
    assert.is_false(allowed, address)
    assert.matches(why, reason, 1, false, address)
  end
end

local function allows(fn, addresses)
  for _, address in ipairs(addresses) do
    local allowed, reason = fn(address)
    assert.is_true(allowed, address .. ": " .. tostring(reason))
  end
end

local LOOPBACK = { "127.0.0.1:9001", "127.255.255.254:1", "[::1]:1", "[0:0:0:0:0:0:0:1]:1",
  "[::0001]:1", "[::1%lo]:1", "[::ffff:127.0.0.1]:1", "[::FFFF:7f00:1]:1", "[::127.0.0.1]:1",
  "[::ffff:0:127.0.0.1]:1", "[64:ff9b::127.0.0.1]:1", "[64:ff9b::7f00:1]:1",
  "[2002:7f00:1::]:1", "[2002:7f00:0001:1:2:3:4:5]:1", "[2001:0:1:2:3:4:80ff:fffe]:1",
  "[2001::80ff:fffe]:1", "127.0.0.1.:1", "localhost:1", "LocalHost:1", "localhost.:1",
  "db.localhost:1", "localhost.localdomain:1", "localhost6:1", "ip6-localhost:1", "ip6-loopback:1",
  "/run/dqlite.sock", "@dqlite" }
local PRIVATE = { "10.0.0.1:1", "10.255.255.255:1", "172.16.0.1:1", "172.31.255.255:1",
  "192.168.0.1:1", "100.64.0.1:1", "100.127.255.255:1", "[fc00::1]:1", "[fdff::1]:1", "[fec0::1]:1",
  "[::ffff:10.0.0.1]:1", "[2002:c0a8:1::1]:1", "[64:ff9b::172.16.0.1]:1",
  "[2001:0:0:0:0:0:f5ff:fffe]:1" }
local PUBLIC = { "1.1.1.1:1", "9.255.255.255:1", "11.0.0.0:1", "100.63.255.255:1", "100.128.0.0:1",
  "126.255.255.255:1", "128.0.0.1:1", "169.253.0.1:1", "169.255.0.1:1", "172.15.0.1:1",
  "172.32.0.1:1", "192.167.0.1:1", "192.169.0.1:1", "223.255.255.255:1", "[2001:db8::1]:1",
  "[2a00::1]:1", "[::ffff:1.1.1.1]:1", "[2002:101:101::1]:1", "[2001:0:7f00:1::fefe:fefe]:1",
  "[fb00::1]:1", "[fe7f::1]:1" }
local NAMES = { "db.example.com:1", "db:1", "localhost.example.com:1", "notlocalhost:1", "10.db:1",
  "0x7f.db:1", "db.1a:1", "xn--d1acufc.example:1", "a_b-c:1", "db.:1" }

describe("the safe policy", function()
  it("refuses this machine", function()
    refuses(policy.safe(), LOOPBACK, "it is a loopback address")
    refuses(policy.safe { private = false, names = false }, LOOPBACK, "it is a loopback address")
    allows(policy.safe { loopback = true }, LOOPBACK)
  end)

  it("refuses addresses that no node can have", function()
    for _, opts in ipairs { {}, { loopback = true } } do
      local safe = policy.safe(opts)
      refuses(safe, { "169.254.169.254:80", "[fe80::1]:1", "[fe80::1%eth0]:1", "[febf::1]:1",
        "[::ffff:169.254.169.254]:80", "[64:ff9b::169.254.169.254]:80", "[2002:a9fe:a9fe::]:80" },
        "it is a link%-local address")
      refuses(safe, { "0.0.0.0:1", "0.1.2.3:1", "[::]:1", "[::ffff:0.0.0.0]:1", "[::2]:1" },
        "it is an address of no host")
      refuses(safe, { "224.0.0.1:1", "239.255.255.255:1", "[ff02::1]:1", "[ff00::]:1" },
        "it is a multicast address")
      refuses(safe, { "240.0.0.1:1", "255.255.255.255:1", "[::ffff:255.255.255.255]:1" },
        "it is a reserved address")
    end
  end)

  it("refuses odd spellings of numbers", function()
    local odd = { "127.1:1", "127.0.1:1", "0x7f.0.0.1:1", "0X7F.1:1", "2130706433:1",
      "0x7f000001:1", "017700000001:1", "0177.0.0.1:1", "127.0.0.01:1", "127.0.0.0x1:1", "0:1",
      "256.0.0.1:1", "1.2.3.4.5:1", "127.1.:1", "0x:1", "a.1:1" }
    refuses(policy.safe(), odd, "it is an odd spelling of a number")
    refuses(policy.safe { loopback = true }, odd, "it is an odd spelling of a number")
    refuses(policy.safe(), { "127.0.0.1..:1", "localhost..:1", ".localhost:1", "a..b:1", ".:1",
      "127.0.0.1%lo:1", "a/b:1", "\239\188\145:1", "127\227\128\1300.0.b:1", "[::1%]:1", "[1:2]:1",
      "[::127.1]:1", "[:::1]:1" }, "it is no host name")
  end)

  it("refuses what is malformed", function()
    local safe = policy.safe()
    refuses(safe, { "1.1.1.1", "1.1.1.1:", "a:b" }, "port")
    refuses(safe, { "1.1.1.1:0" }, "the port is 0")
    refuses(safe, { "", "a\n:1", "a :1" }, "the address")
    assert.is_false((safe(nil)))
    assert.is_false((safe(5)))
  end)

  it("allows private addresses unless it is told not to", function()
    allows(policy.safe(), PRIVATE)
    refuses(policy.safe { private = false }, PRIVATE, "it is a private address")
  end)

  it("allows all other addresses", function()
    allows(policy.safe(), PUBLIC)
    allows(policy.safe { private = false, names = false, loopback = false }, PUBLIC)
  end)

  it("allows host names unless it is told not to", function()
    allows(policy.safe(), NAMES)
    allows(policy.safe { private = false }, NAMES)
    refuses(policy.safe { names = false }, NAMES, "it is a name")
  end)

  it("raises unknown options and values", function()
    raises("unknown option 'privat'", function() policy.safe { privat = true } end)
    raises("unknown option '1'", function() policy.safe { "private" } end)
    raises("option 'names' must be true or false", function() policy.safe { names = 1 } end)
    raises("options are a table, not a string", function() policy.safe "private" end)
  end)
end)

describe("a list of addresses", function()
  it("allows these and no others", function()
    local fn = policy.allow { "DB.example:9001", "[::ffff:10.0.0.1]:9001", "@a" }
    allows(fn, { "db.EXAMPLE.:09001", "10.0.0.1:9001", "[::ffff:a00:1]:9001", "@a" })
    refuses(fn, { "db.example:9002", "10.0.0.2:9001", "@A", "", "garbage" },
      "it is not in the list")
    refuses(policy.allow {}, { "db.example:9001" }, "it is not in the list")
  end)

  it("does not change with the table that it was made of", function()
    local list = { "a:1" }
    local fn = policy.allow(list)
    list[1] = "b:1"
    allows(fn, { "a:1" })
    refuses(fn, { "b:1" }, "it is not in the list")
  end)

  it("raises what is no address", function()
    raises("allow takes a list of addresses, not a string", function() policy.allow "a:1" end)
    raises("the list of allowed addresses: entry 2: the port is missing",
      function() policy.allow { "a:1", "b" } end)
    raises("entry 1: an address is a string", function() policy.allow { 5 } end)
    raises("it is no list", function() policy.allow { a = "a:1" } end)
  end)
end)

describe("the option redirect", function()
  it("is a function or a list", function()
    assert.equal(print, policy.of(print))
    local fn = policy.of { "a:1" }
    allows(fn, { "A:1" })
    refuses(fn, { "b:1" }, "it is not in the list")
  end)

  it("is nothing else", function()
    for _, value in ipairs { true, false, 5, "a:1" } do
      assert.same({ nil, "a function or a list of addresses" }, { policy.of(value) })
    end
    assert.same({ nil, "a function or a list of addresses" }, { policy.of(nil) })
    assert.same({ nil, "a function or a list of addresses (entry 1: the port is missing)" },
      { policy.of { "a" } })
    assert.same({ nil, "a function or a list of addresses (it is no list)" },
      { policy.of { x = "a:1" } })
  end)
end)

describe("to ask a policy", function()
  local function refusal(fn, address)
    local allowed, err = policy.ask(fn, address or "a:1")
    assert.is_nil(allowed)
    assert.equal("policy", err.kind)
    assert.same({ true, false, false }, { err.fatal, err.retryable, err.ambiguous })
    return err.message, err
  end

  it("gives true, or an error that says why", function()
    assert.is_true(policy.ask(function(address) return address == "a:1" end, "a:1"))
    assert.is_true(policy.ask(policy.safe(), "1.1.1.1:1"))
    assert.equal("the policy refuses a:1", refusal(function() return false end))
    assert.equal("the policy refuses a:1", refusal(function() end))
    assert.equal("the policy refuses a:1: for a reason",
      refusal(function() return nil, "for a reason" end))
    assert.equal("the policy refuses @a: it is a loopback address", refusal(policy.safe(), "@a"))
  end)

  it("gives an error that has the address", function()
    local _, err = refusal(policy.safe(), "127.0.0.1:9001")
    assert.equal("127.0.0.1:9001", err.address)
  end)

  it("takes nothing but true for leave", function()
    assert.equal("the policy refuses a:1: it answered a number, not true",
      refusal(function() return 1 end))
    assert.equal("the policy refuses a:1: it answered a table, not true",
      refusal(function() return {} end))
    assert.equal("the policy refuses a:1: no", refusal(function() return "true", "no" end))
    assert.equal("the policy refuses a:1: 5", refusal(function() return false, 5 end))
  end)

  it("takes a policy that raises for a refusal", function()
    assert.matches("^the policy refuses a:1: it raised: .*: boom$",
      refusal(function() error "boom" end))
    assert.equal("the policy refuses a:1: it raised: nil", refusal(function() error() end))
    assert.matches("it raised: an error value that cannot be shown",
      refusal(function() error(setmetatable({}, { __tostring = error })) end))
  end)

  it("shows nothing that could forge a line", function()
    local message, err = refusal(function() return false, "b\n\27" end, "a\r\n:1")
    assert.equal("the policy refuses a\\x0d\\x0a:1: b\\x0a\\x1b", message)
    assert.equal("a\\x0d\\x0a:1", err.address)
    assert.is_nil(tostring(err):find "%c")
  end)
end)
