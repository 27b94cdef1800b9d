-- Which loop a call takes, in every place where it can be made (api.md).
local cqueues = require "cqueues"
local dqlite = require "dqlite"
local handles = require "spec.support.handles"
local loops = require "dqlite.loops"
local luas = require "spec.support.luas"
local luv_server = require "spec.support.luv_server"
local raises = require "spec.support.raises"
local simulated = require "spec.support.simulated"
local subprocess = require "spec.support.subprocess"
local uv = require "luv"

local function name(loop)
  return loops.select(loop).name
end

-- What a function answers in a callback of luv's, in the main thread.
local function in_callback(fn)
  local answer
  local timer = uv.new_timer()
  timer:start(0, 0, function()
    timer:close()
    answer = { pcall(fn) }
  end)
  uv.run()
  return answer[1], answer[2]
end

-- What a function answers in a coroutine of a controller of cqueues.
local function in_controller(fn)
  local answer
  local controller = cqueues.new()
  controller:wrap(function() answer = { pcall(fn) } end)
  assert(controller:loop())
  controller:close()
  assert(answer[1], answer[2])
  return answer[2]
end

-- What a function answers in a step of a host's loop.
local function in_step(fn)
  local host, answer = dqlite.host.new(), nil
  host:spawn(function() answer = { pcall(fn) } end)
  host:step()
  assert(answer[1], answer[2])
  return answer[2]
end

local PLACES = {
  { "the main chunk", "blocking", function(fn) return fn() end },
  { "a coroutine while no loop runs", "blocking", function(fn) return coroutine.wrap(fn)() end },
  { "run", "luv", function(fn) return dqlite.run(fn) end, runs = true },
  { "spawn", "luv", function(fn)
    return dqlite.run(function() return dqlite.spawn(fn):wait() end)
  end, runs = true },
  { "a coroutine of one's own in run", "luv", function(fn)
    return dqlite.run(function() return coroutine.wrap(fn)() end)
  end, runs = true },
  { "a coroutine in a callback", "luv", function(fn)
    return select(2, in_callback(function() return coroutine.wrap(fn)() end))
  end },
  { "a callback, in the main thread", "blocking", function(fn)
    return select(2, in_callback(fn))
  end },
  { "the main chunk after the loop has run", "blocking", function(fn)
    if luas.waits then dqlite.run(function() dqlite.sleep(0) end) end
    return fn()
  end },
  { "a controller", "cqueues", in_controller },
  { "a coroutine of one's own in a controller", "cqueues", function(fn)
    return in_controller(function() return coroutine.wrap(fn)() end)
  end },
  { "spawn in a controller", "cqueues", function(fn)
    return in_controller(function() return dqlite.spawn(fn):wait() end)
  end, runs = true },
  { "a controller in run", "cqueues", function(fn)
    return dqlite.run(function() return in_controller(fn) end)
  end, runs = true },
  { "a controller in a step of a host", "cqueues", function(fn)
    return in_step(function() return in_controller(fn) end)
  end, runs = true },
  { "a step of a host in a controller", "host", function(fn)
    return in_controller(function() return in_step(fn) end)
  end, runs = true },
  { "a coroutine of one's own in a step of a host", "host", function(fn)
    return in_step(function() return coroutine.wrap(fn)() end)
  end, runs = true },
  { "a callback of luv's loop in a controller", "luv", function(fn)
    return in_controller(function()
      return select(2, in_callback(function() return coroutine.wrap(fn)() end))
    end)
  end },
  { "the main chunk after a controller", "blocking", function(fn)
    if luas.waits then in_controller(function() dqlite.sleep(0) end) end
    return fn()
  end },
}

if luas.waits then -- the inner one waits in pcall for the outer one
  PLACES[#PLACES + 1] = { "a controller in a controller", "cqueues", function(fn)
    return in_controller(function() return in_controller(fn) end)
  end }
end

local REFUSED = "needs LuaJIT, or Lua 5.2 or later"
local NEEDY = { luv = true, cqueues = true, host = true } -- loops

-- Where no coroutine can wait they are refused, and run and spawn with them.
local function assert_taken(expected, place, loop)
  local _, taken = pcall(place[3], function() return name(loop) end)
  if luas.waits or not NEEDY[expected] and not place.runs then
    return assert.equal(expected, taken)
  end
  assert.matches(REFUSED, taken)
end

describe("the loop that is taken in", function()
  for _, place in ipairs(PLACES) do
    it(place[1], function() assert_taken(place[2], place) end)

    it(place[1] .. ", where one is asked for", function()
      assert_taken("luv", place, "luv")
      assert_taken("cqueues", place, "cqueues")
      assert_taken("blocking", place, "blocking")
      assert_taken("own", place, { name = "own" })
    end)
  end
end)

-- Where none can wait there is no more to see than that refusal.
local it_waits = luas.waits and it or function() end

