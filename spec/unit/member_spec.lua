local core = require "dqlite.core"
local ip = require "dqlite.ip"
local member = require "dqlite.member"
local members = require "dqlite.members"

describe("an id", function()
  it("is a string of decimal digits within 64 bits", function()
    for _, id in ipairs { "0", "1", "3297041220608546238", "9223372036854775807",
      "9223372036854775808", "18446744073709551615" } do
      assert.equal(id, member.id(id))
    end
  end)

  it("may be a whole number", function()
    assert.same({ "0", "7", "9007199254740992" },
      { member.id(0), member.id(7), (member.id(2 ^ 53)) })
    if core.integers then
      assert.equal("9223372036854775807", member.id(math.maxinteger))
    end
  end)

  if rawget(_G, "jit") then
    it("may be a 64-bit integer of LuaJIT", function()
      local ffi = require "ffi"
      assert.equal("18446744073709551615", member.id(ffi.cast("uint64_t", ffi.new("int64_t", -1))))
      assert.equal("5", member.id(ffi.new("int64_t", 5)))
      assert.is_nil((member.id(ffi.new("int64_t", -5))))
      assert.equal("9223372036854775808", member.id(ffi.new("uint64_t", 2 ^ 63)))
      assert.is_nil((member.id(ffi.new("int", 5))))
      local named = ffi.metatype(ffi.typeof "struct { int n; }", { __tostring = error })
      assert.is_nil((member.id(named())))
    end)
  end

  it("is nothing else", function()
    for _, value in ipairs { "", "-1", "+1", "01", "00", " 1", "1 ", "1.0", "1e3", "0x10", "1\0",
      "18446744073709551616", "99999999999999999999", ("9"):rep(1000), -1, 1.5, -0.5, 1e300,
      math.huge, -math.huge, 0 / 0, 2 ^ 53 + 2, 2 ^ 63, 2 ^ 64, true, {}, print } do
      local id, reason = member.id(value)
      assert.is_nil(id, tostring(value))
      assert.matches("an id is", reason)
    end
    assert.is_nil((member.id(nil)))
    if core.integers then assert.is_nil((member.id(math.mininteger))) end
  end)
end)

describe("a role", function()
  it("has one of three names", function()
    assert.equal("voter", member.role "voter")
    assert.equal("standby", member.role "standby")
    assert.equal("standby", member.role "stand-by")
    assert.equal("spare", member.role "spare")
  end)

  it("is nothing else", function()
    for _, value in ipairs { "", "Voter", "stand by", 0, true, {} } do
      assert.same({ nil, 'a role is "voter", "standby" or "spare"' }, { member.role(value) })
    end
  end)
end)

describe("an address", function()
  it("is one that can be dialled", function()
    for _, address in ipairs { "127.0.0.1:9001", "db:1", "[::1]:65535", "[fe80::1%eth0]:1",
      "/run/dqlite.sock", "@abstract", ("h"):rep(251) .. ":9001" } do
      assert.equal(address, member.address(address))
    end
  end)

  it("is nothing else", function()
    for _, value in ipairs { "", "h", "h:", "h:0", "h:65536", "h:-1", ":1", "::1:1", "[::1]",
      "h:1 ", "h\n:1", "h\0:1", "h\27:1", ("h"):rep(252) .. ":9001", "@", 9001, true, {} } do
      local address, reason = member.address(value)
      assert.is_nil(address, tostring(value))
      assert.is_string(reason)
    end
  end)

  it("has one form to compare", function()
    for written, form in pairs {
      ["DB.Example.COM:9001"] = "db.example.com:9001",
      ["db.example.com.:09001"] = "db.example.com:9001",
      ["127.0.0.1:00080"] = "127.0.0.1:80",
      ["127.0.0.1.:80"] = "127.0.0.1:80",
      ["[::FFFF:10.0.0.1]:9001"] = "10.0.0.1:9001",
      ["[0:0:0:0:0:ffff:a00:1]:9001"] = "10.0.0.1:9001",
      ["[0:0:0:0:0:0:0:1]:1"] = "[::1]:1",
      ["[2001:DB8::0:1]:1"] = "[2001:db8::1]:1",
      ["[fe80::0001%Eth0]:1"] = "[fe80::1%Eth0]:1",
      ["[::1.2.3.4]:1"] = "[::102:304]:1",
      ["0177.0.0.1:1"] = "0177.0.0.1:1",
      [".:1"] = ".:1",
      ["[x::1]:1"] = "[x::1]:1",
      ["/Run/A"] = "/Run/A",
      ["@Abstract"] = "@Abstract",
      ["no address"] = "no address",
    } do
      assert.equal(form, member.canonical(written))
    end
    assert.is_true(member.same("A:1", "a.:01"))
    assert.is_true(member.same("[::ffff:1.2.3.4]:1", "1.2.3.4:1"))
    assert.is_false(member.same("a:1", "a:2"))
    assert.is_false(member.same("/a", "/A"))
  end)
end)

