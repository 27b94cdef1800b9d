-- Addresses of every kind, as nginx connects to them.
local cluster = require "spec.support.cluster"
local core = require "dqlite.core"
local eventually = require "spec.support.eventually"
local leashed = require "spec.support.leashed"
local nginx = require "spec.support.nginx"
local nginx_cluster = require "spec.support.nginx_cluster"
local nginx_inside = require "spec.support.nginx_inside"
local nodes = require "spec.support.nodes"
local ports = require "spec.support.ports"
local scratch = require "spec.support.scratch"

local NAME = "leader.example"

describe("nginx connects", function()
  local place, names, one, port

  setup(function()
    place, one = scratch.new(), cluster.start { nodes = 1 }
    port = ports.free()
    local command = nodes.lua_command("spec/support/dns_process.lua", tostring(port), NAME,
      "127.0.0.1")
    names = leashed.start(command:gsub("^exec ", ""), place:fresh "dns")
    eventually("names are known", function() return names:output():find "ready" end)
  end)
  teardown(function()
    nginx_cluster.stop_all()
    if names then names:kill() end
    place:close()
  end)
  after_each(nginx.stop_all)

  local function start(opts)
    return nginx_inside.of(nginx.start(nginx_inside.options(nginx_cluster.options(one, opts))))
  end

  -- A door to the node by nginx' own proxy.
  local function door(listen)
    return start {
      modules = { "ngx_stream_module" },
      main = ("stream { server { listen %s; proxy_pass %s; } }")
        :format(listen, one.nodes[1].address),
    }
  end

  -- The node names itself otherwise, hence `translate`.
  local function ask(inside, address)
    return inside(([[
      local address = %q
      local function translate() return address end
      local opts = { translate = translate, timeout = 5 }
      local pool = assert(dqlite.create_pool(address, opts))
      local conn, err = dqlite.connect(address, opts)
      if not conn then return nil, err end
      local value = conn:fetchval "SELECT 6 * 7"
      conn:close()
      return value, err, pool:fetchval "SELECT 7"]]):format(address))
  end

  it("to a socket by its path", function()
    local path = place:fresh "socket"
    local value, _, pooled = ask(door("unix:" .. path), path)
    assert.same({ 42, 7 }, { value, pooled })
  end)

  it("to an address of IPv6", function()
    local address = ("[::1]:%d"):format(assert(core.unused_port "::1"))
    local value, _, pooled = ask(door(address), address)
    assert.same({ 42, 7 }, { value, pooled })
  end)

  it("not to abstract sockets, and says what to use", function()
    local seconds, err = start() [[
      local seconds, _, err = elapsed(function() return dqlite.connect "@door" end)
      return seconds, err]]
    assert.equal("unsupported", err.kind)
    assert.matches("abstract", err.message)
    assert.matches("use a path or a port", err.message)
    assert.is_true(seconds < 1)
  end)

  local function named()
    return ("%s:%s"):format(NAME, one.nodes[1].address:match "%d+$")
  end

  it("to a name by the resolver of nginx.conf", function()
    local inside = start { http = ("resolver 127.0.0.1:%d ipv6=off;"):format(port) }
    local value, _, pooled = ask(inside, named())
    assert.same({ 42, 7 }, { value, pooled })
  end)

  it("to no name without a resolver, and says so at once", function()
    local inside = start()
    local seconds, err = inside(([[
      local seconds, _, err = elapsed(function() return dqlite.connect(%q, { timeout = 5 }) end)
      return seconds, err]]):format(named()))
    assert.equal("connect", err.kind)
    assert.matches("the directive `resolver`", err.message, 1, true)
    assert.matches(NAME, err.message, 1, true)
    assert.is_true(seconds < 1)
  end)

  it("to no name that the resolver does not know, and says so", function()
    local inside = start { http = ("resolver 127.0.0.1:%d ipv6=off;"):format(port) }
    local err = inside [[
      local _, err = dqlite.connect("nobody.example:9001", { timeout = 5 })
      return err]]
    assert.equal("connect", err.kind)
    assert.matches("nobody.example", err.message, 1, true)
  end)
end)