describe("a connection's loop", function()
  local server

  before_each(function() server = luv_server.start(simulated.server()) end)

  after_each(function()
    handles.settle()
    assert.same({}, handles.list())
    server:stop()
  end)

  it_waits("is luv in a coroutine while its loop runs, and stays that", function()
    local conn = dqlite.run(function() return assert(dqlite.connect(server.address)) end)
    assert.equal("luv", conn.link.loop.name)
    assert.equal(1, dqlite.run(function() return conn:fetchval "SELECT 1" end))
    raises("only a coroutine can wait", function() conn:fetchval "SELECT 1" end)
    conn:close()
  end)

  it_waits("is luv in a coroutine that a callback begins", function()
    local conn
    local timer = uv.new_timer()
    timer:start(0, 0, function()
      timer:close()
      coroutine.wrap(function() conn = assert(dqlite.connect(server.address)) end)()
    end)
    uv.run()
    assert.equal("luv", conn.link.loop.name)
    conn:close()
  end)

  it_waits("can be luv in a coroutine before the loop runs", function()
    local conn
    coroutine.wrap(function()
      conn = assert(dqlite.connect(server.address, { loop = "luv" }))
    end)()
    assert.is_nil(conn)
    uv.run()
    assert.equal(1, dqlite.run(function() return conn:fetchval "SELECT 1" end))
    conn:close()
  end)

  it_waits("cannot be luv in the main chunk, which is told what to do", function()
    raises("dqlite.run", function() dqlite.connect(server.address, { loop = "luv" }) end)
    handles.turn(3)
    assert.equal(0, server.accepted)
  end)

  it("cannot be one that is not there, or does not run", function()
    local refused = luas.waits and "controller runs" or REFUSED
    raises(refused, function() dqlite.connect(server.address, { loop = "cqueues" }) end)
    raises("needs nginx", function() dqlite.connect(server.address, { loop = "nginx" }) end)
    for _, loop in ipairs { "libev", 1, true } do
      raises("option 'loop'", function() dqlite.connect(server.address, { loop = loop }) end)
    end
  end)
end)

describe("in a process of its own", function()
  it("require 'dqlite' loads no cqueues, nor does a blocking call", function()
    assert.equal("nil\n", subprocess.run [[
      local dqlite = require "dqlite"
      dqlite.sleep(0)
      dqlite.connect("127.0.0.1:1")
      print(package.loaded.cqueues)
    ]])
  end)

  it("cqueues that is not installed raises", function()
    local text = subprocess.run([[
      local dqlite = require "dqlite"
      print(pcall(function() dqlite.connect("127.0.0.1:1", { loop = "cqueues" }) end))
    ]], { path = package.path:match "^[^;]+;[^;]+", cpath = package.cpath:match "^[^;]+" })
    assert.matches("^false\t.-" .. (luas.waits
      and "the cqueues loop needs the module cqueues: module 'cqueues'" or REFUSED), text)
  end)

  it("require 'dqlite' loads no luv", function()
    assert.equal("nil\n", subprocess.run [[
      require "dqlite"
      print(package.loaded.luv)
    ]])
  end)

  it("a blocking sleep and a failing connect load no luv", function()
    assert.equal("connect\tnil\n", subprocess.run [[
      local dqlite = require "dqlite"
      dqlite.sleep(0.001)
      local conn, err = dqlite.connect("127.0.0.1:1")
      print(err.kind, package.loaded.luv)
    ]])
  end)

  for _, use in ipairs {
    "dqlite.run(print)", "dqlite.spawn(print)",
    "dqlite.connect('127.0.0.1:1', { loop = 'luv' })",
  } do
    it_waits("luv for a coroutine before the main chunk has loaded it raises: " .. use, function()
      local text = subprocess.run(([[
        local dqlite = require "dqlite"
        print(coroutine.wrap(function()
          return pcall(function() %s end)
        end)())
        print(package.loaded.luv)
        require "luv"
        print((coroutine.wrap(function()
          return pcall(function() %s end)
        end)()))
      ]]):format(use, use))
      assert.matches("^false\t.-require 'luv' in the main chunk first", text)
      assert.matches("\nnil\n", text)
    end)

    it_waits("luv that is not installed raises: " .. use, function()
      local text = subprocess.run(([[
        local dqlite = require "dqlite"
        print(pcall(function() %s end))
        print(dqlite.connect("127.0.0.1:1"))
      ]]):format(use), {
        path = package.path:match "^[^;]+;[^;]+",
        cpath = package.cpath:match "^[^;]+",
      })
      assert.matches("^false\t.-the luv loop needs the module luv: module 'luv' not found", text)
      assert.matches("\nnil\tconnect: ", text)
    end)
  end

  it_waits("the main chunk needs no require 'luv' of its own", function()
    assert.equal("inside\n", subprocess.run [[
      local dqlite = require "dqlite"
      print(dqlite.run(function()
        dqlite.sleep(0.001)
        return "inside"
      end))
    ]])
  end)

  it_waits("an end with connections open and coroutines waiting is quiet", function()
    assert.equal("done\n", subprocess.run [[
      local dqlite = require "dqlite"
      local luv_server = require "spec.support.luv_server"
      local simulated = require "spec.support.simulated"
      local server = luv_server.start(simulated.server())
      dqlite.run(function()
        conn = assert(dqlite.connect(server.address))
        local other = assert(dqlite.connect(server.address))
        server.source:on("SELECT 2", {})
        dqlite.spawn(function() other:fetch "SELECT 2" end)
        dqlite.spawn(function() dqlite.sleep(100) end)
        dqlite.sleep(0.005)
      end)
      print "done"
    ]])
  end)
end)