describe("a numeric host", function()
  it("has one spelling", function()
    for written, form in pairs {
      ["0.0.0.0"] = "0.0.0.0", ["255.255.255.255"] = "255.255.255.255", ["::"] = "::",
      ["::1"] = "::1", ["1::"] = "1::", ["1:0:0:2:0:0:0:3"] = "1:0:0:2::3",
      ["1:0:0:2:3:0:0:4"] = "1::2:3:0:0:4", ["1:2:3:4:5:6:7:8"] = "1:2:3:4:5:6:7:8",
      ["1:0:3:4:5:6:7:8"] = "1:0:3:4:5:6:7:8", ["1::3:4:5:6:7:8"] = "1:0:3:4:5:6:7:8",
      ["::2:3:4:5:6:7:8"] = "0:2:3:4:5:6:7:8", ["1:2:3:4:5:6:7::"] = "1:2:3:4:5:6:7:0",
      ["ABCD:ef01::"] = "abcd:ef01::", ["64:ff9b::1.2.3.4"] = "64:ff9b::102:304",
      ["1:2:3:4:5:6:1.2.3.4"] = "1:2:3:4:5:6:102:304", ["0001::0"] = "1::",
    } do
      local bytes = ip.parse(written)
      assert.is_table(bytes, written)
      assert.equal(form, ip.format(bytes))
    end
  end)

  it("may have a zone", function()
    assert.same({ ip.parse "fe80::1", "eth0" }, { ip.parse "fe80::1%eth0" })
    assert.equal("1%2", select(2, ip.parse "fe80::1%1%2"))
  end)

  it("is nothing else", function()
    for _, text in ipairs { "", ".", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.04",
      "1.2.3.-4", "0x1.2.3.4", "1.2.3.4 ", "1..3.4", ":", ":::", "1:2", "1:2:3:4:5:6:7",
      "1:2:3:4:5:6:7:8:9", "1::2::3", "::1::", "1:", ":1", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8",
      "12345::", "g::", "::1.2.3", "1.2.3.4::", "::1.2.3.4:5", "1.2.3.4::1", "::1.2.3.256", "::1%",
      "%eth0", "1.2.3.4%eth0", "::-1", "[::1]", "1:2:3:4:5:6:7:1.2.3.4", ("1:"):rep(200) } do
      assert.is_nil((ip.parse(text)), text)
    end
  end)
end)

describe("a list of nodes", function()
  it("is read into tables of its own", function()
    local given = { "a:1", { address = "b:1", id = 5, role = "stand-by", other = true } }
    local list = members.read(given)
    assert.same({ { address = "a:1" },
      { address = "b:1", id = "5", role = "standby" } }, list)
    local copied = members.copy(list)
    assert.same(list, copied)
    assert.not_equal(list[1], copied[1])
  end)

  it("has each address once, as it came first", function()
    assert.same({ { address = "A:1", role = "spare", id = "1" } }, members.read {
      { address = "A:1", role = "spare", id = "1" }, { address = "a.:01", id = "2" }, "a:1" })
  end)

  it("says which entry is wrong, and why", function()
    for wanted, list in pairs {
      ["entry 2 %(b%): the port is missing"] = { "a:1", "b" },
      ["entry 1: a node is an address or a table, not a number"] = { 5 },
      ["entry 1: the address is missing"] = { { id = 1 } },
      ["entry 1: an address is a string, not a number"] = { { address = 5 } },
      ["entry 1 %(a:1%): an id is"] = { { address = "a:1", id = -1 } },
      ["entry 1 %(a:1%): a role is"] = { { address = "a:1", role = 0 } },
      ["entry 1 %(a\\x1b%): "] = { "a\27" },
      ["it is no list"] = { "a:1", x = "b:1" },
      ["it is no list$"] = { [2] = "a:1" },
    } do
      local read, reason = members.read(list)
      assert.is_nil(read)
      assert.matches(wanted, reason)
    end
    assert.same({ nil, "it is a string, not a list" }, { members.read "a:1" })
  end)

  it("has 10,000 entries at most", function()
    local list = {}
    for i = 1, 10000 do list[i] = ("h%d:1"):format(i) end
    assert.equal(10000, #members.read(list))
    list[10001] = "one:1"
    assert.same({ nil, "it has more than 10000 entries" }, { members.read(list) })
  end)

  it("is read without calling what the user has made", function()
    local trap = { __index = error, __pairs = error, __len = error, __call = error }
    assert.same({}, members.read(setmetatable({}, trap)))
    assert.matches("the address is missing",
      select(2, members.read { setmetatable({ id = 1 }, trap) }))
  end)
end)
