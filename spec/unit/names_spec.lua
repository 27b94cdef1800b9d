-- Host names under cqueues: by /etc/hosts, and by a name server in the same process.
local beside_luv = require "spec.support.beside_luv"
local core = require "dqlite.core"
local cqueues = require "cqueues"
local dns = require "cqueues.dns"
local dns_answer = require "spec.support.dns_answer"
local dqlite = require "dqlite"
local handles = require "spec.support.handles"
local hosts = require "cqueues.dns.hosts"
local names = require "dqlite.loop.names"
local resolvers = require "cqueues.dns.resolvers"
local uv = require "luv"

local ONE, TWO = dns_answer.bytes "127.0.0.1", dns_answer.bytes "127.0.0.2"
local LOCAL6 = ("\0"):rep(15) .. "\1"

local KNOWN = {
  ["one.test"] = { A = { ONE }, AAAA = {} },
  ["both.test"] = { A = { ONE, TWO }, AAAA = { LOCAL6 } },
  ["six.test"] = { A = {}, AAAA = { LOCAL6 } },
  ["none.test"] = { A = {}, AAAA = {} },
  ["half.test"] = { A = { ONE }, AAAA = false },
  ["other-half.test"] = { A = false, AAAA = { LOCAL6 } },
  ["silent.test"] = { A = false, AAAA = false },
}

describe("a host name under cqueues", function()
  local server, controller, before, pool, asked

  before_each(function()
    before, asked = handles.descriptors(), 0
    server = handles.except(uv.new_udp())
    assert(server:bind("127.0.0.1", 0))
    server:recv_start(function(_, message, from)
      if not message then return end
      asked = asked + 1
      local answer = dns_answer.to(message, KNOWN)
      if answer then server:send(answer, from.ip, from.port, function() end) end
    end)
    controller = beside_luv.new()
    pool = dns.getpool()
    local table_of_hosts = hosts.new()
    table_of_hosts:insert("127.0.0.9", "written.test")
    dns.setpool(resolvers.new({
      nameserver = { ("[127.0.0.1]:%d"):format(server:getsockname().port) },
      lookup = { "file", "bind" },
      timeout = 2,
      attempts = 1,
    }, table_of_hosts))
  end)

  after_each(function()
    dns.setpool(pool)
    assert.equal(0, beside_luv.close(controller))
    server:close()
    handles.settle()
    assert.equal(before, handles.descriptors())
  end)

  -- Its addresses, or why there are none, and how long that took.
  local function look_up(name, patience)
    return beside_luv.run(controller, function()
      local began = core.now()
      local ips, kind, reason = names.look_up(name, began + (patience or 5), function(...)
        cqueues.poll(...)
        return true
      end)
      return ips, kind, reason, core.now() - began
    end)
  end

  it("stands for every address that it has", function()
    assert.same({ "127.0.0.1" }, look_up "one.test")
    assert.same({ "127.0.0.1", "127.0.0.2", "::1" }, look_up "both.test")
    assert.same({ "::1" }, look_up "six.test")
    assert.equal(6, asked)
  end)

  it("that is written in the file of hosts stands for that address", function()
    assert.same({ "127.0.0.9" }, look_up "written.test")
  end)

  it("that has no address, or does not exist, is not found", function()
    for _, name in ipairs { "none.test", "nobody.test" } do
      local ips, kind, reason = look_up(name)
      assert.is_nil(ips)
      assert.equal("connect", kind)
      assert.matches("was not found", reason)
    end
  end)

  it("is not waited for in full when there are addresses of one kind", function()
    for name, ip in pairs { ["half.test"] = "127.0.0.1", ["other-half.test"] = "::1" } do
      local ips, _, _, took = look_up(name)
      assert.same({ ip }, ips)
      assert.is_true(took >= 0.04 and took < 1, took)
    end
  end)

  it("that nobody answers for is given up at the deadline", function()
    local ips, kind, reason, took = look_up("silent.test", 0.05)
    assert.is_nil(ips)
    assert.equal("timeout", kind)
    assert.matches("not found in time", reason)
    assert.is_true(took >= 0.05 and took < 1, took)
  end)

  it("that is none is not asked for", function()
    for _, name in ipairs {
      ("x"):rep(64), ("x"):rep(64) .. ".test", "a..test", ".test", ("a."):rep(127) .. "test",
    } do
      local ips, kind, reason = look_up(name)
      assert.is_nil(ips)
      assert.equal("connect", kind)
      assert.matches("no host name", reason)
    end
    assert.equal(0, asked)
    assert.same({ "127.0.0.1" }, look_up "one.test.")
  end)

  -- cqueues' own pool of resolvers comes to no end then.
  it("can be looked up a hundred times at once", function()
    local found = 0
    beside_luv.run(controller, function()
      local tasks = {}
      for i = 1, 100 do
        tasks[i] = dqlite.spawn(function()
          local _, err = dqlite.connect("one.test:1", { connect_timeout = 10, direct = true })
          if err.kind == "connect" and err.message:find "refused" then found = found + 1 end
        end)
      end
      for i = 1, 100 do tasks[i]:wait() end
    end)
    assert.equal(100, found)
    assert.equal(200, asked)
  end)

  it("is dialled at all of its addresses", function()
    local _, err = beside_luv.run(controller, dqlite.connect, "both.test:1", { direct = true })
    assert.equal("connect", err.kind)
    assert.matches("127.0.0.1: .*refused; 127.0.0.2: .*refused; ::1: ", err.message)
  end)
end)
