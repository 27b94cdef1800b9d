-- What coroutines can do here, and what they get where they cannot.
local core = require "dqlite.core"
local coroutines = require "dqlite.loop.coroutines"
local dqlite = require "dqlite"
local handles = require "spec.support.handles"
local luas = require "spec.support.luas"
local raises = require "spec.support.raises"
local subprocess = require "spec.support.subprocess"

local unpack = table.unpack or rawget(_G, "unpack")

local function pack(...)
  return { n = select("#", ...), ... }
end

-- Runs a function in a coroutine up to its end.
-- @return all that it has yielded, in a list, then what resume answered last
local function run(fn, ...)
  local thread, yielded = coroutine.create(fn), {}
  local answer = pack(coroutine.resume(thread, ...))
  while coroutine.status(thread) ~= "dead" do
    yielded[#yielded + 1] = answer[2]
    answer = pack(coroutine.resume(thread, "resumed with " .. tostring(answer[2])))
  end
  return yielded, unpack(answer, 1, answer.n)
end

it("a coroutine can yield inside of pcall but in Lua 5.1", function()
  assert.equal(luas.waits, coroutines.yields_in_pcall)
end)

describe("the place to wait", function()
  local forks = core.forks()

  it("is the coroutine that runs", function()
    local thread, place
    thread = coroutine.create(function() place = coroutines.place(forks) end)
    assert(coroutine.resume(thread))
    assert.equal(thread, place)
  end)

  it("is none outside of any, under C code, and in another process", function()
    local under_c, elsewhere
    coroutine.wrap(function()
      ("x"):gsub("x", function() under_c = coroutines.place(forks) or "none" end)
      elsewhere = coroutines.place(forks + 1) or "none"
    end)()
    assert.same({ "none", "none" }, { under_c, elsewhere })
    assert.equal("nil\n", subprocess.run [[
      local coroutines = require "dqlite.loop.coroutines"
      print((coroutines.place(require "dqlite.core".forks())))]])
  end)
end)

describe("pcall for what may wait", function()
  local function twice(a, b)
    local first = coroutine.yield(a)
    return first, coroutine.yield(b), nil
  end

  it("lets it yield, and gives back what it returns", function()
    local yielded, ok, inner, first, second, last = run(function(...)
      return coroutines.pcall(twice, ...)
    end, 1, 2)
    assert.same({ 1, 2 }, yielded)
    assert.is_true(ok)
    assert.is_true(inner)
    assert.equal("resumed with 1", first)
    assert.equal("resumed with 2", second)
    assert.is_nil(last)
  end)

  it("gives back what it raises, before a yield and after one", function()
    for _, waits in ipairs { false, true } do
      local value = {}
      local _, ok, inner, raised = run(function()
        return coroutines.pcall(function()
          if waits then coroutine.yield() end
          error(value)
        end)
      end)
      assert.is_true(ok)
      assert.is_false(inner)
      assert.equal(value, raised)
    end
  end)

  it("can be inside of another", function()
    local yielded, _, ok, inner = run(function()
      return coroutines.pcall(coroutines.pcall, coroutine.yield, "deep")
    end)
    assert.same({ "deep" }, yielded)
    assert.is_true(ok)
    assert.is_true(inner)
  end)

  it("calls what is no function, and raises nothing itself", function()
    local callable = setmetatable({}, { __call = function(_, a) return a end })
    local _, _, ok, got = run(function() return coroutines.pcall(callable, 3) end)
    assert.same({ true, 3 }, { ok, got })
    _, _, ok = run(function() return coroutines.pcall(nil) end)
    assert.is_false(ok)
  end)

  it("is pcall outside of any coroutine", function()
    local answer = pack(coroutines.pcall(function(...) return ... end, nil, 2, nil))
    assert.same({ n = 4, true, nil, 2, nil }, answer)
  end)

  it("leaves the coroutine that calls the one that runs", function()
    local _, _, outer, inner, deeper = run(function()
      local own = coroutines.running()
      local _, within = coroutines.pcall(coroutines.running)
      local _, _, below = coroutines.pcall(coroutines.pcall, coroutines.running)
      return own, within, below
    end)
    assert.equal("thread", type(outer))
    assert.equal(outer, inner)
    assert.equal(outer, deeper)
  end)
end)

if luas.waits then
  describe("a yield that is asked for", function()
    -- Answers whether one can be, and whether it was.
    local function try()
      local able = coroutines.is_yieldable()
      return able, able and coroutine.yield "yielded" ~= nil
    end

    local PLACES = {
      { "in a coroutine", true, function() return try() end },
      { "in pcall", true, function() return select(2, pcall(try)) end },
      { "in xpcall", true, function()
        return select(2, xpcall(function() return (try()) end, debug.traceback))
      end },
      { "behind a tail call", true, function() return (function() return try() end)() end },
      { "in an iterator", true, function()
        for able in try do return able end -- luacheck: ignore 512
        return false
      end },
      { "in a metamethod", true, function()
        return setmetatable({}, { __index = function() return (try()) end }).x
      end },
      { "in table.sort", false, function()
        local able
        table.sort({ 1, 2 }, function(a, b)
          able = try()
          return a < b
        end)
        return able
      end },
      { "in a coroutine behind string.gsub", true, function()
        local able
        local _ = ("x"):gsub("x", function() able = coroutine.wrap(function()
          return coroutines.is_yieldable()
        end)() end)
        return able
      end },
      { "in string.gsub", false, function()
        local able
        local _ = ("x"):gsub("x", function() able = try() end)
        return able
      end },
      { "in require", false, function()
        package.preload["dqlite.spec.yield"] = function() return { try() } end
        local able = require "dqlite.spec.yield"[1]
        package.loaded["dqlite.spec.yield"] = nil
        return able
      end },
    }
    for _, place in ipairs(PLACES) do
      it(("can%s be %s"):format(place[2] and "" or "not", place[1]), function()
        local _, ok, able = run(place[3])
        assert.is_true(ok)
        assert.equal(place[2], able)
      end)
    end

    it("cannot be outside of any", function() assert.is_false(coroutines.is_yieldable()) end)
  end)

  -- What comes between two steps of the program, without any call to the collector.
  local function in_finalizer(fn)
    local answer
    setmetatable({}, { __gc = function() answer = pack(fn()) end })
    while not answer do local _ = {} end
    return unpack(answer, 1, answer.n)
  end

  describe("a yield in a finalizer", function()
    if rawget(coroutine, "isyieldable") then
      it("is one that is known beforehand to be impossible", function()
        assert.equal(rawget(coroutine, "isyieldable"), coroutines.is_yieldable)
        assert.equal(coroutine.yield, coroutines.yield)
      end)
    else
      it("is refused when it is tried, in Lua 5.2", function()
        local yielded, _, able, what = run(in_finalizer, function()
          return coroutines.is_yieldable(), coroutines.yield "lost"
        end)
        assert.same({}, yielded)
        assert.is_true(able)
        assert.equal(coroutines.REFUSED, what)
      end)

      it("is a misuse for who waits there, and nothing is left behind", function()
        local done, kind, reason
        dqlite.run(function()
          done, kind, reason = in_finalizer(function()
            return require "dqlite.loop.luv".sleep(1)
          end)
        end)
        assert.is_nil(done)
        assert.equal("misuse", kind)
        assert.matches("a finalizer", reason)
        handles.verify()
      end)
    end
  end)
else
  describe("in Lua 5.1", function()
    local REFUSED = "the luv loop needs LuaJIT, or Lua 5.2 or later"

    it("run, spawn, the option luv and the loop of a host raise at the caller's line", function()
      raises(REFUSED, function() dqlite.run(print) end)
      raises(REFUSED, function() dqlite.spawn(print) end)
      raises(REFUSED, function() dqlite.connect("127.0.0.1:1", { loop = "luv" }) end)
      raises(REFUSED, function() dqlite.cluster("127.0.0.1:1", { loop = "luv" }):connect() end)
      raises(REFUSED, function() dqlite.create_pool("127.0.0.1:1", { loop = "luv" }) end)
      raises("the loop of a host needs LuaJIT, or Lua 5.2", function() dqlite.host.new() end)
    end)

    it("they load no luv, and nothing is left behind that keeps a program alive", function()
      assert.equal("false\tfalse\tnil\n", subprocess.run [[
        local dqlite = require "dqlite"
        print((pcall(dqlite.run, print)), (pcall(dqlite.spawn, print)), package.loaded.luv)
      ]])
    end)

    it("a call in a coroutine while luv's loop runs raises, and freezes nothing", function()
      local text = subprocess.run [[
        local dqlite, uv = require "dqlite", require "luv"
        local timer = uv.new_timer()
        timer:start(0, 0, function()
          timer:close()
          print(coroutine.wrap(function() return pcall(dqlite.connect, "127.0.0.1:1") end)())
          print(pcall(dqlite.connect, "127.0.0.1:1"))
        end)
        uv.run()
      ]]
      assert.matches("^false\t[^\n]*" .. REFUSED, text)
      assert.matches("\nfalse\t[^\n]*would freeze the luv loop", text)
    end)

    it("sleep waits in a coroutine as it does outside", function()
      local began = core.now()
      local yielded, ok = run(dqlite.sleep, 0.002)
      assert.same({}, yielded)
      assert.is_true(ok)
      assert.is_true(core.now() - began >= 0.002)
    end)
  end)
end
